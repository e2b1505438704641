/* cpu_kernels.h: loops that oneDNN has no primitive for, or only one that takes more passes over memory.
 *
 * Elementwise kernels work on whole buffers whatever their layout: the padding of blocked layouts is zero,
 * and stays so. All run on OpenMP's threads; results don't depend on which thread did what.
 *
 * Activations and their gradients are of one of two types; all is computed in float, and storing as bfloat16
 * rounds to the nearest, ties to even. */
#ifndef JOULERY_NN_CPU_KERNELS_H
#define JOULERY_NN_CPU_KERNELS_H

#include "nn/graph.h"

enum element {
    ELEMENT_FLOAT,
    ELEMENT_BF16, /* the upper half of a float */
};

/* y = max(x, 0); in place if x == y. */
void kernel_relu(enum element type, void *y, const void *x, size_t count);
/* y = a + b, or max(a + b, 0); in place if y is a or b. */
void kernel_add(enum element type, void *y, const void *a, const void *b, bool relu, size_t count);
/* d = (a + b) where mask > 0, else 0. b and mask may be NULL: nothing added; no mask. In place if d is a or
 * b. */
void kernel_gather_gradient(enum element type, void *d, const void *a, const void *b, const void *mask,
                            size_t count);

/* y = x / (1 - p) with probability 1 - p, else 0. The choice depends on (key, index) only, so that the
 * backward pass makes the same one. */
void kernel_dropout(enum element type, void *y, const void *x, double probability, uint64_t key,
                    size_t count);

/* y = x / (1 - p) for each image that is kept, all 0 for one lost with probability p. The choice depends on
 * (key, image) only. In place if x == y. */
void kernel_drop_images(enum element type, void *y, const void *x, double probability, uint64_t key,
                        size_t images, size_t count);

/* y = x / 6 + 1 / 2 within [0, 1]; dx = dy / 6 where x is inside (-3, 3), else 0. In place if dx == dy. */
void kernel_hardsigmoid(enum element type, void *y, const void *x, size_t count);
void kernel_hardsigmoid_backward(enum element type, void *dx, const void *dy, const void *x, size_t count);

/* ---- channels ----
 *
 * Images lie as blocks of channels, each a matrix (pixels, lanes): nchw has one lane a block, nhwc one block
 * of all channels. Lanes after the last channel are padding and 0. */
struct channel_layout {
    size_t lanes, blocks;
};

/* `count` channels of src, each `src_step` after the other from `src_first` on, go to channels of dst. */
struct channel_copy {
    enum element type;
    size_t images, pixels, count;
    struct channel_layout dst, src;
    size_t dst_first, dst_step, src_first, src_step;
};
void kernel_copy_channels(void *dst, const void *src, const struct channel_copy *copy);
/* The lanes of the last block, for a dst with padding. */
void kernel_clear_last_block(void *dst, const struct channel_copy *copy);

struct channel_field {
    enum element type;
    size_t images, pixels, channels;
    struct channel_layout layout;
    size_t image_stride; /* of the factors: channels, or 0 where all images have the same */
};
/* y = x * factor of its channel. */
void kernel_gate(void *y, const void *x, const float *factors, const struct channel_field *field);
/* dx = dy * factor; sums (images, channels) of dy * x. In place if dx == dy. */
void kernel_gate_backward(void *dx, float *sums, const void *dy, const void *x, const float *factors,
                          const struct channel_field *field);
/* total (count) = the sum of the rows of (rows, count). */
void kernel_sum_rows(float *total, const float *x, size_t rows, size_t count);

/* Weight gradients of a depthwise convolution, dw (channels, kernel[0], kernel[1]), and of its bias, db,
 * unless NULL: sums over images and output pixels of dy times what the tap saw of x. */
#define DEPTHWISE_TAPS ((size_t)64) /* at most */
struct depthwise {
    enum element type;
    size_t images, channels, in[2], out[2], kernel[2], stride, dilation;
    ptrdiff_t before[2]; /* padding */
    struct channel_layout x, dy;
};
void kernel_depthwise_weights(float *dw, float *db, const void *x, const void *dy,
                              const struct depthwise *depthwise);

/* ---- dense layers ---- */

/* The weights of a dense layer lie in tiles of (DENSE_ROWS inputs, `lanes` outputs), those of a block of
 * outputs one after the other; beyond the last input and output they are padded with 0. */
#define DENSE_ROWS       ((size_t)16)
#define DENSE_LANES_MOST ((size_t)64) /* lanes are that, a half or a quarter */
struct update;
struct dense_backward {
    enum element type; /* of x, dy and dx */
    size_t images, inputs, outputs, lanes;
    const struct update *update;
    float *w, *first, *second; /* as kernel_update has them */
};
/* dx (images, inputs) = dy (images, outputs) times the weights, unless NULL; db (outputs) = the sum of dy
 * over images, unless NULL; and one step of the optimiser on the weights with their gradient, dy^T x.
 * `scratch`: kernel_dense_scratch floats, aligned to a cache line. */
void kernel_dense_backward(void *dx, float *db, const void *x, const void *dy, float *scratch,
                           const struct dense_backward *dense);
size_t kernel_dense_scratch(const struct dense_backward *dense);

/* x is (planes, in[0], in[1]), y (planes, out[0], out[1]). */
void kernel_adaptive_pool(float *y, const float *x, size_t planes, const size_t in[2], const size_t out[2]);
void kernel_adaptive_pool_backward(float *dx, const float *dy, size_t planes, const size_t in[2],
                                   const size_t out[2]);

/* scores, gradient: (count, classes). The gradient of the mean loss; may be NULL. predictions: (count). */
struct loss_options {
    const int32_t *labels;
    size_t count, classes;
    double smoothing;
    int32_t *predictions;
};
void kernel_loss(float *gradient, const float *scores, const struct loss_options *options,
                 struct step_result *result);

/* Moving statistics of a batch's: running += momentum * (batch - running), the variance made unbiased with n
 * / (n - 1). */
void kernel_running_statistics(float *running_mean, float *running_var, const float *mean,
                               const float *variance, size_t channels, size_t n, float momentum);

/* The sum of squares, the same to the bit however many threads there are. */
double kernel_squares(const float *x, size_t count);

/* One step of PyTorch's SGD, Adam or AdamW on a tensor. `copies` > 1: the tensor holds the sum of that many
 * equal parameters, each with gradient g. */
struct update {
    enum optimizer_kind kind;
    float learning_rate, weight_decay, copies;
    float gradient_scale;        /* gradients are multiplied with it first */
    float momentum;              /* SGD */
    bool nesterov;               /* SGD */
    float beta1, beta2, epsilon; /* Adam, AdamW */
    float fresh1, fresh2; /* 1 - beta1, 1 - beta2: in float, 1 - 0.999 is off by a hundred thousandth */
    float keep;           /* AdamW: 1 - learning_rate * weight_decay */
    float step_size, root_scale; /* Adam, AdamW: learning_rate / (1 - beta1^t), 1 / sqrt(1 - beta2^t) */
};
/* first: momentum or first moment; second: second moment; NULL where the optimiser has none. */
void kernel_update(const struct update *update, float *w, const float *g, float *first, float *second,
                   size_t count);
/* The same by the calling thread alone. */
void kernel_update_part(const struct update *update, float *w, const float *g, float *first, float *second,
                        size_t count);

#endif
