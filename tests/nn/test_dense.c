/* The one walk over a dense layer's weights against its definition. */
#include "base/random.h"
#include "nn/cpu_element.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct sizes {
    size_t images, inputs, outputs, lanes;
    enum element type;
};

static size_t round_up(size_t count, size_t unit)
{
    return (count + unit - 1) / unit * unit;
}

/* Where the weight from an input to an output lies. */
static size_t place(const struct sizes *s, size_t output, size_t input)
{
    size_t input_blocks = round_up(s->inputs, DENSE_ROWS) / DENSE_ROWS;
    size_t tile = output / s->lanes * input_blocks + input / DENSE_ROWS;
    return (tile * DENSE_ROWS + input % DENSE_ROWS) * s->lanes + output % s->lanes;
}

static void *random_elements(struct random_stream *random, size_t count, enum element type)
{
    void *x = calloc(count, sizeof(float));
    assert_non_null(x);
    for (size_t i = 0; i < count; i++)
        element_put(x, i, type, (float)random_normal(random));
    return x;
}

static float *lines(size_t count)
{
    float *x = aligned_alloc(64, round_up(count, 16) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < round_up(count, 16); i++)
        x[i] = 0;
    return x;
}

static void expect_near(double found, double expected, enum element type, const char *what)
{
    double most = (type == ELEMENT_BF16 ? 8e-3 : 2e-5) * (1 + fabs(expected));
    if (!(fabs(found - expected) < most))
        fail_msg("%s: expected %g, found %g", what, expected, found);
}

/* One step of SGD at rate 1 takes the gradient from the weights. */
static void check(const struct sizes *s, bool wants_dx)
{
    struct random_stream random;
    random_seed(&random, 9, s->inputs + s->outputs);
    const struct update update = {
        .kind = OPTIMIZER_SGD, .learning_rate = 1, .copies = 1, .gradient_scale = 1};
    size_t stored = round_up(s->inputs, DENSE_ROWS) * round_up(s->outputs, s->lanes);
    float *w = lines(stored), *before = lines(stored), *db = lines(s->outputs);
    void *x = random_elements(&random, s->images * s->inputs, s->type);
    void *dy = random_elements(&random, s->images * s->outputs, s->type);
    void *dx = random_elements(&random, s->images * s->inputs, s->type);
    for (size_t o = 0; o < s->outputs; o++)
        for (size_t i = 0; i < s->inputs; i++)
            before[place(s, o, i)] = w[place(s, o, i)] = (float)random_normal(&random);
    const struct dense_backward d = {.type = s->type,
                                     .images = s->images,
                                     .inputs = s->inputs,
                                     .outputs = s->outputs,
                                     .lanes = s->lanes,
                                     .update = &update,
                                     .w = w};
    float *scratch = lines(kernel_dense_scratch(&d));
    kernel_dense_backward(wants_dx ? dx : NULL, db, x, dy, scratch, &d);
    double kept = 0;
    for (size_t o = 0; o < s->outputs; o++) {
        double bias = 0;
        for (size_t n = 0; n < s->images; n++)
            bias += (double)element_get(dy, n * s->outputs + o, s->type);
        expect_near(db[o], bias, ELEMENT_FLOAT, "bias");
        for (size_t i = 0; i < s->inputs; i++) {
            double gradient = 0;
            for (size_t n = 0; n < s->images; n++)
                gradient += (double)element_get(dy, n * s->outputs + o, s->type) *
                            (double)element_get(x, n * s->inputs + i, s->type);
            size_t at = place(s, o, i);
            expect_near((double)before[at] - (double)w[at], gradient, ELEMENT_FLOAT, "gradient");
            kept += fabs((double)w[at]);
        }
    }
    for (size_t n = 0; wants_dx && n < s->images; n++) {
        for (size_t i = 0; i < s->inputs; i++) {
            double sum = 0;
            for (size_t o = 0; o < s->outputs; o++)
                sum += (double)element_get(dy, n * s->outputs + o, s->type) * (double)before[place(s, o, i)];
            expect_near((double)element_get(dx, n * s->inputs + i, s->type), sum, s->type, "dx");
        }
    }
    double all = 0;
    for (size_t k = 0; k < stored; k++)
        all += fabs((double)w[k]);
    assert_true(fabs(all - kept) <= 1e-9 * kept); /* padding is 0 */
    free(w);
    free(before);
    free(db);
    free(x);
    free(dy);
    free(dx);
    free(scratch);
}

static void gradients_and_step_are_as_defined(void **state)
{
    (void)state;
    static const struct sizes sizes[] = {
        {1, 1, 1, 16, ELEMENT_FLOAT},     {5, 33, 10, 16, ELEMENT_FLOAT},    {16, 48, 40, 32, ELEMENT_FLOAT},
        {33, 70, 130, 64, ELEMENT_FLOAT}, {32, 256, 192, 64, ELEMENT_FLOAT}, {7, 100, 65, 64, ELEMENT_BF16},
        {32, 300, 64, 64, ELEMENT_BF16},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check(&sizes[i], true);
        check(&sizes[i], false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_and_step_are_as_defined)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
