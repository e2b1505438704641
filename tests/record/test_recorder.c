/* The recorder against a powercap tree with known truth. The program is also its own workload: `test_recorder
 * child WHAT`. */
#include "record/recorder.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "mark/mark.h"
#include "rapl_tree.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define RANGE_J 262143.328850

static char self[] = "/proc/self/exe";

/* ---- workloads ---- */

static void sleep_ms(int64_t ms)
{
    clock_sleep_until(clock_boot_ns() + ms * (NS_PER_S / 1000));
}

static int child_epochs(void)
{
    struct mark_sender *sender = mark_sender_open();
    if (!sender)
        return 9;
    for (int64_t epoch = 1; epoch <= 3; epoch++) {
        mark_send(sender, &(struct mark){.kind = MARK_BEGIN, .window = "epoch", .index = epoch});
        sleep_ms(400 + 37 * epoch);
        const struct mark_metric loss = {"loss", 1.0 / (double)epoch};
        mark_send(sender, &(struct mark){.kind = MARK_METRIC, .metrics = &loss, .metric_count = 1});
        const struct mark_metric accuracy = {"accuracy", 0.5 + 0.1 * (double)epoch};
        mark_send(sender, &(struct mark){.kind = MARK_END,
                                         .window = "epoch",
                                         .index = epoch,
                                         .metrics = &accuracy,
                                         .metric_count = 1});
    }
    mark_send(sender, &(struct mark){.kind = MARK_END, .window = "epoch", .index = 77});
    mark_send(sender, &(struct mark){.kind = MARK_BEGIN, .window = "left open", .index = 0});
    mark_send(sender, &(struct mark){.kind = MARK_NOTE, .text = "all done"});
    mark_sender_close(sender);
    return 5;
}

static int child_flood(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv(MARK_SOCKET_VARIABLE);
    if (!path)
        return 9;
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int raw = socket(AF_UNIX, SOCK_DGRAM, 0);
    char garbage[300];
    memset(garbage, '{', sizeof garbage);
    const char *begin = "{\"mark\":\"begin\",\"window\":\"w\",\"t\":999999999999999999}";
    int64_t until = clock_boot_ns() + NS_PER_S / 2;
    for (unsigned i = 0; clock_boot_ns() < until; i++) {
        const char *bytes = i % 8 ? garbage : begin;
        sendto(raw, bytes, i % 8 ? sizeof garbage : strlen(begin), 0, (struct sockaddr *)&address,
               sizeof address);
    }
    return 0;
}

static int child_descriptors(void)
{
    int open_ones = 0;
    for (int descriptor = 3; descriptor < 256; descriptor++)
        open_ones += fcntl(descriptor, F_GETFD) >= 0;
    return open_ones;
}

/* Says when it is ready, so that no signal comes too early. */
static int child_interrupted(void)
{
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, NULL);
    struct mark_sender *sender = mark_sender_open();
    mark_send(sender, &(struct mark){.kind = MARK_NOTE, .text = "ready"});
    mark_sender_close(sender);
    alarm(60); /* should the test have ended before */
    int signal;
    return sigwait(&interrupt, &signal) == 0 && signal == SIGINT ? 7 : 9;
}

static int run_child(const char *what, const char *argument)
{
    if (strcmp(what, "epochs") == 0)
        return child_epochs();
    if (strcmp(what, "flood") == 0)
        return child_flood();
    if (strcmp(what, "descriptors") == 0)
        return child_descriptors();
    if (strcmp(what, "interrupted") == 0)
        return child_interrupted();
    if (strcmp(what, "sleep") == 0)
        sleep_ms(atoi(argument));
    return 0;
}

/* ---- help ---- */

static void run_with(struct record *record, struct recorder_options options)
{
    struct error error = ERROR_INIT;
    if (recorder_run(&options, record, &error) < 0)
        fail_msg("%s", error_text(&error));
}

static struct rapl_tree *make_small_tree(void)
{
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0", RANGE_J, RANGE_J - 30, 100, 40}};
    return rapl_tree_make(zones, 1);
}

/* The boottime at which the run began: the record has it as time of day. */
static int64_t start_of(const struct record *record)
{
    return record->started_wall_ns - (clock_wall_ns() - clock_boot_ns());
}

static double error_of_window(const struct record *record, const struct rapl_tree *tree, size_t zone,
                              size_t channel, size_t window)
{
    const struct window *at = &record->windows[window];
    int64_t from = start_of(record) + (int64_t)(at->start_s * NS_PER_S);
    double truth_j = rapl_tree_truth_j(tree, zone, from, from + (int64_t)(at->wall_s * NS_PER_S));
    assert_true(at->energies[channel].known);
    return fabs(at->energies[channel].energy_j - truth_j) / truth_j;
}

/* The part of a window's energy that the counters may be behind by for the test's own sake: where the machine
 * is busy they stand still now and then, at either end of the window. */
static double late_part(const struct record *record, const struct rapl_tree *tree, size_t window)
{
    return 2 * (double)rapl_tree_slowest_ns(tree) / NS_PER_S / record->windows[window].wall_s;
}

static bool has_note(const struct record *record, const char *words)
{
    for (size_t i = 0; i < record->note_count; i++)
        if (strstr(record->notes[i], words))
            return true;
    return false;
}

/* ---- promises ---- */

struct trace_sum {
    _Atomic double energy_j;
    _Atomic unsigned count;
};

static int sum_trace(void *context, const struct trace_sample *samples, size_t count)
{
    struct trace_sum *sum = context;
    for (size_t i = 0; i < count; i++) {
        if (samples[i].channel == 0)
            sum->energy_j = sum->energy_j + samples[i].power_w * samples[i].wall_s;
        sum->count++;
    }
    return 0;
}

static void wraps_are_lossless_and_psys_stands_beside(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {
        {"intel-rapl:0", "package-0", RANGE_J, RANGE_J - 120, 90, 50},
        {"intel-rapl:0:0", "core", RANGE_J, 3, 60, 30},
        {"intel-rapl:0:1", "dram", 65712.999613, 65712.999613 - 10, 8, 3},
        {"intel-rapl:1", "package-1", RANGE_J, 12, 70, 20},
        {"intel-rapl:2", "psys", RANGE_J, RANGE_J - 200, 220, 60},
    };
    struct rapl_tree *tree = rapl_tree_make(zones, 5);
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    char *command[] = {self, "child", "sleep", "3000", NULL};
    struct record record;
    struct trace_sum sum = {0};
    run_with(&record, (struct recorder_options){
                          .command = command, .setup = &setup, .trace = sum_trace, .context = &sum});
    assert_int_equal(record.channel_count, 5);
    assert_int_equal(record.gap_count, 0);
    /* in both, zones stand in the order of their entries */
    for (size_t i = 0; i < 5; i++) {
        double off = error_of_window(&record, tree, i, i, 0);
        print_message("%s: %.4f %%\n", record.channels[i].name, 100 * off);
        assert_true(off < 0.001 + 2 * late_part(&record, tree, 0));
    }
    const struct channel_energy *energies = record.windows[0].energies;
    struct energy_totals totals = record_totals(&record, 0);
    double sum_j = energies[0].energy_j + energies[2].energy_j + energies[3].energy_j;
    assert_true(fabs(totals.software_j - sum_j) < 1e-9);
    assert_false(totals.estimated);
    assert_true(isnan(totals.hardware_j));
    assert_true(sum.count > 100 && fabs(sum.energy_j - energies[0].energy_j) < 0.02 * energies[0].energy_j);
    record_free(&record);
    rapl_tree_free(tree);
}

/* Measured packages and estimated memory side by side; the command's CPU time is known, but not what is idle.
 */
static void memory_without_a_counter_is_estimated_beside_measured_packages(void **state)
{
    (void)state;
    struct rapl_tree *tree = make_small_tree();
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    char *command[] = {"sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done", NULL};
    struct record record;
    run_with(&record, (struct recorder_options){.command = command, .setup = &setup});
    assert_int_equal(record.channel_count, 2);
    assert_int_equal(record.channels[0].kind, KIND_COUNTER);
    assert_string_equal(record.channels[1].meter, "dram-model");
    struct energy_totals totals = record_totals(&record, 0);
    assert_true(totals.estimated);
    assert_true(totals.software_uncertainty_j > 0.6 * record.windows[0].energies[1].energy_j);
    assert_true(record.attribution.command_cpu_s > 0);
    assert_false(record.attribution.known);
    record_free(&record);
    rapl_tree_free(tree);
}

static void epochs_are_measured_from_their_marks(void **state)
{
    (void)state;
    struct rapl_tree *tree = make_small_tree();
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    char *command[] = {self, "child", "epochs", NULL};
    struct record record;
    run_with(&record, (struct recorder_options){.command = command, .setup = &setup});
    assert_int_equal(record.exit_status, 5);
    assert_int_equal(record.window_count, 5);
    for (size_t i = 1; i <= 3; i++) {
        const struct window *window = &record.windows[i];
        assert_string_equal(window->name, "epoch");
        assert_int_equal(window->index, i);
        assert_int_equal(window->parent, 0);
        assert_true(window->complete && window->wall_s > 0.4 && window->wall_s < 1);
        assert_int_equal(window->metric_count, 2);
        double off = error_of_window(&record, tree, 0, 0, i);
        /* the counter itself moves once a ms: 1 ms of 440 ms at either end */
        assert_true(off < 0.01 + 2 * late_part(&record, tree, i));
    }
    assert_string_equal(record.windows[4].name, "left open");
    assert_false(record.windows[4].complete);
    assert_int_equal(record.marks_rejected, 1);
    assert_true(has_note(&record, "all done") && has_note(&record, "epoch 77, which is not open"));
    record_free(&record);
    rapl_tree_free(tree);
}

static void make_fault(void *context, pid_t child)
{
    (void)child;
    struct rapl_tree *tree = context;
    sleep_ms(250);
    rapl_tree_fault(tree, 0, RAPL_GONE);
}

static void a_file_that_goes_away_leaves_a_gap_and_a_wide_uncertainty(void **state)
{
    (void)state;
    struct rapl_tree *tree = make_small_tree();
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    char *command[] = {self, "child", "sleep", "1000", NULL};
    struct record record;
    run_with(&record, (struct recorder_options){
                          .command = command, .setup = &setup, .started = make_fault, .context = tree});
    const struct channel_energy *energy = &record.windows[0].energies[0];
    assert_true(energy->known && energy->gap_s > 0.6 && energy->gap_s < 0.95);
    assert_int_equal(record.gap_count, 1);
    assert_string_equal(record.gaps[0].reason, "no reading");
    int64_t from = start_of(&record);
    double truth_j = rapl_tree_truth_j(tree, 0, from, from + (int64_t)(record.wall_s * NS_PER_S));
    assert_true(energy->energy_j < 0.5 * truth_j);
    assert_true(energy->energy_j + energy->uncertainty_j > 0.7 * truth_j);
    record_free(&record);
    rapl_tree_free(tree);
}

static void stick_counter(void *context, pid_t child)
{
    (void)child;
    struct rapl_tree *tree = context;
    sleep_ms(500);
    rapl_tree_fault(tree, 0, RAPL_STUCK);
}

static void a_counter_that_sticks_leaves_a_gap_and_no_watts(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0", RANGE_J, 5000, 100, 0}};
    struct rapl_tree *tree = rapl_tree_make(zones, 1);
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    char *command[] = {self, "child", "sleep", "4200", NULL};
    struct record record;
    run_with(&record, (struct recorder_options){
                          .command = command, .setup = &setup, .started = stick_counter, .context = tree});
    const struct channel_energy *energy = &record.windows[0].energies[0];
    assert_true(energy->known && energy->gap_s > 3.5);
    double mean_w = energy->energy_j / (record.wall_s - energy->gap_s);
    assert_true(mean_w > 75 && mean_w < 105); /* its last move came up to a reading earlier */
    assert_int_equal(record.gap_count, 1);
    assert_string_equal(record.gaps[0].reason, "counter stands still");
    record_free(&record);
    rapl_tree_free(tree);
}

static void reset_counter(void *context, pid_t child)
{
    (void)child;
    struct rapl_tree *tree = context;
    sleep_ms(450);
    rapl_tree_fault(tree, 0, RAPL_RESET);
}

static void a_reset_is_a_gap_and_no_wrap(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0", RANGE_J, 5000, 100, 40}};
    struct rapl_tree *tree = rapl_tree_make(zones, 1);
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    char *command[] = {self, "child", "sleep", "1000", NULL};
    struct record record;
    run_with(&record, (struct recorder_options){
                          .command = command, .setup = &setup, .started = reset_counter, .context = tree});
    assert_int_equal(record.gap_count, 1);
    assert_string_equal(record.gaps[0].reason, "counter reset");
    assert_true(record.gaps[0].wall_s < 0.25);
    assert_true(record.windows[0].energies[0].energy_j < 200);
    record_free(&record);
    rapl_tree_free(tree);
}

static void garbage_marks_do_not_stop_a_measurement(void **state)
{
    (void)state;
    struct rapl_tree *tree = make_small_tree();
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    char *command[] = {self, "child", "flood", NULL};
    struct record record;
    run_with(&record, (struct recorder_options){.command = command, .setup = &setup});
    assert_int_equal(record.exit_status, 0);
    assert_true(record.marks_rejected > 100);
    assert_true(record.window_count > 2);
    assert_true(error_of_window(&record, tree, 0, 0, 0) < 0.02);
    record_free(&record);
    rapl_tree_free(tree);
}

static void ends_as(char *const *command, enum run_end end, int exit_status)
{
    struct record record;
    run_with(&record, (struct recorder_options){.command = command});
    if (record.end != end || record.exit_status != exit_status)
        fail_msg("%s: end %d, exit status %d", command[0], record.end, record.exit_status);
    assert_true(record.window_count >= 1);
    record_free(&record);
}

static void the_end_of_a_command_is_told_exactly(void **state)
{
    (void)state;
    ends_as((char *[]){"sh", "-c", "exit 42", NULL}, END_EXITED, 42);
    ends_as((char *[]){"sh", "-c", "kill -TERM $$", NULL}, END_SIGNALLED, 128 + SIGTERM);
    ends_as((char *[]){"sh", "-c", "kill -KILL $$", NULL}, END_SIGNALLED, 128 + SIGKILL);
    ends_as((char *[]){"joulery-no-such-command", NULL}, END_NOT_STARTED, 127);
    ends_as((char *[]){"/no/such/folder/command", NULL}, END_NOT_STARTED, 127);
    ends_as((char *[]){"/etc/passwd", NULL}, END_NOT_STARTED, 126);
    ends_as((char *[]){"/etc", NULL}, END_NOT_STARTED, 126);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct record record;
    struct error error = ERROR_INIT;
    const struct recorder_options options = {.command = (char *[]){"true", NULL},
                                             .directory = "/no/such/folder"};
    assert_int_equal(recorder_run(&options, &record, &error), -1);
    assert_non_null(strstr(error_text(&error), "/no/such/folder: No such file or directory"));
    error_clear(&error);
    record_free(&record);
}

static void an_unknown_or_unusable_instrument_is_an_error(void **state)
{
    (void)state;
    struct record record;
    struct error error = ERROR_INIT;
    const struct meter_setup setup = {.sysfs = "/nonexistent"};
    const char *meters[] = {"rapI"};
    struct recorder_options options = {
        .command = (char *[]){"true", NULL}, .setup = &setup, .meters = meters, .meter_count = 1};
    assert_int_equal(recorder_run(&options, &record, &error), -1);
    assert_non_null(strstr(error_text(&error), "did you mean rapl?"));
    record_free(&record);
    meters[0] = "rapl";
    assert_int_equal(recorder_run(&options, &record, &error), -1);
    assert_non_null(strstr(error_text(&error), "/nonexistent/class/powercap"));
    record_free(&record);
    error_clear(&error);
}

static void the_child_inherits_nothing_of_ours(void **state)
{
    (void)state;
    char *command[] = {self, "child", "descriptors", NULL};
    struct record record;
    int before = child_descriptors();
    run_with(&record, (struct recorder_options){.command = command, .output_tail_bytes = 100});
    assert_int_equal(record.exit_status, before);
    record_free(&record);
}

static void the_tail_of_the_output_is_kept(void **state)
{
    (void)state;
    char *command[] = {
        "sh", "-c", "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done; echo '\303' >&2", NULL};
    struct record record;
    run_with(&record, (struct recorder_options){.command = command, .output_tail_bytes = 64});
    assert_non_null(record.output_tail);
    assert_true(strlen(record.output_tail) <= 64 + 2);
    assert_non_null(strstr(record.output_tail, "line 4999\n"));
    assert_non_null(strstr(record.output_tail, "\xEF\xBF\xBD"));
    record_free(&record);
}

static void a_timeout_ends_the_whole_group(void **state)
{
    (void)state;
    char *command[] = {"sh", "-c", "sleep 100 & sleep 100; true", NULL};
    struct record record;
    int64_t before = clock_boot_ns();
    run_with(&record, (struct recorder_options){.command = command, .timeout_s = 0.3});
    assert_true(clock_boot_ns() - before < 4 * NS_PER_S);
    assert_int_equal(record.end, END_SIGNALLED);
    assert_int_equal(record.exit_status, 128 + SIGTERM);
    assert_true(has_note(&record, "longer than 0.3 s"));
    record_free(&record);
}

static void a_caller_can_stop_early(void **state)
{
    (void)state;
    volatile sig_atomic_t stop = 1;
    char *command[] = {"sleep", "100", NULL};
    struct record record;
    run_with(&record, (struct recorder_options){.command = command, .stop = &stop});
    assert_int_equal(record.exit_status, 128 + SIGTERM);
    assert_true(has_note(&record, "stopped early"));
    record_free(&record);
}

static void signal_ourselves(void *context, const struct record *record)
{
    (void)context, (void)record;
    kill(getpid(), SIGINT);
}

static void signals_are_forwarded(void **state)
{
    (void)state;
    char *command[] = {self, "child", "interrupted", NULL};
    struct record record;
    run_with(&record,
             (struct recorder_options){.command = command, .marked = signal_ourselves, .timeout_s = 20});
    assert_int_equal(record.end, END_EXITED);
    assert_int_equal(record.exit_status, 7);
    record_free(&record);
}

static void what_is_left_running_is_noted(void **state)
{
    (void)state;
    char *command[] = {"sh", "-c", "sleep 1 >/dev/null 2>&1 &", NULL};
    struct record record;
    run_with(&record, (struct recorder_options){.command = command});
    assert_int_equal(record.exit_status, 0);
    assert_true(has_note(&record, "still running"));
    record_free(&record);
}

static void a_caller_that_stops_runs_gets_rid_of_what_they_leave(void **state)
{
    (void)state;
    volatile sig_atomic_t stop = 0;
    char *command[] = {"sh", "-c", "trap '' TERM; sleep 30 & echo $!", NULL};
    struct record record;
    int64_t before = clock_boot_ns();
    run_with(&record, (struct recorder_options){.command = command, .stop = &stop, .output_tail_bytes = 64});
    assert_int_equal(record.exit_status, 0);
    assert_true(clock_boot_ns() - before < 5 * NS_PER_S);
    assert_true(has_note(&record, "they were ended"));
    pid_t left = (pid_t)atoi(record.output_tail);
    assert_true(left > 1);
    for (int i = 0; i < 100 && kill(left, 0) == 0; i++)
        sleep_ms(20); /* until init, or whoever adopted it, has taken note */
    AUTO_FREE char *path = text_format("/proc/%d/stat", (int)left);
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *stat = file_read(path, 4096, NULL, &ignored);
    assert_true(!stat || strstr(stat, ") Z "));
    error_clear(&ignored);
    record_free(&record);
}

/* The first SIGTERM is ignored, the second ends it. */
static void a_command_that_ignores_a_signal_runs_on_and_gets_the_next(void **state)
{
    (void)state;
    char *command[] = {
        "sh", "-c",
        /* it gives up after ten seconds, so that one that is forgotten does not run for ever */
        "n=0 i=0; trap 'n=$((n+1))' TERM; await() { while [ $n -lt $1 ]; do i=$((i+1)); "
        "[ $i -lt 500 ] || exit 12; sleep 0.02; done; }; "
        "kill -TERM $PPID; await 1; kill -TERM $PPID; await 2; exit 11",
        NULL};
    struct record record;
    run_with(&record, (struct recorder_options){.command = command, .timeout_s = 20});
    assert_int_equal(record.end, END_EXITED);
    assert_int_equal(record.exit_status, 11);
    record_free(&record);
}

static void a_budget_stops_the_command(void **state)
{
    (void)state;
    struct rapl_tree *tree = make_small_tree();
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    char *command[] = {"sleep", "100", NULL};
    struct record record;
    run_with(&record, (struct recorder_options){.command = command, .setup = &setup, .budget_j = 20});
    assert_int_equal(record.exit_status, 128 + SIGTERM);
    assert_true(record_totals(&record, 0).software_j >= 20);
    assert_true(has_note(&record, "the budget of 0.005556 Wh was used up"));
    record_free(&record);
    rapl_tree_free(tree);
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "child") == 0)
        return run_child(argv[2], argc > 3 ? argv[3] : "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wraps_are_lossless_and_psys_stands_beside),
        cmocka_unit_test(memory_without_a_counter_is_estimated_beside_measured_packages),
        cmocka_unit_test(epochs_are_measured_from_their_marks),
        cmocka_unit_test(a_file_that_goes_away_leaves_a_gap_and_a_wide_uncertainty),
        cmocka_unit_test(a_counter_that_sticks_leaves_a_gap_and_no_watts),
        cmocka_unit_test(a_reset_is_a_gap_and_no_wrap),
        cmocka_unit_test(garbage_marks_do_not_stop_a_measurement),
        cmocka_unit_test(the_end_of_a_command_is_told_exactly),
        cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
        cmocka_unit_test(an_unknown_or_unusable_instrument_is_an_error),
        cmocka_unit_test(the_child_inherits_nothing_of_ours),
        cmocka_unit_test(the_tail_of_the_output_is_kept),
        cmocka_unit_test(a_timeout_ends_the_whole_group),
        cmocka_unit_test(a_caller_can_stop_early),
        cmocka_unit_test(a_budget_stops_the_command),
        cmocka_unit_test(a_command_that_ignores_a_signal_runs_on_and_gets_the_next),
        cmocka_unit_test(signals_are_forwarded),
        cmocka_unit_test(what_is_left_running_is_noted),
        cmocka_unit_test(a_caller_that_stops_runs_gets_rid_of_what_they_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
