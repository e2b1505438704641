/* From options to a network that fits the data and has its weights. */
#include "base/text.h"
#include "train/parameters.h"
#include "train/program.h"

#include <omp.h>

int training_fit_to_data(struct training *training, const struct dataset *dataset, struct error *error)
{
    training->dataset = dataset;
    training->zoo.size = dataset->size;
    if (training->train.batch > dataset->train.count)
        training->train.batch = dataset->train.count;
    if (!training->zoo.classes)
        training->zoo.classes = dataset->classes;
    if (training->zoo.classes < dataset->classes)
        return error_set(error, "--classes %zu: expected at least the %zu classes of %s",
                         training->zoo.classes, dataset->classes, dataset->name);
    return 0;
}

struct network *training_compile(struct training *training, struct error *error)
{
    struct graph *graph = zoo_build(training->architecture, &training->zoo, error);
    if (!graph)
        return NULL;
    training->parameters = graph_parameters(graph);
    training->trainable_parameters = graph_trainable_parameters(graph);
    training->flops = graph_flops(graph);
    omp_set_num_threads((int)training->threads);
    struct network_options options = {.batch = training->train.batch,
                                      .precision = training->precision,
                                      .seed = training->train.seed,
                                      .optimizer = training->optimizer,
                                      .label_smoothing = training->label_smoothing,
                                      .clip_norm = training->clip_norm};
    struct network *network = network_new(graph, &options, error);
    graph_free(graph);
    if (network)
        training->memory_bytes = network_memory_bytes(network);
    return network;
}

int training_load(struct training *training, struct network *network, bool head_may_differ,
                  struct error *error)
{
    struct zoo_options own = training->zoo;
    own.head = NULL;
    own.head_count = 0;
    own.dropout = 0;
    struct graph *whole = zoo_build(training->architecture, &own, error);
    if (!whole)
        return -1;
    const struct parameters_source source = {.path = training->weights,
                                             .architecture = training->architecture,
                                             .head_may_differ = head_may_differ,
                                             .whole = head_may_differ ? whole : NULL};
    AUTO_FREE char *note = NULL;
    int status = parameters_load(network, &source, &note, error);
    graph_free(whole);
    training->head_loaded = status == 0 && !note;
    if (note)
        fprintf(stderr, "note: %s\n", note);
    return status < 0 ? error_prefix(error, "--weights") : 0;
}
