#include "dataset/resize.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { WEIGHT_BITS = 22 };

/* For each output position: its weights over inputs first … first + count - 1. */
struct axis {
    size_t out;
    size_t taps; /* room for weights at each position */
    size_t *first, *count;
    int32_t *weights; /* (out, taps) */
};

struct resizer {
    size_t in_width, in_height, size;
    struct axis across, down;
};

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static void fill_position(struct axis *axis, size_t position, size_t in, double scale, double *real)
{
    double filter_scale = scale < 1 ? 1 : scale;
    double center = ((double)position + 0.5) * scale;
    double low = center - filter_scale + 0.5, high = center + filter_scale + 0.5;
    size_t first = low < 0 ? 0 : (size_t)low;
    size_t end = high > (double)in ? in : (size_t)high;
    double sum = 0;
    for (size_t i = first; i < end; i++) {
        real[i - first] = triangle(((double)i - center + 0.5) / filter_scale);
        sum += real[i - first];
    }
    int32_t *weights = axis->weights + position * axis->taps;
    for (size_t i = 0; i < end - first; i++)
        weights[i] = (int32_t)(0.5 + real[i] / sum * (1 << WEIGHT_BITS));
    axis->first[position] = first;
    axis->count[position] = end - first;
}

static int axis_fill(struct axis *axis, size_t in, size_t out)
{
    double scale = (double)in / (double)out;
    axis->out = out;
    axis->taps = 2 * (size_t)ceil(scale < 1 ? 1 : scale) + 1;
    axis->first = calloc(out, sizeof *axis->first);
    axis->count = calloc(out, sizeof *axis->count);
    size_t weights;
    if (__builtin_mul_overflow(out, axis->taps, &weights))
        return -1;
    axis->weights = calloc(weights, sizeof *axis->weights);
    double *real = calloc(axis->taps, sizeof *real);
    bool enough = axis->first && axis->count && axis->weights && real;
    for (size_t i = 0; enough && i < out; i++)
        fill_position(axis, i, in, scale, real);
    free(real);
    return enough ? 0 : -1;
}

static void axis_free(struct axis *axis)
{
    free(axis->first);
    free(axis->count);
    free(axis->weights);
}

struct resizer *resizer_new(size_t in_width, size_t in_height, size_t out_size, struct error *error)
{
    struct resizer *resizer = calloc(1, sizeof *resizer);
    if (!resizer) {
        error_memory(error, "resizing");
        return NULL;
    }
    resizer->in_width = in_width;
    resizer->in_height = in_height;
    resizer->size = out_size;
    if (axis_fill(&resizer->across, in_width, out_size) < 0 ||
        axis_fill(&resizer->down, in_height, out_size) < 0) {
        error_memory(error, "resizing");
        resizer_free(resizer);
        return NULL;
    }
    return resizer;
}

void resizer_free(struct resizer *resizer)
{
    if (!resizer)
        return;
    axis_free(&resizer->across);
    axis_free(&resizer->down);
    free(resizer);
}

size_t resizer_scratch(const struct resizer *resizer)
{
    return resizer->in_height * resizer->size;
}

/* Weights are positive and sum to one but for rounding, so that only the upper bound can be passed. */
static uint8_t weighted(const uint8_t *in, size_t step, const int32_t *weights, size_t count)
{
    int32_t sum = 1 << (WEIGHT_BITS - 1);
    for (size_t i = 0; i < count; i++)
        sum += in[i * step] * weights[i];
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

void resizer_run(const struct resizer *resizer, const uint8_t *in, size_t step, uint8_t *out,
                 uint8_t *scratch)
{
    const struct axis *across = &resizer->across, *down = &resizer->down;
    size_t size = resizer->size;
    for (size_t y = 0; y < resizer->in_height; y++) {
        const uint8_t *row = in + y * resizer->in_width * step;
        for (size_t x = 0; x < size; x++)
            scratch[y * size + x] = weighted(row + across->first[x] * step, step,
                                             across->weights + x * across->taps, across->count[x]);
    }
    for (size_t y = 0; y < size; y++)
        for (size_t x = 0; x < size; x++)
            out[y * size + x] = weighted(scratch + down->first[y] * size + x, size,
                                         down->weights + y * down->taps, down->count[y]);
}
