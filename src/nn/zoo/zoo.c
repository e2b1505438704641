/* The one table of architectures. */
#include "nn/zoo/zoo.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

/* name, usual image size, least image size */
#define ARCHITECTURE_TABLE(X)                                                                                \
    X(lenet5, 32, 32)                                                                                        \
    X(vgg16, 224, 32)                                                                                        \
    X(vgg19, 224, 32)                                                                                        \
    X(resnet18, 224, 32)                                                                                     \
    X(resnet50, 224, 32)

static const struct architecture {
    const char *name;
    zoo_builder *build;
    size_t usual_size, least_size;
} architectures[] = {
#define ARCHITECTURE(name, usual, least) {#name, zoo_##name, usual, least},
    ARCHITECTURE_TABLE(ARCHITECTURE)};

static const char *const names[] = {
#define NAME(name, usual, least) #name,
    ARCHITECTURE_TABLE(NAME)};
#define ARCHITECTURES (sizeof architectures / sizeof *architectures)

const char *const *zoo_names(size_t *count)
{
    *count = ARCHITECTURES;
    return names;
}

size_t zoo_width(const struct zoo_options *options, size_t channels)
{
    double scaled = round((double)channels * options->width);
    return scaled < 1 ? 1 : (size_t)scaled;
}

size_t zoo_input(struct graph *graph, const struct zoo_options *options)
{
    return graph_input(graph, (struct shape){options->channels, options->size, options->size});
}

static int check(const struct architecture *architecture, const struct zoo_options *options,
                 struct error *error)
{
    if (options->size < architecture->least_size)
        return error_set(error, "%s: images of %zux%zu are too small: it needs at least %zux%zu",
                         architecture->name, options->size, options->size, architecture->least_size,
                         architecture->least_size);
    if (options->size > 16384)
        return error_set(error, "%s: images of %zux%zu: expected at most 16384x16384", architecture->name,
                         options->size, options->size);
    if (!(options->width > 0 && options->width <= 64))
        return error_set(error, "%s: width %g: expected more than 0 and at most 64", architecture->name,
                         options->width);
    if (options->classes < 2 || options->classes > 1000000 || options->channels > 1024)
        return error_set(error,
                         "%s: %zu classes and %zu input channels: expected 2 to 1000000 and at most 1024",
                         architecture->name, options->classes, options->channels);
    return 0;
}

static const struct architecture *find(const char *name, struct error *error)
{
    for (size_t i = 0; i < ARCHITECTURES; i++)
        if (strcmp(name, architectures[i].name) == 0)
            return &architectures[i];
    const char *nearest = text_nearest(name, names, ARCHITECTURES);
    if (nearest) {
        error_set(error, "unknown architecture '%s' (did you mean %s?)", name, nearest);
        return NULL;
    }
    struct text all = TEXT_INIT;
    for (size_t i = 0; i < ARCHITECTURES; i++)
        text_printf(&all, "%s%s", i ? ", " : "", names[i]);
    AUTO_FREE char *list = text_take(&all);
    error_set(error, "unknown architecture '%s': expected one of %s", name, list ? list : names[0]);
    return NULL;
}

struct graph *zoo_build(const char *name, const struct zoo_options *options, struct error *error)
{
    const struct architecture *architecture = find(name, error);
    if (!architecture)
        return NULL;
    struct zoo_options filled = {
        .classes = options->classes ? options->classes : 1000,
        .channels = options->channels ? options->channels : 3,
        .size = options->size ? options->size : architecture->usual_size,
        .width = options->width != 0 ? options->width : 1,
    };
    if (check(architecture, &filled, error))
        return NULL;
    return architecture->build(architecture->name, &filled, error);
}
