#include "sample.h"

#include "base/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct channel channels[] = {
    {.meter = "rapl",
     .name = "package-0",
     .scope = SCOPE_CPU,
     .kind = KIND_COUNTER,
     .resolution = 61e-6,
     .range_j = 262143.3,
     .update_s = 0.001,
     .still_most_s = 3,
     .max_power_w = 500,
     .accuracy = 0.02,
     .accuracy_source = "Khan et al. 2018 – “RAPL in action”"},
    {.meter = "rapl",
     .name = "package-0/core",
     .part_of = "package-0",
     .scope = SCOPE_CPU,
     .kind = KIND_COUNTER,
     .resolution = 61e-6,
     .range_j = 262143.3,
     .accuracy = 0.02,
     .apart = true,
     .twin = true,
     .accuracy_source = "…"},
    {.meter = "plug",
     .name = "wall",
     .label = "Steckdose „Labor“",
     .averaging_s = 0.25,

     .scope = SCOPE_WALL,
     .kind = KIND_POWER,
     .resolution = 0.1,
     .accuracy = 0.01,
     .accuracy_source = "データシート"},
};

#define CHANNELS (sizeof channels / sizeof *channels)

static void fill_window(struct window *window, size_t number)
{
    *window = (struct window){.name = strdup(number ? "epoch" : "run"),
                              .index = (int64_t)number,
                              .parent = number ? 0 : -1,
                              .start_s = number ? 0.25 + 1.5 * (double)(number - 1) : 0,
                              .wall_s = 1.4375,
                              .complete = number % 3 != 2};
    window->energies = calloc(CHANNELS, sizeof *window->energies);
    for (size_t i = 0; i < CHANNELS; i++)
        if (i != 2 || number % 2 == 0)
            window->energies[i] =
                (struct channel_energy){true, 10.5 + (double)(number * 7 + i), 0.125, 0.0625};
    if (number == 0)
        return;
    window->metrics = calloc(2, sizeof *window->metrics);
    window->metrics[0] = (struct metric){strdup("loss"), 2.0 / (double)number};
    window->metrics[1] = (struct metric){strdup("val_accuracy"), 1 - 0.5 / (double)number};
    window->metric_count = 2;
}

void sample_record(struct record *record, size_t epochs, int exit_status)
{
    struct error error = ERROR_INIT;
    *record = (struct record){.command_count = 3,
                              .channel_count = CHANNELS,
                              .window_count = epochs + 1,
                              .gap_count = 2,
                              .note_count = 2,
                              .end = END_EXITED,
                              .exit_status = exit_status,
                              .started_wall_ns = 1763923423LL * 1000000000,
                              .wall_s = 12.3456789,
                              .rate_hz = 10,
                              .recorder_cpu_s = 0.0123,
                              .recorder_peak_rss_bytes = 7 << 20,
                              .marks_received = 2 * epochs,
                              .marks_rejected = 1};
    record->command = calloc(3, sizeof *record->command);
    record->command[0] = strdup("python3");
    record->command[1] = strdup("zug \"fährt\" ab\n");
    record->command[2] = strdup("日本 🌱");
    record->channels = calloc(CHANNELS, sizeof *record->channels);
    for (size_t i = 0; i < CHANNELS; i++)
        assert_int_equal(channel_copy(&record->channels[i], &channels[i], &error), 0);
    record->windows = calloc(epochs + 1, sizeof *record->windows);
    for (size_t i = 0; i <= epochs; i++)
        fill_window(&record->windows[i], i);
    record->gaps = calloc(2, sizeof *record->gaps);
    record->gaps[0] = (struct gap){1, 0.5, 0.25, strdup("counter reset")};
    record->gaps[1] = (struct gap){0, 3, 0.125, strdup("implies 4100 W")};
    record->notes = calloc(2, sizeof *record->notes);
    record->notes[0] = strdup("läuft unter <script>alert('x')</script>");
    record->notes[1] = strdup("");
    record->host = (struct host){strdup("rechner-7"),
                                 strdup("Some CPU @ 2.40GHz"),
                                 strdup("6.1.0"),
                                 strdup("Debian 12"),
                                 strdup("none"),
                                 strdup("0.1.0"),
                                 2,
                                 64,
                                 1ULL << 37};
    if (epochs > 0) {
        record->baseline = strdup("60 s at rest");
        record->idle = calloc(CHANNELS, sizeof *record->idle);
        for (size_t i = 0; i < CHANNELS; i++)
            record->idle[i] = (struct idle_power){i == 2 ? NAN : 0.5 + (double)i, i == 2 ? NAN : 0.0625};
        record->attribution = (struct attribution){true, 1.25, 2.5, 3.5, 0.375, strdup("process tree")};
    }
    record->output_tail = strdup("epoch 1\nÉpoque finie ✓\n");
}

struct planned_run *sample_plan(size_t count)
{
    struct planned_run *plan = calloc(count, sizeof *plan);
    for (size_t i = 0; i < count; i++) {
        plan[i] =
            (struct planned_run){(int64_t)i, (int64_t)(i / 3) + 1, calloc(1, sizeof *plan[i].factors), 1};
        plan[i].factors[0] = (struct plan_factor){strdup("arch"), text_format("a%zu", i % 3)};
    }
    return plan;
}

void sample_plan_free(struct planned_run *plan, size_t count)
{
    for (size_t i = 0; i < count; i++)
        planned_run_free(&plan[i]);
    free(plan);
}

struct study_identity sample_study(int64_t seed)
{
    return (struct study_identity){.name = (char *)"sample",
                                   .question = (char *)"Which?",
                                   .definition = (char *)"name: sample\n",
                                   .fingerprint = (char *)(seed == 1 ? "{\"order\":\"listed\",\"seed\":1}"
                                                                     : "{\"order\":\"listed\",\"seed\":2}"),
                                   .location = (char *)"SWE",
                                   .pue = 1.2,
                                   .seed = seed};
}
