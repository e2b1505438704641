#include "record/recorder.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "mark/mark.h"
#include "record/child.h"
#include "record/compare.h"
#include "record/host.h"
#include "record/measurement.h"
#include "record/parts.h"
#include "record/privileges.h"
#include "record/registry.h"
#include "record/remarks.h"
#include "record/share.h"
#include "record/windows.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_NS          (5 * NS_PER_S) /* from SIGTERM to SIGKILL */
#define MARKS_AT_ONCE     256
#define MARKS_AFTER_END   16384
#define WRONG_MARKS_NOTED 3
#define BUDGET_LEAST_S    0.1 /* between two looks at the energy */
#define BUDGET_MOST_S     1.0
#define LOOK_AROUND_MS    100 /* for what no descriptor tells: a caller's stop, a signal another thread took */

struct run {
    const struct recorder_options *options;
    struct record *record;
    struct measurement *measurement; /* NULL: joined */
    struct account *account;         /* the measurement's, or one without channels */
    struct registry *registry;
    struct registry_peer peer;
    struct mark_receiver *receiver;
    struct output output;
    bool has_output;
    struct child child;
    sigset_t before;     /* the signal mask of the caller */
    int signals;         /* signalfd */
    int64_t deadline_ns; /* of timeout_s, then of the grace; 0: none */
    bool stopping, killed;
    int64_t budget_due_ns; /* when to look at the energy next; 0: no budget */
    int64_t start_ns, end_ns;
    double cpu_before_s;
    struct orphans orphans;
    struct share share;
    struct privileges before_run;
};

static double own_cpu_s(const struct rusage *usage)
{
    return (double)usage->ru_utime.tv_sec + (double)usage->ru_stime.tv_sec +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1e-6;
}

/* ---- before ---- */

static int copy_command(struct record *record, char *const *command, struct error *error)
{
    size_t count = 0;
    while (command[count])
        count++;
    record->command = calloc(count + 1, sizeof *record->command);
    for (; record->command && record->command_count < count; record->command_count++) {
        record->command[record->command_count] = strdup(command[record->command_count]);
        if (!record->command[record->command_count])
            break;
    }
    return record->command && record->command_count == count ? 0 : error_memory(error, "command");
}

/* Signals that the recorder takes from a descriptor instead of a handler. SIGTTOU only so that the terminal
 * can be taken back. */
static int take_signals(struct run *run, struct error *error)
{
    sigset_t taken, all;
    sigemptyset(&taken);
    sigaddset(&taken, SIGCHLD);
    if (!run->options->stop) {
        static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
        for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
            sigaddset(&taken, forwarded[i]);
    }
    /* where a parent had it ignored, nobody could be waited for */
    signal(SIGCHLD, SIG_DFL);
    run->signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (run->signals < 0)
        return error_errno(error, errno, "signalfd");
    sigfillset(&all); /* until the threads run, which are not to handle any */
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    return 0;
}

static void unblock_others(const struct run *run)
{
    sigset_t mask = run->before;
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTTOU);
    if (!run->options->stop) {
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGHUP);
        sigaddset(&mask, SIGQUIT);
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void open_receiver(struct run *run)
{
    struct error error = ERROR_INIT;
    run->receiver = mark_receiver_open(&error);
    if (!run->receiver)
        record_note(run->record, text_format("marks cannot be received: %s", error_text(&error)));
    error_clear(&error);
}

/* Ours, or the other's when joined. */
static const char *marks_of(const struct run *run)
{
    if (run->record->joined)
        return run->peer.marks;
    return run->receiver ? mark_receiver_path(run->receiver) : NULL;
}

static struct child_options child_options(const struct run *run)
{
    return (struct child_options){.command = run->options->command,
                                  .directory = run->options->directory,
                                  .mark_socket = marks_of(run),
                                  .recorder = run->record->joined ? run->peer.pid : getpid(),
                                  .output = run->has_output ? (struct output *)&run->output : NULL,
                                  .signals = &run->before,
                                  .owned = run->options->stop != NULL};
}

/* Before the instruments are opened, which may take longer than other ranks wait for an answer. */
static void enter_registry(struct run *run)
{
    const struct recorder_options *options = run->options;
    AUTO_FREE char *job = registry_job(environ);
    const struct registry_options entry = {.setup = options->setup,
                                           .job = job,
                                           .marks = run->receiver ? mark_receiver_path(run->receiver) : NULL,
                                           .apart = options->stop || options->meter_count > 0};
    run->registry = registry_enter(&entry, &run->peer);
    char *note = registry_note(&run->peer);
    if (note)
        record_note(run->record, note);
    run->record->joined = run->peer.role == REGISTRY_JOINED;
    run->record->joined_pid = run->record->joined ? run->peer.pid : 0;
}

/* Whether the channels give a software total, before any is read. */
static int check_budget(const struct run *run, struct error *error)
{
    const struct record *record = run->record;
    if (!(run->options->budget_j > 0))
        return 0;
    if (record->joined)
        return error_set(error,
                         "a budget needs a measurement of its own, and recorder pid %lld measures this "
                         "machine already: give the budget to that one, or name instruments",
                         (long long)record->joined_pid);
    struct channel_energy *energies = calloc(record->channel_count + 1, sizeof *energies);
    if (!energies)
        return error_memory(error, "budget");
    for (size_t i = 0; i < record->channel_count; i++)
        energies[i].known = true;
    struct energy_totals totals = energy_totals(record->channels, energies, record->channel_count);
    free(energies);
    if (isnan(totals.software_j))
        return error_set(error, "a budget needs an instrument for the processors, their memory or GPUs, and "
                                "none of those in use is one: `joulery meters` lists them");
    return 0;
}

static int open_measurement(struct run *run, struct error *error)
{
    const struct recorder_options *options = run->options;
    const struct measurement_options measurement = {.setup = options->setup,
                                                    .meters = options->meters,
                                                    .meter_count = options->meter_count,
                                                    .rate_hz = options->rate_hz,
                                                    .trace = options->trace,
                                                    .context = options->context};
    run->measurement = measurement_open(&measurement, run->record, error);
    return run->measurement ? 0 : -1;
}

static int start_measurement(struct run *run, struct error *error)
{
    if (!run->measurement) {
        run->account = account_open(NULL, 0, 1);
        return run->account ? 0 : error_memory(error, "account");
    }
    int result = measurement_start(run->measurement, error);
    run->account = measurement_account(run->measurement);
    return result;
}

static int prepare(struct run *run, struct error *error)
{
    const struct recorder_options *options = run->options;
    struct record *record = run->record;
    if (copy_command(record, options->command, error) < 0 ||
        host_describe(options->setup, &record->host, error) < 0)
        return -1;
    open_receiver(run);
    enter_registry(run);
    if ((!record->joined && open_measurement(run, error) < 0) || check_budget(run, error) < 0)
        return -1;
    if (options->output_tail_bytes > 0) {
        run->has_output = true;
        if (output_open(&run->output, options->output_tail_bytes, options->output_shown, error) < 0)
            return -1;
    }
    if (take_signals(run, error) < 0)
        return -1;
    /* the child is forked before the first thread is started, and waits at its gate */
    orphans_begin(&run->orphans);
    struct child_options child = child_options(run);
    if (child_start(&run->child, &child, error) < 0)
        return -1;
    if (run->has_output)
        output_started(&run->output);
    return start_measurement(run, error);
}

/* ---- during ---- */

/* Instruments are open and the child is forked: neither needs our rights any more. */
static void lower_privileges(struct run *run)
{
    const struct meter_setup *setup = run->options->setup;
    struct error error = ERROR_INIT;
    if (setup && setup->own_process && privileges_lower(&run->before_run, &error) < 0)
        record_note(run->record, text_format("the recorder kept its rights: %s", error_text(&error)));
    error_clear(&error);
}

static void reject_mark(struct run *run, const struct error *why)
{
    if (run->record->marks_rejected++ < WRONG_MARKS_NOTED)
        record_note(run->record, text_format("a mark was not understood: %s", error_text(why)));
}

/* True while more may be waiting. */
static bool receive_mark(struct run *run, int64_t latest_ns)
{
    struct mark mark;
    struct mark_owner *owner = NULL;
    struct error error = ERROR_INIT;
    int got = mark_receive(run->receiver, &mark, &owner, &error);
    int64_t now_ns = latest_ns ? latest_ns : clock_boot_ns();
    if (got == 1) {
        run->record->marks_received++;
        got = windows_apply(run->record, run->account, &mark, now_ns, &error) == 0 ? 1 : -1;
    }
    if (got == 1 && run->measurement && (mark.kind == MARK_BEGIN || mark.kind == MARK_END))
        measurement_wake(run->measurement);
    if (got == 1 && run->options->marked)
        run->options->marked(run->options->context, run->record);
    if (got < 0)
        reject_mark(run, &error);
    mark_owner_free(owner);
    error_clear(&error);
    return got != 0;
}

static void receive_marks(struct run *run, size_t most, int64_t latest_ns)
{
    for (size_t i = 0; run->receiver && i < most; i++)
        if (!receive_mark(run, latest_ns))
            return;
}

static void forward_signals(struct run *run)
{
    struct signalfd_siginfo info;
    while (read(run->signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            child_signal(&run->child, (int)info.ssi_signo);
}

static void begin_stop(struct run *run, char *note)
{
    record_note(run->record, note);
    run->stopping = true;
    run->deadline_ns = clock_boot_ns() + GRACE_NS;
    child_signal(&run->child, SIGTERM);
    child_signal(&run->child, SIGCONT);
}

/* The software total so far, NAN while it is not known. */
static double energy_so_far_j(struct run *run)
{
    const struct record *record = run->record;
    struct channel_energy *energies = calloc(record->channel_count + 1, sizeof *energies);
    if (!energies)
        return NAN;
    account_so_far(run->account, 0, energies);
    double energy_j = energy_totals(record->channels, energies, record->channel_count).software_j;
    free(energies);
    return energy_j;
}

/* Looks again after half the time that the rest lasts at the mean power. */
static void check_budget_left(struct run *run)
{
    int64_t now_ns = clock_boot_ns();
    if (!run->budget_due_ns || run->stopping || now_ns < run->budget_due_ns)
        return;
    double used_j = energy_so_far_j(run), budget_j = run->options->budget_j;
    if (used_j >= budget_j) {
        AUTO_FREE char *budget = units_wh(budget_j);
        AUTO_FREE char *used = units_wh(used_j);
        begin_stop(run, text_format("stopped: the budget of %s was used up (%s)", budget ? budget : "",
                                    used ? used : ""));
        return;
    }
    double elapsed_s = (double)(now_ns - run->start_ns) / NS_PER_S;
    double left_s = used_j > 0 ? (budget_j - used_j) / used_j * elapsed_s / 2 : 0;
    run->budget_due_ns = now_ns + (int64_t)(fmin(fmax(left_s, BUDGET_LEAST_S), BUDGET_MOST_S) * NS_PER_S);
    if (run->record->rate_hz < 1 / BUDGET_LEAST_S)
        measurement_wake(run->measurement); /* for the next look */
}

static void check_limits(struct run *run)
{
    check_budget_left(run);
    bool due = run->deadline_ns && clock_boot_ns() >= run->deadline_ns;
    if (!run->stopping && run->options->stop && *run->options->stop) {
        begin_stop(run, text_format("stopped early, as asked"));
    } else if (due && !run->stopping) {
        begin_stop(run, text_format("stopped: it ran longer than %g s", run->options->timeout_s));
    } else if (due && !run->killed) {
        run->killed = true;
        child_signal(&run->child, SIGKILL);
    }
}

static int wait_ms(const struct run *run)
{
    int64_t now_ns = clock_boot_ns();
    int64_t left_ns = run->deadline_ns ? run->deadline_ns - now_ns : NS_PER_S;
    if (run->budget_due_ns && !run->stopping && run->budget_due_ns - now_ns < left_ns)
        left_ns = run->budget_due_ns - now_ns;
    double most = run->child.watch >= 0 && !run->options->stop ? 10 * LOOK_AROUND_MS : LOOK_AROUND_MS;
    return (int)fmin(fmax((double)left_ns / 1e6 + 1, 0), most);
}

/* Returns the child's wait status. */
static int supervise(struct run *run)
{
    int status = 0;
    for (;;) {
        struct pollfd events[] = {
            {.fd = run->child.watch, .events = POLLIN},
            {.fd = run->receiver ? mark_receiver_descriptor(run->receiver) : -1, .events = POLLIN},
            {.fd = run->signals, .events = POLLIN},
            {.fd = run->has_output ? run->output.read_end[0] : -1, .events = POLLIN},
            {.fd = run->has_output ? run->output.read_end[1] : -1, .events = POLLIN},
        };
        int ready = poll(events, sizeof events / sizeof *events, wait_ms(run));
        if (child_poll(&run->child, &status) == 1) {
            run->end_ns = clock_boot_ns();
            return status;
        }
        orphans_reap(&run->orphans, run->child.pid);
        for (size_t stream = 0; ready > 0 && stream < 2; stream++)
            if (events[3 + stream].revents)
                output_read(&run->output, stream);
        receive_marks(run, MARKS_AT_ONCE, 0);
        forward_signals(run);
        check_limits(run);
    }
}

/* ---- after ---- */

static void set_end(struct record *record, int status)
{
    if (WIFSIGNALED(status)) {
        record->end = END_SIGNALLED;
        record->term_signal = WTERMSIG(status);
        record->exit_status = 128 + record->term_signal;
    } else {
        record->end = END_EXITED;
        record->exit_status = WEXITSTATUS(status);
    }
}

static void set_not_started(struct run *run, int number)
{
    struct record *record = run->record;
    bool missing = number == ENOENT || number == ENOTDIR;
    record->end = END_NOT_STARTED;
    record->exit_status = missing ? 127 : 126;
    record_note(record, text_format("%s: %s", record->command[0], missing ? "not found" : strerror(number)));
}

static void note_left_others(struct run *run)
{
    const struct orphans *orphans = &run->orphans;
    bool group = child_left_others(&run->child);
    if (orphans->blind ? !group : orphans->running == 0)
        return;
    bool kill = group && (run->stopping || run->options->stop);
    if (kill) {
        child_signal(&run->child, SIGKILL);
        orphans_await(run->child.pid);
    }
    if (run->stopping)
        return;
    record_note(run->record,
                text_format("processes that the command started were still running at its end: %s",
                            kill ? "they were ended, so as not to disturb what comes next"
                                 : "their energy after it is not counted"));
}

/* VmHWM of proc(5): getrusage's figure still holds what this process was before it became joulery. */
static uint64_t own_peak_rss_bytes(void)
{
    static const char key[] = "\nVmHWM:";
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *status = file_read("/proc/self/status", 1u << 16, NULL, &ignored);
    error_clear(&ignored);
    const char *line = status ? strstr(status, key) : NULL;
    return line ? strtoull(line + sizeof key - 1, NULL, 10) * 1024 : 0;
}

static int complete(struct run *run, struct error *error)
{
    struct record *record = run->record;
    receive_marks(run, MARKS_AFTER_END, run->end_ns);
    account_finish(run->account, run->end_ns);
    if (windows_finish(record, run->account, run->end_ns, error) < 0)
        return -1;
    record->wall_s = (double)(run->end_ns - run->start_ns) / NS_PER_S;
    size_t unlisted;
    record->gaps = account_take_gaps(run->account, &record->gap_count, &unlisted);
    if (unlisted)
        record_note(record, text_format("%zu more gaps are not listed", unlisted));
    share_attribute(record);
    remarks_add(record, run->account, run->registry);
    compare_twins(record);
    if (record->joined && !registry_peer_lives(&run->peer))
        record_note(record,
                    strdup("the recorder that was joined ended before this command did: the energy after "
                           "that is in no record"));
    parts_check(record);
    if (run->has_output) {
        output_drain(&run->output);
        record->output_tail = output_tail(&run->output);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    record->recorder_cpu_s = own_cpu_s(&usage) - run->cpu_before_s;
    record->recorder_peak_rss_bytes = own_peak_rss_bytes();
    return 0;
}

static int measure(struct run *run, struct error *error)
{
    const struct recorder_options *options = run->options;
    if (prepare(run, error) < 0)
        return -1;
    lower_privileges(run);
    unblock_others(run);
    run->record->started_wall_ns = clock_wall_ns();
    run->start_ns = clock_boot_ns();
    if (windows_start(run->record, run->account, run->start_ns, error) < 0)
        return -1;
    if (options->timeout_s > 0)
        run->deadline_ns = run->start_ns + (int64_t)(options->timeout_s * NS_PER_S);
    share_begin(&run->share, options->setup);
    if (options->budget_j > 0)
        run->budget_due_ns = run->start_ns + (int64_t)(BUDGET_LEAST_S * NS_PER_S);
    struct child_options child = child_options(run);
    int failure = child_release(&run->child, &child, error);
    if (failure == 0 && options->started)
        options->started(options->context, run->child.pid);
    int status = supervise(run); /* one that could not start ends at once */
    privileges_raise(&run->before_run);
    share_end(&run->share, options->setup, run->child.cpu_s, &run->orphans, &run->record->attribution);
    if (run->measurement)
        measurement_stop(run->measurement);
    if (failure < 0)
        return -1;
    if (failure)
        set_not_started(run, failure);
    else
        set_end(run->record, status);
    note_left_others(run);
    return complete(run, error);
}

int recorder_run(const struct recorder_options *options, struct record *record, struct error *error)
{
    *record = (struct record){0};
    struct run run = {.options = options,
                      .record = record,
                      .signals = -1,
                      .child = {.gate = -1, .failure = -1, .watch = -1}};
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    run.cpu_before_s = own_cpu_s(&usage);
    pthread_sigmask(SIG_SETMASK, NULL, &run.before);
    int result = measure(&run, error);
    privileges_raise(&run.before_run);
    child_close(&run.child);
    orphans_end(&run.orphans);
    if (run.has_output)
        output_close(&run.output);
    if (run.signals >= 0)
        close(run.signals);
    mark_receiver_close(run.receiver);
    if (!run.measurement)
        account_close(run.account);
    measurement_close(run.measurement);
    registry_leave(run.registry);
    registry_peer_free(&run.peer);
    pthread_sigmask(SIG_SETMASK, &run.before, NULL);
    return result;
}
