/* The same gradients and losses as PyTorch's, from the same weights and images. Golden values: golden.py. */
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

enum { STEPS = 10 };

/* PyTorch's own single precision comes up to 7e-4 away from double within ten steps of these cases. */
#define LOSS_TOLERANCE 2e-3

enum { RECIPE_STEPS = 20 };

/* PyTorch's own single precision comes up to 8e-5 away from double within twenty steps of the recipes. */
#define RECIPE_TOLERANCE 1e-3

struct golden {
    char architecture[16], optimizer[8];
    double width, rate, momentum, decay;
    size_t size, classes, batch, correct;
    double losses[STEPS], loss;
    /* Of recipes: */
    bool nesterov;
    double smoothing, clip_norm;
};

static enum optimizer_kind optimizer_kind(const char *name)
{
    return strcmp(name, "sgd") == 0    ? OPTIMIZER_SGD
           : strcmp(name, "adam") == 0 ? OPTIMIZER_ADAM
                                       : OPTIMIZER_ADAMW;
}

static struct network *build(const struct golden *golden, struct graph **graph)
{
    struct error error = ERROR_INIT;
    struct zoo_options zoo = {.classes = golden->classes, .size = golden->size, .width = golden->width};
    *graph = zoo_build(golden->architecture, &zoo, &error);
    if (!*graph)
        fail_msg("%s", error_text(&error));
    for (size_t i = 0; i < (*graph)->count; i++)
        if ((*graph)->nodes[i].kind == NODE_DROPOUT)
            (*graph)->nodes[i].dropout = 0;
    struct network_options options = {.batch = golden->batch,
                                      .label_smoothing = golden->smoothing,
                                      .clip_norm = golden->clip_norm,
                                      .optimizer = {.kind = optimizer_kind(golden->optimizer),
                                                    .learning_rate = golden->rate,
                                                    .momentum = golden->momentum,
                                                    .nesterov = golden->nesterov,
                                                    .weight_decay = golden->decay}};
    struct network *network = network_new(*graph, &options, &error);
    if (!network)
        fail_msg("%s", error_text(&error));
    return network;
}

static void near(const struct golden *golden, const char *what, int step, double found, double expected,
                 double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * fabs(expected)))
        fail_msg("%s %gx, %zu pixels, %s, decay %g: %s %d: expected %.7g, found %.7g", golden->architecture,
                 golden->width, golden->size, golden->optimizer, golden->decay, what, step, expected, found);
}

static void draw(const struct golden *golden, float **images, int32_t **labels)
{
    size_t pixels = golden->batch * 3 * golden->size * golden->size;
    *images = malloc(pixels * sizeof **images);
    *labels = malloc(golden->batch * sizeof **labels);
    assert_non_null(*images);
    assert_non_null(*labels);
    fill(*images, pixels, "images", 0, 1.7);
    fill_labels(*labels, golden->batch, golden->classes);
}

static void check(const struct golden *golden)
{
    struct error error = ERROR_INIT;
    struct graph *graph;
    struct network *network = build(golden, &graph);
    float *images;
    int32_t *labels;
    set_weights(network, graph);
    draw(golden, &images, &labels);
    struct step_result result;
    for (int i = 0; i < STEPS; i++) {
        assert_int_equal(network_train(network, images, labels, golden->batch, &result, &error), 0);
        if (getenv("JOULERY_TEST_TALK"))
            printf("  %.7g %.7g\n", result.loss, golden->losses[i]);
        near(golden, "step", i, result.loss, golden->losses[i], i ? LOSS_TOLERANCE : 1e-4);
    }
    assert_int_equal(network_evaluate(network, images, labels, golden->batch, &result, &error), 0);
    near(golden, "evaluation after step", STEPS, result.loss, golden->loss, LOSS_TOLERANCE);
    assert_int_equal(result.correct, golden->correct);
    network_free(network);
    graph_free(graph);
    free(images);
    free(labels);
}

/* One line of the file; false at its end. */
static bool parse(char **rest, struct golden *golden)
{
    char *line = strsep(rest, "\n");
    int at = 0;
    if (!line || !*line)
        return false;
    if (sscanf(line, "%15s %lf %zu %zu %zu %7s %lf %lf %lf%n", golden->architecture, &golden->width,
               &golden->size, &golden->classes, &golden->batch, golden->optimizer, &golden->rate,
               &golden->momentum, &golden->decay, &at) != 9)
        fail_msg("broken golden file: %s", line);
    char *number = line + at;
    for (int i = 0; i < STEPS; i++)
        golden->losses[i] = strtod(number, &number);
    golden->loss = strtod(number, &number);
    golden->correct = strtoul(number, NULL, 10);
    return true;
}

static char *read_golden(const char *name)
{
    struct error error = ERROR_INIT;
    size_t size;
    const char *directory = getenv("JOULERY_TEST_DATA");
    AUTO_FREE char *path = file_join(directory ? directory : "tests/data", name);
    char *text = file_read(path, 1 << 20, &size, &error);
    if (!text)
        fail_msg("%s", error_text(&error));
    return text;
}

static void check_architecture(const char *architecture)
{
    size_t checked = 0;
    AUTO_FREE char *text = read_golden("nn_golden.txt");
    char *rest = text;
    for (struct golden golden = {0}; parse(&rest, &golden);) {
        if (strcmp(golden.architecture, architecture))
            continue;
        check(&golden);
        checked++;
    }
    assert_true(checked > 0);
}

/* ---- recipes: optimisers, smoothing, clipping, changing rates ---- */

static void check_recipe(const struct golden *golden, char *numbers)
{
    struct error error = ERROR_INIT;
    struct graph *graph;
    struct network *network = build(golden, &graph);
    struct step_result result;
    float *images;
    int32_t *labels;
    set_weights(network, graph);
    draw(golden, &images, &labels);
    for (int i = 0; i < RECIPE_STEPS; i++) {
        network_set_learning_rate(network, strtod(numbers, &numbers));
        double loss = strtod(numbers, &numbers);
        assert_int_equal(network_train(network, images, labels, golden->batch, &result, &error), 0);
        if (getenv("JOULERY_TEST_TALK"))
            printf("  %s %s %.7g %.7g %.1e\n", golden->architecture, golden->optimizer, result.loss, loss,
                   result.loss / loss - 1);
        near(golden, "recipe's step", i, result.loss, loss, i ? RECIPE_TOLERANCE : 1e-4);
    }
    assert_int_equal(network_evaluate(network, images, labels, golden->batch, &result, &error), 0);
    near(golden, "evaluation after step", RECIPE_STEPS, result.loss, strtod(numbers, NULL),
         2 * RECIPE_TOLERANCE);
    network_free(network);
    graph_free(graph);
    free(images);
    free(labels);
}

static void recipes_follow_pytorch(void **state)
{
    (void)state;
    AUTO_FREE char *text = read_golden("nn_recipes.txt");
    char *rest = text;
    size_t checked = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line; checked++) {
        struct golden golden = {0};
        int at = 0, nesterov;
        if (sscanf(line, "%15s %lf %zu %zu %zu %7s %lf %d %lf %lf %lf%n", golden.architecture, &golden.width,
                   &golden.size, &golden.classes, &golden.batch, golden.optimizer, &golden.momentum,
                   &nesterov, &golden.decay, &golden.smoothing, &golden.clip_norm, &at) != 11)
            fail_msg("broken golden file: %s", line);
        golden.nesterov = nesterov;
        check_recipe(&golden, line + at);
    }
    assert_true(checked >= 10);
}

/* ---- gradients, tensor by tensor ---- */

/* What one step of SGD takes away at this rate is the gradient, with hardly any of the weight's rounding. */
#define RATE 0x1p20

/* PyTorch's own single precision comes up to 3e-5 of a gradient's norm away from double (golden.py --float),
 * but for those of a shift that the next batch normalisation takes out again: they are sums that cancel, near
 * 0. */
#define GRADIENT_TOLERANCE 1e-4
#define CANCELLED          0.1

struct gradient_case {
    struct golden network;
    double shift;
    unsigned draw;
};

static const struct tensor *find(const struct tensor *tensors, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(tensors[i].name, name) == 0)
            return &tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

/* Batch normalisation's biases are +-shift, if that is not 0. */
static void fill_shifted(const struct tensor *t, double shift, float *data)
{
    fill_tensor(t, data);
    if (shift != 0 && t->role == TENSOR_BIAS && strcmp(t->name, "fc.bias"))
        for (size_t i = 0; i < t->count; i++)
            data[i] = (float)(data[i] < 0 ? -shift : shift);
}

static void step_once(const struct gradient_case *c, const struct tensor *tensors, size_t count,
                      struct network *network)
{
    struct error error = ERROR_INIT;
    size_t pixels = c->network.batch * 3 * c->network.size * c->network.size;
    float *images = malloc(pixels * sizeof *images);
    int32_t *labels = malloc(c->network.batch * sizeof *labels);
    AUTO_FREE char *name = text_format("images%.0u", c->draw); /* nothing for 0 */
    assert_true(images && labels && name);
    for (size_t i = 0; i < count; i++) {
        float *data = malloc(tensors[i].count * sizeof *data);
        assert_non_null(data);
        fill_shifted(&tensors[i], c->shift, data);
        assert_int_equal(network_set_tensor(network, tensors[i].name, data, tensors[i].count, &error), 0);
        free(data);
    }
    fill(images, pixels, name, 0, 1.7);
    fill_labels(labels, c->network.batch, c->network.classes);
    struct step_result result;
    assert_int_equal(network_train(network, images, labels, c->network.batch, &result, &error), 0);
    free(images);
    free(labels);
}

static void check_tensor(const struct gradient_case *c, const struct network *network, const struct tensor *t,
                         double norm, double product)
{
    struct error error = ERROR_INIT;
    float *before = malloc(t->count * sizeof *before), *after = malloc(t->count * sizeof *after);
    AUTO_FREE char *probe = text_format("probe.%s", t->name);
    assert_true(before && after && probe);
    fill_shifted(t, c->shift, before);
    assert_int_equal(network_get_tensor(network, t->name, after, t->count, &error), 0);
    double squares = 0, sum = 0;
    uint64_t key = hash_name(probe);
    for (size_t i = 0; i < t->count; i++) {
        double value = t->trainable ? ((double)before[i] - after[i]) / RATE : after[i];
        squares += value * value;
        sum += value * ((double)(hash_at(key, i) >> 40) / 8388608.0 - 1);
    }
    free(before);
    free(after);
    double off = fmax(fabs(sqrt(squares) - norm), fabs(sum - product)) / (norm + CANCELLED);
    if (getenv("JOULERY_TEST_TALK"))
        printf("  %s %.1e\n", t->name, off);
    if (!(off <= GRADIENT_TOLERANCE))
        fail_msg(
            "%s %gx, %zu pixels: %s after one step: norm %.7g, expected %.7g; product %.7g, expected %.7g",
            c->network.architecture, c->network.width, c->network.size, t->name, sqrt(squares), norm, sum,
            product);
}

/* The lines of one case's tensors, up to the next case. */
static void check_gradients(char **rest, const struct gradient_case *c)
{
    struct error error = ERROR_INIT;
    struct graph *graph;
    size_t count, checked = 0;
    struct network *network = build(&c->network, &graph);
    struct tensor *tensors = graph_tensors(graph, &count, &error);
    assert_non_null(tensors);
    step_once(c, tensors, count, network);
    while (*rest && **rest && strncmp(*rest, "case ", 5)) {
        char *line = strsep(rest, "\n"), *name = strsep(&line, " ");
        assert_non_null(line);
        double norm = strtod(line, &line);
        check_tensor(c, network, find(tensors, count, name), norm, strtod(line, NULL));
        checked++;
    }
    assert_int_equal(checked, count);
    graph_tensors_free(tensors, count);
    network_free(network);
    graph_free(graph);
}

static void every_gradient_is_pytorchs(void **state)
{
    (void)state;
    AUTO_FREE char *text = read_golden("nn_gradients.txt");
    char *rest = text;
    size_t cases = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line; cases++) {
        struct gradient_case c = {.network = {.optimizer = "sgd", .rate = RATE}};
        if (sscanf(line, "case %15s %lf %zu %zu %zu %lf %u", c.network.architecture, &c.network.width,
                   &c.network.size, &c.network.classes, &c.network.batch, &c.shift, &c.draw) != 7)
            fail_msg("broken golden file: %s", line);
        check_gradients(&rest, &c);
    }
    assert_true(cases >= 3);
}

#define FOLLOWS_PYTORCH(architecture)                                                                        \
    static void architecture##_follows_pytorch(void **state)                                                 \
    {                                                                                                        \
        (void)state;                                                                                         \
        check_architecture(#architecture);                                                                   \
    }
FOLLOWS_PYTORCH(lenet5)
FOLLOWS_PYTORCH(vgg16)
FOLLOWS_PYTORCH(vgg19)
FOLLOWS_PYTORCH(resnet18)
FOLLOWS_PYTORCH(resnet50)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipes_follow_pytorch),   cmocka_unit_test(every_gradient_is_pytorchs),
        cmocka_unit_test(lenet5_follows_pytorch),   cmocka_unit_test(vgg16_follows_pytorch),
        cmocka_unit_test(vgg19_follows_pytorch),    cmocka_unit_test(resnet18_follows_pytorch),
        cmocka_unit_test(resnet50_follows_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
