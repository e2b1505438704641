/* backend.h: what computes a graph: one struct of functions a backend fills in. network.c knows nothing else
 * of it. */
#ifndef JOULERY_NN_BACKEND_H
#define JOULERY_NN_BACKEND_H

#include "nn/graph.h"

struct backend_batch {
    const float *images;   /* (count, channels, size, size) */
    const int32_t *labels; /* (count), each below the graph's classes */
    size_t count;
};

struct backend {
    const char *name;
    /* Compiles the graph for training on options->batch images, with all its memory; tensors are zero. A
     * graph without a loss is compiled for `infer` only. NULL on error. */
    void *(*open)(const struct graph *graph, const struct network_options *options, struct error *error);
    void (*close)(void *state);
    int (*train)(void *state, const struct backend_batch *batch, struct step_result *result,
                 struct error *error);
    int (*evaluate)(void *state, const struct backend_batch *batch, struct step_result *result,
                    struct error *error);
    /* The last node's values for up to options->batch images, (count, channels, height, width); they are the
     * backend's, until the next call. NULL on error. */
    const float *(*infer)(void *state, const float *images, size_t count, struct error *error);
    void (*set_learning_rate)(void *state, double learning_rate);
    size_t (*memory_bytes)(const void *state);
    /* Tensors are numbered as graph_tensors gives them, in PyTorch's layout. Setting clears the optimiser's
     * memory of the tensor. */
    int (*get_tensor)(const void *state, size_t tensor, float *data, struct error *error);
    int (*set_tensor)(void *state, size_t tensor, const float *data, struct error *error);
    /* Memory of the tensor's size that may be filled and given to set_tensor, or NULL where there is none:
     * saves the largest tensors a copy. Its contents are the backend's otherwise. */
    float *(*staging)(void *state, size_t tensor);
    /* What network_part_count and the functions after it say, of one tensor and of the whole state. */
    size_t (*part_count)(const void *state, size_t tensor, enum network_part part);
    int (*get_part)(const void *state, size_t tensor, enum network_part part, float *data,
                    struct error *error);
    int (*set_part)(void *state, size_t tensor, enum network_part part, const float *data,
                    struct error *error);
    size_t (*scalar_count)(const void *state);
    void (*get_scalars)(const void *state, double *scalars);
    void (*set_scalars)(void *state, const double *scalars);
};

extern const struct backend cpu_backend;

#endif
