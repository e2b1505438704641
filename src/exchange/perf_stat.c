/* What `perf stat -x ';'` writes: value;unit;event;time counted;share of the time;… */
#include "exchange/tool_figure.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_VALUE, FIELD_UNIT, FIELD_EVENT, FIELDS };

struct found {
    double package_j, memory_j, duration_s; /* NAN: no such line */
};

/* Cuts a line up at its semicolons; false: it has too few fields to be a count. */
static bool split(char *line, char *fields[FIELDS])
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (!line)
            return false;
        fields[i] = strsep(&line, ";");
    }
    return true;
}

/* "12.34", or "12,34" as some locales have it. */
static int parse_count(char *text, double *value)
{
    char *comma = strchr(text, ',');
    if (comma && !strchr(text, '.'))
        *comma = '.';
    return text_to_double(text, value);
}

static int take_line(char *line, struct found *found, struct error *error)
{
    const struct {
        const char *event, *unit;
        double *to, scale;
    } known[] = {
        {"energy-pkg", "Joules", &found->package_j, 1},
        {"energy-ram", "Joules", &found->memory_j, 1},
        {"duration_time", "ns", &found->duration_s, 1e-9},
    };
    char *fields[FIELDS];
    if (line[0] == '#' || line[0] == '\0' || !split(line, fields))
        return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double value;
        if (!strstr(fields[FIELD_EVENT], known[i].event))
            continue;
        if (strcmp(fields[FIELD_VALUE], "<not supported>") == 0 ||
            strcmp(fields[FIELD_VALUE], "<not counted>") == 0)
            return 0;
        if (strcmp(fields[FIELD_UNIT], known[i].unit) != 0)
            return error_set(error, "%s: expected a count in %s, found '%s'", known[i].event, known[i].unit,
                             fields[FIELD_UNIT]);
        if (parse_count(fields[FIELD_VALUE], &value) < 0 || value < 0)
            return error_set(error, "%s: expected a count, found '%s'", known[i].event, fields[FIELD_VALUE]);
        *known[i].to = value * known[i].scale;
        return 0;
    }
    return 0;
}

static int add_part(struct tool_figure *figure, enum channel_scope scope, double energy_j, const char *how,
                    struct error *error)
{
    if (isnan(energy_j))
        return 0;
    struct tool_part *part = &figure->parts[figure->part_count];
    *part = (struct tool_part){.energy_j = energy_j, .basis = BASIS_MEASURED, .how = strdup(how)};
    part->covers[scope] = true;
    figure->part_count++;
    figure->energy_j += energy_j;
    return part->how ? 0 : error_memory(error, how);
}

int perf_stat_parse(const char *text, size_t size, struct tool_figure *figure, struct error *error)
{
    *figure = (struct tool_figure){.pue = 1};
    struct found found = {NAN, NAN, NAN};
    AUTO_FREE char *copy = strndup(text, size);
    if (!copy)
        return error_memory(error, "perf stat");
    char *rest = copy;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (take_line(line, &found, error) < 0)
            return -1;
    if (isnan(found.package_j) && isnan(found.memory_j))
        return error_set(error,
                         "perf stat: expected a count of power/energy-pkg/ or power/energy-ram/, found "
                         "neither");
    figure->covered_s = found.duration_s;
    if (add_part(figure, SCOPE_CPU, found.package_j, "power/energy-pkg/", error) < 0 ||
        add_part(figure, SCOPE_DRAM, found.memory_j, "power/energy-ram/", error) < 0) {
        tool_figure_free(figure);
        return -1;
    }
    return 0;
}
