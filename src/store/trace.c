/* A block is
 *
 *     byte 0        1, the format
 *     bytes 1..4    length of the packed columns, little endian
 *     the rest      a zlib stream (RFC 1950) of the packed columns
 *
 * and the columns, each with one number a sample, all in the samples' order, are
 *
 *     channel       as it is
 *     start         in us: difference to the end of the same channel's sample before (at first to 0)
 *     wall          in us: difference to the same channel's sample before (at first to 0)
 *     power         in 0.1 mW: the same
 *
 * Numbers are varints, 7 bits a byte, the lowest first, the top bit set on all bytes but the last;
 * differences are zigzag-coded first (0, -1, 1, -2, … become 0, 1, 2, 3, …). Steady sampling makes nearly all
 * differences of time small, and the columns keep what is alike together for deflate. */
#include "store/trace.h"

#include "base/text.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FORMAT       1
#define HEADER_BYTES 5
#define VARINT_BYTES 10
#define COLUMNS      4
#define US_PER_S     1e6
#define UNITS_PER_W  1e4
#define UNITS_MOST   1e15 /* keeps all sums far from overflow: 31 years, 100 GW */

/* What the differences of a channel are taken from. */
struct previous {
    int64_t end_us, wall_us, power;
};

struct sample_units {
    uint32_t channel;
    int64_t start_us, wall_us, power;
};

static void put_varint(struct text *out, uint64_t number)
{
    unsigned char bytes[VARINT_BYTES];
    size_t count = 0;
    do {
        bytes[count++] = (unsigned char)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        number >>= 7;
    } while (number);
    text_append_bytes(out, bytes, count);
}

static void put_difference(struct text *out, int64_t to, int64_t from)
{
    int64_t difference = to - from;
    put_varint(out, ((uint64_t)difference << 1) ^ (uint64_t)(difference >> 63));
}

static int to_units(const struct trace_sample *sample, struct sample_units *units)
{
    double start = sample->start_s * US_PER_S, wall = sample->wall_s * US_PER_S;
    double power = sample->power_w * UNITS_PER_W;
    bool fits = fabs(start) <= UNITS_MOST && wall >= 0 && wall <= UNITS_MOST && fabs(power) <= UNITS_MOST;
    if (!fits || sample->channel >= TRACE_CHANNELS_MOST)
        return -1; /* NAN compares false */
    *units = (struct sample_units){sample->channel, llround(start), llround(wall), llround(power)};
    return 0;
}

static int pack_columns(const struct trace_sample *samples, size_t count, struct previous *channels,
                        struct text columns[COLUMNS])
{
    for (size_t i = 0; i < count; i++) {
        struct sample_units now;
        if (to_units(&samples[i], &now) < 0)
            return -1;
        struct previous *before = &channels[now.channel];
        put_varint(&columns[0], now.channel);
        put_difference(&columns[1], now.start_us, before->end_us);
        put_difference(&columns[2], now.wall_us, before->wall_us);
        put_difference(&columns[3], now.power, before->power);
        *before = (struct previous){now.start_us + now.wall_us, now.wall_us, now.power};
    }
    return 0;
}

static int deflate_block(const struct text *packed, void **block, size_t *size, struct error *error)
{
    uLongf length = compressBound(packed->length);
    unsigned char *bytes = malloc(HEADER_BYTES + length);
    if (!bytes)
        return error_memory(error, "trace");
    bytes[0] = FORMAT;
    for (int i = 0; i < 4; i++)
        bytes[1 + i] = (unsigned char)(packed->length >> (8 * i));
    if (compress2(bytes + HEADER_BYTES, &length, (const Bytef *)packed->data, packed->length, 6) != Z_OK) {
        free(bytes);
        return error_memory(error, "trace");
    }
    *block = bytes;
    *size = HEADER_BYTES + length;
    return 0;
}

int trace_encode(const struct trace_sample *samples, size_t count, void **block, size_t *size,
                 struct error *error)
{
    if (count == 0 || count > TRACE_SAMPLES_MOST)
        return error_set(error, "trace: expected 1 to %d samples in a block, found %zu", TRACE_SAMPLES_MOST,
                         count);
    struct previous *channels = calloc(TRACE_CHANNELS_MOST, sizeof *channels);
    if (!channels)
        return error_memory(error, "trace");
    struct text columns[COLUMNS] = {TEXT_INIT, TEXT_INIT, TEXT_INIT, TEXT_INIT};
    struct text packed = TEXT_INIT;
    int result = pack_columns(samples, count, channels, columns);
    if (result < 0)
        error_set(error, "trace: a sample's channel, time or power is out of range");
    for (size_t i = 0; i < COLUMNS; i++) {
        packed.failed = packed.failed || columns[i].failed;
        text_append_bytes(&packed, columns[i].data, columns[i].length);
        text_free(&columns[i]);
    }
    if (result == 0)
        result = packed.failed ? error_memory(error, "trace") : deflate_block(&packed, block, size, error);
    text_free(&packed);
    free(channels);
    return result;
}

/* Reads varints strictly: never past the end, no number beyond 64 bits, no superfluous zero bytes. */
struct reader {
    const unsigned char *at, *end;
    bool failed;
};

static uint64_t get_varint(struct reader *reader)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 70 && reader->at < reader->end; shift += 7) {
        unsigned char byte = *reader->at++;
        bool too_large = shift == 63 && byte > 1;
        bool superfluous = byte == 0 && shift > 0;
        if (too_large || superfluous)
            break;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
    reader->failed = true;
    return 0;
}

static int64_t get_after(struct reader *reader, int64_t from)
{
    uint64_t zigzag = get_varint(reader);
    int64_t difference = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
    int64_t number;
    if (__builtin_add_overflow(from, difference, &number) || number > (int64_t)UNITS_MOST ||
        number < -(int64_t)UNITS_MOST)
        reader->failed = true;
    return reader->failed ? 0 : number;
}

static void unpack_columns(struct reader *reader, struct previous *channels, struct sample_units *units,
                           size_t count)
{
    for (size_t i = 0; i < count && !reader->failed; i++) {
        uint64_t channel = get_varint(reader);
        reader->failed = reader->failed || channel >= TRACE_CHANNELS_MOST;
        units[i].channel = reader->failed ? 0 : (uint32_t)channel;
    }
    /* the starts need the walls, which come after them: first all differences, then their sums */
    for (size_t i = 0; i < count && !reader->failed; i++)
        units[i].start_us = get_after(reader, 0);
    for (size_t i = 0; i < count && !reader->failed; i++) {
        struct previous *before = &channels[units[i].channel];
        units[i].wall_us = before->wall_us = get_after(reader, before->wall_us);
        reader->failed = reader->failed || units[i].wall_us < 0;
        units[i].start_us += before->end_us;
        before->end_us = units[i].start_us + units[i].wall_us;
        reader->failed = reader->failed || llabs(units[i].start_us) > (int64_t)UNITS_MOST;
    }
    for (size_t i = 0; i < count && !reader->failed; i++) {
        struct previous *before = &channels[units[i].channel];
        units[i].power = before->power = get_after(reader, before->power);
    }
    reader->failed = reader->failed || reader->at != reader->end;
}

static int unpack(const unsigned char *packed, size_t length, size_t count, struct trace_sample *samples)
{
    struct previous *channels = calloc(TRACE_CHANNELS_MOST, sizeof *channels);
    struct sample_units *units = calloc(count, sizeof *units);
    struct reader reader = {packed, packed + length, !channels || !units};
    if (!reader.failed)
        unpack_columns(&reader, channels, units, count);
    for (size_t i = 0; i < count && !reader.failed; i++)
        samples[i] =
            (struct trace_sample){units[i].channel, (double)units[i].start_us / US_PER_S,
                                  (double)units[i].wall_us / US_PER_S, (double)units[i].power / UNITS_PER_W};
    free(channels);
    free(units);
    return reader.failed ? -1 : 0;
}

int trace_decode(const void *block, size_t size, size_t count, struct trace_sample **samples,
                 struct error *error)
{
    const unsigned char *bytes = block;
    if (count == 0 || count > TRACE_SAMPLES_MOST || size < HEADER_BYTES)
        return error_set(error, "trace: a block of %zu bytes with %zu samples is damaged", size, count);
    if (bytes[0] != FORMAT)
        return error_set(error, "trace: expected format %d, found %d: a newer Joulery wrote it", FORMAT,
                         bytes[0]);
    uLongf length = 0;
    for (int i = 0; i < 4; i++)
        length |= (uLongf)bytes[1 + i] << (8 * i);
    if (length < COLUMNS * count || length > COLUMNS * VARINT_BYTES * count)
        return error_set(error, "trace: %zu samples can't take %lu bytes: the block is damaged", count,
                         length);
    unsigned char *packed = malloc(length);
    struct trace_sample *unpacked = calloc(count, sizeof *unpacked);
    int result = packed && unpacked ? 0 : error_memory(error, "trace");
    uLongf found = length;
    if (result == 0 && (uncompress(packed, &found, bytes + HEADER_BYTES, size - HEADER_BYTES) != Z_OK ||
                        found != length || unpack(packed, length, count, unpacked) < 0))
        result = error_set(error, "trace: a block is damaged");
    free(packed);
    if (result == 0)
        *samples = unpacked;
    else
        free(unpacked);
    return result;
}
