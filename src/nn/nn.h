/* nn.h: networks: described as a graph, compiled for a batch, trained step by step.
 *
 * Layers and initialisation are torchvision's where an architecture exists there; parameter tensors carry
 * torchvision's names ("layer1.0.conv1.weight"). */
#ifndef JOULERY_NN_NN_H
#define JOULERY_NN_NN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct graph;   /* nn/graph.h: layers and shapes, no memory */
struct network; /* a graph compiled for one batch size, with its memory */

/* ---- the zoo ---- */

struct zoo_options {
    size_t classes;  /* 0: 1000 */
    size_t channels; /* 0: 3 */
    size_t size;     /* input height and width; 0: the architecture's usual size */
    double width;    /* scales the channels of every layer; 0: 1 */
    /* The units of the dense layers, each with a ReLU, that are put on the flattened base in place of the
     * architecture's own head; head_count 0: its own. `dropout` is the probability before the last layer. */
    const size_t *head;
    size_t head_count;
    double dropout;
    bool freeze_base; /* the base keeps its weights, and its batch normalisations their moving statistics */
};

/* Names in the zoo's order; `*count` of them. Static. */
const char *const *zoo_names(size_t *count);
/* NULL and an error: unknown architecture (with the nearest name), size too small (says which it needs). */
struct graph *zoo_build(const char *name, const struct zoo_options *options, struct error *error);
/* The least image size the architecture takes; 0 if there is none of this name. */
size_t zoo_least_size(const char *name);
void graph_free(struct graph *graph);

/* Moving statistics are counted for the architectures of Keras, as Keras does, and not for torchvision's. */
uint64_t graph_parameters(const struct graph *graph);
uint64_t graph_trainable_parameters(const struct graph *graph);
uint64_t graph_flops(const struct graph *graph); /* forward, one image; a multiply-add counts two */

/* ---- training ---- */

/* As PyTorch's torch.optim defines them, without dampening and amsgrad. */
enum optimizer_kind { OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_ADAMW };

struct optimizer_options {
    enum optimizer_kind kind;
    double learning_rate;
    double momentum;              /* SGD only */
    bool nesterov;                /* SGD with momentum only */
    double weight_decay;          /* SGD, Adam: times the weight is added to its gradient; AdamW: times the
                                     learning rate is the part of the weight taken away */
    double beta1, beta2, epsilon; /* Adam, AdamW; 0: 0.9, 0.999, 1e-8 */
};

/* BF16: activations and their gradients are bfloat16, and so is what convolutions and dense layers read of
 * their weights; sums within a layer, statistics, scores and the loss are float, and so are the weights that
 * the optimiser changes, and its memory. As torch.autocast has it. */
enum precision { PRECISION_FP32, PRECISION_BF16 };

struct network_options {
    size_t batch;
    enum precision precision;
    uint64_t seed; /* of the initial weights and of dropout */
    struct optimizer_options optimizer;
    /* 0 to 1: as label_smoothing of PyTorch's cross_entropy. Evaluation never smooths. */
    double label_smoothing;
    /* Above 0: gradients are scaled so that their norm, over all parameters together, is at most this, as
     * torch.nn.utils.clip_grad_norm_ does. All are then kept until the last is known, which takes memory. */
    double clip_norm;
};

struct step_result {
    double loss;                /* mean cross-entropy over the batch */
    size_t correct;             /* images whose highest score is their label */
    size_t top5;                /* images whose label is among the five highest scores */
    const int32_t *predictions; /* each image's class of the highest score; the network's, until the next call
                                   with it */
};

/* Compiles the graph; keeps no reference to it. Threads are OpenMP's (omp_set_num_threads before, and no
 * change after). The same seed and number of threads give the same losses to the bit on one machine. NULL:
 * options out of range, a precision the processor has no instructions for, too little
 * memory (says how much is needed). */
struct network *network_new(const struct graph *graph, const struct network_options *options,
                            struct error *error);
void network_free(struct network *network);

/* One optimiser step on `count` images (1 <= count <= batch), float (count, channels, size, size), and their
 * labels. Fewer images than `batch` are computed exactly, by a program compiled when that number first
 * occurs. Where a batch leaves a batch normalisation one value a channel, its moving statistics stay as they
 * are (PyTorch refuses such a batch). -1: a label that is no class, a wrong count, too little memory. */
int network_train(struct network *network, const float *images, const int32_t *labels, size_t count,
                  struct step_result *result, struct error *error);

/* Scores the images without learning: batch normalisation uses its moving statistics, dropout is off. Any
 * `count` up to the batch. */
int network_evaluate(struct network *network, const float *images, const int32_t *labels, size_t count,
                     struct step_result *result, struct error *error);

/* ---- a frozen base ----
 *
 * It only ever infers: batch normalisation is folded into its convolutions, and no memory is kept for
 * gradients. What it gives for an image are the image's features. */

/* Floats an image; 0: no base is frozen. */
size_t network_feature_count(const struct network *network);
/* `features`: (count, network_feature_count). */
int network_features(struct network *network, const float *images, size_t count, float *features,
                     struct error *error);
/* Whether network_train and network_evaluate are given features instead of images from now on. */
void network_read_features(struct network *network, bool features);

void network_set_learning_rate(struct network *network, double learning_rate);
size_t network_classes(const struct network *network);
/* Bytes of weights, gradients, optimiser state and activations. */
size_t network_memory_bytes(const struct network *network);

/* Parameter tensors by torchvision's names, in PyTorch's layout (for golden values, weights and tests).
 * `data` holds `count` floats, which must be the tensor's size. Setting also clears what the optimiser
 * remembers of the tensor. -1: no such tensor (with the nearest name) or another size (both are named). */
int network_get_tensor(const struct network *network, const char *name, float *data, size_t count,
                       struct error *error);
int network_set_tensor(struct network *network, const char *name, const float *data, size_t count,
                       struct error *error);

/* A parameter tensor; its name and its sizes are the network's. */
struct network_tensor {
    const char *name;
    const size_t *dims;
    size_t dim_count, count;
    bool frozen; /* of a frozen base */
    bool head;   /* behind the base; false where the architecture doesn't say where its base ends */
};
size_t network_tensor_count(const struct network *network);
struct network_tensor network_tensor(const struct network *network, size_t number);

/* ---- the state of a training ----
 *
 * All parts of all tensors and the scalars, given to a network of the same graph, options and backend: it
 * goes on to the same losses to the bit. What the parts mean is the backend's own affair. */

enum network_part {
    PART_VALUES, /* as they are kept; not always PyTorch's tensor */
    PART_FIRST,  /* momentum, or the first moment */
    PART_SECOND, /* the second moment */
    PART_REST,   /* of a tensor that is kept in another form: what that form leaves out */
    NETWORK_PARTS,
};

/* Floats of a part; 0 where there is none. */
size_t network_part_count(const struct network *network, size_t tensor, enum network_part part);
int network_get_part(const struct network *network, size_t tensor, enum network_part part, float *data,
                     struct error *error);
int network_set_part(struct network *network, size_t tensor, enum network_part part, const float *data,
                     struct error *error);
/* Steps done, powers of Adam's betas and the like. */
size_t network_scalar_count(const struct network *network);
void network_get_scalars(const struct network *network, double *scalars);
void network_set_scalars(struct network *network, const double *scalars);

#endif
