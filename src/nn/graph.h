/* graph.h: networks described: a list of layers with shapes, without memory and without a backend.
 *
 * A graph is built from its input on, one call a layer; each call returns the new node's number, to be given
 * to the layers that read it. The first mistake is kept, all later calls do nothing, and graph_finish reports
 * it: an architecture reads like the table in its paper, without a check on each line. Nodes with parameters
 * are named as torchvision's modules ("layer1.0.conv1"), so that their tensors get torchvision's names. */
#ifndef JOULERY_NN_GRAPH_H
#define JOULERY_NN_GRAPH_H

#include "base/error.h"
#include "nn/nn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum node_kind {
    NODE_INPUT,
    NODE_CONVOLUTION,
    NODE_BATCH_NORM,
    NODE_RELU,
    NODE_ACTIVATION, /* any other */
    NODE_MAX_POOL,
    NODE_AVERAGE_POOL,
    NODE_ADAPTIVE_POOL, /* average, to a given size */
    NODE_DENSE,
    NODE_DROPOUT,
    NODE_ADD,
    NODE_CONCAT,           /* of channels */
    NODE_SLICE,            /* some of the channels */
    NODE_WIDEN,            /* channels of zeros added after the others */
    NODE_SHUFFLE,          /* channels (groups, n) become (n, groups) */
    NODE_GATE,             /* each channel times its value in (channels, 1, 1) */
    NODE_LAYER_NORM,       /* over the channels of each pixel */
    NODE_LAYER_SCALE,      /* each channel times a parameter */
    NODE_STOCHASTIC_DEPTH, /* whole images lost, the others scaled up */
    NODE_FLATTEN,
    NODE_LOSS, /* softmax and mean cross-entropy; the last node */
};

/* As PyTorch defines them: hard sigmoid and swish by x / 6 + 1 / 2, GELU by the error function. */
enum activation {
    ACTIVATION_NONE,
    ACTIVATION_RELU,
    ACTIVATION_RELU6,
    ACTIVATION_HARDSWISH,
    ACTIVATION_HARDSIGMOID,
    ACTIVATION_SILU,
    ACTIVATION_SIGMOID,
    ACTIVATION_GELU,
};

/* Of one image. A flat vector of n is (n, 1, 1). */
struct shape {
    size_t channels, height, width;
};

enum init_kind {
    INIT_CONSTANT, /* scale */
    INIT_NORMAL,   /* mean 0, deviation scale */
    INIT_UNIFORM,  /* in [-scale, scale) */
};

struct init {
    enum init_kind kind;
    double scale;
};

/* How a graph's weights start; torchvision's architectures differ in this. graph.c has the table. */
enum init_scheme {
    INIT_PYTORCH,      /* PyTorch's defaults: weights and biases uniform in +-1/sqrt(fan in) */
    INIT_KAIMING,      /* convolution: normal, sqrt(2 / fan out), bias 0; dense: PyTorch's default (resnet) */
    INIT_KAIMING_01,   /* convolution: as above; dense: normal(0, 0.01), bias 0 (vgg, mobilenet) */
    INIT_KAIMING_IN,   /* both: normal, sqrt(2 / fan in), bias 0 (the paper of resnet) */
    INIT_KERAS,        /* both: uniform, sqrt(6 / (fan in + fan out)), bias 0 (Keras's default) */
    INIT_DENSENET,     /* convolution: as INIT_KAIMING_IN; dense: PyTorch's default, bias 0 */
    INIT_EFFICIENTNET, /* convolution: as INIT_KAIMING; dense: uniform in +-1/sqrt(fan out), bias 0 */
    INIT_MNASNET,      /* convolution: as INIT_KAIMING; dense: uniform in +-sqrt(3 / fan out), bias 0 */
    INIT_SQUEEZENET,   /* both: uniform, sqrt(6 / fan in), bias 0 */
    INIT_NORMAL_001,   /* both: normal, 0.01; bias of a convolution 0, of a dense layer PyTorch's default */
    INIT_NORMAL_01,    /* as INIT_NORMAL_001, 0.1 */
    INIT_CONVNEXT,     /* both: normal, 0.02, bias 0 */
};

struct convolution {
    size_t out;                    /* channels */
    size_t kernel, kernel_width;   /* kernel_width 0: as kernel */
    size_t stride;                 /* 0: 1 */
    size_t padding, padding_width; /* padding_width is read only when kernel_width is given */
    size_t dilation;               /* 0: 1 */
    size_t groups;                 /* 0: 1 */
    bool bias;
    bool flat; /* 1x1 whose weights are kept as a dense layer's, (out, in) */
};

struct pooling {
    size_t kernel;
    size_t stride; /* 0: as kernel */
    size_t padding;
    bool ceil;            /* maximum: windows may end outside, but start inside, as PyTorch's ceil_mode */
    bool exclude_padding; /* average: the padding's zeros are not counted */
};

/* Of batch and layer normalisation: x / sqrt(variance + epsilon); moving += momentum * (batch - moving), as
 * PyTorch's (Keras's momentum is 1 minus that). */
struct norm_options {
    double epsilon, momentum;
};

enum { NODE_INPUTS = 6 };

struct node {
    enum node_kind kind;
    char *name;                 /* torchvision's module name; "" where it has no parameters and no name */
    size_t inputs[NODE_INPUTS]; /* numbers of earlier nodes */
    size_t input_count;
    struct shape shape; /* of its output */
    union {
        struct convolution convolution;
        struct pooling pooling;
        struct norm_options normalisation;
        bool dense_bias;
        double dropout;     /* the probability of losing a value, or an image */
        double layer_scale; /* its parameters at the start */
        enum activation activation;
        size_t first_channel; /* of a slice */
        size_t groups;        /* of a shuffle */
    };
    enum init_scheme init;
};

struct graph {
    char *architecture;
    struct node *nodes;
    size_t count, capacity;
    enum init_scheme init;             /* of the nodes added from now on */
    struct norm_options normalisation; /* of those added from now on: 1e-5, 0.1 */
    bool counts_statistics;            /* moving statistics are parameters, as Keras counts */
    char *scope;                       /* put before the names of the nodes added from now on */
    size_t base; /* the last node of what transfer learning keeps; all nodes up to it belong to it */
    bool frozen; /* the base does not learn */
    bool failed;
    struct error error;
};

/* NULL if memory ran out. */
struct graph *graph_new(const char *architecture, enum init_scheme init);
struct graph *graph_copy(const struct graph *graph, struct error *error);
/* Adds the loss on `logits` (classes, 1, 1) and hands over the graph; after a mistake frees it, sets the
 * error and returns NULL. */
struct graph *graph_finish(struct graph *graph, size_t logits, struct error *error);

/* Says that the base ends with `node`, which is returned: all from here on is the head. */
size_t graph_end_base(struct graph *graph, size_t node);
/* Takes the head away, to add another one; the base's last node. 0 if the graph has no base (graph_finish
 * then says so). */
size_t graph_drop_head(struct graph *graph);
/* The base alone, a graph without a loss, and the head on an input of the base's shape. 0, or -1 and an
 * error. */
int graph_split(const struct graph *graph, struct graph **base, struct graph **head, struct error *error);

/* Names given from now on follow this prefix and those entered before ("layer1.0."); graph_leave, with what
 * graph_enter returned, ends it. */
size_t graph_enter(struct graph *graph, const char *format, ...) __attribute__((format(printf, 2, 3)));
void graph_leave(struct graph *graph, size_t entered);

size_t graph_input(struct graph *graph, struct shape shape);
size_t graph_convolution(struct graph *graph, size_t input, const char *name, struct convolution convolution);
size_t graph_batch_norm(struct graph *graph, size_t input, const char *name);
size_t graph_layer_norm(struct graph *graph, size_t input, const char *name);
size_t graph_relu(struct graph *graph, size_t input);
/* ACTIVATION_NONE: `input` itself. */
size_t graph_activation(struct graph *graph, size_t input, enum activation activation);
size_t graph_max_pool(struct graph *graph, size_t input, struct pooling pooling);
size_t graph_average_pool(struct graph *graph, size_t input, struct pooling pooling);
/* Cell i of n averages [floor(i*size/n), ceil((i+1)*size/n)), as PyTorch's AdaptiveAvgPool2d: an input
 * smaller than the output is repeated. */
size_t graph_adaptive_pool(struct graph *graph, size_t input, size_t height, size_t width);
size_t graph_flatten(struct graph *graph, size_t input);
size_t graph_dense(struct graph *graph, size_t input, const char *name, size_t out);
size_t graph_dropout(struct graph *graph, size_t input, double probability);
size_t graph_add(struct graph *graph, size_t a, size_t b);
/* At most NODE_INPUTS inputs of one height and width. */
size_t graph_concat(struct graph *graph, const size_t *inputs, size_t count);
/* Channels [first, first + count). */
size_t graph_slice(struct graph *graph, size_t input, size_t first, size_t count);
/* Channels of zeros after the input's, `channels` in all. */
size_t graph_widen(struct graph *graph, size_t input, size_t channels);
size_t graph_shuffle(struct graph *graph, size_t input, size_t groups);
/* `gate` is (channels of input, 1, 1). */
size_t graph_gate(struct graph *graph, size_t input, size_t gate);
/* The parameter is named `name`, without a suffix. */
size_t graph_layer_scale(struct graph *graph, size_t input, const char *name, double scale);
/* In training each image is lost with this probability, and kept ones divided by 1 - probability:
 * Huang et al., "Deep networks with stochastic depth", 2016, by images as torchvision's "row" mode. */
size_t graph_stochastic_depth(struct graph *graph, size_t input, double probability);

const struct shape *graph_input_shape(const struct graph *graph);
size_t graph_classes(const struct graph *graph);

/* ---- parameter tensors ---- */

enum tensor_role {
    TENSOR_WEIGHT,       /* convolution (out, in/groups, kernel, kernel_width); dense (out, in); batch norm
                            (channels); layer scale (channels, 1, 1) */
    TENSOR_BIAS,         /* (out) or (channels) */
    TENSOR_RUNNING_MEAN, /* (channels) */
    TENSOR_RUNNING_VAR,  /* (channels) */
};

struct tensor {
    char *name; /* "layer1.0.conv1.weight" */
    size_t node;
    enum tensor_role role;
    bool trainable; /* false: moving statistics, and all of a frozen base */
    size_t dims[4];
    int dim_count;
    size_t count; /* elements */
    struct init init;
};

/* All tensors in the order of the nodes; `*count` of them. Free with graph_tensors_free. */
struct tensor *graph_tensors(const struct graph *graph, size_t *count, struct error *error);
void graph_tensors_free(struct tensor *tensors, size_t count);

/* Convolution's geometry with the defaults filled in. */
struct window {
    size_t kernel[2], stride, padding[2], dilation, groups;
};
struct window convolution_window(const struct convolution *convolution);

#endif
