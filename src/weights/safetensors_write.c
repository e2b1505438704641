#include "base/file.h"
#include "weights/safetensors.h"

#include <endian.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 8 }; /* of the values, as the format's own writer pads its header */

static size_t entry_values(const struct safetensors_entry *entry)
{
    size_t count = 1;
    for (size_t d = 0; d < entry->dim_count; d++)
        count *= entry->dims[d];
    return count;
}

static json_t *entry_json(const struct safetensors_entry *entry, size_t *at)
{
    json_t *shape = json_array();
    size_t begin = *at;
    for (size_t d = 0; d < entry->dim_count; d++)
        json_array_append_new(shape, json_integer((json_int_t)entry->dims[d]));
    *at += entry_values(entry) * sizeof(float);
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)*at);
}

/* The caller frees it. NULL if memory ran out, or a name is not UTF-8. */
static char *header_text(const struct safetensors_contents *contents)
{
    json_t *header = json_object(), *metadata = json_object();
    size_t at = 0;
    int failed = 0;
    for (const char *const *pair = contents->metadata; pair && *pair; pair += 2)
        failed |= json_object_set_new(metadata, pair[0], json_string(pair[1]));
    failed |= json_object_set_new(header, "__metadata__", metadata);
    for (size_t i = 0; i < contents->count; i++)
        failed |=
            json_object_set_new(header, contents->entries[i].name, entry_json(&contents->entries[i], &at));
    char *text = failed ? NULL : json_dumps(header, JSON_COMPACT);
    json_decref(header);
    return text;
}

static int put_header(struct file_writer *writer, const struct safetensors_contents *contents,
                      struct error *error)
{
    static const char spaces[ALIGNMENT] = "        ";
    char *text = header_text(contents);
    if (!text)
        return error_memory(error, "header of the weights");
    size_t length = strlen(text), padding = (ALIGNMENT - length % ALIGNMENT) % ALIGNMENT;
    uint64_t bytes = htole64(length + padding);
    int status = file_writer_put(writer, &bytes, sizeof bytes, error);
    if (status == 0)
        status = file_writer_put(writer, text, length, error);
    if (status == 0)
        status = file_writer_put(writer, spaces, padding, error);
    free(text);
    return status;
}

static void to_little_endian(float *data, size_t count)
{
    for (size_t i = 0; BYTE_ORDER == BIG_ENDIAN && i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &data[i], sizeof bits);
        bits = htole32(bits);
        memcpy(&data[i], &bits, sizeof bits);
    }
}

static int put_values(struct file_writer *writer, const struct safetensors_contents *contents,
                      struct error *error)
{
    size_t most = 1;
    for (size_t i = 0; i < contents->count; i++)
        if (entry_values(&contents->entries[i]) > most)
            most = entry_values(&contents->entries[i]);
    float *data = malloc(most * sizeof *data);
    int status = data ? 0 : error_memory(error, "weights to write");
    for (size_t i = 0; status == 0 && i < contents->count; i++) {
        size_t count = entry_values(&contents->entries[i]);
        status = contents->fill(contents->context, i, data, error);
        if (status == 0) {
            to_little_endian(data, count);
            status = file_writer_put(writer, data, count * sizeof *data, error);
        }
    }
    free(data);
    return status;
}

int safetensors_write(const char *path, const struct safetensors_contents *contents, struct error *error)
{
    struct file_writer *writer = file_writer_open(path, error);
    if (!writer)
        return -1;
    if (put_header(writer, contents, error) < 0 || put_values(writer, contents, error) < 0) {
        file_writer_drop(writer);
        return -1;
    }
    return file_writer_finish(writer, error);
}
