/* What was drawn, done to the pixels. Turning, shifting, window and mirror are one map from a pixel of the
 * result to the place in the image that it shows; whole rows are handled in blocks that stay in the
 * first-level cache. */
#include "dataset/augment.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 64 };

/* The inner loops are compiled for several instruction sets; the program's loader picks one. (By feature: GCC
 * takes "arch=haswell" for that model alone, not for those after it.) Sanitizers can't instrument the
 * picking. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&     \
    !defined(__SANITIZE_THREAD__)
#define VECTOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTOR
#endif

#define PI 3.14159265358979323846

/* A run of positions of the result. */
struct range {
    size_t first, end;
};

/* Along one axis: position p of the result shows start + p * step, kept between low and high. */
struct axis {
    double start, step, low, high;
    struct range seen; /* elsewhere it is black */
};

struct map {
    struct axis across, down;
    double cosine, sine, centre;
    double down_shift, right_shift;
};

/* Where a block's pixels lie in the image: the byte up and to the left of each, and how far it is beyond
 * that. */
struct taps {
    uint32_t at[BLOCK];
    float right[BLOCK], down[BLOCK];
};

static struct axis axis_of(long first, size_t length, size_t size, bool mirrored)
{
    struct axis axis = {.low = (double)first, .high = (double)(first + (long)length - 1)};
    double step = (double)length / (double)size;
    double start = (double)first + 0.5 * step - 0.5;
    axis.step = mirrored ? -step : step;
    axis.start = mirrored ? start + (double)(size - 1) * step : start;
    /* only a window as large as the image can reach beyond it */
    long whole = (long)size, before = first < 0 ? -first : 0, after = 0;
    if (first + (long)length > whole)
        after = first + (long)length - whole;
    before = before > whole ? whole : before;
    after = after > whole - before ? whole - before : after;
    axis.seen.first = (size_t)(mirrored ? after : before);
    axis.seen.end = size - (size_t)(mirrored ? before : after);
    return axis;
}

static struct map map_of(const struct augment_draw *draw, size_t size)
{
    double angle = draw->angle_deg * PI / 180;
    return (struct map){
        .across = axis_of(draw->left, draw->width, size, draw->flip),
        .down = axis_of(draw->top, draw->height, size, false),
        .cosine = cos(angle),
        .sine = sin(angle),
        .centre = ((double)size - 1) / 2,
        .down_shift = draw->down,
        .right_shift = draw->right,
    };
}

static inline float clamp(float x, float low, float high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

VECTOR static void find_taps(const struct map *map, size_t size, size_t row, size_t first, size_t count,
                             struct taps *taps)
{
    const struct axis *across = &map->across, *down = &map->down;
    double v = fmin(fmax(down->start + (double)row * down->step, down->low), down->high);
    double dv = v - map->centre + map->down_shift, du = map->right_shift - map->centre;
    float x0 = (float)(map->sine * dv + map->cosine * du + map->centre);
    float y0 = (float)(map->cosine * dv - map->sine * du + map->centre);
    float start = (float)(across->start + (double)first * across->step), step = (float)across->step;
    float low = (float)across->low, high = (float)across->high, last = (float)(size - 1);
    float cosine = (float)map->cosine, sine = (float)map->sine;
    int32_t most = (int32_t)size - 2, stride = (int32_t)size;
    for (size_t i = 0; i < count; i++) {
        float u = clamp(start + (float)(int32_t)i * step, low, high);
        float x = clamp(x0 + cosine * u, 0, last), y = clamp(y0 - sine * u, 0, last);
        int32_t column = (int32_t)x, line = (int32_t)y;
        column = column > most ? most : column;
        line = line > most ? most : line;
        taps->at[i] = (uint32_t)(line * stride + column);
        taps->right[i] = x - (float)column;
        taps->down[i] = y - (float)line;
    }
}

/* One word a pixel, so that one load fetches all its channels. */
VECTOR static void pack(const uint8_t *image, size_t plane, uint32_t *words)
{
    for (size_t i = 0; i < plane; i++)
        words[i] = image[i] | (uint32_t)image[plane + i] << 8 | (uint32_t)image[2 * plane + i] << 16;
}

/* The four pixels around each place. */
struct corners {
    uint32_t a[BLOCK], b[BLOCK], c[BLOCK], d[BLOCK];
};

VECTOR static void fetch(const uint32_t *words, size_t size, const struct taps *taps, size_t count,
                         struct corners *corners)
{
    for (size_t i = 0; i < count; i++) {
        const uint32_t *upper = words + taps->at[i], *lower = upper + size;
        corners->a[i] = upper[0];
        corners->b[i] = upper[1];
        corners->c[i] = lower[0];
        corners->d[i] = lower[1];
    }
}

static inline float level(uint32_t word, unsigned channel)
{
    return (float)(int32_t)(word >> 8 * channel & 255);
}

VECTOR static void blend(const struct corners *corners, const struct taps *taps, size_t count,
                         unsigned channel, float scale, float offset, float *out)
{
    for (size_t i = 0; i < count; i++) {
        float a = level(corners->a[i], channel), c = level(corners->c[i], channel), right = taps->right[i];
        float above = a + (level(corners->b[i], channel) - a) * right;
        float below = c + (level(corners->d[i], channel) - c) * right;
        out[i] = (above + (below - above) * taps->down[i]) * scale + offset;
    }
}

static void fill(float *out, size_t count, float value)
{
    for (size_t i = 0; i < count; i++)
        out[i] = value;
}

struct target {
    const uint8_t *image;
    size_t size;
    const float *table[NORMALISED_CHANNELS]; /* what each byte becomes */
    float scale[NORMALISED_CHANNELS], offset[NORMALISED_CHANNELS];
    uint32_t *words; /* the image's pixels, if it is resampled */
    float *out;
};

static void black_row(const struct target *target, size_t row, struct range columns)
{
    for (size_t c = 0; c < NORMALISED_CHANNELS; c++)
        fill(target->out + (c * target->size + row) * target->size + columns.first,
             columns.end - columns.first, target->table[c][0]);
}

static void resample_row(const struct target *target, const struct map *map, size_t row)
{
    size_t size = target->size, plane = size * size, end = map->across.seen.end;
    for (size_t first = map->across.seen.first; first < end; first += BLOCK) {
        struct taps taps;
        struct corners corners;
        size_t count = end - first < BLOCK ? end - first : BLOCK;
        find_taps(map, size, row, first, count, &taps);
        fetch(target->words, size, &taps, count, &corners);
        for (unsigned c = 0; c < NORMALISED_CHANNELS; c++)
            blend(&corners, &taps, count, c, target->scale[c], target->offset[c],
                  target->out + c * plane + row * size + first);
    }
}

/* A row of a window that shows pixels as they are. */
static void copy_row(const struct target *target, const struct map *map, size_t row)
{
    size_t size = target->size;
    const struct range seen = map->across.seen;
    size_t line = (size_t)(map->down.start + (double)row);
    long column = (long)(map->across.start + (double)seen.first * map->across.step);
    bool mirrored = map->across.step < 0;
    for (size_t c = 0; c < NORMALISED_CHANNELS; c++) {
        const uint8_t *source = target->image + (c * size + line) * size + column;
        float *out = target->out + (c * size + row) * size;
        const float *table = target->table[c];
        if (mirrored)
            for (size_t x = seen.first; x < seen.end; x++)
                out[x] = table[*source--];
        else
            for (size_t x = seen.first; x < seen.end; x++)
                out[x] = table[*source++];
    }
}

static void place(const struct augment_draw *draw, const struct target *target)
{
    size_t size = target->size;
    const struct map map = map_of(draw, size);
    bool plain = size < 2 || (draw->angle_deg == 0 && draw->down == 0 && draw->right == 0 &&
                              draw->width == size && draw->height == size);
    if (!plain)
        pack(target->image, size * size, target->words);
    for (size_t row = 0; row < size; row++) {
        bool outside = row < map.down.seen.first || row >= map.down.seen.end;
        if (outside) {
            black_row(target, row, (struct range){0, size});
            continue;
        }
        black_row(target, row, (struct range){0, map.across.seen.first});
        black_row(target, row, (struct range){map.across.seen.end, size});
        if (map.across.seen.first == map.across.seen.end)
            continue;
        if (plain)
            copy_row(target, &map, row);
        else
            resample_row(target, &map, row);
    }
}

/* Rec. 601's weights, as torchvision's rgb_to_grayscale has them. */
static const float grey[NORMALISED_CHANNELS] = {0.2989F, 0.587F, 0.114F};

/* out = factor * out + rest, within the levels there are. */
VECTOR static void blend_constant(float *out, size_t count, float factor, float rest)
{
    for (size_t i = 0; i < count; i++)
        out[i] = clamp(factor * out[i] + rest, 0, 255);
}

VECTOR static void blend_grey(float *out, size_t plane, float factor)
{
    float *red = out, *green = out + plane, *blue = out + 2 * plane;
    for (size_t i = 0; i < plane; i++) {
        float rest = (1 - factor) * (grey[0] * red[i] + grey[1] * green[i] + grey[2] * blue[i]);
        red[i] = clamp(factor * red[i] + rest, 0, 255);
        green[i] = clamp(factor * green[i] + rest, 0, 255);
        blue[i] = clamp(factor * blue[i] + rest, 0, 255);
    }
}

/* Several sums side by side, so that they can be done at once and stay exact enough. */
VECTOR static double sum(const float *values, size_t count)
{
    enum { LANES = 16 };
    float lanes[LANES] = {0};
    double total = 0;
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lanes[k] += values[i + k];
    for (size_t i = whole; i < count; i++)
        total += values[i];
    for (size_t k = 0; k < LANES; k++)
        total += lanes[k];
    return total;
}

static float mean_grey(const float *levels, size_t plane)
{
    double mean = 0;
    for (size_t c = 0; c < NORMALISED_CHANNELS; c++)
        mean += (double)grey[c] * sum(levels + c * plane, plane) / (double)plane;
    return (float)mean;
}

/* On levels from 0 to 255, as torchvision does it on images of floats: each step blends with black, with the
 * mean grey, or with each pixel's own grey. */
static void jitter(const struct augment_draw *draw, size_t plane, float *levels)
{
    size_t count = NORMALISED_CHANNELS * plane;
    for (size_t i = 0; i < 3; i++) {
        if (draw->order[i] == 0)
            blend_constant(levels, count, (float)draw->brightness, 0);
        else if (draw->order[i] == 1)
            blend_constant(levels, count, (float)draw->contrast,
                           (1 - (float)draw->contrast) * mean_grey(levels, plane));
        else
            blend_grey(levels, plane, (float)draw->saturation);
    }
}

VECTOR static void normalise(float *levels, size_t count, float scale, float offset)
{
    for (size_t i = 0; i < count; i++)
        levels[i] = levels[i] * scale + offset;
}

void augment_apply(const struct augment_draw *draw, const uint8_t *image, size_t size,
                   const struct pixel_values *values, uint32_t *scratch, float *out)
{
    bool colours = draw->brightness != 1 || draw->contrast != 1 || draw->saturation != 1;
    size_t plane = size * size;
    struct target target = {.image = image, .size = size, .words = scratch, .out = out};
    for (size_t c = 0; c < NORMALISED_CHANNELS; c++) {
        target.table[c] = colours ? values->level : values->byte[c];
        target.scale[c] = colours ? 1 : values->scale[c];
        target.offset[c] = colours ? 0 : values->offset[c];
    }
    place(draw, &target);
    if (!colours)
        return;
    jitter(draw, plane, out);
    for (size_t c = 0; c < NORMALISED_CHANNELS; c++)
        normalise(out + c * plane, plane, values->scale[c], values->offset[c]);
}
