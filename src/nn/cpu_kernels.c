#include "nn/cpu_kernels.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* The loops over ranges are compiled for several instruction sets; the loader picks one (by feature: GCC
 * takes "arch=haswell" for that model alone, not for those after it). Sanitizers can't instrument the
 * picking. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&     \
    !defined(__SANITIZE_THREAD__)
#define VECTOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTOR
#endif

/* Below this many elements, waking the other threads costs more than they save. */
#define PARALLEL_LEAST ((size_t)16384)
#define GRAIN          ((size_t)16)

/* The part [*begin, *end) of `count` elements this thread takes, in whole cache lines. */
static void my_range(size_t count, size_t *begin, size_t *end)
{
    size_t threads = (size_t)omp_get_num_threads(), thread = (size_t)omp_get_thread_num();
    size_t lines = (count + GRAIN - 1) / GRAIN;
    *begin = lines * thread / threads * GRAIN;
    *end = lines * (thread + 1) / threads * GRAIN;
    *begin = *begin < count ? *begin : count;
    *end = *end < count ? *end : count;
}

VECTOR static void relu_range(float *y, const float *x, size_t begin, size_t end)
{
#pragma omp simd
    for (size_t i = begin; i < end; i++)
        y[i] = x[i] > 0 ? x[i] : 0;
}

void kernel_relu(float *y, const float *x, size_t count)
{
#pragma omp parallel if (count >= PARALLEL_LEAST)
    {
        size_t begin, end;
        my_range(count, &begin, &end);
        relu_range(y, x, begin, end);
    }
}

VECTOR static void add_range(float *y, const float *a, const float *b, size_t begin, size_t end)
{
#pragma omp simd
    for (size_t i = begin; i < end; i++)
        y[i] = a[i] + b[i];
}

VECTOR static void add_relu_range(float *y, const float *a, const float *b, size_t begin, size_t end)
{
#pragma omp simd
    for (size_t i = begin; i < end; i++) {
        float sum = a[i] + b[i];
        y[i] = sum > 0 ? sum : 0;
    }
}

void kernel_add(float *y, const float *a, const float *b, bool relu, size_t count)
{
#pragma omp parallel if (count >= PARALLEL_LEAST)
    {
        size_t begin, end;
        my_range(count, &begin, &end);
        if (relu)
            add_relu_range(y, a, b, begin, end);
        else
            add_range(y, a, b, begin, end);
    }
}

VECTOR static void mask_range(float *d, const float *a, const float *mask, size_t begin, size_t end)
{
#pragma omp simd
    for (size_t i = begin; i < end; i++)
        d[i] = mask[i] > 0 ? a[i] : 0;
}

VECTOR static void add_mask_range(float *d, const float *a, const float *b, const float *mask, size_t begin,
                                  size_t end)
{
#pragma omp simd
    for (size_t i = begin; i < end; i++) {
        float sum = a[i] + b[i];
        d[i] = mask[i] > 0 ? sum : 0;
    }
}

void kernel_gather_gradient(float *d, const float *a, const float *b, const float *mask, size_t count)
{
#pragma omp parallel if (count >= PARALLEL_LEAST)
    {
        size_t begin, end;
        my_range(count, &begin, &end);
        if (b && mask)
            add_mask_range(d, a, b, mask, begin, end);
        else if (b)
            add_range(d, a, b, begin, end);
        else if (mask)
            mask_range(d, a, mask, begin, end);
        else if (d != a)
            memcpy(d + begin, a + begin, (end - begin) * sizeof *d);
    }
}

/* The finaliser of MurmurHash3 for 64 bits: every bit of the input reaches every bit of the output. */
static inline uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ (x >> 33);
}

VECTOR static void dropout_range(float *y, const float *x, uint64_t threshold, float scale, uint64_t key,
                                 size_t begin, size_t end)
{
#pragma omp simd
    for (size_t i = begin; i < end; i++)
        y[i] = mix(key + i * 0x9e3779b97f4a7c15u) >> 32 >= threshold ? x[i] * scale : 0;
}

void kernel_dropout(float *y, const float *x, double probability, uint64_t key, size_t count)
{
    uint64_t threshold = (uint64_t)(probability * 0x1p32);
    float scale = (float)(1 / (1 - probability));
#pragma omp parallel if (count >= PARALLEL_LEAST)
    {
        size_t begin, end;
        my_range(count, &begin, &end);
        dropout_range(y, x, threshold, scale, key, begin, end);
    }
}

VECTOR static void scale_range(float *y, const float *x, float scale, size_t begin, size_t end)
{
#pragma omp simd
    for (size_t i = begin; i < end; i++)
        y[i] = scale * x[i];
}

void kernel_drop_images(float *y, const float *x, double probability, uint64_t key, size_t images,
                        size_t count)
{
    uint64_t threshold = (uint64_t)(probability * 0x1p32);
    float scale = (float)(1 / (1 - probability));
#pragma omp parallel for schedule(static)
    for (size_t n = 0; n < images; n++) {
        bool kept = mix(key + n * 0x9e3779b97f4a7c15u) >> 32 >= threshold;
        if (kept)
            scale_range(y, x, scale, n * count, (n + 1) * count);
        else
            memset(y + n * count, 0, count * sizeof *y);
    }
}

VECTOR static void hardsigmoid_range(float *y, const float *x, size_t begin, size_t end)
{
#pragma omp simd
    for (size_t i = begin; i < end; i++) {
        float line = x[i] / 6 + 0.5f;
        y[i] = line < 0 ? 0 : line > 1 ? 1 : line;
    }
}

void kernel_hardsigmoid(float *y, const float *x, size_t count)
{
#pragma omp parallel if (count >= PARALLEL_LEAST)
    {
        size_t begin, end;
        my_range(count, &begin, &end);
        hardsigmoid_range(y, x, begin, end);
    }
}

VECTOR static void hardsigmoid_backward_range(float *dx, const float *dy, const float *x, size_t begin,
                                              size_t end)
{
#pragma omp simd
    for (size_t i = begin; i < end; i++)
        dx[i] = x[i] > -3 && x[i] < 3 ? dy[i] / 6 : 0;
}

void kernel_hardsigmoid_backward(float *dx, const float *dy, const float *x, size_t count)
{
#pragma omp parallel if (count >= PARALLEL_LEAST)
    {
        size_t begin, end;
        my_range(count, &begin, &end);
        hardsigmoid_backward_range(dx, dy, x, begin, end);
    }
}

/* ---- channels ---- */

/* Where channel c of image n begins. */
static size_t channel_at(const struct channel_layout *l, size_t n, size_t c, size_t pixels)
{
    return (n * l->blocks + c / l->lanes) * pixels * l->lanes + c % l->lanes;
}

/* `run` channels side by side in both, pixel by pixel. */
VECTOR static void copy_run(float *restrict dst, size_t dst_lanes, const float *restrict src,
                            size_t src_lanes, size_t pixels, size_t run)
{
    if (run == dst_lanes && run == src_lanes) {
        memcpy(dst, src, pixels * run * sizeof *dst);
    } else if (run == 1) {
        for (size_t s = 0; s < pixels; s++)
            dst[s * dst_lanes] = src[s * src_lanes];
    } else {
        for (size_t s = 0; s < pixels; s++)
            for (size_t i = 0; i < run; i++)
                dst[s * dst_lanes + i] = src[s * src_lanes + i];
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Channels [begin, end) of those to copy, of one image. */
static void copy_some(float *dst, const float *src, const struct channel_copy *c, size_t n, size_t begin,
                      size_t end)
{
    bool rows = c->dst_step == 1 && c->src_step == 1;
    for (size_t i = begin; i < end;) {
        size_t to = c->dst_first + i * c->dst_step, from = c->src_first + i * c->src_step, run = 1;
        if (rows)
            run = least(end - i, least(c->dst.lanes - to % c->dst.lanes, c->src.lanes - from % c->src.lanes));
        copy_run(dst + channel_at(&c->dst, n, to, c->pixels), c->dst.lanes,
                 src + channel_at(&c->src, n, from, c->pixels), c->src.lanes, c->pixels, run);
        i += run;
    }
}

/* Channels a thread takes at a time. */
enum { COPY_CHANNELS = 64 };

void kernel_copy_channels(float *dst, const float *src, const struct channel_copy *copy)
{
    size_t pieces = (copy->count + COPY_CHANNELS - 1) / COPY_CHANNELS;
#pragma omp parallel for schedule(static) if (copy->images * copy->count * copy->pixels >= PARALLEL_LEAST)
    for (size_t i = 0; i < copy->images * pieces; i++) {
        size_t begin = i % pieces * COPY_CHANNELS;
        copy_some(dst, src, copy, i / pieces, begin, least(begin + COPY_CHANNELS, copy->count));
    }
}

void kernel_clear_last_block(float *dst, const struct channel_layout *layout, size_t images, size_t pixels)
{
    for (size_t n = 0; n < images; n++)
        memset(dst + channel_at(layout, n, (layout->blocks - 1) * layout->lanes, pixels), 0,
               pixels * layout->lanes * sizeof *dst);
}

/* One block: `valid` lanes have factors. */
VECTOR static void gate_block(float *y, const float *x, const float *factors, size_t pixels, size_t lanes,
                              size_t valid)
{
    for (size_t s = 0; s < pixels; s++) {
#pragma omp simd
        for (size_t i = 0; i < valid; i++)
            y[s * lanes + i] = x[s * lanes + i] * factors[i];
        for (size_t i = valid; i < lanes; i++)
            y[s * lanes + i] = 0;
    }
}

void kernel_gate(float *y, const float *x, const float *factors, const struct channel_field *f)
{
    size_t lanes = f->layout.lanes, block = f->pixels * lanes;
#pragma omp parallel for schedule(static) if (f->images * f->channels * f->pixels >= PARALLEL_LEAST)
    for (size_t i = 0; i < f->images * f->layout.blocks; i++) {
        size_t first = i % f->layout.blocks * lanes;
        const float *own = factors + i / f->layout.blocks * f->image_stride + first;
        if (lanes == 1)
            scale_range(y, x, *own, i * block, (i + 1) * block);
        else
            gate_block(y + i * block, x + i * block, own, f->pixels, lanes,
                       least(lanes, f->channels - first));
    }
}

VECTOR static void gate_block_backward(float *dx, float *restrict sums, const float *dy, const float *x,
                                       const float *factors, size_t pixels, size_t lanes, size_t valid)
{
    memset(sums, 0, valid * sizeof *sums);
    for (size_t s = 0; s < pixels; s++) {
#pragma omp simd
        for (size_t i = 0; i < valid; i++) {
            float d = dy[s * lanes + i];
            sums[i] += d * x[s * lanes + i];
            dx[s * lanes + i] = d * factors[i];
        }
        for (size_t i = valid; i < lanes; i++)
            dx[s * lanes + i] = 0;
    }
}

VECTOR static float gate_plane_backward(float *dx, const float *dy, const float *x, float factor,
                                        size_t pixels)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t s = 0; s < pixels; s++) {
        float d = dy[s];
        sum += d * x[s];
        dx[s] = d * factor;
    }
    return sum;
}

void kernel_gate_backward(float *dx, float *sums, const float *dy, const float *x, const float *factors,
                          const struct channel_field *f)
{
    size_t lanes = f->layout.lanes, block = f->pixels * lanes;
#pragma omp parallel for schedule(static) if (f->images * f->channels * f->pixels >= PARALLEL_LEAST)
    for (size_t i = 0; i < f->images * f->layout.blocks; i++) {
        size_t image = i / f->layout.blocks, first = i % f->layout.blocks * lanes;
        const float *own = factors + image * f->image_stride + first;
        float *sum = sums + image * f->channels + first;
        if (lanes == 1)
            *sum = gate_plane_backward(dx + i * block, dy + i * block, x + i * block, *own, block);
        else
            gate_block_backward(dx + i * block, sum, dy + i * block, x + i * block, own, f->pixels, lanes,
                                least(lanes, f->channels - first));
    }
}

void kernel_sum_rows(float *total, const float *x, size_t rows, size_t count)
{
    memcpy(total, x, count * sizeof *total);
    for (size_t r = 1; r < rows; r++)
        add_range(total, total, x + r * count, 0, count);
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

static size_t highest(const float *scores, size_t classes)
{
    size_t best = 0;
    for (size_t k = 1; k < classes; k++)
        if (scores[k] > scores[best])
            best = k;
    return best;
}

/* Classes whose scores are before the label's; of equal ones the first is. What is no number is last. */
static size_t rank(const float *scores, size_t label, size_t classes)
{
    size_t before = 0;
    for (size_t k = 0; k < classes; k++)
        before += k < label ? !(scores[k] < scores[label]) : k > label && !(scores[k] <= scores[label]);
    return before;
}

/* One image's loss; its gradient, divided by the number of images, goes to `gradient` unless NULL. The target
 * is the label with 1 - smoothing, and every class with a like part of the rest. */
static double image_loss(float *gradient, const float *scores, size_t label, double most,
                         const struct loss_options *o)
{
    double exponentials = 0, sum = 0, each = o->smoothing / (double)o->classes;
    for (size_t k = 0; k < o->classes; k++) {
        exponentials += exp(scores[k] - most);
        sum += scores[k];
    }
    double log_sum = most + log(exponentials);
    for (size_t k = 0; gradient && k < o->classes; k++) {
        double target = each + (k == label ? 1 - o->smoothing : 0);
        gradient[k] = (float)((exp(scores[k] - log_sum) - target) / (double)o->count);
    }
    double smooth = o->smoothing > 0 ? o->smoothing * log_sum - each * sum : 0;
    return (1 - o->smoothing) * (log_sum - scores[label]) + smooth;
}

void kernel_loss(float *gradient, const float *scores, const struct loss_options *options,
                 struct step_result *result)
{
    size_t classes = options->classes;
    double loss = 0;
    *result = (struct step_result){.predictions = options->predictions};
    for (size_t i = 0; i < options->count; i++) {
        const float *own = scores + i * classes;
        size_t best = highest(own, classes), label = (size_t)options->labels[i];
        loss += image_loss(gradient ? gradient + i * classes : NULL, own, label, own[best], options);
        options->predictions[i] = (int32_t)best;
        result->correct += best == label;
        result->top5 += rank(own, label, classes) < 5;
    }
    result->loss = loss / (double)options->count;
}

void kernel_running_statistics(float *running_mean, float *running_var, const float *mean,
                               const float *variance, size_t channels, size_t n, float momentum)
{
    /* One value a channel says nothing of the variance. */
    if (n < 2)
        return;
    float unbiased = (float)((double)n / (double)(n - 1)), keep = 1 - momentum;
#pragma omp simd
    for (size_t c = 0; c < channels; c++) {
        running_mean[c] = keep * running_mean[c] + momentum * mean[c];
        running_var[c] = keep * running_var[c] + momentum * (variance[c] * unbiased);
    }
}

VECTOR static double squares_range(const float *x, size_t begin, size_t end)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = begin; i < end; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

/* Always as many parts, so that the order of additions doesn't depend on the threads. */
enum { SQUARES_PARTS = 64 };

double kernel_squares(const float *x, size_t count)
{
    double parts[SQUARES_PARTS], sum = 0;
#pragma omp parallel for schedule(static) if (count >= PARALLEL_LEAST)
    for (size_t p = 0; p < SQUARES_PARTS; p++)
        parts[p] = squares_range(x, count * p / SQUARES_PARTS, count * (p + 1) / SQUARES_PARTS);
    for (size_t p = 0; p < SQUARES_PARTS; p++)
        sum += parts[p];
    return sum;
}

VECTOR static void sgd_range(const struct update *update, float *restrict w, const float *restrict g,
                             size_t begin, size_t end)
{
    float rate = update->learning_rate * update->copies, decay = update->weight_decay / update->copies;
    float scale = update->gradient_scale;
#pragma omp simd
    for (size_t i = begin; i < end; i++)
        w[i] -= rate * (scale * g[i] + decay * w[i]);
}

VECTOR static void momentum_range(const struct update *update, float *restrict w, const float *restrict g,
                                  float *restrict momentum, size_t begin, size_t end)
{
    float rate = update->learning_rate * update->copies, decay = update->weight_decay / update->copies;
    float keep = update->momentum, scale = update->gradient_scale;
    float ahead = update->nesterov ? keep : 1, now = update->nesterov ? 1 : 0;
#pragma omp simd
    for (size_t i = begin; i < end; i++) {
        float d = scale * g[i] + decay * w[i];
        float m = keep * momentum[i] + d;
        momentum[i] = m;
        w[i] -= rate * (ahead * m + now * d);
    }
}

VECTOR static void adam_range(const struct update *update, float *restrict w, const float *restrict g,
                              float *restrict first, float *restrict second, size_t begin, size_t end)
{
    float b1 = update->beta1, b2 = update->beta2, c1 = update->fresh1, c2 = update->fresh2,
          epsilon = update->epsilon;
    float step = update->step_size * update->copies, root_scale = update->root_scale;
    bool apart = update->kind == OPTIMIZER_ADAMW;
    float decay = apart ? 0 : update->weight_decay, scale = update->gradient_scale;
    float keep = apart ? update->keep : 1;
#pragma omp simd
    for (size_t i = begin; i < end; i++) {
        float d = scale * g[i] + decay * w[i];
        float m = b1 * first[i] + c1 * d;
        float v = b2 * second[i] + c2 * (d * d);
        first[i] = m;
        second[i] = v;
        w[i] = keep * w[i] - step * m / (sqrtf(v) * root_scale + epsilon);
    }
}

static void update_range(const struct update *update, float *w, const float *g, float *first, float *second,
                         size_t begin, size_t end)
{
    if (update->kind != OPTIMIZER_SGD)
        adam_range(update, w, g, first, second, begin, end);
    else if (first)
        momentum_range(update, w, g, first, begin, end);
    else
        sgd_range(update, w, g, begin, end);
}

void kernel_update(const struct update *update, float *w, const float *g, float *first, float *second,
                   size_t count)
{
#pragma omp parallel if (count >= PARALLEL_LEAST)
    {
        size_t begin, end;
        my_range(count, &begin, &end);
        update_range(update, w, g, first, second, begin, end);
    }
}
