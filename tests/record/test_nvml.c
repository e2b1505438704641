/* The recorder against NVIDIA's stand-in: energies beside the truth, neighbours, faults and disagreements. */
#include "record/recorder.h"

#include "base/clock.h"
#include "nvml_scenario.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID_0 "GPU-00000000-aaaa-4106-c12f-20bd9faed9f6"
#define UUID_1 "GPU-11111111-bbbb-4106-c12f-20bd9faed9f6"

struct play {
    int64_t zero_ns;
    struct record record;
    int64_t start_ns, end_ns;
};

static void play(struct play *play, const char *lines, const char *visible, const char *seconds)
{
    struct error error = ERROR_INIT;
    static char sleep[] = "sleep";
    const struct meter_setup setup = {.nvml = NVML_STANDIN_LIBRARY};
    const char *const meters[] = {"nvml"};
    char *argument = strdup(seconds);
    char *command[] = {sleep, argument, NULL};
    play->zero_ns = nvml_scenario_play(lines);
    if (visible)
        setenv("CUDA_VISIBLE_DEVICES", visible, 1);
    const struct recorder_options options = {
        .command = command, .setup = &setup, .meters = meters, .meter_count = 1, .rate_hz = 50};
    if (recorder_run(&options, &play->record, &error) < 0)
        fail_msg("%s", error_text(&error));
    free(argument);
    play->start_ns = play->record.started_wall_ns - (clock_wall_ns() - clock_boot_ns());
    play->end_ns = play->start_ns + (int64_t)(play->record.wall_s * NS_PER_S);
}

static size_t position(const struct record *record, const char *name)
{
    for (size_t i = 0; i < record->channel_count; i++)
        if (strcmp(record->channels[i].name, name) == 0)
            return i;
    fail_msg("no channel %s", name);
    return 0;
}

static const struct channel_energy *energy_of(const struct play *play, const char *name)
{
    return &play->record.windows[0].energies[position(&play->record, name)];
}

static const char *find_note(const struct record *record, const char *part)
{
    for (size_t i = 0; i < record->note_count; i++)
        if (strstr(record->notes[i], part))
            return record->notes[i];
    return NULL;
}

static void is_true_to(double energy_j, double truth_j, double most)
{
    if (!(fabs(energy_j / truth_j - 1) <= most))
        fail_msg("%g J where the truth is %g J", energy_j, truth_j);
}

static void energies_are_true_and_counted_once(void **state)
{
    (void)state;
    struct play at;
    play(&at,
         "gpu " UUID_0 "\nmean_w 200\nswing_w 80\nstart_mj 1e9\n"
         "gpu " UUID_1 "\nmean_w 100\nstart_mj 7e9\n",
         NULL, "1.5");
    double first_j = nvml_scenario_truth_j(200, 80, at.zero_ns, at.start_ns, at.end_ns);
    double second_j = nvml_scenario_truth_j(100, 0, at.zero_ns, at.start_ns, at.end_ns);
    is_true_to(energy_of(&at, "gpu-0")->energy_j, first_j, 0.005);
    is_true_to(energy_of(&at, "gpu-1")->energy_j, second_j, 0.005);
    is_true_to(energy_of(&at, "gpu-0/power")->energy_j, first_j, 0.01);
    struct energy_totals totals = record_totals(&at.record, 0);
    is_true_to(totals.software_j, first_j + second_j, 0.005);
    assert_false(totals.estimated);
    assert_null(find_note(&at.record, "disagree"));
    record_free(&at.record);
}

static void figures_renewed_ten_times_a_second_stay_within_their_uncertainty(void **state)
{
    (void)state;
    struct play at;
    play(&at, "gpu " UUID_0 "\nmean_w 200\nupdate_s 0.1\nstart_mj 1e9\n", NULL, "1.03");
    double truth_j = nvml_scenario_truth_j(200, 0, at.zero_ns, at.start_ns, at.end_ns);
    const struct channel_energy *energy = energy_of(&at, "gpu-0");
    assert_true(fabs(energy->energy_j - truth_j) <= 3 * energy->uncertainty_j);
    assert_true(fabs(energy->energy_j - truth_j) <= 200 * 0.2 && energy->gap_s == 0);
    record_free(&at.record);
}

static void neighbours_are_shown_and_never_added(void **state)
{
    (void)state;
    struct play at;
    play(&at, "gpu " UUID_0 "\nmean_w 300\nstart_mj 1e9\ngpu " UUID_1 "\nmean_w 100\nstart_mj 1e9\n",
         "GPU-1111", "0.6");
    double ours_j = nvml_scenario_truth_j(100, 0, at.zero_ns, at.start_ns, at.end_ns);
    is_true_to(record_totals(&at.record, 0).software_j, ours_j, 0.01);
    is_true_to(energy_of(&at, "gpu-0")->energy_j, 3 * ours_j, 0.01);
    assert_true(at.record.channels[position(&at.record, "gpu-0")].apart);
    assert_non_null(find_note(&at.record, "nvml: counted by CUDA_VISIBLE_DEVICES: gpu-1"));
    record_free(&at.record);
}

static void power_alone_is_integrated(void **state)
{
    (void)state;
    struct play at;
    play(&at, "gpu " UUID_0 "\nmean_w 200\nswing_w 80\nenergy 3\n", NULL, "1");
    double truth_j = nvml_scenario_truth_j(200, 80, at.zero_ns, at.start_ns, at.end_ns);
    is_true_to(record_totals(&at.record, 0).software_j, truth_j, 0.01);
    assert_non_null(find_note(&at.record, "integrated from power readings"));
    record_free(&at.record);
}

static void a_disagreement_is_flagged_and_only_a_large_one(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        bool flagged;
    } cases[] = {
        {"gpu " UUID_0 "\nmean_w 200\nstart_mj 1e9\nfactor 1.75\n", true},
        {"gpu " UUID_0 "\nmean_w 200\nstart_mj 1e9\nfactor 0.6\n", true},
        {"gpu " UUID_0 "\nmean_w 200\nstart_mj 1e9\nfactor 1.06\n", false},
        /* over a run as short as its averaging window a power can't contradict anything */
        {"gpu " UUID_0 "\nmean_w 200\nstart_mj 1e9\nfactor 1.75\narchitecture 8\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct play at;
        play(&at, cases[i].lines, NULL, "0.9");
        const char *note = find_note(&at.record, "nvml/gpu-0 and gpu-0/power disagree");
        if (!note != !cases[i].flagged)
            fail_msg("case %zu: %s", i, note ? note : "not flagged");
        record_free(&at.record);
    }
}

static void a_gpu_lost_in_the_middle_leaves_a_gap_of_its_own(void **state)
{
    (void)state;
    struct play at;
    play(&at,
         "gpu " UUID_0 "\nmean_w 200\nstart_mj 1e9\nlost_s 0.5\ngpu " UUID_1 "\nmean_w 100\nstart_mj 1e9\n",
         NULL, "1");
    const struct channel_energy *lost = energy_of(&at, "gpu-0"), *other = energy_of(&at, "gpu-1");
    double lost_s = (double)(at.end_ns - at.zero_ns) / NS_PER_S - 0.5;
    assert_true(lost->known && fabs(lost->gap_s - lost_s) < 0.3);
    is_true_to(lost->energy_j, 200 * (at.record.wall_s - lost->gap_s), 0.01);
    assert_true(lost->uncertainty_j > 0.5 * 200 * lost_s);
    assert_true(other->known && other->gap_s == 0);
    is_true_to(other->energy_j, 100 * at.record.wall_s, 0.01);
    record_free(&at.record);
}

static void a_counter_that_begins_again_is_a_gap_and_never_negative(void **state)
{
    (void)state;
    struct play at;
    play(&at, "gpu " UUID_0 "\nmean_w 200\nstart_mj 1e9\nback_s 0.5\n", NULL, "1");
    const struct channel_energy *energy = energy_of(&at, "gpu-0");
    assert_true(energy->known && energy->gap_s > 0 && energy->gap_s < 0.5);
    is_true_to(energy->energy_j, 200 * (at.record.wall_s - energy->gap_s), 0.02);
    assert_int_equal(at.record.gap_count, 1);
    assert_string_equal(at.record.gaps[0].reason, "counter reset");
    record_free(&at.record);
}

static int end_scenario(void **state)
{
    (void)state;
    nvml_scenario_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(energies_are_true_and_counted_once),
        cmocka_unit_test(figures_renewed_ten_times_a_second_stay_within_their_uncertainty),
        cmocka_unit_test(neighbours_are_shown_and_never_added),
        cmocka_unit_test(power_alone_is_integrated),
        cmocka_unit_test(a_disagreement_is_flagged_and_only_a_large_one),
        cmocka_unit_test(a_gpu_lost_in_the_middle_leaves_a_gap_of_its_own),
        cmocka_unit_test(a_counter_that_begins_again_is_a_gap_and_never_negative),
    };
    return cmocka_run_group_tests(tests, NULL, end_scenario);
}
