/* Twenty steps of SGD and of Adam, and an evaluation after them, as PyTorch computes them with torchvision's
 * architectures: golden.py --families. Dropout and stochastic depth are off on both sides. */
#include "base/file.h"
#include "base/text.h"
#include "filled.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 20, CLASSES = 10 };

/* PyTorch's own single precision stays within 2e-4 of double here; golden.py chose the rates so. */
#define TOLERANCE 1e-3

struct row {
    char architecture[32], optimizer[8];
    double width, rate, shift;
    size_t size, batch;
};

static struct graph *build(const struct row *row)
{
    struct error error = ERROR_INIT;
    struct zoo_options options = {.classes = CLASSES, .size = row->size, .width = row->width};
    struct graph *graph = zoo_build(row->architecture, &options, &error);
    if (!graph)
        fail_msg("%s", error_text(&error));
    for (size_t i = 0; i < graph->count; i++)
        if (graph->nodes[i].kind == NODE_DROPOUT || graph->nodes[i].kind == NODE_STOCHASTIC_DEPTH)
            graph->nodes[i].dropout = 0;
    return graph;
}

static void near(const struct row *row, int step, double found, double expected)
{
    double tolerance = step ? TOLERANCE : 1e-4;
    if (getenv("JOULERY_TEST_TALK"))
        print_message("%s %s %d: %.7g, expected %.7g: off by %.1e\n", row->architecture, row->optimizer, step,
                      found, expected, found / expected - 1);
    if (!(fabs(found - expected) <= tolerance * fabs(expected)))
        fail_msg("%s, %s: step %d: expected %.7g, found %.7g", row->architecture, row->optimizer, step,
                 expected, found);
}

/* Batch normalisation's biases become +-shift. */
static void shift_norms(struct network *network, const struct graph *graph, double shift)
{
    struct error error = ERROR_INIT;
    size_t count;
    struct tensor *tensors = graph_tensors(graph, &count, &error);
    assert_non_null(tensors);
    for (size_t i = 0; i < count; i++) {
        const struct tensor *t = &tensors[i];
        if (graph->nodes[t->node].kind != NODE_BATCH_NORM || t->role != TENSOR_BIAS)
            continue;
        float *data = malloc(t->count * sizeof *data);
        assert_non_null(data);
        fill_tensor(t, data);
        for (size_t k = 0; k < t->count; k++)
            data[k] = (float)(data[k] < 0 ? -shift : shift);
        assert_int_equal(network_set_tensor(network, t->name, data, t->count, &error), 0);
        free(data);
    }
    graph_tensors_free(tensors, count);
}

/* `numbers`: the losses of all steps and of the evaluation. */
static void follow(const struct row *row, struct network *network, char *numbers)
{
    struct error error = ERROR_INIT;
    struct step_result result;
    size_t pixels = row->batch * 3 * row->size * row->size;
    float *images = malloc(pixels * sizeof *images);
    int32_t *labels = malloc(row->batch * sizeof *labels);
    assert_true(images && labels);
    fill(images, pixels, "images", 0, 1.7);
    fill_labels(labels, row->batch, CLASSES);
    for (int i = 0; i < STEPS; i++) {
        assert_int_equal(network_train(network, images, labels, row->batch, &result, &error), 0);
        near(row, i, result.loss, strtod(numbers, &numbers));
    }
    assert_int_equal(network_evaluate(network, images, labels, row->batch, &result, &error), 0);
    near(row, STEPS, result.loss, strtod(numbers, NULL));
    free(images);
    free(labels);
}

static void check(const struct row *row, char *numbers)
{
    struct error error = ERROR_INIT;
    bool sgd = strcmp(row->optimizer, "sgd") == 0;
    struct graph *graph = build(row);
    struct network_options options = {.batch = row->batch,
                                      .optimizer = {.kind = sgd ? OPTIMIZER_SGD : OPTIMIZER_ADAM,
                                                    .learning_rate = row->rate,
                                                    .momentum = sgd ? 0.9 : 0}};
    struct network *network = network_new(graph, &options, &error);
    if (!network)
        fail_msg("%s", error_text(&error));
    set_weights(network, graph);
    if (row->shift != 0)
        shift_norms(network, graph, row->shift);
    follow(row, network, numbers);
    network_free(network);
    graph_free(graph);
}

static void every_family_follows_pytorch(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    size_t size, checked = 0;
    const char *directory = getenv("JOULERY_TEST_DATA");
    AUTO_FREE char *path = file_join(directory ? directory : "tests/data", "nn_families.txt");
    AUTO_FREE char *text = file_read(path, 1 << 20, &size, &error);
    if (!text)
        fail_msg("%s", error_text(&error));
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line; checked++) {
        struct row row;
        int at = 0;
        if (sscanf(line, "%31s %lf %zu %zu %lf %7s %lf%n", row.architecture, &row.width, &row.size,
                   &row.batch, &row.shift, row.optimizer, &row.rate, &at) != 7)
            fail_msg("broken golden file: %s", line);
        check(&row, line + at);
    }
    assert_true(checked >= 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_follows_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
