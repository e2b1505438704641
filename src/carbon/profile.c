#include "carbon/profile.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/text.h"
#include "carbon/carbon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PROFILE_BYTES_MOST ((size_t)256 << 20)

void profile_free(struct profile *profile)
{
    free(profile->steps);
    free(profile->source);
    *profile = (struct profile){0};
}

int profile_add(struct profile *profile, struct profile_step step, struct error *error)
{
    if (step.to_s <= step.from_s)
        return error_set(error, "a step of the intensity ends before it begins");
    if (profile->count > 0 && step.from_s < profile->steps[profile->count - 1].to_s)
        return error_set(error, "a step of the intensity begins before the one before it ends");
    if (!(step.intensity_g_per_kwh >= 0) || step.intensity_g_per_kwh > INTENSITY_MOST_G_PER_KWH)
        return error_set(error, "an intensity is from 0 to %g g/kWh, found %g", INTENSITY_MOST_G_PER_KWH,
                         step.intensity_g_per_kwh);
    bool ranged = step.low_g_per_kwh != 0 || step.high_g_per_kwh != 0;
    if (ranged && !(step.low_g_per_kwh >= 0 && step.low_g_per_kwh <= step.intensity_g_per_kwh &&
                    step.high_g_per_kwh >= step.intensity_g_per_kwh && isfinite(step.high_g_per_kwh)))
        return error_set(error, "the range of an intensity holds it: %g is not from %g to %g",
                         step.intensity_g_per_kwh, step.low_g_per_kwh, step.high_g_per_kwh);
    /* room grows by doubling: it is full where the count is a power of two */
    if ((profile->count & (profile->count - 1)) == 0) {
        size_t room = profile->count ? 2 * profile->count : 1;
        struct profile_step *steps = realloc(profile->steps, room * sizeof *steps);
        if (!steps)
            return error_memory(error, "intensities by the hour");
        profile->steps = steps;
    }
    profile->steps[profile->count++] = step;
    return 0;
}

static void append_part(struct text *text, size_t part, size_t count, const char *word)
{
    if (part)
        text_printf(text, ", %s%s", part < count ? "in part " : "", word);
}

char *profile_text(const struct profile *profile)
{
    struct text text = TEXT_INIT;
    text_append(&text, profile->source ? profile->source : "");
    if (profile->marginal)
        text_append(&text, ", marginal");
    AUTO_FREE char *asked = profile->asked_s ? clock_iso8601(profile->asked_s * NS_PER_S) : NULL;
    if (asked)
        text_printf(&text, ", told %s", asked);
    size_t forecasts = 0, estimates = 0;
    for (size_t i = 0; i < profile->count; i++) {
        forecasts += profile->steps[i].forecast;
        estimates += profile->steps[i].estimated;
    }
    append_part(&text, forecasts, profile->count, "forecast");
    append_part(&text, estimates, profile->count, "estimated");
    return text_take(&text);
}

/* ---- a file ---- */

enum column { COLUMN_FROM, COLUMN_TO, COLUMN_INTENSITY, COLUMN_LOW, COLUMN_HIGH, COLUMNS };

struct reader {
    struct profile *profile;
    const char *path;
    size_t line;
    size_t fields;
    size_t at[COLUMNS]; /* SIZE_MAX: the file lacks the column */
    const struct csv_row *row;
};

static int wrong(const struct reader *reader, struct error *error)
{
    return error_prefix(error, "%s:%zu", reader->path, reader->line);
}

static int read_header(struct reader *reader, struct error *error)
{
    static const struct {
        const char *name;
        enum column column;
    } names[] = {
        {"time", COLUMN_FROM},           {"from", COLUMN_FROM},         {"to", COLUMN_TO},
        {"g_per_kwh", COLUMN_INTENSITY}, {"low_g_per_kwh", COLUMN_LOW}, {"high_g_per_kwh", COLUMN_HIGH}};
    const struct csv_row *row = reader->row;
    reader->fields = row->count;
    for (size_t c = 0; c < COLUMNS; c++)
        reader->at[c] = SIZE_MAX;
    for (size_t i = 0; i < row->count; i++)
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            if (strcmp(row->fields[i], names[n].name) == 0) {
                if (reader->at[names[n].column] != SIZE_MAX) {
                    error_set(error, "column %s: there is such a column already", names[n].name);
                    return wrong(reader, error);
                }
                reader->at[names[n].column] = i;
            }
    if (reader->at[COLUMN_FROM] == SIZE_MAX || reader->at[COLUMN_INTENSITY] == SIZE_MAX)
        error_set(error,
                  "expected a row that names the columns, among them time (or from and to) and g_per_kwh");
    else if ((reader->at[COLUMN_LOW] == SIZE_MAX) != (reader->at[COLUMN_HIGH] == SIZE_MAX))
        error_set(error, "a range has two columns, low_g_per_kwh and high_g_per_kwh: one of them is missing");
    else
        return 0;
    return wrong(reader, error);
}

/* A time without a zone would mean another instant elsewhere, and two where clocks are put back. */
static bool has_zone(const char *time)
{
    size_t length = strlen(time);
    const char *clock = strpbrk(time, "T ");
    return length > 0 && (time[length - 1] == 'Z' || (clock && strpbrk(clock, "+-")));
}

static int read_time(const struct reader *reader, enum column column, int64_t *time_s, struct error *error)
{
    const char *text = reader->row->fields[reader->at[column]];
    const char *name = column == COLUMN_TO ? "to" : "time";
    int64_t ns;
    if (has_zone(text) && clock_parse_time(text, &ns) == 0 && ns % NS_PER_S == 0) {
        *time_s = ns / NS_PER_S;
        return 0;
    }
    if (!has_zone(text) && clock_parse_time(text, &ns) == 0)
        error_set(error,
                  "%s: '%s' has no zone: write it with Z or an offset, as 2026-10-25T02:00+01:00, for where "
                  "clocks are changed a local time may come twice",
                  name, text);
    else
        error_set(error, "%s: expected a time as 2026-10-25T02:00Z or 2026-10-25T02:00+01:00, found '%s'",
                  name, text);
    return wrong(reader, error);
}

/* A column that the file lacks leaves the figure as it is. */
static int read_figure(const struct reader *reader, enum column column, const char *name, double *g_per_kwh,
                       struct error *error)
{
    if (reader->at[column] == SIZE_MAX)
        return 0;
    const char *text = reader->row->fields[reader->at[column]];
    if (text_to_double(text, g_per_kwh) == 0)
        return 0;
    error_set(error, "%s: expected a number, found '%s'", name, text);
    return wrong(reader, error);
}

/* Where the file says no ends, the step at hand is as long as a second until the next tells more. */
static int read_step(struct reader *reader, struct error *error)
{
    struct profile_step step = {0};
    if (read_time(reader, COLUMN_FROM, &step.from_s, error) < 0)
        return -1;
    step.to_s = step.from_s + 1;
    if (reader->at[COLUMN_TO] != SIZE_MAX && read_time(reader, COLUMN_TO, &step.to_s, error) < 0)
        return -1;
    if (read_figure(reader, COLUMN_INTENSITY, "g_per_kwh", &step.intensity_g_per_kwh, error) < 0 ||
        read_figure(reader, COLUMN_LOW, "low_g_per_kwh", &step.low_g_per_kwh, error) < 0 ||
        read_figure(reader, COLUMN_HIGH, "high_g_per_kwh", &step.high_g_per_kwh, error) < 0)
        return -1;
    return profile_add(reader->profile, step, error) < 0 ? wrong(reader, error) : 0;
}

static int read_row(struct reader *reader, bool *header, struct error *error)
{
    if (!*header) {
        *header = true;
        return read_header(reader, error);
    }
    if (reader->row->count == reader->fields)
        return read_step(reader, error);
    error_set(error, "expected %zu fields, as the first row has, found %zu", reader->fields,
              reader->row->count);
    return wrong(reader, error);
}

/* Steps without ends: each lasts as long as the shortest, so that rows that are missing leave a hole. */
static int set_ends(struct profile *profile, const char *path, struct error *error)
{
    int64_t shortest = INT64_MAX;
    for (size_t i = 1; i < profile->count; i++) {
        int64_t length = profile->steps[i].from_s - profile->steps[i - 1].from_s;
        shortest = length < shortest ? length : shortest;
    }
    if (profile->count == 1)
        return error_set(
            error, "%s: one time alone does not say how long its intensity holds: add a column 'to'", path);
    for (size_t i = 0; i < profile->count; i++)
        profile->steps[i].to_s = profile->steps[i].from_s + shortest;
    return 0;
}

static int read_rows(struct reader *reader, const char *text, size_t size, struct error *error)
{
    bool header = false;
    reader->line = 1;
    for (size_t at = 0, taken; at < size; at += taken) {
        const char *end = memchr(text + at, '\n', size - at);
        taken = end ? (size_t)(end - text) - at + 1 : size - at;
        if (text[at] != '#' && !csv_blank(text + at, taken)) {
            struct csv_row row;
            if (csv_parse_row(text + at, size - at, &row, error) < 0)
                return wrong(reader, error);
            taken = row.size;
            reader->row = &row;
            int status = read_row(reader, &header, error);
            csv_row_free(&row);
            if (status < 0)
                return -1;
        }
        for (size_t i = 0; i < taken; i++)
            reader->line += text[at + i] == '\n';
    }
    if (reader->profile->count == 0)
        return error_set(error, "%s: no intensity in it", reader->path);
    return reader->at[COLUMN_TO] == SIZE_MAX ? set_ends(reader->profile, reader->path, error) : 0;
}

int profile_parse(const char *text, size_t size, const char *path, struct profile *profile,
                  struct error *error)
{
    *profile = (struct profile){0};
    struct reader reader = {.profile = profile, .path = path};
    if (read_rows(&reader, text, size, error) == 0) {
        profile->source = strdup(path);
        if (profile->source)
            return 0;
        error_memory(error, path);
    }
    profile_free(profile);
    return -1;
}

int profile_read(const char *path, struct profile *profile, struct error *error)
{
    size_t size;
    AUTO_FREE char *text = file_read(path, PROFILE_BYTES_MOST, &size, error);
    *profile = (struct profile){0};
    return text ? profile_parse(text, size, path, profile, error) : -1;
}

/* ---- what it says ---- */

/* The first step that ends after `time_s`. */
static size_t first_after(const struct profile *profile, double time_s)
{
    size_t low = 0, high = profile->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((double)profile->steps[middle].to_s <= time_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct means {
    double known_s, intensity, low, high; /* sums over the time known */
};

static struct means sum_up(const struct profile *profile, double from_s, double to_s)
{
    struct means sum = {0};
    for (size_t i = first_after(profile, from_s);
         i < profile->count && (double)profile->steps[i].from_s < to_s; i++) {
        const struct profile_step *step = &profile->steps[i];
        double wall_s = fmin(to_s, (double)step->to_s) - fmax(from_s, (double)step->from_s);
        bool ranged = step->low_g_per_kwh != 0 || step->high_g_per_kwh != 0;
        sum.known_s += wall_s;
        sum.intensity += wall_s * step->intensity_g_per_kwh;
        sum.low += wall_s * (ranged ? step->low_g_per_kwh : step->intensity_g_per_kwh);
        sum.high += wall_s * (ranged ? step->high_g_per_kwh : step->intensity_g_per_kwh);
    }
    return sum;
}

double profile_mean(const struct profile *profile, double from_s, double to_s, double *known_part)
{
    struct means sum = sum_up(profile, from_s, to_s);
    *known_part = to_s > from_s ? fmin(sum.known_s / (to_s - from_s), 1) : 0;
    return sum.known_s > 0 ? sum.intensity / sum.known_s : NAN;
}

void profile_range(const struct profile *profile, double from_s, double to_s, double *low_g_per_kwh,
                   double *high_g_per_kwh)
{
    struct means sum = sum_up(profile, from_s, to_s);
    *low_g_per_kwh = sum.known_s > 0 ? sum.low / sum.known_s : NAN;
    *high_g_per_kwh = sum.known_s > 0 ? sum.high / sum.known_s : NAN;
}
