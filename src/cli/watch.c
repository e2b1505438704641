/* `joulery watch`: live power by channel, a screen a second; off a terminal, a line a second.
 *
 * The screen is drawn over itself by moving the cursor up. No mode of the terminal is changed, so nothing has
 * to be restored, whatever ends the program. */
#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "meter/machine.h"
#include "record/measurement.h"
#include "record/windows.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct given {
    double seconds, rate_hz, tdp_w;
    struct option_list meters;
    bool json;
};

/* What the trace said of a channel. */
struct live {
    double second_j, second_s; /* since the last screen */
    double now_w;              /* NAN: nothing came in the last second */
    double least_w, most_w;    /* of seconds; NAN: none yet */
    double energy_j, covered_s;
};

struct watch {
    pthread_mutex_t lock; /* guards second_j and second_s of all lives */
    struct live *lives;
    const struct record *record;
    int64_t start_ns;
    bool terminal, colour;
    size_t drawn; /* lines that stand on the screen */
};

static int add_samples(void *context, const struct trace_sample *samples, size_t count)
{
    struct watch *watch = context;
    pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; i < count; i++) {
        struct live *live = &watch->lives[samples[i].channel];
        live->second_j += samples[i].power_w * samples[i].wall_s;
        live->second_s += samples[i].wall_s;
    }
    pthread_mutex_unlock(&watch->lock);
    return 0;
}

/* Takes over what came in since the last time. */
static void take_second(struct watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; i < watch->record->channel_count; i++) {
        struct live *live = &watch->lives[i];
        live->now_w = live->second_s > 0 ? live->second_j / live->second_s : NAN;
        live->least_w = fmin(live->least_w, live->now_w); /* fmin and fmax pass over NAN */
        live->most_w = fmax(live->most_w, live->now_w);
        live->energy_j += live->second_j;
        live->covered_s += live->second_s;
        live->second_j = live->second_s = 0;
    }
    pthread_mutex_unlock(&watch->lock);
}

/* ---- showing ---- */

static char *power_text(double power_w)
{
    return isfinite(power_w) ? units_power(power_w) : strdup("-");
}

/* What stands behind a channel's name, as far as the terminal is wide: the most wanted first. */
static const char *const headings[] = {"since start", "mean", "least", "most"};
#define FIGURES      (sizeof headings / sizeof *headings)
#define FIGURE_WIDTH 13 /* with the spaces before it */
#define NOW_WIDTH    12 /* with the spaces behind it */
#define NAME_MOST    48

struct layout {
    size_t columns, rows;
    int name;       /* columns of the longest name, at most NAME_MOST */
    size_t figures; /* of headings */
};

static char *row_name(const struct channel *channel)
{
    return text_format("%s %s%s", channel->meter, channel->name, cli_channel_flag(channel));
}

static struct layout make_layout(const struct record *record)
{
    struct layout layout = {.name = 7};
    cli_terminal_size(stdout, &layout.columns, &layout.rows);
    for (size_t i = 0; i < record->channel_count; i++) {
        AUTO_FREE char *name = row_name(&record->channels[i]);
        size_t length = name ? strlen(name) : 0;
        int wanted = (int)(length < NAME_MOST ? length : NAME_MOST);
        layout.name = wanted > layout.name ? wanted : layout.name;
    }
    size_t taken = NOW_WIDTH + (size_t)layout.name;
    size_t room = layout.columns > taken + 1 ? (layout.columns - 1 - taken) / FIGURE_WIDTH : 0;
    layout.figures = room < FIGURES ? room : FIGURES;
    return layout;
}

static void append_row(struct text *screen, const struct layout *layout, const char *now, const char *name,
                       const char *const *figures)
{
    text_printf(screen, "%10s  %-*s", now ? now : "", layout->name, name ? name : "");
    for (size_t i = 0; figures && i < layout->figures; i++)
        text_printf(screen, "%*s", FIGURE_WIDTH, figures[i] ? figures[i] : "");
    text_append(screen, "\n");
}

static void append_channel(struct text *screen, const struct layout *layout, const struct channel *channel,
                           const struct live *live)
{
    AUTO_FREE char *name = row_name(channel), *now = power_text(live->now_w),
                   *energy = units_energy(live->energy_j), *least = power_text(live->least_w),
                   *most = power_text(live->most_w),
                   *mean = power_text(live->covered_s > 0 ? live->energy_j / live->covered_s : NAN);
    const char *const figures[FIGURES] = {energy, mean, least, most};
    append_row(screen, layout, now, name, figures);
}

/* The software total of this second, in watts; NAN while a part is not known. */
static struct energy_totals total_now(const struct watch *watch)
{
    const struct record *record = watch->record;
    struct channel_energy *energies = calloc(record->channel_count + 1, sizeof *energies);
    struct energy_totals none = {NAN, NAN, false, NAN, NAN};
    for (size_t i = 0; energies && i < record->channel_count; i++)
        if (isfinite(watch->lives[i].now_w))
            energies[i] = (struct channel_energy){.known = true, .energy_j = watch->lives[i].now_w};
    struct energy_totals totals =
        energies ? energy_totals(record->channels, energies, record->channel_count) : none;
    free(energies);
    return totals;
}

/* The total comes first: a low terminal does not show all channels. */
static char *make_screen(const struct watch *watch, const struct layout *layout)
{
    struct text screen = TEXT_INIT;
    const struct record *record = watch->record;
    AUTO_FREE char *elapsed = units_duration((double)(clock_boot_ns() - watch->start_ns) / NS_PER_S);
    text_printf(&screen, "%s; Ctrl-C ends\n", elapsed ? elapsed : "");
    append_row(&screen, layout, "now", "channel", headings);
    struct energy_totals totals = total_now(watch);
    AUTO_FREE char *total = power_text(totals.software_j);
    append_row(&screen, layout, total, totals.estimated ? "total  estimated" : "total", NULL);
    size_t room = layout->rows > 4 ? layout->rows - 4 : 0;
    size_t shown = record->channel_count <= room ? record->channel_count : room > 0 ? room - 1 : 0;
    for (size_t i = 0; i < shown; i++)
        append_channel(&screen, layout, &record->channels[i], &watch->lives[i]);
    if (shown < record->channel_count)
        text_printf(&screen, "%10s  and %zu more\n", "", record->channel_count - shown);
    return text_take(&screen);
}

/* Bytes of the first `columns` characters (UTF-8). */
static size_t cut(const char *line, size_t length, size_t columns)
{
    size_t at = 0;
    for (size_t shown = 0; at < length; at++) {
        bool begins = ((unsigned char)line[at] & 0xc0) != 0x80;
        if (begins && shown++ == columns)
            break;
    }
    return at;
}

/* No line may wrap and none may scroll away, or the cursor would not come back to the first. */
static void draw(struct watch *watch)
{
    const struct layout layout = make_layout(watch->record);
    AUTO_FREE char *screen = make_screen(watch, &layout);
    size_t lines = 0;
    if (watch->drawn)
        printf("\033[%zuA\r", watch->drawn);
    for (const char *at = screen; at && *at && lines + 1 < layout.rows; lines++) {
        size_t length = strcspn(at, "\n");
        bool bold = watch->colour && lines == 1;
        printf("%s%.*s%s\033[K\n", bold ? "\033[1m" : "", (int)cut(at, length, layout.columns - 1), at,
               bold ? "\033[0m" : "");
        at += length + (at[length] == '\n');
    }
    printf("\033[J");
    watch->drawn = lines;
    fflush(stdout);
}

static void print_line(const struct watch *watch)
{
    struct energy_totals totals = total_now(watch);
    AUTO_FREE char *total = power_text(totals.software_j);
    printf("%8.1f s", (double)(clock_boot_ns() - watch->start_ns) / NS_PER_S);
    for (size_t i = 0; i < watch->record->channel_count; i++) {
        AUTO_FREE char *power = power_text(watch->lives[i].now_w);
        const struct channel *channel = &watch->record->channels[i];
        printf("  %s %s%s %s", channel->meter, channel->name, channel->apart ? " (apart)" : "",
               power ? power : "");
    }
    printf("  total %s%s\n", total ? total : "", totals.estimated ? " estimated" : "");
    fflush(stdout);
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void print_json(const struct watch *watch)
{
    struct energy_totals totals = total_now(watch);
    json_t *channels = json_array();
    for (size_t i = 0; channels && i < watch->record->channel_count; i++) {
        const struct channel *channel = &watch->record->channels[i];
        json_array_append_new(channels,
                              json_pack("{s:s, s:s, s:b, s:b, s:o, s:f}", "meter", channel->meter, "name",
                                        channel->name, "estimated", channel->kind == KIND_MODEL, "apart",
                                        channel->apart, "power_w", number(watch->lives[i].now_w), "energy_j",
                                        watch->lives[i].energy_j));
    }
    json_t *json = json_pack("{s:s, s:f, s:o, s:o, s:b}", "schema", "joulery.watch/1", "time_s",
                             (double)(clock_boot_ns() - watch->start_ns) / NS_PER_S, "channels", channels,
                             "software_w", number(totals.software_j), "estimated", totals.estimated);
    AUTO_FREE char *line = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(json);
    if (line)
        puts(line);
    fflush(stdout);
}

static void show(struct watch *watch, const struct given *given)
{
    take_second(watch);
    if (given->json) {
        print_json(watch);
    } else if (watch->terminal) {
        draw(watch);
    } else {
        print_line(watch);
    }
}

/* The whole, with what is known of its uncertainty. */
static void print_summary(const struct record *record)
{
    const struct window *whole = &record->windows[0];
    AUTO_FREE char *elapsed = units_duration(whole->wall_s);
    printf("\n %s:\n\n", elapsed ? elapsed : "");
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct channel_energy *energy = &whole->energies[i];
        AUTO_FREE char *joules = energy->known ? units_energy(energy->energy_j) : strdup("not known");
        AUTO_FREE char *plus_minus = energy->known ? units_energy(energy->uncertainty_j) : strdup("?");
        AUTO_FREE char *name = row_name(&record->channels[i]);
        printf("  %11s ± %-10s  %s\n", joules ? joules : "", plus_minus ? plus_minus : "", name ? name : "");
    }
    struct energy_totals totals = record_totals(record, 0);
    bool known = !isnan(totals.software_j);
    AUTO_FREE char *total = known ? units_energy(totals.software_j) : strdup("not known");
    AUTO_FREE char *plus_minus = known ? units_energy(totals.software_uncertainty_j) : strdup("?");
    printf("\n  %11s ± %-10s  total%s\n", total ? total : "", plus_minus ? plus_minus : "",
           totals.estimated ? "  estimated" : "");
    for (size_t i = 0; i < record->note_count; i++)
        cli_print_note(stdout, record->notes[i]);
}

/* ---- measuring ---- */

/* What a signal means for the screen; true if it ends the watch. */
static bool take_signal(struct watch *watch, int number)
{
    if (number != SIGCONT && number != SIGWINCH)
        return true;
    /* others have written on the terminal, or its lines were broken anew */
    if (number == SIGWINCH && watch->drawn)
        printf("\033[H\033[2J");
    watch->drawn = 0;
    return false;
}

/* Waits for an instant or a signal that ends the watch: true for a signal. Those that came already are taken
 * even if the instant has passed, so that nothing is drawn over what others wrote while we were stopped. */
static bool wait_until(struct watch *watch, int64_t boot_ns, const sigset_t *signals)
{
    for (;;) {
        int64_t left_ns = boot_ns - clock_boot_ns();
        left_ns = left_ns > 0 ? left_ns : 0;
        const struct timespec left = {left_ns / NS_PER_S, left_ns % NS_PER_S};
        int number = sigtimedwait(signals, NULL, &left);
        if (number > 0 && take_signal(watch, number))
            return true;
        if (number < 0 && errno != EAGAIN && errno != EINTR)
            return true;
        if (number < 0 && left_ns == 0)
            return false;
    }
}

static void watch_on(struct watch *watch, const struct given *given, const sigset_t *taken)
{
    int64_t end_ns = given->seconds > 0 ? watch->start_ns + (int64_t)(given->seconds * NS_PER_S) : INT64_MAX;
    for (int64_t next_ns = watch->start_ns + NS_PER_S;; next_ns += NS_PER_S) {
        if (wait_until(watch, next_ns < end_ns ? next_ns : end_ns, taken) || ferror(stdout))
            return;
        show(watch, given);
        if (clock_boot_ns() >= end_ns)
            return;
        /* stopped (Ctrl-Z) for a while: the seconds between are not made up for */
        while (next_ns + NS_PER_S < clock_boot_ns())
            next_ns += NS_PER_S;
    }
}

static int measure(struct watch *watch, struct measurement *measurement, const struct given *given,
                   struct record *record, struct error *error)
{
    watch->lives = calloc(record->channel_count + 1, sizeof *watch->lives);
    if (!watch->lives)
        return error_memory(error, "watch");
    for (size_t i = 0; i < record->channel_count; i++)
        watch->lives[i] = (struct live){.now_w = NAN, .least_w = NAN, .most_w = NAN};
    sigset_t taken;
    sigemptyset(&taken);
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCONT, SIGWINCH};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(&taken, signals[i]);
    pthread_sigmask(SIG_BLOCK, &taken, NULL);
    if (measurement_start(measurement, error) < 0)
        return -1;
    watch->start_ns = clock_boot_ns();
    if (windows_start(record, measurement_account(measurement), watch->start_ns, error) < 0)
        return -1;
    watch_on(watch, given, &taken);
    int64_t end_ns = clock_boot_ns();
    measurement_stop(measurement);
    account_finish(measurement_account(measurement), end_ns);
    if (windows_finish(record, measurement_account(measurement), end_ns, error) < 0)
        return -1;
    if (!given->json)
        print_summary(record);
    return 0;
}

static bool wants_colour(void)
{
    const char *none = getenv("NO_COLOR");
    return !(none && none[0]);
}

static int watch_channels(const struct given *given, struct error *error)
{
    struct record record = {0};
    const char *kind = getenv("TERM");
    struct watch watch = {.lock = PTHREAD_MUTEX_INITIALIZER,
                          .record = &record,
                          .terminal = isatty(STDOUT_FILENO) && kind && strcmp(kind, "dumb") != 0,
                          .colour = wants_colour()};
    struct machine machine = {0};
    const struct meter_setup setup = {.tdp_w = given->tdp_w, .own_process = true, .machine = &machine};
    const struct measurement_options options = {.setup = &setup,
                                                .meters = given->meters.items,
                                                .meter_count = given->meters.count,
                                                .rate_hz = given->rate_hz,
                                                .trace = add_samples,
                                                .context = &watch,
                                                .trace_patience_s = 0.1};
    struct measurement *measurement = measurement_open(&options, &record, error);
    int result = measurement ? measure(&watch, measurement, given, &record, error) : -1;
    measurement_close(measurement);
    machine_free(&machine);
    free(watch.lives);
    record_free(&record);
    pthread_mutex_destroy(&watch.lock);
    return result;
}

int cli_watch(int argc, char **argv)
{
    struct given given = {0};
    const struct option options[] = {
        {"--for", 0, OPTION_NUMBER, &given.seconds, "S", "end after so many seconds (default: at Ctrl-C)",
         0.001, 1e9},
        {"--meter", 'm', OPTION_LIST, &given.meters, "NAME",
         "use this instrument (may repeat; default: the best there are)", 0, 0},
        {"--rate", 'r', OPTION_NUMBER, &given.rate_hz, "HZ", "readings a second (default 10)", 0.1, 1000},
        {"--tdp", 0, OPTION_NUMBER, &given.tdp_w, "W",
         "thermal design power of all processors, where only a model is left", 0.1, 100000},
        {"--json", 0, OPTION_FLAG, &given.json, NULL, "a line of joulery.watch/1 a second", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery watch [options]",
        .purpose =
            "Shows the power of each channel: now, least, mean and most, and the energy since the start.\n"
            "Off a terminal it writes a line a second.",
        .example = "joulery watch --for 60",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    struct operands none;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &none, &error);
    int status = CLI_DONE;
    if (parsed != OPTIONS_OK)
        status = cli_parse_result(parsed, argv[0], &error);
    else if (watch_channels(&given, &error) < 0)
        status = cli_fail(argv[0], &error, CLI_FAILED);
    options_list_free(&given.meters);
    return status;
}
