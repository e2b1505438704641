/* One recorder a machine. Each test's machine is a root of sysfs of its own, so that nothing else is met. */
#include "record/registry.h"

#include "base/clock.h"
#include "base/text.h"
#include "mark/mark.h"
#include "record/recorder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct registry *enter(const char *machine, const char *job, const char *marks,
                              struct registry_peer *peer)
{
    const struct meter_setup setup = {.sysfs = machine};
    const struct registry_options options = {.setup = &setup, .job = job, .marks = marks};
    return registry_enter(&options, peer);
}

static char *own_machine(const char *name)
{
    return text_format("/nonexistent/%ld/%s", (long)getpid(), name);
}

static void the_second_recorder_of_a_machine_learns_of_the_first(void **state)
{
    (void)state;
    AUTO_FREE char *machine = own_machine("strangers");
    struct registry_peer first, second;
    struct registry *holder = enter(machine, NULL, "/tmp/a", &first);
    assert_non_null(holder);
    assert_int_equal(first.role, REGISTRY_ALONE);
    assert_null(enter(machine, NULL, "/tmp/b", &second));
    assert_int_equal(second.role, REGISTRY_BESIDE);
    assert_int_equal(second.pid, getpid());
    assert_int_equal(second.uid, getuid());
    AUTO_FREE char *note = registry_note(&second);
    assert_non_null(strstr(note, "don't add"));
    AUTO_FREE char *later = registry_later_note(holder);
    assert_non_null(strstr(later, "began to measure this machine meanwhile: don't add"));
    assert_null(registry_later_note(NULL));
    registry_peer_free(&second);
    registry_leave(holder);
    holder = enter(machine, NULL, NULL, &first);
    assert_non_null(holder);
    assert_int_equal(first.role, REGISTRY_ALONE);
    registry_leave(holder);
}

static void ranks_of_a_job_join_the_first_and_other_jobs_do_not(void **state)
{
    (void)state;
    AUTO_FREE char *machine = own_machine("ranks");
    struct registry_peer first, rank, other;
    struct registry *holder = enter(machine, "slurm:7.0", "/tmp/marks-of-7", &first);
    assert_null(enter(machine, "slurm:7.0", NULL, &rank));
    assert_int_equal(rank.role, REGISTRY_JOINED);
    assert_int_equal(rank.pid, getpid());
    assert_string_equal(rank.marks, "/tmp/marks-of-7");
    assert_false(registry_peer_lives(&rank)); /* nobody listens there */
    assert_null(registry_later_note(holder)); /* a rank that joined is none */
    struct registry *beside = enter(machine, "slurm:8.0", NULL, &other);
    assert_int_equal(other.role, REGISTRY_BESIDE);
    registry_leave(beside);
    registry_peer_free(&rank);
    registry_peer_free(&other);
    registry_leave(holder);
}

static void names_of_a_recorder_that_was_killed_are_free(void **state)
{
    (void)state;
    AUTO_FREE char *machine = own_machine("killed");
    int ends[2];
    char ready;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct registry_peer peer;
        ready = enter(machine, "job", NULL, &peer) ? 'y' : 'n';
        if (write(ends[1], &ready, 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    struct registry_peer peer;
    assert_null(enter(machine, "job", NULL, &peer));
    assert_int_equal(peer.role, REGISTRY_JOINED);
    assert_int_equal(peer.pid, child);
    registry_peer_free(&peer);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    struct registry *after = enter(machine, "job", NULL, &peer);
    assert_non_null(after);
    assert_int_equal(peer.role, REGISTRY_ALONE);
    registry_leave(after);
    close(ends[0]);
    close(ends[1]);
}

/* A stopped process answers nothing, but the kernel still says who it is. */
static void a_recorder_that_does_not_answer_is_not_joined(void **state)
{
    (void)state;
    AUTO_FREE char *machine = own_machine("silent");
    int ends[2];
    char ready = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct registry_peer peer;
        enter(machine, "job", "/tmp/x", &peer);
        if (write(ends[1], &ready, 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    kill(child, SIGSTOP);
    int status;
    waitpid(child, &status, WUNTRACED);
    struct registry_peer peer;
    assert_null(enter(machine, "job", NULL, &peer));
    assert_int_equal(peer.role, REGISTRY_BESIDE);
    assert_int_equal(peer.pid, child);
    registry_peer_free(&peer);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
}

static void is_job(char *const *environment, const char *expected)
{
    AUTO_FREE char *job = registry_job(environment);
    if (!expected)
        assert_null(job);
    else
        assert_string_equal(job, expected);
}

static void launchers_are_known_by_what_they_set(void **state)
{
    (void)state;
    is_job((char *[]){"HOME=/root", NULL}, NULL);
    is_job((char *[]){"SLURM_JOB_ID=4711", "SLURM_PROCID=0", NULL}, NULL); /* a batch script */
    is_job((char *[]){"SLURM_JOB_ID=4711", "SLURM_STEP_ID=2", "SLURM_PROCID=3", NULL}, "slurm:4711.2");
    is_job(
        (char *[]){"LOCAL_RANK=1", "TORCHELASTIC_RUN_ID=none", "MASTER_ADDR=n1", "MASTER_PORT=29500", NULL},
        "torchrun:none.n1.29500");
    is_job((char *[]){"PMIX_RANK=1", "PMIX_NAMESPACE=prte-17@1", NULL}, "pmix:prte-17@1");
    is_job((char *[]){"FLUX_TASK_LOCAL_ID=1", "FLUX_JOB_ID=f2ocRg", NULL}, "flux:f2ocRg");
    is_job((char *[]){"LSB_JOBID=77", NULL}, NULL);
    AUTO_FREE char *lsf = text_format("lsf:%ld.77", (long)getppid());
    is_job((char *[]){"LSB_JOBID=77", "JSM_NAMESPACE_LOCAL_RANK=0", NULL}, lsf);
    AUTO_FREE char *pals = text_format("pals:%ld.9.aurora", (long)getppid());
    is_job((char *[]){"PALS_LOCAL_RANKID=3", "PBS_JOBID=9.aurora", NULL}, pals);
}

static void answers_are_parsed_strictly(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "{}",
                                        "[]",
                                        "{\"recorder\":2}",
                                        "{\"recorder\":1,\"marks\":\"x\"}",
                                        "{\"recorder\":1,\"job\":7}",
                                        "{\"recorder\":1,\"job\":\"\"}",
                                        "{\"recorder\":1}x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct registry_answer answer;
        struct error error = ERROR_INIT;
        assert_int_equal(registry_parse_answer(wrong[i], strlen(wrong[i]), &answer, &error), -1);
        assert_non_null(error.message);
        error_clear(&error);
    }
}

/* The recorder inside is this program's own, run in the child of another's. */
static void a_run_inside_a_run_joins_it(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct mark_receiver *outer = mark_receiver_open(&error);
    setenv(MARK_SOCKET_VARIABLE, mark_receiver_path(outer), 1);
    setenv(RECORDER_PID_VARIABLE, "4242", 1);
    char *command[] = {"sh", "-c", "test \"$JOULERY_RECORDER\" = 4242 && exit 9", NULL};
    const struct recorder_options options = {.command = command};
    struct record record;
    assert_int_equal(recorder_run(&options, &record, &error), 0);
    assert_true(record.joined);
    assert_int_equal(record.joined_pid, 4242);
    assert_int_equal(record.channel_count, 0);
    assert_int_equal(record.exit_status, 9);
    assert_non_null(strstr(record.notes[0], "joined recorder pid 4242"));
    record_free(&record);
    mark_receiver_close(outer);
    unsetenv(MARK_SOCKET_VARIABLE);
    unsetenv(RECORDER_PID_VARIABLE);
}

int main(void)
{
    unsetenv(MARK_SOCKET_VARIABLE);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_recorder_of_a_machine_learns_of_the_first),
        cmocka_unit_test(ranks_of_a_job_join_the_first_and_other_jobs_do_not),
        cmocka_unit_test(names_of_a_recorder_that_was_killed_are_free),
        cmocka_unit_test(a_recorder_that_does_not_answer_is_not_joined),
        cmocka_unit_test(launchers_are_known_by_what_they_set),
        cmocka_unit_test(answers_are_parsed_strictly),
        cmocka_unit_test(a_run_inside_a_run_joins_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
