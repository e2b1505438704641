/* Kernels that know where channels lie. */
#include "nn/cpu_element.h"

#include <string.h>

/* Where channel c of image n begins. */
static size_t channel_at(const struct channel_layout *l, size_t n, size_t c, size_t pixels)
{
    return (n * l->blocks + c / l->lanes) * pixels * l->lanes + c % l->lanes;
}

/* `run` channels side by side in both, pixel by pixel. */
#define COPY_RUN(name, type)                                                                                 \
    VECTOR static void name(type *restrict dst, size_t dst_lanes, const type *restrict src,                  \
                            size_t src_lanes, size_t pixels, size_t run)                                     \
    {                                                                                                        \
        if (run == dst_lanes && run == src_lanes) {                                                          \
            memcpy(dst, src, pixels *run * sizeof *dst);                                                     \
        } else if (run == 1) {                                                                               \
            for (size_t s = 0; s < pixels; s++)                                                              \
                dst[s * dst_lanes] = src[s * src_lanes];                                                     \
        } else {                                                                                             \
            for (size_t s = 0; s < pixels; s++)                                                              \
                for (size_t i = 0; i < run; i++)                                                             \
                    dst[s * dst_lanes + i] = src[s * src_lanes + i];                                         \
        }                                                                                                    \
    }
COPY_RUN(copy_floats, float)
COPY_RUN(copy_halves, uint16_t)

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Channels [begin, end) of those to copy, of one image. */
static void copy_some(void *dst, const void *src, const struct channel_copy *c, size_t n, size_t begin,
                      size_t end)
{
    bool rows = c->dst_step == 1 && c->src_step == 1;
    for (size_t i = begin; i < end;) {
        size_t to = c->dst_first + i * c->dst_step, from = c->src_first + i * c->src_step, run = 1;
        if (rows)
            run = least(end - i, least(c->dst.lanes - to % c->dst.lanes, c->src.lanes - from % c->src.lanes));
        void *put = element_at(dst, channel_at(&c->dst, n, to, c->pixels), c->type);
        const void *take = element_from(src, channel_at(&c->src, n, from, c->pixels), c->type);
        if (c->type == ELEMENT_BF16)
            copy_halves(put, c->dst.lanes, take, c->src.lanes, c->pixels, run);
        else
            copy_floats(put, c->dst.lanes, take, c->src.lanes, c->pixels, run);
        i += run;
    }
}

/* Channels a thread takes at a time. */
enum { COPY_CHANNELS = 64 };

void kernel_copy_channels(void *dst, const void *src, const struct channel_copy *copy)
{
    size_t pieces = (copy->count + COPY_CHANNELS - 1) / COPY_CHANNELS;
#pragma omp parallel for schedule(static) if (copy->images * copy->count * copy->pixels >= PARALLEL_LEAST)
    for (size_t i = 0; i < copy->images * pieces; i++) {
        size_t begin = i % pieces * COPY_CHANNELS;
        copy_some(dst, src, copy, i / pieces, begin, least(begin + COPY_CHANNELS, copy->count));
    }
}

void kernel_clear_last_block(void *dst, const struct channel_copy *copy)
{
    const struct channel_layout *layout = &copy->dst;
    for (size_t n = 0; n < copy->images; n++)
        memset(element_at(dst, channel_at(layout, n, (layout->blocks - 1) * layout->lanes, copy->pixels),
                          copy->type),
               0, copy->pixels * layout->lanes * element_size(copy->type));
}

/* One block of channels: `valid` of its lanes have factors. */
struct block {
    void *y;
    const void *x, *dy;
    const float *factors;
    float *sums;
    size_t pixels, lanes, valid;
};

static inline ALWAYS_INLINE void gate_lanes(const struct block *block, const enum element type)
{
    const float *factors = block->factors;
    for (size_t s = 0; s < block->pixels; s++) {
        void *y = element_at(block->y, s * block->lanes, type);
        const void *x = element_from(block->x, s * block->lanes, type);
#pragma omp simd
        for (size_t i = 0; i < block->valid; i++)
            element_put(y, i, type, element_get(x, i, type) * factors[i]);
        for (size_t i = block->valid; i < block->lanes; i++)
            element_put(y, i, type, 0);
    }
}

static inline ALWAYS_INLINE void gate_plane(const struct block *block, const enum element type)
{
    void *y = block->y;
    const void *x = block->x;
    float factor = *block->factors;
#pragma omp simd
    for (size_t s = 0; s < block->pixels; s++)
        element_put(y, s, type, element_get(x, s, type) * factor);
}

static inline ALWAYS_INLINE void gate_lanes_backward(const struct block *block, const enum element type)
{
    const float *factors = block->factors;
    float *restrict sums = block->sums;
    memset(sums, 0, block->valid * sizeof *sums);
    for (size_t s = 0; s < block->pixels; s++) {
        void *dx = element_at(block->y, s * block->lanes, type);
        const void *x = element_from(block->x, s * block->lanes, type);
        const void *dy = element_from(block->dy, s * block->lanes, type);
#pragma omp simd
        for (size_t i = 0; i < block->valid; i++) {
            float d = element_get(dy, i, type);
            sums[i] += d * element_get(x, i, type);
            element_put(dx, i, type, d * factors[i]);
        }
        for (size_t i = block->valid; i < block->lanes; i++)
            element_put(dx, i, type, 0);
    }
}

static inline ALWAYS_INLINE void gate_plane_backward(const struct block *block, const enum element type)
{
    void *dx = block->y;
    const void *x = block->x, *dy = block->dy;
    float sum = 0, factor = *block->factors;
#pragma omp simd reduction(+ : sum)
    for (size_t s = 0; s < block->pixels; s++) {
        float d = element_get(dy, s, type);
        sum += d * element_get(x, s, type);
        element_put(dx, s, type, d * factor);
    }
    *block->sums = sum;
}

/* Blocks of one lane are walked along their pixels. */
#define FOR_EITHER_TYPE(name, lanes_loop, plane_loop)                                                        \
    VECTOR static void name(const struct block *block, enum element type)                                    \
    {                                                                                                        \
        if (type == ELEMENT_BF16 && block->lanes == 1)                                                       \
            plane_loop(block, ELEMENT_BF16);                                                                 \
        else if (type == ELEMENT_BF16)                                                                       \
            lanes_loop(block, ELEMENT_BF16);                                                                 \
        else if (block->lanes == 1)                                                                          \
            plane_loop(block, ELEMENT_FLOAT);                                                                \
        else                                                                                                 \
            lanes_loop(block, ELEMENT_FLOAT);                                                                \
    }
FOR_EITHER_TYPE(gate_block, gate_lanes, gate_plane)
FOR_EITHER_TYPE(gate_block_backward, gate_lanes_backward, gate_plane_backward)

/* Block i of a field; y, x and dy are those of the first, dy and sums NULL where they don't matter. */
static struct block block_of(const struct channel_field *f, size_t i, struct block first)
{
    size_t lanes = f->layout.lanes, image = i / f->layout.blocks, channel = i % f->layout.blocks * lanes;
    size_t begin = i * f->pixels * lanes;
    first.y = element_at(first.y, begin, f->type);
    first.x = element_from(first.x, begin, f->type);
    first.dy = first.dy ? element_from(first.dy, begin, f->type) : NULL;
    first.factors += image * f->image_stride + channel;
    first.sums = first.sums ? first.sums + image * f->channels + channel : NULL;
    first.pixels = f->pixels;
    first.lanes = lanes;
    first.valid = least(lanes, f->channels - channel);
    return first;
}

void kernel_gate(void *y, const void *x, const float *factors, const struct channel_field *f)
{
#pragma omp parallel for schedule(static) if (f->images * f->channels * f->pixels >= PARALLEL_LEAST)
    for (size_t i = 0; i < f->images * f->layout.blocks; i++) {
        struct block block = block_of(f, i, (struct block){.y = y, .x = x, .factors = factors});
        gate_block(&block, f->type);
    }
}

void kernel_gate_backward(void *dx, float *sums, const void *dy, const void *x, const float *factors,
                          const struct channel_field *f)
{
#pragma omp parallel for schedule(static) if (f->images * f->channels * f->pixels >= PARALLEL_LEAST)
    for (size_t i = 0; i < f->images * f->layout.blocks; i++) {
        struct block block =
            block_of(f, i, (struct block){.y = dx, .x = x, .dy = dy, .factors = factors, .sums = sums});
        gate_block_backward(&block, f->type);
    }
}

VECTOR static void add_row(float *restrict total, const float *restrict x, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        total[i] += x[i];
}

void kernel_sum_rows(float *total, const float *x, size_t rows, size_t count)
{
    memcpy(total, x, count * sizeof *total);
    for (size_t r = 1; r < rows; r++)
        add_row(total, x + r * count, count);
}

/* Channels computed side by side. */
enum { LANES = 16 };

/* `width` channels from `channel` on, which lie side by side in x and dy. */
static inline ALWAYS_INLINE void depthwise_lanes(const struct depthwise *d, const void *x, const void *dy,
                                                 size_t channel, const size_t width, const enum element type,
                                                 float sums[DEPTHWISE_TAPS][LANES], float *bias)
{
    size_t in = d->in[0] * d->in[1], out = d->out[0] * d->out[1];
    for (size_t n = 0; n < d->images; n++) {
        const void *image = element_from(x, channel_at(&d->x, n, channel, in), type);
        const void *gradient = element_from(dy, channel_at(&d->dy, n, channel, out), type);
        for (size_t pixel = 0; pixel < out; pixel++) {
            float g[LANES];
            ptrdiff_t top = (ptrdiff_t)(pixel / d->out[1] * d->stride) - d->before[0];
            ptrdiff_t left = (ptrdiff_t)(pixel % d->out[1] * d->stride) - d->before[1];
            for (size_t i = 0; i < width; i++) {
                g[i] = element_get(gradient, pixel * d->dy.lanes + i, type);
                bias[i] += g[i];
            }
            for (size_t tap = 0; tap < d->kernel[0] * d->kernel[1]; tap++) {
                size_t row = (size_t)(top + (ptrdiff_t)(tap / d->kernel[1] * d->dilation));
                size_t column = (size_t)(left + (ptrdiff_t)(tap % d->kernel[1] * d->dilation));
                if (row >= d->in[0] || column >= d->in[1]) /* those before the image have wrapped */
                    continue;
                size_t seen = (row * d->in[1] + column) * d->x.lanes;
                for (size_t i = 0; i < width; i++)
                    sums[tap][i] += g[i] * element_get(image, seen + i, type);
            }
        }
    }
}

VECTOR static void depthwise_some(const struct depthwise *d, const void *x, const void *dy, size_t channel,
                                  size_t width, float sums[DEPTHWISE_TAPS][LANES], float *bias)
{
    if (d->type == ELEMENT_BF16 && width == LANES)
        depthwise_lanes(d, x, dy, channel, LANES, ELEMENT_BF16, sums, bias);
    else if (d->type == ELEMENT_BF16)
        depthwise_lanes(d, x, dy, channel, width, ELEMENT_BF16, sums, bias);
    else if (width == LANES)
        depthwise_lanes(d, x, dy, channel, LANES, ELEMENT_FLOAT, sums, bias);
    else
        depthwise_lanes(d, x, dy, channel, width, ELEMENT_FLOAT, sums, bias);
}

/* Channels [begin, end). */
static void depthwise_channels(float *dw, float *db, const void *x, const void *dy, const struct depthwise *d,
                               size_t begin, size_t end)
{
    size_t taps = d->kernel[0] * d->kernel[1];
    while (begin < end) {
        float sums[DEPTHWISE_TAPS][LANES] = {{0}}, bias[LANES] = {0};
        size_t side_by_side = least(d->x.lanes - begin % d->x.lanes, d->dy.lanes - begin % d->dy.lanes);
        size_t width = least(end - begin, side_by_side);
        depthwise_some(d, x, dy, begin, width, sums, bias);
        for (size_t i = 0; i < width; i++)
            for (size_t tap = 0; tap < taps; tap++)
                dw[(begin + i) * taps + tap] = sums[tap][i];
        if (db)
            memcpy(db + begin, bias, width * sizeof *db);
        begin += width;
    }
}

void kernel_depthwise_weights(float *dw, float *db, const void *x, const void *dy, const struct depthwise *d)
{
    size_t pieces = (d->channels + LANES - 1) / LANES;
#pragma omp parallel for schedule(static) if (d->images * d->channels * d->out[0] * d->out[1] >=             \
                                              PARALLEL_LEAST)
    for (size_t i = 0; i < pieces; i++)
        depthwise_channels(dw, db, x, dy, d, i * LANES, least((i + 1) * LANES, d->channels));
}

static size_t cell_begin(size_t cell, size_t in, size_t out)
{
    return cell * in / out;
}

static size_t cell_end(size_t cell, size_t in, size_t out)
{
    return ((cell + 1) * in + out - 1) / out;
}

static void pool_plane(float *y, const float *x, const size_t in[2], const size_t out[2])
{
    for (size_t h = 0; h < out[0]; h++) {
        for (size_t w = 0; w < out[1]; w++) {
            size_t top = cell_begin(h, in[0], out[0]), bottom = cell_end(h, in[0], out[0]);
            size_t left = cell_begin(w, in[1], out[1]), right = cell_end(w, in[1], out[1]);
            float sum = 0;
            for (size_t i = top; i < bottom; i++)
                for (size_t j = left; j < right; j++)
                    sum += x[i * in[1] + j];
            y[h * out[1] + w] = sum / (float)((bottom - top) * (right - left));
        }
    }
}

static void pool_plane_backward(float *dx, const float *dy, const size_t in[2], const size_t out[2])
{
    memset(dx, 0, in[0] * in[1] * sizeof *dx);
    for (size_t h = 0; h < out[0]; h++) {
        for (size_t w = 0; w < out[1]; w++) {
            size_t top = cell_begin(h, in[0], out[0]), bottom = cell_end(h, in[0], out[0]);
            size_t left = cell_begin(w, in[1], out[1]), right = cell_end(w, in[1], out[1]);
            float share = dy[h * out[1] + w] / (float)((bottom - top) * (right - left));
            for (size_t i = top; i < bottom; i++)
                for (size_t j = left; j < right; j++)
                    dx[i * in[1] + j] += share;
        }
    }
}

void kernel_adaptive_pool(float *y, const float *x, size_t planes, const size_t in[2], const size_t out[2])
{
#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < planes; p++)
        pool_plane(y + p * out[0] * out[1], x + p * in[0] * in[1], in, out);
}

void kernel_adaptive_pool_backward(float *dx, const float *dy, size_t planes, const size_t in[2],
                                   const size_t out[2])
{
#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < planes; p++)
        pool_plane_backward(dx + p * in[0] * in[1], dy + p * out[0] * out[1], in, out);
}
