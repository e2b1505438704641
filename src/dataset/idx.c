#include "dataset/idx.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

int idx_parse(const uint8_t *bytes, size_t size, size_t dimensions, struct idx *idx, struct error *error)
{
    size_t header = 4 + 4 * dimensions;
    const char *kind = dimensions == 1 ? "labels" : "images";
    if (size < header)
        return error_set(error,
                         "expected IDX %s with a header of %zu bytes, found %zu bytes: fetch the file again",
                         kind, header, size);
    uint32_t magic = big_endian(bytes), expected = 0x800 + (uint32_t)dimensions;
    if (magic != expected)
        return error_set(error, "expected IDX %s (magic number 0x%08x), found 0x%08x: not such a file", kind,
                         expected, magic);
    size_t needed = 1;
    for (size_t i = 0; i < dimensions; i++) {
        idx->sizes[i] = big_endian(bytes + 4 + 4 * i);
        if (__builtin_mul_overflow(needed, idx->sizes[i], &needed))
            return error_set(error,
                             "the header's sizes are absurd (%zu in dimension %zu, times those before it): "
                             "fetch the file again",
                             idx->sizes[i], i + 1);
    }
    if (needed == 0)
        return error_set(error, "holds no %s", kind);
    if (size - header != needed)
        return error_set(error, "expected %zu bytes of %s after the header, found %zu: %s", needed, kind,
                         size - header,
                         size - header < needed ? "truncated, fetch the file again" : "not such a file");
    idx->dimensions = dimensions;
    idx->data = bytes + header;
    return 0;
}

static int inflate_all(z_stream *stream, struct text *content, size_t limit, struct error *error)
{
    uint8_t block[65536];
    int result = Z_OK;
    while (result != Z_STREAM_END) {
        stream->next_out = block;
        stream->avail_out = sizeof block;
        result = inflate(stream, Z_NO_FLUSH);
        if (result == Z_BUF_ERROR)
            return error_set(error, "the gzip data ends early: truncated, fetch the file again");
        if (result != Z_OK && result != Z_STREAM_END)
            return error_set(error, "the gzip data is damaged (%s): fetch the file again",
                             stream->msg ? stream->msg : "zlib");
        size_t got = sizeof block - stream->avail_out;
        if (got > limit - content->length)
            return error_set(error, "unpacks to more than %zu bytes: not such a file", limit);
        text_append_bytes(content, block, got);
    }
    return content->failed ? error_memory(error, "gzip data") : 0;
}

int idx_inflate(const uint8_t *bytes, size_t size, size_t limit, uint8_t **out, size_t *out_size,
                struct error *error)
{
    *out = NULL;
    *out_size = 0;
    if (size < 2 || bytes[0] != 0x1f || bytes[1] != 0x8b)
        return 0;
    if (size > UINT32_MAX)
        return error_set(error, "gzip data of %zu bytes: expected less than 4 GiB", size);
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)size};
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return error_memory(error, "gzip data");
    struct text content = TEXT_INIT;
    text_append(&content, "");
    int result = inflate_all(&stream, &content, limit, error);
    inflateEnd(&stream);
    *out_size = content.length;
    *out = result == 0 ? (uint8_t *)text_take(&content) : NULL;
    text_free(&content);
    if (result == 0 && !*out)
        return error_memory(error, "gzip data");
    return result;
}
