#include "train/features.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"

#include <stdlib.h>

/* One split's, and who may stop it. */
struct pass {
    struct network *network;
    const struct dataset *dataset;
    size_t batch, width;
    bool (*stop)(void *context);
    void *context;
};

static int fill(const struct pass *pass, bool train, float *rows, struct error *error)
{
    const struct loader_options options = {.batch = pass->batch, .train = train, .in_order = true};
    struct loader *loader = loader_open(pass->dataset, &options, error);
    if (!loader)
        return -1;
    int result = 0;
    const struct batch *batch;
    loader_start(loader, 0);
    while (result == 0 && (batch = loader_next(loader))) {
        if (pass->stop && pass->stop(pass->context))
            result = 1;
        else
            result = network_features(pass->network, batch->images, batch->count, rows, error);
        rows += batch->count * pass->width;
    }
    loader_close(loader);
    return result;
}

static int allocate(struct features *features, const struct dataset *dataset, bool test, struct error *error)
{
    size_t train_count = dataset->train.count, test_count = test ? dataset->test.count : 0, bytes;
    if (__builtin_mul_overflow(train_count + test_count, features->width * sizeof(float), &bytes) ||
        bytes > memory_available()) {
        AUTO_FREE char *needed = units_bytes((train_count + test_count) * features->width * sizeof(float));
        AUTO_FREE char *left = units_bytes(memory_available());
        return error_set(error,
                         "too little memory: the features of %zu images need %s, and %s can be had: train "
                         "without --cache-features",
                         train_count + test_count, needed ? needed : "much", left ? left : "less");
    }
    features->train = malloc(train_count * features->width * sizeof(float));
    features->test = test ? malloc(test_count * features->width * sizeof(float)) : NULL;
    return features->train && (features->test || !test) ? 0 : error_memory(error, "features");
}

int features_compute(struct features *features, struct network *network, const struct dataset *dataset,
                     bool test, size_t batch, bool (*stop)(void *context), void *context, struct error *error)
{
    *features = (struct features){.width = network_feature_count(network)};
    if (!features->width)
        return error_set(error, "features can be cached only of a frozen base");
    if (allocate(features, dataset, test, error) < 0)
        return -1;
    const struct pass pass = {network, dataset, batch, features->width, stop, context};
    int result = fill(&pass, true, features->train, error);
    return result || !test ? result : fill(&pass, false, features->test, error);
}

void features_free(struct features *features)
{
    free(features->train);
    free(features->test);
    *features = (struct features){0};
}
