/* joulery when */
#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "carbon/carbon.h"
#include "carbon/hourly.h"
#include "carbon/location_json.h"
#include "cli/clean.h"
#include "cli/cli.h"
#include "cli/when_job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME       "when"
#define OLD_S      (6 * 3600.0) /* services renew their forecasts more often than that */
#define CHART_ROWS 6
#define CHART_MOST 96 /* columns */
#define LABEL      8  /* columns before the chart */

struct request {
    const char *run, *location, *hourly, *json;
    const char *duration_text, *energy_text, *within_text;
    double pue;                            /* 0: not given */
    double duration_s, energy_j, within_s; /* from the texts above; 0: not given */
};

struct answer {
    const struct request *request;
    const struct location *location;
    struct when_job when;
    double duration_s, within_s, now_s, pue;
    struct profile profile;
    char *trouble; /* NULL: none */
    struct best_start found;
    json_t *notes; /* strings */
};

static double emissions_kg(const struct answer *answer, double intensity_g_per_kwh)
{
    return carbon_emissions_kg(job_energy_j(&answer->when.job), answer->pue, intensity_g_per_kwh);
}

/* ---- what a reader must know ---- */

static void note(struct answer *answer, char *text)
{
    json_array_append_new(answer->notes, text ? json_string(text) : NULL);
    free(text);
}

static void note_forecast(struct answer *answer)
{
    const struct profile *profile = &answer->profile;
    const struct best_start *found = &answer->found;
    double age_s = profile->asked_s ? answer->now_s - (double)profile->asked_s : 0;
    AUTO_FREE char *age = units_duration(fmax(age_s, 0));
    AUTO_FREE char *within = units_duration(answer->within_s);
    AUTO_FREE char *last = clean_time(found->last_s);
    AUTO_FREE char *end = clean_time(found->known_to_s);
    if (age_s > OLD_S)
        note(answer, text_format("the forecast is %s old: it may have changed since", age));
    if (found->last_s < answer->now_s + answer->within_s - 1)
        note(answer,
             text_format("the forecast ends at %s: of the %s asked for, starts until %s are looked at", end,
                         within, last));
    if (found->holes)
        note(answer, text_format("the forecast has %zu hole%s: starts whose job meets one are left out",
                                 found->holes, found->holes == 1 ? "" : "s"));
    if (isnan(found->now.intensity_g_per_kwh))
        note(answer,
             strdup("what a start now emits is not known: the forecast does not have all of its time"));
}

static void note_all(struct answer *answer)
{
    if (answer->trouble)
        note(answer, strdup(answer->trouble));
    note_forecast(answer);
    if (answer->profile.marginal)
        note(answer,
             strdup("marginal figures are of the next kWh, and are not compared with yearly averages"));
    if (answer->when.estimated)
        note(answer, strdup("the energy is a model's estimate, and so are the emissions"));
}

/* ---- JSON ---- */

static json_t *known(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *start_to_json(const struct answer *answer, const struct job_start *start)
{
    if (isnan(start->intensity_g_per_kwh))
        return json_null();
    double kg = answer->when.energy_known ? emissions_kg(answer, start->intensity_g_per_kwh) : NAN;
    return json_pack("{s:o, s:o, s:f, s:f, s:o}", "start", clean_time_json(start->start_s), "end",
                     clean_time_json(start->start_s + answer->duration_s), "wait_s",
                     start->start_s - answer->now_s, "intensity_g_per_kwh", start->intensity_g_per_kwh,
                     "kg_co2e", known(kg));
}

/* Between the best and a start now; NAN: not known. */
static double saved_share(const struct answer *answer)
{
    double now = answer->found.now.intensity_g_per_kwh;
    return now > 0 ? 1 - answer->found.best.intensity_g_per_kwh / now : NAN;
}

static double saved_kg(const struct answer *answer)
{
    const struct best_start *found = &answer->found;
    if (!answer->when.energy_known)
        return NAN;
    return emissions_kg(answer, found->now.intensity_g_per_kwh - found->best.intensity_g_per_kwh);
}

static json_t *steps_to_json(const struct answer *answer)
{
    json_t *steps = json_array();
    for (size_t i = 0; steps && i < answer->profile.count; i++) {
        const struct profile_step *step = &answer->profile.steps[i];
        if ((double)step->to_s <= answer->now_s || (double)step->from_s >= answer->found.known_to_s)
            continue;
        json_array_append_new(steps,
                              json_pack("{s:o, s:o, s:f}", "from", clean_time_json((double)step->from_s),
                                        "to", clean_time_json((double)step->to_s), "intensity_g_per_kwh",
                                        step->intensity_g_per_kwh));
    }
    return steps;
}

static json_t *forecast_to_json(const struct answer *answer)
{
    const struct profile *profile = &answer->profile;
    double asked_s = profile->asked_s ? (double)profile->asked_s : NAN;
    const char *name = profile->source ? profile->source : "";
    AUTO_FREE char *source = text_utf8(name, strlen(name));
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "source", source ? source : "", "asked",
                     clean_time_json(asked_s), "age_s", known(answer->now_s - asked_s), "accounting",
                     clean_accounting(profile->asked_s, profile->marginal), "known_to",
                     clean_time_json(answer->found.known_to_s), "last_start",
                     clean_time_json(answer->found.last_s), "holes", (json_int_t)answer->found.holes, "steps",
                     steps_to_json(answer));
}

static json_t *answer_to_json(const struct answer *answer)
{
    const struct best_start *found = &answer->found;
    const struct when_job *when = &answer->when;
    AUTO_FREE char *run = when->run ? text_utf8(when->run, strlen(when->run)) : NULL;
    return json_pack("{s:s, s:o, s:f, s:o, s:f, s:o, s:b, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
                     "joulery.when/1", "place", location_to_json(answer->location), "pue", answer->pue, "run",
                     run ? json_string(run) : json_null(), "duration_s", answer->duration_s, "energy_j",
                     known(when->energy_known ? job_energy_j(&when->job) : NAN), "estimated", when->estimated,
                     "within_s", answer->within_s, "best", start_to_json(answer, &found->best), "now",
                     start_to_json(answer, &found->now), "worst", start_to_json(answer, &found->worst),
                     "saved_kg_co2e", known(saved_kg(answer)), "saved_share", known(saved_share(answer)),
                     "forecast", forecast_to_json(answer), "notes", json_incref(answer->notes));
}

/* ---- text ---- */

static void print_job(const struct answer *answer)
{
    AUTO_FREE char *duration = units_duration(answer->duration_s);
    AUTO_FREE char *within = units_duration(answer->within_s);
    AUTO_FREE char *energy = units_kwh(job_energy_j(&answer->when.job));
    AUTO_FREE char *run = answer->when.run ? text_printable(answer->when.run) : NULL;
    bool known_energy = answer->when.energy_known;
    printf("A job of %s%s%s%s%s in %s, PUE %g, started within %s:\n\n", duration, known_energy ? " and " : "",
           known_energy ? energy : "", run ? ", as " : "", run ? run : "", answer->location->name,
           answer->pue, within);
}

static void print_start(const struct answer *answer, const char *label, const struct job_start *start)
{
    AUTO_FREE char *from = clean_time(start->start_s), *to = clean_time(start->start_s + answer->duration_s);
    if (isnan(start->intensity_g_per_kwh)) {
        printf("  %-9s %s to %s   not known\n", label, from, to);
        return;
    }
    AUTO_FREE char *mass =
        answer->when.energy_known ? units_mass(emissions_kg(answer, start->intensity_g_per_kwh)) : strdup("");
    printf("  %-9s %s to %s   %7.1f g/kWh   %s\n", label, from, to, start->intensity_g_per_kwh, mass);
}

static void print_saving(const struct answer *answer)
{
    const struct best_start *found = &answer->found;
    double wait_s = found->best.start_s - answer->now_s, share = saved_share(answer);
    AUTO_FREE char *wait = units_duration(wait_s);
    if (wait_s < 1) {
        printf("\n  To start now is cleanest.\n\n");
        return;
    }
    if (isnan(share)) {
        printf("\n  The cleanest start is in %s; what waiting saves is not known.\n\n", wait);
        return;
    }
    AUTO_FREE char *mass = units_mass(saved_kg(answer));
    printf("\n  Waiting %s saves %s%s%.1f %%%s.\n\n", wait, answer->when.energy_known ? mass : "",
           answer->when.energy_known ? " (" : "", 100 * share, answer->when.energy_known ? ")" : "");
}

struct chart {
    double from_s, column_s, most; /* most: g/kWh */
    size_t columns;
    double means[CHART_MOST]; /* NAN: nothing is known */
};

static void draw_row(const struct chart *chart, size_t row)
{
    static const char *const eighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    for (size_t i = 0; i < chart->columns; i++) {
        double height = isnan(chart->means[i]) ? 0 : chart->means[i] / chart->most * CHART_ROWS * 8;
        long part = lround(height) - 8 * (long)row;
        /* what is known shows, however little it is */
        if (row == 0 && part < 1 && !isnan(chart->means[i]))
            part = 1;
        fputs(eighths[part < 0 ? 0 : part > 8 ? 8 : part], stdout);
    }
}

/* Columns that the job runs in, of a start at the best time: at least one. */
static void draw_job(const struct chart *chart, const struct answer *answer)
{
    double from = (answer->found.best.start_s - chart->from_s) / chart->column_s;
    double to = from + answer->duration_s / chart->column_s;
    printf("%*s ", LABEL, "");
    for (size_t i = 0; i < chart->columns; i++) {
        bool inside = (double)i + 0.5 >= from && (double)i + 0.5 < to;
        fputs(inside || i == (size_t)from ? "━" : " ", stdout);
    }
    printf("\n");
}

static void print_chart(const struct answer *answer)
{
    size_t columns, rows;
    cli_terminal_size(stdout, &columns, &rows);
    struct chart chart = {.from_s = answer->now_s, .most = 1e-9};
    chart.columns = columns < LABEL + 42               ? 40
                    : columns - LABEL - 2 > CHART_MOST ? CHART_MOST
                                                       : columns - LABEL - 2;
    chart.column_s = (answer->found.known_to_s - chart.from_s) / (double)chart.columns;
    for (size_t i = 0; i < chart.columns; i++) {
        double part, from_s = chart.from_s + (double)i * chart.column_s;
        chart.means[i] = profile_mean(&answer->profile, from_s, from_s + chart.column_s, &part);
        chart.most = fmax(chart.most, isnan(chart.means[i]) ? 0 : chart.means[i]);
    }
    printf("  forecast, g/kWh; the line below: the cleanest start's job\n");
    for (size_t row = CHART_ROWS; row-- > 0;) {
        if (row == CHART_ROWS - 1)
            printf("%*.0f ", LABEL, chart.most);
        else
            printf("%*s ", LABEL, row == 0 ? "0" : "");
        draw_row(&chart, row);
        printf("\n");
    }
    draw_job(&chart, answer);
    AUTO_FREE char *from = clean_time(chart.from_s), *to = clean_time(answer->found.known_to_s);
    if (from && to)
        printf("%*s %s%*s\n\n", LABEL, "", from, (int)(chart.columns - strlen(from)), to);
}

static void print_answer(const struct answer *answer)
{
    const struct profile *profile = &answer->profile;
    size_t index;
    json_t *text;
    print_job(answer);
    print_start(answer, "cleanest", &answer->found.best);
    print_start(answer, "now", &answer->found.now);
    print_start(answer, "worst", &answer->found.worst);
    print_saving(answer);
    print_chart(answer);
    AUTO_FREE char *source =
        clean_source(profile->source, profile->asked_s, profile->marginal, answer->now_s);
    printf("  source: %s\n", source ? source : "");
    json_array_foreach(answer->notes, index, text) cli_print_note(stdout, json_string_value(text));
}

/* ---- the question ---- */

static int make_job(struct answer *answer, struct error *error)
{
    const struct request *request = answer->request;
    return request->run ? when_job_of_run(request->run, &answer->when, error)
                        : when_job_even(request->duration_s, request->energy_j, &answer->when, error);
}

static double choose_pue(const struct request *request, const struct location *location)
{
    if (request->pue > 0)
        return request->pue;
    return isnan(location->pue) ? 1 : location->pue;
}

static int ask(struct answer *answer, struct error *error)
{
    double latest_s = answer->now_s + answer->within_s;
    if (clean_check_source(answer->request->hourly, answer->location, error) < 0 ||
        hourly_get(answer->request->hourly, answer->location, (int64_t)answer->now_s,
                   (int64_t)(latest_s + answer->duration_s) + 1, &answer->profile, &answer->trouble,
                   error) < 0)
        return -1;
    if (answer->profile.count == 0 && answer->trouble)
        return error_set(error, "%s", answer->trouble);
    return best_start_find(&answer->profile, &answer->when.job, answer->now_s, latest_s, &answer->found,
                           error);
}

static int answer_request(struct answer *answer, struct places *places, struct error *error)
{
    const char *json = answer->request->json;
    answer->location = places_find(places, answer->request->location, error);
    if (!answer->location || make_job(answer, error) < 0)
        return -1;
    answer->duration_s = job_duration_s(&answer->when.job);
    answer->pue = choose_pue(answer->request, answer->location);
    answer->now_s = floor((double)clock_wall_ns() / NS_PER_S);
    if (ask(answer, error) < 0)
        return -1;
    note_all(answer);
    if (json && cli_write_json(answer_to_json(answer), json, error) < 0)
        return -1;
    if (!json || strcmp(json, "-") != 0)
        print_answer(answer);
    return 0;
}

static int check(struct request *request, struct error *error)
{
    bool even = request->duration_text || request->energy_text;
    if (!request->location)
        return error_set(error, "--location PLACE is needed: a forecast is one of a place");
    if (request->run && even)
        return error_set(error, "a run has its own duration and energy: leave out --duration and --energy");
    if (!request->run && !request->duration_text)
        return error_set(error, "how long is the job? --duration 6h, or a run that was measured (DB:RUN, "
                                "RECORD.json)");
    if (request->energy_text && units_parse_energy(request->energy_text, &request->energy_j, error) < 0)
        return error_prefix(error, "--energy");
    if (request->duration_text &&
        clean_parse_duration("--duration", request->duration_text, &request->duration_s, error) < 0)
        return -1;
    request->within_s = CLEAN_WITHIN_S;
    return request->within_text
               ? clean_parse_duration("--within", request->within_text, &request->within_s, error)
               : 0;
}

static enum options_result parse(int argc, char **argv, struct request *request, struct error *error)
{
    const struct option options[] = {
        {"--duration", 'd', OPTION_TEXT, &request->duration_text, "TIME", "how long the job takes: 6h, 90min",
         0, 0},
        {"--energy", 'e', OPTION_TEXT, &request->energy_text, "ENERGY",
         "what it uses, evenly: 12kWh (without it: no masses, only g/kWh)", 0, 0},
        {"--location", 'l', OPTION_TEXT, &request->location, "PLACE", "where it runs", 0, 0},
        {"--hourly", 0, OPTION_TEXT, &request->hourly, "FILE|SERVICE",
         "the forecast: a CSV file of time and g_per_kwh, or a service", 0, 0},
        {"--within", 0, OPTION_TEXT, &request->within_text, "TIME", "start within so long (default 24h)", 0,
         0},
        {"--pue", 0, OPTION_NUMBER, &request->pue, "X",
         "power usage effectiveness (default: the place's where it is known, else 1)", 1, 10},
        {"--json", 0, OPTION_TEXT, &request->json, "FILE",
         "write the answer as joulery.when/1; - is standard output", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery when [DB:RUN|RECORD.json] [options]",
        .purpose =
            "Finds the cleanest start for a job in the forecast of a grid's carbon intensity, and says\n"
            "what waiting for it saves. The job is a duration and an energy, or a run that was measured.",
        .example = "joulery when --duration 6h --energy 12kWh --location GBR --hourly forecast.csv",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_most = 1,
    };
    struct operands operands;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, error);
    if (parsed != OPTIONS_OK)
        return parsed;
    request->run = operands.count ? operands.items[0] : NULL;
    return check(request, error) < 0 ? OPTIONS_WRONG : OPTIONS_OK;
}

int cli_when(int argc, char **argv)
{
    struct request request = {0};
    struct error error = ERROR_INIT;
    struct answer answer = {.request = &request};
    enum options_result parsed = parse(argc, argv, &request, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, argv[0], &error);
    answer.within_s = request.within_s;
    answer.notes = json_array();
    struct places *places = places_open(NULL, &error);
    int result = places ? answer_request(&answer, places, &error) : -1;
    places_close(places);
    profile_free(&answer.profile);
    when_job_free(&answer.when);
    free(answer.trouble);
    json_decref(answer.notes);
    return result == 0 ? CLI_DONE : cli_fail(NAME, &error, CLI_FAILED);
}
