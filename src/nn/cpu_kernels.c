#include "nn/cpu_element.h"

#include <math.h>
#include <string.h>

/* What a loop over elements reads and writes; what it doesn't need is NULL or 0. */
struct work {
    enum element type;
    void *y;
    const void *a, *b, *mask;
    float scale;
    uint64_t threshold, key;
};
typedef void range_function(const struct work *work, size_t begin, size_t end);

static void share_out(range_function *range, const struct work *work, size_t count)
{
#pragma omp parallel if (count >= PARALLEL_LEAST)
    {
        size_t begin, end;
        my_range(count, &begin, &end);
        range(work, begin, end);
    }
}

/* y[i] = value, in which A, B and MASK are what is read, compiled for either type. */
#define A    element_get(a, i, type)
#define B    element_get(b, i, type)
#define MASK element_get(mask, i, type)
#define LOOP(own_type, value)                                                                                \
    {                                                                                                        \
        const enum element type = own_type;                                                                  \
        void *y = work->y;                                                                                   \
        const void *a = work->a, *b = work->b, *mask = work->mask;                                           \
        (void)b, (void)mask;                                                                                 \
        _Pragma("omp simd") for (size_t i = begin; i < end; i++) element_put(y, i, type, value);             \
    }
#define ELEMENTWISE(name, value)                                                                             \
    VECTOR static void name(const struct work *work, size_t begin, size_t end)                               \
    {                                                                                                        \
        if (work->type == ELEMENT_BF16)                                                                      \
            LOOP(ELEMENT_BF16, value)                                                                        \
        else                                                                                                 \
            LOOP(ELEMENT_FLOAT, value)                                                                       \
    }

static inline ALWAYS_INLINE float positive(float x)
{
    return x > 0 ? x : 0;
}

/* The finaliser of MurmurHash3 for 64 bits: every bit of the input reaches every bit of the output. */
static inline ALWAYS_INLINE uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ (x >> 33);
}

static inline ALWAYS_INLINE bool kept(const struct work *work, size_t i)
{
    return mix(work->key + i * 0x9e3779b97f4a7c15u) >> 32 >= work->threshold;
}

static inline ALWAYS_INLINE float hardsigmoid(float x)
{
    float line = x / 6 + 0.5f;
    return line < 0 ? 0 : line > 1 ? 1 : line;
}

ELEMENTWISE(relu_range, positive(A))
ELEMENTWISE(add_range, A + B)
ELEMENTWISE(add_relu_range, positive(A + B))
ELEMENTWISE(mask_range, MASK > 0 ? A : 0)
ELEMENTWISE(add_mask_range, MASK > 0 ? A + B : 0)
ELEMENTWISE(dropout_range, kept(work, i) ? A * work->scale : 0)
ELEMENTWISE(scale_range, work->scale *A)
ELEMENTWISE(hardsigmoid_range, hardsigmoid(A))
ELEMENTWISE(hardsigmoid_backward_range, B > -3 && B < 3 ? A / 6 : 0)

static void copy_range(const struct work *work, size_t begin, size_t end)
{
    if (work->y != work->a)
        memcpy(element_at(work->y, begin, work->type), element_from(work->a, begin, work->type),
               (end - begin) * element_size(work->type));
}

void kernel_relu(enum element type, void *y, const void *x, size_t count)
{
    share_out(relu_range, &(struct work){.type = type, .y = y, .a = x}, count);
}

void kernel_add(enum element type, void *y, const void *a, const void *b, bool relu, size_t count)
{
    share_out(relu ? add_relu_range : add_range, &(struct work){.type = type, .y = y, .a = a, .b = b}, count);
}

void kernel_gather_gradient(enum element type, void *d, const void *a, const void *b, const void *mask,
                            size_t count)
{
    range_function *range = b && mask ? add_mask_range : b ? add_range : mask ? mask_range : copy_range;
    share_out(range, &(struct work){.type = type, .y = d, .a = a, .b = b, .mask = mask}, count);
}

static struct work dropout_work(enum element type, void *y, const void *x, double probability, uint64_t key)
{
    return (struct work){.type = type,
                         .y = y,
                         .a = x,
                         .scale = (float)(1 / (1 - probability)),
                         .threshold = (uint64_t)(probability * 0x1p32),
                         .key = key};
}

void kernel_dropout(enum element type, void *y, const void *x, double probability, uint64_t key, size_t count)
{
    struct work work = dropout_work(type, y, x, probability, key);
    share_out(dropout_range, &work, count);
}

void kernel_drop_images(enum element type, void *y, const void *x, double probability, uint64_t key,
                        size_t images, size_t count)
{
    const struct work work = dropout_work(type, y, x, probability, key);
#pragma omp parallel for schedule(static)
    for (size_t n = 0; n < images; n++) {
        if (kept(&work, n))
            scale_range(&work, n * count, (n + 1) * count);
        else
            memset(element_at(y, n * count, type), 0, count * element_size(type));
    }
}

void kernel_hardsigmoid(enum element type, void *y, const void *x, size_t count)
{
    share_out(hardsigmoid_range, &(struct work){.type = type, .y = y, .a = x}, count);
}

void kernel_hardsigmoid_backward(enum element type, void *dx, const void *dy, const void *x, size_t count)
{
    share_out(hardsigmoid_backward_range, &(struct work){.type = type, .y = dx, .a = dy, .b = x}, count);
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

void kernel_update_part(const struct update *update, float *w, const float *g, float *first, float *second,
                        size_t count)
{
    update_range(update, w, g, first, second, 0, count);
}
