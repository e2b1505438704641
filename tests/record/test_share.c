/* What is attributed to the command, and whose CPU time that is. The program is also its own workload:
 * `test_share child HOW` starts an orphan. */
#include "record/share.h"

#include "base/clock.h"
#include "base/text.h"
#include "record/recorder.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BUSY_S     0.3
#define BUSY_SEEN  0.25 /* ticks cut off what is read from /proc */
#define NOT_BUSY_S 0.2  /* what a command that does nothing stays below */

static char self[] = "/proc/self/exe";

/* ---- the workload ---- */

static void use_cpu(void)
{
    struct timespec used;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    while ((double)used.tv_sec + (double)used.tv_nsec * 1e-9 < BUSY_S);
}

/* Busy for its time, tells its pid, and stays or ends. */
static _Noreturn void be_orphan(bool own_group, bool stay, int told)
{
    alarm(60); /* should the test have ended before */
    if (own_group)
        setsid();
    use_cpu();
    dprintf(told, "%ld", (long)getpid());
    close(told);
    while (stay)
        pause();
    _exit(0);
}

/* Ends when the orphan has told its pid, which is then written on standard output. */
static int child_orphan(bool own_group, bool stay)
{
    int told[2];
    if (pipe(told) < 0)
        return 9;
    pid_t between = fork();
    if (between == 0) {
        if (fork() == 0)
            be_orphan(own_group, stay, told[1]);
        _exit(0);
    }
    close(told[1]);
    waitpid(between, NULL, 0);
    char pid[32] = "";
    ssize_t got = read(told[0], pid, sizeof pid - 1);
    puts(pid);
    return got > 0 ? 0 : 9;
}

/* So many that end at once, each left by its parent. */
static int child_many(int count)
{
    for (int i = 0; i < count; i++) {
        pid_t between = fork();
        if (between == 0)
            _exit(fork() == 0 ? 0 : 1);
        waitpid(between, NULL, 0);
    }
    return 0;
}

static int run_child(const char *how)
{
    if (strcmp(how, "stays") == 0)
        return child_orphan(false, true);
    if (strcmp(how, "ends") == 0)
        return child_orphan(false, false);
    if (strcmp(how, "daemon") == 0)
        return child_orphan(true, true);
    return child_many(atoi(how));
}

/* ---- tests ---- */

static int adopts(void)
{
    int flag = -1;
    prctl(PR_GET_CHILD_SUBREAPER, &flag);
    return flag;
}

static void record_command(struct record *record, char *const *command)
{
    struct error error = ERROR_INIT;
    static const char *const models[] = {"cpu-model"};
    const struct recorder_options options = {
        .command = command, .meters = models, .meter_count = 1, .output_tail_bytes = 64};
    if (recorder_run(&options, record, &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_string_equal(record->attribution.basis, SHARE_WHOLE);
}

static bool has_note(const struct record *record, const char *words)
{
    for (size_t i = 0; i < record->note_count; i++)
        if (strstr(record->notes[i], words))
            return true;
    return false;
}

/* The orphan, which the recorder adopted, is now our child. */
static void end_orphan(const struct record *record)
{
    pid_t pid = (pid_t)atoi(record->output_tail);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void an_orphan_is_counted(char *how, bool stays)
{
    char *command[] = {self, (char *)"child", how, NULL};
    struct record record;
    record_command(&record, command);
    assert_int_equal(record.exit_status, 0);
    if (stays)
        end_orphan(&record);
    if (record.attribution.command_cpu_s < BUSY_SEEN)
        fail_msg("expected at least %g s, found %g s", BUSY_SEEN, record.attribution.command_cpu_s);
    if (stays)
        assert_true(has_note(&record, "still running at its end: their energy"));
    assert_int_equal(adopts(), 0);
    record_free(&record);
}

static void an_orphan_that_ended_is_counted(void **state)
{
    (void)state;
    an_orphan_is_counted((char *)"ends", false);
}

static void an_orphan_that_still_runs_is_counted(void **state)
{
    (void)state;
    an_orphan_is_counted((char *)"stays", true);
}

static void a_daemon_in_a_group_of_its_own_is_counted(void **state)
{
    (void)state;
    an_orphan_is_counted((char *)"daemon", true);
}

static void of_many_hardly_one_is_left_for_us(void **state)
{
    (void)state;
    char *command[] = {self, (char *)"child", (char *)"300", NULL};
    struct record record;
    record_command(&record, command);
    assert_int_equal(record.exit_status, 0);
    int left = 0; /* the last few may not have ended when the command did */
    while (waitpid(-1, NULL, 0) > 0)
        left++;
    assert_true(left < 30);
    record_free(&record);
}

static void our_other_children_are_neither_counted_nor_waited_for(void **state)
{
    (void)state;
    int told[2];
    assert_int_equal(pipe(told), 0);
    pid_t ended = fork(), running = ended ? fork() : -1;
    if (ended == 0 || running == 0)
        be_orphan(true, running == 0, told[1]);
    close(told[1]);
    char pids[64];
    while (read(told[0], pids, sizeof pids) > 0)
        continue; /* until both have told theirs */
    close(told[0]);
    char *command[] = {(char *)"true", NULL};
    struct record record;
    record_command(&record, command);
    assert_true(record.attribution.command_cpu_s < NOT_BUSY_S);
    assert_false(has_note(&record, "still running"));
    int status;
    assert_int_equal(waitpid(ended, &status, 0), ended);
    assert_true(WIFEXITED(status));
    assert_int_equal(waitpid(running, NULL, WNOHANG), 0);
    kill(running, SIGKILL);
    assert_int_equal(waitpid(running, NULL, 0), running);
    record_free(&record);
}

static void what_an_earlier_command_left_is_not_the_next_ones(void **state)
{
    (void)state;
    char *daemon[] = {self, (char *)"child", (char *)"daemon", NULL}, *nothing[] = {(char *)"true", NULL};
    struct record first, second;
    record_command(&first, daemon);
    record_command(&second, nothing);
    end_orphan(&first);
    assert_true(second.attribution.command_cpu_s < NOT_BUSY_S);
    assert_false(has_note(&second, "still running"));
    record_free(&first);
    record_free(&second);
}

static void who_adopted_before_does_so_afterwards(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    char *command[] = {(char *)"true", NULL};
    struct record record;
    record_command(&record, command);
    assert_int_equal(adopts(), 1);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
    record_free(&record);
}

static void the_command_gets_its_share_of_what_processors_drew_above_idle(void **state)
{
    (void)state;
    struct channel channels[] = {
        {.meter = (char *)"rapl", .name = (char *)"package-0", .scope = SCOPE_CPU},
        {.meter = (char *)"rapl", .name = (char *)"package-0/dram", .scope = SCOPE_DRAM}};
    struct channel_energy energies[] = {{.known = true, .energy_j = 500, .uncertainty_j = 3},
                                        {.known = true, .energy_j = 70}};
    struct window windows[] = {{.name = (char *)"run", .parent = -1, .wall_s = 10, .energies = energies}};
    struct idle_power idle[] = {{10, 0.4}, {2, 0.1}};
    struct record record = {.channels = channels,
                            .channel_count = 2,
                            .windows = windows,
                            .window_count = 1,
                            .host = {.logical_cpus = 6},
                            .attribution = {.command_cpu_s = 15, .machine_cpu_s = 20, .basis = (char *)"x"}};
    share_attribute(&record);
    assert_false(record.attribution.known); /* no baseline */
    record.idle = idle;
    share_attribute(&record);
    assert_true(record.attribution.known);
    assert_true(fabs(record.attribution.energy_j - 300) < 1e-9); /* (500 - 10 x 10) x 15 / 20 */
    double tick_s = 1 / (double)sysconf(_SC_CLK_TCK);
    double expected_j = hypot(0.75 * 5, 300 * tick_s / 20); /* hypot(3, 4) above idle, one tick in 20 s */
    assert_true(fabs(record.attribution.uncertainty_j - expected_j) < 1e-9);
    idle[0].power_w = NAN;
    share_attribute(&record);
    assert_false(record.attribution.known);
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "child") == 0)
        return run_child(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_gets_its_share_of_what_processors_drew_above_idle),
        cmocka_unit_test(an_orphan_that_ended_is_counted),
        cmocka_unit_test(an_orphan_that_still_runs_is_counted),
        cmocka_unit_test(a_daemon_in_a_group_of_its_own_is_counted),
        cmocka_unit_test(of_many_hardly_one_is_left_for_us),
        cmocka_unit_test(our_other_children_are_neither_counted_nor_waited_for),
        cmocka_unit_test(what_an_earlier_command_left_is_not_the_next_ones),
        cmocka_unit_test(who_adopted_before_does_so_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
