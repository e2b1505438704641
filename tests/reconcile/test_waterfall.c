/* The steps of a waterfall, by hand, and what their sum promises whatever the figures are. */
#include "base/random.h"
#include "reconcile/waterfall.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-9)

/* The command took 10 s: 200 J of processors, 40 J of memory; alone it takes 230 J, and 400 J at the wall. */
static const struct observation under = {
    .wall_s = 10, .scope_j = {200, 40, NAN}, .software_j = 240, .hardware_j = 420};
static const struct observation alone = {
    .wall_s = 9.5, .scope_j = {195, 35, NAN}, .software_j = 230, .hardware_j = 400};

static struct tool_part part(enum channel_scope scope, double energy_j, enum part_basis basis)
{
    struct tool_part made = {.energy_j = energy_j, .basis = basis};
    made.covers[scope] = true;
    return made;
}

static size_t at(enum step_kind kind, enum channel_scope scope)
{
    size_t step = 0;
    while (waterfall_steps[step].kind != kind ||
           (step_has_scope(kind) && waterfall_steps[step].scope != scope))
        step++;
    return step;
}

static double step_j(const struct waterfall *waterfall, enum step_kind kind, enum channel_scope scope)
{
    assert_true(waterfall->taken[at(kind, scope)]);
    return waterfall->step_j[at(kind, scope)];
}

static size_t count_taken(const struct waterfall *waterfall)
{
    size_t taken = 0;
    for (size_t i = 0; i < STEPS; i++)
        taken += waterfall->taken[i];
    return taken;
}

static void adds_up(const struct waterfall *waterfall)
{
    double level = waterfall->levels[LEVEL_FIGURE];
    for (size_t i = 0; i < STEPS; i++) {
        level += waterfall->step_j[i];
        double scale = fabs(waterfall->levels[LEVEL_FIGURE]) + 1000;
        if (i + 1 == STEPS || waterfall_steps[i + 1].level != waterfall_steps[i].level)
            if (!isnan(waterfall->levels[waterfall_steps[i].level]))
                assert_true(fabs(level - waterfall->levels[waterfall_steps[i].level]) < 1e-12 * scale);
    }
}

static void a_constant_is_taken_out_and_its_domain_put_in(void **state)
{
    (void)state;
    const struct tool_figure figure = {
        .energy_j = 300,
        .covered_s = 10,
        .pue = 1.25,
        .parts = {part(SCOPE_CPU, 205, BASIS_MEASURED), part(SCOPE_DRAM, 35, BASIS_CONSTANT)},
        .part_count = 2};
    struct waterfall waterfall;
    waterfall_build(&figure, &under, &alone, &waterfall);
    NEAR(step_j(&waterfall, STEP_PUE, SCOPE_WALL), -60);
    NEAR(step_j(&waterfall, STEP_CONSTANT, SCOPE_DRAM), -35);
    NEAR(step_j(&waterfall, STEP_MISSING, SCOPE_DRAM), 40);
    NEAR(step_j(&waterfall, STEP_EDGES, SCOPE_WALL), 0);
    NEAR(step_j(&waterfall, STEP_REST, SCOPE_WALL), -5); /* its 205 J of processors are our 200 */
    NEAR(step_j(&waterfall, STEP_OVERHEAD, SCOPE_WALL), -10);
    NEAR(step_j(&waterfall, STEP_UNSEEN, SCOPE_WALL), 170);
    assert_int_equal(count_taken(&waterfall), 7);
    assert_true(waterfall.estimated[at(STEP_CONSTANT, SCOPE_DRAM)]);
    assert_false(waterfall.estimated[at(STEP_MISSING, SCOPE_DRAM)]);
    adds_up(&waterfall);
}

static void a_model_gives_way_to_the_channel(void **state)
{
    (void)state;
    const struct tool_figure figure = {.energy_j = 90,
                                       .covered_s = NAN,
                                       .pue = 1,
                                       .parts = {part(SCOPE_CPU, 90, BASIS_MODEL)},
                                       .part_count = 1};
    struct waterfall waterfall;
    waterfall_build(&figure, &under, &alone, &waterfall);
    NEAR(step_j(&waterfall, STEP_MODEL, SCOPE_CPU), 110);
    NEAR(step_j(&waterfall, STEP_MISSING, SCOPE_DRAM), 40);
    NEAR(step_j(&waterfall, STEP_REST, SCOPE_WALL), 0);
    assert_false(waterfall.taken[at(STEP_PUE, SCOPE_WALL)]);
    assert_false(waterfall.taken[at(STEP_EDGES, SCOPE_WALL)]); /* how long it covers is not known */
    adds_up(&waterfall);
}

static void a_domain_that_only_the_tool_has_is_extra(void **state)
{
    (void)state;
    const struct tool_figure figure = {
        .energy_j = 550,
        .covered_s = 10,
        .pue = 1,
        .parts = {part(SCOPE_CPU, 200, BASIS_MEASURED), part(SCOPE_GPU, 350, BASIS_MEASURED)},
        .part_count = 2};
    struct waterfall waterfall;
    waterfall_build(&figure, &under, &alone, &waterfall);
    NEAR(step_j(&waterfall, STEP_EXTRA, SCOPE_GPU), -350);
    NEAR(step_j(&waterfall, STEP_REST, SCOPE_WALL), 0);
    adds_up(&waterfall);
}

static void edges_are_the_missing_time_at_the_mean_power(void **state)
{
    (void)state;
    const struct tool_figure figure = {.energy_j = 216,
                                       .covered_s = 9,
                                       .pue = 1,
                                       .parts = {part(SCOPE_CPU, 216, BASIS_MEASURED)},
                                       .part_count = 1};
    struct tool_figure both = figure;
    both.parts[0].covers[SCOPE_DRAM] = true;
    struct waterfall waterfall;
    waterfall_build(&both, &under, &alone, &waterfall);
    NEAR(step_j(&waterfall, STEP_EDGES, SCOPE_WALL), 24);
    NEAR(step_j(&waterfall, STEP_REST, SCOPE_WALL), 0);
    adds_up(&waterfall);
    waterfall_build(&figure, &under, &alone, &waterfall); /* of the processors alone: the memory is missing */
    NEAR(step_j(&waterfall, STEP_MISSING, SCOPE_DRAM), 36);
    NEAR(step_j(&waterfall, STEP_REST, SCOPE_WALL), -36);
    adds_up(&waterfall);
}

static void without_a_wattmeter_it_ends_with_software(void **state)
{
    (void)state;
    const struct tool_figure figure = {.energy_j = 0, .covered_s = 10, .pue = 1};
    struct observation no_wall = alone;
    no_wall.hardware_j = NAN;
    struct waterfall waterfall;
    waterfall_build(&figure, &under, &no_wall, &waterfall);
    assert_false(waterfall.taken[at(STEP_UNSEEN, SCOPE_WALL)]);
    assert_true(isnan(waterfall.levels[LEVEL_WALL]));
    NEAR(step_j(&waterfall, STEP_MISSING, SCOPE_CPU), 200);
    adds_up(&waterfall);
}

static double draw(struct random_stream *random, double most)
{
    return most * random_uniform(random);
}

static void steps_add_up_whatever_the_figures_are(void **state)
{
    (void)state;
    struct random_stream random;
    random_seed(&random, 5, 0);
    for (int i = 0; i < 20000; i++) {
        struct tool_figure figure = {.energy_j = draw(&random, 2000) - 500,
                                     .covered_s = draw(&random, 1) < 0.2 ? NAN : draw(&random, 20),
                                     .pue = 1 + draw(&random, 1)};
        figure.part_count = (size_t)draw(&random, 5);
        for (size_t p = 0; p < figure.part_count; p++) {
            figure.parts[p] = part((enum channel_scope)(size_t)draw(&random, 2.999), draw(&random, 500),
                                   (enum part_basis)(size_t)draw(&random, 2.999));
            figure.parts[p].covers[SCOPE_DRAM] |= draw(&random, 1) < 0.3;
        }
        struct waterfall waterfall;
        waterfall_build(&figure, &under, &alone, &waterfall);
        adds_up(&waterfall);
        for (size_t step = 0; step < STEPS; step++)
            assert_true(waterfall.taken[step] || waterfall.step_j[step] == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constant_is_taken_out_and_its_domain_put_in),
        cmocka_unit_test(a_model_gives_way_to_the_channel),
        cmocka_unit_test(a_domain_that_only_the_tool_has_is_extra),
        cmocka_unit_test(edges_are_the_missing_time_at_the_mean_power),
        cmocka_unit_test(without_a_wattmeter_it_ends_with_software),
        cmocka_unit_test(steps_add_up_whatever_the_figures_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
