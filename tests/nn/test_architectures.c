/* The zoo's architectures are torchvision's: names and shapes of all tensors, parameters, FLOPs. The list:
 * architectures.py. */
#include "base/file.h"
#include "base/text.h"
#include "nn/graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *read_list(void)
{
    struct error error = ERROR_INIT;
    size_t size;
    const char *directory = getenv("JOULERY_TEST_DATA");
    AUTO_FREE char *path = file_join(directory ? directory : "tests/data", "nn_architectures.txt");
    char *text = file_read(path, 1 << 22, &size, &error);
    if (!text)
        fail_msg("%s", error_text(&error));
    return text;
}

static struct graph *build(const char *name, struct zoo_options options)
{
    struct error error = ERROR_INIT;
    struct graph *graph = zoo_build(name, &options, &error);
    if (!graph)
        fail_msg("%s", error_text(&error));
    return graph;
}

static bool in_zoo(const char *name)
{
    size_t count;
    const char *const *names = zoo_names(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static const struct tensor *find(const struct tensor *tensors, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(tensors[i].name, name) == 0)
            return &tensors[i];
    return NULL;
}

static void check_tensor(const char *architecture, const struct tensor *tensors, size_t count,
                         const char *name, const char *shape)
{
    const struct tensor *t = find(tensors, count, name);
    if (!t)
        fail_msg("%s: no tensor %s", architecture, name);
    struct text found = TEXT_INIT;
    for (int d = 0; d < t->dim_count; d++)
        text_printf(&found, "%s%zu", d ? " " : "", t->dims[d]);
    AUTO_FREE char *dims = text_take(&found);
    if (strcmp(dims, shape) != 0)
        fail_msg("%s: %s: expected %s, found %s", architecture, name, shape, dims);
}

/* One line of the list; returns the number of tensors it names. */
static size_t check_line(const char *architecture, const struct tensor *tensors, size_t count, char *line)
{
    static const char *const roles[] = {"weight", "bias", "running_mean", "running_var"};
    char *name = strsep(&line, " "), *star = strrchr(name, '*');
    if (!star) {
        check_tensor(architecture, tensors, count, name, line ? line : "");
        return 1;
    }
    for (int i = 0; i < 4; i++) {
        AUTO_FREE char *full = text_format("%.*s%s", (int)(star - name), name, roles[i]);
        check_tensor(architecture, tensors, count, full, line);
    }
    return 4;
}

/* Takes the lines of one architecture, up to the next. */
static void check_architecture(const char *name, size_t size, uint64_t parameters, uint64_t flops,
                               char **rest)
{
    struct error error = ERROR_INIT;
    struct graph *graph = build(name, (struct zoo_options){.size = size});
    if (graph_parameters(graph) != parameters || graph_trainable_parameters(graph) != parameters)
        fail_msg("%s: expected %llu parameters, found %llu", name, (unsigned long long)parameters,
                 (unsigned long long)graph_parameters(graph));
    if (graph_flops(graph) != flops)
        fail_msg("%s: expected %llu FLOPs, found %llu", name, (unsigned long long)flops,
                 (unsigned long long)graph_flops(graph));
    size_t count, checked = 0;
    struct tensor *tensors = graph_tensors(graph, &count, &error);
    assert_non_null(tensors);
    while (*rest && **rest && strncmp(*rest, "architecture ", 13) != 0)
        checked += check_line(name, tensors, count, strsep(rest, "\n"));
    assert_int_equal(checked, count);
    graph_tensors_free(tensors, count);
    graph_free(graph);
}

static void tensors_parameters_and_flops_are_torchvisions(void **state)
{
    (void)state;
    AUTO_FREE char *text = read_list();
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        char name[32];
        size_t size;
        unsigned long long parameters, flops;
        if (sscanf(line, "architecture %31s %zu %llu %llu", name, &size, &parameters, &flops) != 4)
            fail_msg("broken list: %s", line);
        if (!in_zoo(name))
            fail_msg("no %s in the zoo", name);
        check_architecture(name, size, parameters, flops, &rest);
    }
}

/* Those torchvision does not have, and some it has, from elsewhere. */
static void parameters_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t classes;
        uint64_t parameters, trainable;
    } known[] = {
        {"lenet5", 10, 62006, 62006},
        {"resnet20", 10, 269722, 269722},
        {"resnet56", 10, 853018, 853018},
        {"xception", 1000, 22910480, 22855952},    /* Keras's summary */
        {"resnet50_v1", 1000, 25636712, 25583592}, /* Keras's summary */
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct graph *graph = build(known[i].name, (struct zoo_options){.classes = known[i].classes});
        if (graph_parameters(graph) != known[i].parameters ||
            graph_trainable_parameters(graph) != known[i].trainable)
            fail_msg("%s: found %llu parameters, %llu trainable", known[i].name,
                     (unsigned long long)graph_parameters(graph),
                     (unsigned long long)graph_trainable_parameters(graph));
        graph_free(graph);
    }
}

/* Xu et al. 2023: FLOPs by keras-flops of 32 images through the base and a head of 4096, 4096 and 10. */
static void flops_are_those_of_the_study(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t size, features;
        double flops;
    } known[] = {
        {"vgg16", 32, 512, 21268268928},       {"vgg16", 48, 512, 46339966848},
        {"vgg19", 32, 512, 26704938880},       {"vgg19", 48, 512, 58572474240},
        {"resnet50_v1", 32, 2048, 6675494400}, {"resnet50_v1", 48, 8192, 16289166848},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct graph *graph =
            build(known[i].name, (struct zoo_options){.classes = 10, .size = known[i].size});
        size_t dense = 0;
        for (size_t k = 0; k < graph->count; k++)
            if (graph->nodes[k].kind == NODE_DENSE)
                dense += 2 * graph->nodes[graph->nodes[k].inputs[0]].shape.channels *
                         graph->nodes[k].shape.channels;
        double head = 2.0 * 4096 * (double)(known[i].features + 4096 + 10);
        double flops = 32 * ((double)(graph_flops(graph) - dense) + head);
        if (!(fabs(flops / known[i].flops - 1) < 0.005))
            fail_msg("%s at %zu: expected %.0f FLOPs, found %.0f", known[i].name, known[i].size,
                     known[i].flops, flops);
        graph_free(graph);
    }
}

static void every_architecture_names_the_least_size_it_takes(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    size_t count;
    const char *const *names = zoo_names(&count);
    for (size_t i = 0; i < count; i++) {
        size_t least = zoo_least_size(names[i]);
        graph_free(build(names[i], (struct zoo_options){.classes = 10, .size = least}));
        assert_null(zoo_build(names[i], &(struct zoo_options){.size = least - 1}, &error));
        AUTO_FREE char *expected =
            text_format("%s: images of %zux%zu are too small: it needs at least %zux%zu", names[i], least - 1,
                        least - 1, least, least);
        assert_string_equal(error_text(&error), expected);
        error_clear(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_parameters_and_flops_are_torchvisions),
        cmocka_unit_test(parameters_are_the_published_ones),
        cmocka_unit_test(flops_are_those_of_the_study),
        cmocka_unit_test(every_architecture_names_the_least_size_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
