/* A network: a graph on a backend, its tensors by name, its first weights. */
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "nn/backend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct network {
    const struct backend *backend;
    void *state; /* of all, or of the head where the base is frozen */
    void *base;  /* of a frozen base, else NULL */
    struct tensor *tensors;
    size_t tensor_count, base_tensors; /* those of a frozen base come first */
    size_t features;                   /* that the base gives an image */
    bool reads_features;
    size_t batch, classes;
    size_t base_node; /* the base's last, 0: it is not known */
};

/* Weights are drawn in pieces with a stream each, so that they don't depend on the number of threads. */
#define PIECE ((size_t)65536)

static void init_piece(const struct init *init, float *data, size_t count, uint64_t seed, uint64_t stream)
{
    struct random_stream random;
    random_seed(&random, seed, stream);
    for (size_t i = 0; i < count; i++) {
        if (init->kind == INIT_CONSTANT)
            data[i] = (float)init->scale;
        else if (init->kind == INIT_NORMAL)
            data[i] = (float)(init->scale * random_normal(&random));
        else
            data[i] = (float)(init->scale * (2 * random_uniform(&random) - 1));
    }
}

static void init_tensor(const struct tensor *tensor, size_t number, float *data, uint64_t seed)
{
    size_t pieces = (tensor->count + PIECE - 1) / PIECE;
#pragma omp parallel for schedule(dynamic)
    for (size_t p = 0; p < pieces; p++) {
        size_t first = p * PIECE;
        size_t count = tensor->count - first < PIECE ? tensor->count - first : PIECE;
        init_piece(&tensor->init, data + first, count, seed, (uint64_t)number << 32 | p);
    }
}

/* The state that has the tensor, and the tensor's number there. */
static void *owner_of(const struct network *network, size_t *tensor)
{
    if (*tensor < network->base_tensors)
        return network->base;
    *tensor -= network->base_tensors;
    return network->state;
}

/* The backend's own place for a tensor's values, or NULL. */
static float *staging_of(const struct network *network, size_t tensor)
{
    void *owner = owner_of(network, &tensor);
    return network->backend->staging(owner, tensor);
}

static int init_tensors(struct network *network, uint64_t seed, struct error *error)
{
    size_t most = 0;
    for (size_t i = 0; i < network->tensor_count; i++)
        if (!staging_of(network, i) && network->tensors[i].count > most)
            most = network->tensors[i].count;
    float *own = memory_take(most * sizeof *own);
    if (!own)
        return error_memory(error, "network");
    int status = 0;
    for (size_t i = 0; i < network->tensor_count && !status; i++) {
        size_t number = i;
        void *owner = owner_of(network, &number);
        float *staging = staging_of(network, i), *data = staging ? staging : own;
        init_tensor(&network->tensors[i], i, data, seed);
        status = network->backend->set_tensor(owner, number, data, error);
    }
    memory_give_back(own, most * sizeof *own);
    return status;
}

static int check_optimizer(const struct optimizer_options *o, struct error *error)
{
    if (o->kind != OPTIMIZER_SGD && o->momentum > 0)
        return error_set(error, "momentum %g: only SGD has one; Adam's is beta1", o->momentum);
    if (o->nesterov && !(o->kind == OPTIMIZER_SGD && o->momentum > 0))
        return error_set(error, "Nesterov's step: expected SGD with a momentum above 0");
    if (!(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1 && o->epsilon >= 0))
        return error_set(error,
                         "Adam with betas %g, %g and epsilon %g: expected betas below 1, none negative",
                         o->beta1, o->beta2, o->epsilon);
    return 0;
}

static int check_options(const struct network_options *options, struct error *error)
{
    const struct optimizer_options *o = &options->optimizer;
    if (options->batch == 0 || options->batch > 1000000)
        return error_set(error, "batch of %zu images: expected 1 to 1000000", options->batch);
    if (!(o->learning_rate >= 0 && isfinite(o->learning_rate)))
        return error_set(error, "learning rate %g: expected 0 or more", o->learning_rate);
    if (!(o->momentum >= 0 && o->momentum < 1))
        return error_set(error, "momentum %g: expected at least 0 and below 1", o->momentum);
    if (!(o->weight_decay >= 0 && isfinite(o->weight_decay)))
        return error_set(error, "weight decay %g: expected 0 or more", o->weight_decay);
    if (!(options->label_smoothing >= 0 && options->label_smoothing <= 1))
        return error_set(error, "label smoothing %g: expected 0 to 1", options->label_smoothing);
    if (!(options->clip_norm >= 0 && isfinite(options->clip_norm)))
        return error_set(error, "gradient norm to clip at %g: expected 0 (no clipping) or more",
                         options->clip_norm);
    return check_optimizer(o, error);
}

/* A frozen base and what learns on it are compiled apart: the one only infers. */
static void open_states(struct network *network, const struct graph *graph,
                        const struct network_options *options, struct error *error)
{
    struct graph *base = NULL, *head = NULL;
    if (!graph->frozen) {
        network->state = network->backend->open(graph, options, error);
        return;
    }
    if (graph_split(graph, &base, &head, error))
        return;
    const struct shape *shape = graph_input_shape(head);
    network->features = shape->channels * shape->height * shape->width;
    while (network->base_tensors < network->tensor_count &&
           network->tensors[network->base_tensors].node <= graph->base)
        network->base_tensors++;
    network->base = network->backend->open(base, options, error);
    if (network->base)
        network->state = network->backend->open(head, options, error);
    graph_free(base);
    graph_free(head);
}

struct network *network_new(const struct graph *graph, const struct network_options *options,
                            struct error *error)
{
    struct network_options filled = *options;
    if (check_options(options, error))
        return NULL;
    if (filled.optimizer.beta1 == 0)
        filled.optimizer.beta1 = 0.9;
    if (filled.optimizer.beta2 == 0)
        filled.optimizer.beta2 = 0.999;
    if (filled.optimizer.epsilon == 0)
        filled.optimizer.epsilon = 1e-8;
    struct network *network = calloc(1, sizeof *network);
    if (!network) {
        error_memory(error, "network");
        return NULL;
    }
    network->backend = &cpu_backend;
    network->batch = options->batch;
    network->classes = graph_classes(graph);
    network->base_node = graph->base;
    network->tensors = graph_tensors(graph, &network->tensor_count, error);
    if (network->tensors)
        open_states(network, graph, &filled, error);
    if (!network->state || init_tensors(network, options->seed, error)) {
        network_free(network);
        error_prefix(error, "%s", graph->architecture);
        return NULL;
    }
    return network;
}

void network_free(struct network *network)
{
    if (!network)
        return;
    if (network->state)
        network->backend->close(network->state);
    if (network->base)
        network->backend->close(network->base);
    if (network->tensors)
        graph_tensors_free(network->tensors, network->tensor_count);
    free(network);
}

static int check_batch(const struct network *network, const int32_t *labels, size_t count,
                       struct error *error)
{
    if (count == 0 || count > network->batch)
        return error_set(error, "%zu images: expected 1 to %zu, the batch the network was made for", count,
                         network->batch);
    for (size_t i = 0; i < count; i++)
        if (labels[i] < 0 || (size_t)labels[i] >= network->classes)
            return error_set(error, "label %d of image %zu: expected 0 to %zu", labels[i], i,
                             network->classes - 1);
    return 0;
}

/* What the head is given for the images: themselves, if nothing is frozen. NULL on error. */
static const float *head_input(struct network *network, const float *images, size_t count,
                               struct error *error)
{
    if (!network->base || network->reads_features)
        return images;
    return network->backend->infer(network->base, images, count, error);
}

int network_train(struct network *network, const float *images, const int32_t *labels, size_t count,
                  struct step_result *result, struct error *error)
{
    struct backend_batch batch = {NULL, labels, count};
    if (check_batch(network, labels, count, error))
        return -1;
    batch.images = head_input(network, images, count, error);
    if (!batch.images)
        return -1;
    return network->backend->train(network->state, &batch, result, error);
}

int network_evaluate(struct network *network, const float *images, const int32_t *labels, size_t count,
                     struct step_result *result, struct error *error)
{
    struct backend_batch batch = {NULL, labels, count};
    if (check_batch(network, labels, count, error))
        return -1;
    batch.images = head_input(network, images, count, error);
    if (!batch.images)
        return -1;
    return network->backend->evaluate(network->state, &batch, result, error);
}

size_t network_feature_count(const struct network *network)
{
    return network->features;
}

int network_features(struct network *network, const float *images, size_t count, float *features,
                     struct error *error)
{
    if (!network->base)
        return error_set(error, "features: no part of the network is frozen");
    if (count == 0 || count > network->batch)
        return error_set(error, "%zu images: expected 1 to %zu, the batch the network was made for", count,
                         network->batch);
    const float *found = network->backend->infer(network->base, images, count, error);
    if (!found)
        return -1;
    memcpy(features, found, count * network->features * sizeof *features);
    return 0;
}

void network_read_features(struct network *network, bool features)
{
    network->reads_features = features;
}

void network_set_learning_rate(struct network *network, double learning_rate)
{
    network->backend->set_learning_rate(network->state, learning_rate);
}

size_t network_classes(const struct network *network)
{
    return network->classes;
}

size_t network_memory_bytes(const struct network *network)
{
    size_t base = network->base ? network->backend->memory_bytes(network->base) : 0;
    return base + network->backend->memory_bytes(network->state);
}

static const char *nearest_tensor(const struct network *network, const char *name)
{
    const char **names = malloc(network->tensor_count * sizeof *names);
    if (!names)
        return NULL;
    for (size_t i = 0; i < network->tensor_count; i++)
        names[i] = network->tensors[i].name;
    const char *nearest = text_nearest(name, names, network->tensor_count);
    free(names);
    return nearest;
}

static int find_tensor(const struct network *network, const char *name, size_t count, size_t *number,
                       struct error *error)
{
    for (size_t i = 0; i < network->tensor_count; i++) {
        if (strcmp(network->tensors[i].name, name))
            continue;
        *number = i;
        if (network->tensors[i].count == count)
            return 0;
        return error_set(error, "tensor %s: expected %zu values, found %zu", name, network->tensors[i].count,
                         count);
    }
    const char *nearest = nearest_tensor(network, name);
    return nearest ? error_set(error, "no tensor '%s' in this network (did you mean %s?)", name, nearest)
                   : error_set(error, "no tensor '%s' in this network", name);
}

int network_get_tensor(const struct network *network, const char *name, float *data, size_t count,
                       struct error *error)
{
    size_t number;
    if (find_tensor(network, name, count, &number, error))
        return -1;
    void *owner = owner_of(network, &number);
    return network->backend->get_tensor(owner, number, data, error);
}

int network_set_tensor(struct network *network, const char *name, const float *data, size_t count,
                       struct error *error)
{
    size_t number;
    if (find_tensor(network, name, count, &number, error))
        return -1;
    void *owner = owner_of(network, &number);
    return network->backend->set_tensor(owner, number, data, error);
}

size_t network_tensor_count(const struct network *network)
{
    return network->tensor_count;
}

struct network_tensor network_tensor(const struct network *network, size_t number)
{
    const struct tensor *tensor = &network->tensors[number];
    return (struct network_tensor){.name = tensor->name,
                                   .dims = tensor->dims,
                                   .dim_count = (size_t)tensor->dim_count,
                                   .count = tensor->count,
                                   .frozen = number < network->base_tensors,
                                   .head = network->base_node && tensor->node > network->base_node};
}

size_t network_part_count(const struct network *network, size_t tensor, enum network_part part)
{
    void *owner = owner_of(network, &tensor);
    return network->backend->part_count(owner, tensor, part);
}

int network_get_part(const struct network *network, size_t tensor, enum network_part part, float *data,
                     struct error *error)
{
    void *owner = owner_of(network, &tensor);
    return network->backend->get_part(owner, tensor, part, data, error);
}

int network_set_part(struct network *network, size_t tensor, enum network_part part, const float *data,
                     struct error *error)
{
    void *owner = owner_of(network, &tensor);
    return network->backend->set_part(owner, tensor, part, data, error);
}

size_t network_scalar_count(const struct network *network)
{
    return network->backend->scalar_count(network->state);
}

void network_get_scalars(const struct network *network, double *scalars)
{
    network->backend->get_scalars(network->state, scalars);
}

void network_set_scalars(struct network *network, const double *scalars)
{
    network->backend->set_scalars(network->state, scalars);
}
