/* `joulery run --when-clean`: the wait before the run. */
#include "base/clock.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/units.h"
#include "carbon/hourly.h"
#include "cli/clean.h"
#include "cli/cli.h"
#include "cli/run.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SHOWN_S   1.0  /* how often the line on a terminal is renewed */
#define OTHER_S   60.0 /* starts nearer to each other are the same to a reader */
#define AT_ONCE_S 0.5
#define KEYBOARD  STDIN_FILENO

/* What the hooks of wait.h work on. */
struct wait_call {
    const struct run_options *options;
    struct progress progress;
    int signals, timer; /* signalfd, timerfd */
    bool keyboard;      /* an Enter may come */
    int gave_up;        /* the signal; 0: none */
    bool asked;
    bool unreadable; /* the first question: a file, which is the user's to mend. Only services may fail */
    double begun_s, told_s; /* wall clock; the planned start that was told last, 0: none */
};

/* ---- before ---- */

int run_parse_wait(struct run_options *options, struct error *error)
{
    bool others = options->within_text || options->duration_text;
    if (options->hourly && !options->location)
        return error_set(error, "--hourly changes only emissions: it needs --location");
    if (!options->when_clean)
        return others ? error_set(error, "--within and --duration say how to wait: they need --when-clean")
                      : 0;
    options->within_s = CLEAN_WITHIN_S;
    if (!options->location)
        return error_set(error, "--when-clean needs --location: a forecast is one of a place");
    if (!options->duration_text)
        return error_set(error,
                         "--when-clean needs --duration, about how long the command takes: --duration 6h");
    if (options->within_text &&
        clean_parse_duration("--within", options->within_text, &options->within_s, error) < 0)
        return -1;
    if (clean_parse_duration("--duration", options->duration_text, &options->duration_s, error) < 0)
        return -1;
    return clean_check_source(options->hourly, options->location, error);
}

/* A name that the shell would not find either is better told now than after hours. */
static bool can_start(const char *command)
{
    if (strchr(command, '/'))
        return access(command, X_OK) == 0;
    const char *path = getenv("PATH");
    for (const char *at = path ? path : "/bin:/usr/bin"; at;
         at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        AUTO_FREE char *file =
            text_format("%.*s/%s", (int)strcspn(at, ":"), *at == ':' || !*at ? "." : at, command);
        if (file && access(file, X_OK) == 0)
            return true;
    }
    return false;
}

/* ---- the world, for wait.h ---- */

static double wall_s(void *context)
{
    (void)context;
    return (double)clock_wall_ns() / NS_PER_S;
}

static double steady_s(void *context)
{
    (void)context;
    return (double)clock_boot_ns() / NS_PER_S;
}

static int ask(void *context, double from_s, double to_s, struct profile *profile, char **trouble,
               struct error *error)
{
    struct wait_call *wait = context;
    const struct run_options *options = wait->options;
    int result = hourly_get(options->hourly, options->location, (int64_t)from_s, (int64_t)to_s + 1, profile,
                            trouble, error);
    wait->unreadable = result < 0 && !wait->asked;
    wait->asked = true;
    if (result < 0)
        return -1;
    if (profile->count || !*trouble)
        return 0;
    error_set(error, "%s", *trouble);
    free(*trouble);
    *trouble = NULL;
    profile_free(profile);
    return -1;
}

/* A background job that reads from its terminal is stopped. */
static bool reads_keyboard(const struct wait_call *wait)
{
    return wait->keyboard && tcgetpgrp(KEYBOARD) == getpgrp();
}

static enum wait_event take_key(struct wait_call *wait)
{
    char line[256];
    ssize_t got = read(KEYBOARD, line, sizeof line);
    if (got > 0 && memchr(line, '\n', (size_t)got))
        return WAIT_START_NOW;
    wait->keyboard = got > 0 || (got < 0 && errno == EINTR);
    return WAIT_PASSED;
}

static enum wait_event take_signal(struct wait_call *wait)
{
    struct signalfd_siginfo info;
    if (read(wait->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return WAIT_PASSED;
    if (info.ssi_signo == SIGUSR1)
        return WAIT_START_NOW;
    wait->gave_up = (int)info.ssi_signo;
    return WAIT_GIVE_UP;
}

/* On the clock that goes on during suspend: a machine that wakes up comes back at once. */
static enum wait_event sleep_for(void *context, double seconds)
{
    struct wait_call *wait = context;
    int64_t ns = (int64_t)(fmin(seconds, wait->progress.shown ? SHOWN_S : seconds) * NS_PER_S) + 1;
    const struct itimerspec timer = {
        .it_value = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)}};
    timerfd_settime(wait->timer, 0, &timer, NULL);
    struct pollfd waits[] = {{.fd = wait->signals, .events = POLLIN},
                             {.fd = wait->timer, .events = POLLIN},
                             {.fd = KEYBOARD, .events = POLLIN}};
    if (poll(waits, reads_keyboard(wait) ? 3 : 2, -1) < 0)
        return WAIT_PASSED;
    if (waits[0].revents)
        return take_signal(wait);
    return waits[2].revents ? take_key(wait) : WAIT_PASSED;
}

/* ---- what people are told ---- */

static void tell_plan(struct wait_call *wait, const struct wait_state *state)
{
    const struct best_start *plan = state->plan;
    const struct profile *profile = state->profile;
    AUTO_FREE char *start = clean_time(plan->best.start_s);
    AUTO_FREE char *in = units_duration(fmax(plan->best.start_s - state->wall_s, 0));
    AUTO_FREE char *source =
        clean_source(profile->source, profile->asked_s, profile->marginal, state->wall_s);
    AUTO_FREE char *now = isnan(plan->now.intensity_g_per_kwh)
                              ? strdup("not known")
                              : text_format("%.1f", plan->now.intensity_g_per_kwh);
    progress_clear(&wait->progress);
    fprintf(stderr,
            "joulery run: waits until %s (%s): %.1f g/kWh for the job then, now %s (%s); kill -USR1 %ld%s "
            "starts it now\n",
            start, in, plan->best.intensity_g_per_kwh, now, source, (long)getpid(),
            wait->keyboard ? " or Enter" : "");
    if (state->trouble)
        fprintf(stderr, "joulery run: %s\n", state->trouble);
}

static void tell(void *context, const struct wait_state *state)
{
    struct wait_call *wait = context;
    double start_s = state->plan->best.start_s;
    if (wait->options->quiet)
        return;
    if (fabs(start_s - wait->told_s) > OTHER_S) {
        tell_plan(wait, state);
        wait->told_s = start_s;
    }
    AUTO_FREE char *left = units_duration(fmax(start_s - state->wall_s, 0));
    AUTO_FREE char *detail =
        text_format("starts in %s; %sCtrl-C gives up", left, wait->keyboard ? "Enter: now, " : "");
    progress_update(&wait->progress, state->wall_s - wait->begun_s, start_s - wait->begun_s,
                    detail ? detail : "");
}

/* At once was cleanest. */
static bool waited_not(const struct waited *waited)
{
    return waited->end == WAIT_CLEANEST && waited->wall_s < AT_ONCE_S;
}

static void tell_end(const struct wait_call *wait, const struct waited *waited)
{
    AUTO_FREE char *elapsed = units_duration(waited->wall_s);
    if (waited->end == WAIT_GIVEN_UP)
        fprintf(stderr, "joulery run: given up after %s of waiting (%s): nothing was started\n", elapsed,
                strsignal(wait->gave_up));
    else if (!wait->options->quiet && waited->end == WAIT_NO_FORECAST)
        fprintf(stderr, "joulery run: starts at once, for there is no forecast to wait by: %s\n",
                waited->trouble ? waited->trouble : "");
    else if (!wait->options->quiet && waited_not(waited))
        fprintf(stderr, "joulery run: starts at once: no later start is cleaner by the forecast\n");
    else if (!wait->options->quiet)
        fprintf(stderr, "joulery run: starts, after %s of waiting\n", elapsed);
}

char *run_waited_note(const struct waited *waited)
{
    static const char *const ends[] = {[WAIT_CLEANEST] = "the cleanest start of the forecast",
                                       [WAIT_TOLD] = "somebody told it to start",
                                       [WAIT_LATEST] = "the longest wait that was allowed",
                                       [WAIT_GIVEN_UP] = "it was given up"};
    if (waited->end == WAIT_NO_FORECAST)
        return text_format("started without a wait, for there was no forecast to wait by: %s",
                           waited->trouble ? waited->trouble : "");
    AUTO_FREE char *elapsed = units_duration(waited->wall_s);
    AUTO_FREE char *source = clean_source(waited->source, waited->asked_s, waited->marginal, waited->from_s);
    AUTO_FREE char *then = isnan(waited->started_g_per_kwh)
                               ? strdup("not known")
                               : text_format("%.1f g/kWh", waited->started_g_per_kwh);
    AUTO_FREE char *at_once = isnan(waited->at_once_g_per_kwh)
                                  ? strdup("not known")
                                  : text_format("%.1f g/kWh", waited->at_once_g_per_kwh);
    return text_format("waited %s, until %s: by the forecast (%s) %s rather than, at once, %s", elapsed,
                       ends[waited->end], source ? source : "", then ? then : "", at_once ? at_once : "");
}

/* ---- the wait ---- */

/* Signals that are ignored (nohup, a background job's Ctrl-C) stay so. */
static void signals_to_take(sigset_t *taken)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigemptyset(taken);
    sigaddset(taken, SIGUSR1);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction action;
        if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(taken, signals[i]);
    }
}

static int wait_with_signals(struct wait_call *wait, const sigset_t *taken, struct waited *waited,
                             struct error *error)
{
    struct job_piece even = {wait->options->duration_s, 1};
    const struct job job = {&even, 1};
    const struct wait_hooks hooks = {.context = wait,
                                     .wall_s = wall_s,
                                     .steady_s = steady_s,
                                     .sleep = sleep_for,
                                     .ask = ask,
                                     .tell = tell};
    wait->signals = signalfd(-1, taken, SFD_CLOEXEC | SFD_NONBLOCK);
    wait->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    int result = wait->signals >= 0 && wait->timer >= 0 ? 0 : error_errno(error, errno, "a wait's clock");
    if (result == 0)
        result = wait_for_clean_start(&job, wait->options->within_s, &hooks, waited, error);
    if (wait->signals >= 0)
        close(wait->signals);
    if (wait->timer >= 0)
        close(wait->timer);
    progress_clear(&wait->progress);
    return result;
}

static void let_pass(int signal)
{
    (void)signal;
}

/* One that comes too late must not end the measurement. A handler, unlike ignoring it, is not passed on to
 * the command. */
static void let_late_signals_pass(void)
{
    const struct sigaction action = {.sa_handler = let_pass, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
}

int run_wait(struct run_call *call, int *gave_up, struct error *error)
{
    *gave_up = 0;
    if (!call->options->when_clean || !can_start(call->command[0]))
        return 0;
    struct wait_call wait = {.options = call->options, .keyboard = isatty(KEYBOARD), .begun_s = wall_s(NULL)};
    sigset_t taken, before;
    signals_to_take(&taken);
    progress_start(&wait.progress);
    sigprocmask(SIG_BLOCK, &taken, &before);
    int result = wait_with_signals(&wait, &taken, &call->waited, error);
    let_late_signals_pass();
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (result == 0 && wait.unreadable)
        result = error_set(error, "%s", call->waited.trouble);
    if (result < 0)
        return -1;
    call->has_waited = true;
    tell_end(&wait, &call->waited);
    *gave_up = wait.gave_up;
    return 0;
}
