#include "carbon/wait.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EPOCH_S 1795824000.0 /* 2026-11-28T00:00:00Z */
#define HOURS   24

/* A world whose clocks go on when somebody sleeps, and in which something happens once. */
struct world {
    double wall_s, steady_s;
    double hours[HOURS]; /* the forecast from EPOCH_S on; below 0: a hole */
    size_t known;        /* of them */
    size_t asked, fail_from;
    double asleep_s;
    double happens_s; /* steady; 0: nothing does */
    enum { TOLD, GIVEN_UP, SET_BACK, SET_ON, SUSPENDED, NEW_FORECAST } what;
    size_t told;
    double planned_s; /* what was told last */
};

static double world_wall_s(void *context)
{
    return ((struct world *)context)->wall_s;
}

static double world_steady_s(void *context)
{
    return ((struct world *)context)->steady_s;
}

static enum wait_event happen(struct world *world)
{
    world->happens_s = 0;
    switch (world->what) {
    case TOLD:
        return WAIT_START_NOW;
    case GIVEN_UP:
        return WAIT_GIVE_UP;
    case SET_BACK:
        world->wall_s -= 3 * 3600;
        break;
    case SET_ON:
        world->wall_s += 3 * 3600;
        break;
    case SUSPENDED:
        world->wall_s += 9 * 3600;
        world->steady_s += 9 * 3600;
        world->asleep_s = 9 * 3600;
        break;
    case NEW_FORECAST:
        world->hours[2] = 1;
        break;
    }
    return WAIT_PASSED;
}

static enum wait_event world_sleep(void *context, double seconds)
{
    struct world *world = context;
    assert_true(seconds > 0 && seconds <= 60);
    world->wall_s += seconds;
    world->steady_s += seconds;
    return world->happens_s > 0 && world->steady_s >= world->happens_s ? happen(world) : WAIT_PASSED;
}

static int world_ask(void *context, double from_s, double to_s, struct profile *profile, char **trouble,
                     struct error *error)
{
    struct world *world = context;
    assert_true(from_s == world->wall_s && to_s > from_s);
    *trouble = NULL;
    *profile = (struct profile){0};
    if (++world->asked >= world->fail_from)
        return error_set(error, "the service: no answer");
    for (size_t i = 0; i < world->known; i++) {
        struct profile_step step = {.from_s = (int64_t)EPOCH_S + 3600 * (int64_t)i,
                                    .to_s = (int64_t)EPOCH_S + 3600 * (int64_t)(i + 1),
                                    .intensity_g_per_kwh = world->hours[i],
                                    .forecast = true};
        if (world->hours[i] >= 0 && profile_add(profile, step, error) < 0)
            fail_msg("%s", error_text(error));
    }
    profile->source = strdup("the service");
    return 0;
}

static void world_tell(void *context, const struct wait_state *state)
{
    struct world *world = context;
    world->told += state->decided;
    world->planned_s = state->plan->best.start_s;
}

/* A day that is cleanest from `cleanest` o'clock for two hours. */
static struct world day(size_t cleanest)
{
    struct world world = {.wall_s = EPOCH_S + 60, .steady_s = 1000, .known = HOURS, .fail_from = SIZE_MAX};
    for (size_t i = 0; i < HOURS; i++)
        world.hours[i] = 300;
    world.hours[cleanest] = world.hours[cleanest + 1] = 100;
    return world;
}

static struct waited wait_in(struct world *world, double within_s)
{
    struct job_piece piece = {7200, 1};
    const struct job job = {&piece, 1};
    const struct wait_hooks hooks = {world, world_wall_s, world_steady_s, world_sleep, world_ask, world_tell};
    struct error error = ERROR_INIT;
    struct waited waited;
    if (wait_for_clean_start(&job, within_s, &hooks, &waited, &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_true(waited.wall_s <= within_s + world->asleep_s + 0.1 && waited.until_s == world->wall_s);
    return waited;
}

static void it_ends_at_the_cleanest_start(void **state)
{
    (void)state;
    struct world world = day(6);
    struct waited waited = wait_in(&world, 86400);
    assert_int_equal(waited.end, WAIT_CLEANEST);
    assert_true(fabs(waited.until_s - (EPOCH_S + 6 * 3600)) < 0.1);
    assert_true(waited.from_s == EPOCH_S + 60 && waited.at_once_g_per_kwh == 300);
    assert_true(fabs(waited.started_g_per_kwh - 100) < 0.1);
    assert_string_equal(waited.source, "the service");
    assert_null(waited.trouble);
    waited_free(&waited);
}

/* Six hours are twelve half hours. */
static void it_asks_anew_but_not_often(void **state)
{
    (void)state;
    struct world world = day(6);
    struct waited waited = wait_in(&world, 86400);
    assert_int_equal(world.asked, 12);
    assert_int_equal(world.told, 12);
    waited_free(&waited);
}

static void it_never_waits_beyond_what_is_allowed(void **state)
{
    (void)state;
    struct world world = day(20);
    struct waited waited = wait_in(&world, 3600);
    assert_true(waited.wall_s == 0 && waited.end == WAIT_CLEANEST); /* all starts are as good: now */
    waited_free(&waited);
    world = day(3); /* which the last allowed start reaches into */
    world.hours[2] = 200;
    waited = wait_in(&world, 3600);
    assert_int_equal(waited.end, WAIT_CLEANEST);
    assert_true(fabs(waited.wall_s - 3600) < 0.1);
    waited_free(&waited);
    world = day(6);
    waited = wait_in(&world, 0);
    assert_true(waited.wall_s == 0);
    waited_free(&waited);
}

static void it_can_be_told_to_start_or_give_up(void **state)
{
    (void)state;
    struct world world = day(6);
    world.happens_s = world.steady_s + 3600;
    world.what = TOLD;
    struct waited waited = wait_in(&world, 86400);
    assert_int_equal(waited.end, WAIT_TOLD);
    assert_true(waited.wall_s >= 3600 && waited.wall_s < 3700);
    assert_true(waited.started_g_per_kwh == 300);
    waited_free(&waited);
    world = day(6);
    world.happens_s = world.steady_s + 3600;
    world.what = GIVEN_UP;
    waited = wait_in(&world, 86400);
    assert_int_equal(waited.end, WAIT_GIVEN_UP);
    waited_free(&waited);
}

static void without_a_forecast_nothing_is_waited_for(void **state)
{
    (void)state;
    struct world world = day(6);
    world.fail_from = 1;
    struct waited waited = wait_in(&world, 86400);
    assert_int_equal(waited.end, WAIT_NO_FORECAST);
    assert_true(waited.wall_s == 0 && isnan(waited.at_once_g_per_kwh) && isnan(waited.started_g_per_kwh));
    assert_string_equal(waited.trouble, "the service: no answer");
    waited_free(&waited);
    world = day(6);
    world.known = 1;
    waited = wait_in(&world, 86400);
    assert_int_equal(waited.end, WAIT_NO_FORECAST);
    assert_non_null(strstr(waited.trouble, "does not fit"));
    waited_free(&waited);
}

static void a_service_that_fails_later_leaves_the_plan(void **state)
{
    (void)state;
    struct world world = day(6);
    world.fail_from = 2;
    struct waited waited = wait_in(&world, 86400);
    assert_int_equal(waited.end, WAIT_CLEANEST);
    assert_true(fabs(waited.until_s - (EPOCH_S + 6 * 3600)) < 0.1);
    assert_string_equal(waited.trouble, "the service: no answer");
    waited_free(&waited);
}

static void a_forecast_that_changes_changes_the_plan(void **state)
{
    (void)state;
    struct world world = day(6);
    world.hours[3] = 100;
    world.happens_s = world.steady_s + 600;
    world.what = NEW_FORECAST;
    struct waited waited = wait_in(&world, 86400);
    assert_true(fabs(waited.until_s - (EPOCH_S + 2 * 3600)) < 0.1);
    waited_free(&waited);
}

/* The start is an instant by the wall clock, the longest wait a duration. */
static void a_clock_that_is_set_leads_to_a_new_plan(void **state)
{
    (void)state;
    struct world world = day(6);
    world.happens_s = world.steady_s + 600;
    world.what = SET_ON;
    struct waited waited = wait_in(&world, 86400);
    assert_int_equal(waited.end, WAIT_CLEANEST);
    assert_true(fabs(waited.until_s - (EPOCH_S + 6 * 3600)) < 0.1);
    assert_true(fabs(waited.wall_s - (3 * 3600 - 60)) < 20);
    waited_free(&waited);
    world = day(6);
    world.hours[5] = 200; /* the last allowed start, now three hours earlier by the clock, reaches into it */
    world.happens_s = world.steady_s + 4 * 3600;
    world.what = SET_BACK;
    waited = wait_in(&world, 6 * 3600);
    assert_int_equal(waited.end, WAIT_CLEANEST);
    assert_true(waited.wall_s <= 6 * 3600 + 0.1);
    assert_true(waited.until_s <= EPOCH_S + 60 + 3 * 3600 + 0.1);
    waited_free(&waited);
}

/* Asleep from one to ten o'clock, through the start at six: the night that is left has another. */
static void a_machine_that_slept_through_the_start_decides_anew(void **state)
{
    (void)state;
    struct world world = day(6);
    world.hours[14] = world.hours[15] = 150;
    world.happens_s = world.steady_s + 3600;
    world.what = SUSPENDED;
    struct waited waited = wait_in(&world, 86400);
    assert_int_equal(waited.end, WAIT_CLEANEST);
    assert_true(fabs(waited.until_s - (EPOCH_S + 14 * 3600)) < 0.1);
    waited_free(&waited);
    world = day(6);
    world.happens_s = world.steady_s + 3600;
    world.what = SUSPENDED;
    waited = wait_in(&world, 8 * 3600); /* which are over when it wakes */
    assert_true(waited.until_s <= EPOCH_S + 11 * 3600 && waited.end != WAIT_NO_FORECAST);
    waited_free(&waited);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_ends_at_the_cleanest_start),
        cmocka_unit_test(it_asks_anew_but_not_often),
        cmocka_unit_test(it_never_waits_beyond_what_is_allowed),
        cmocka_unit_test(it_can_be_told_to_start_or_give_up),
        cmocka_unit_test(without_a_forecast_nothing_is_waited_for),
        cmocka_unit_test(a_service_that_fails_later_leaves_the_plan),
        cmocka_unit_test(a_forecast_that_changes_changes_the_plan),
        cmocka_unit_test(a_clock_that_is_set_leads_to_a_new_plan),
        cmocka_unit_test(a_machine_that_slept_through_the_start_decides_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
