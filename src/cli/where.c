/* joulery where */
#include "carbon/where.h"
#include "base/text.h"
#include "base/units.h"
#include "carbon/equivalents.h"
#include "carbon/where_json.h"
#include "cli/cli.h"
#include "report/energy_source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MOST = 44, BAR_LEAST = 8, BAR_MOST = 60, TOP_USUAL = 10 };

#define UNITS_LEAST 0.01 /* of an equivalent: less helps nobody */

struct request {
    const char *energy, *among, *location, *json;
    double pue;
    uint64_t top;
};

/* What is opened on the way. */
struct answer {
    struct places *places;
    struct place_groups *groups;
    struct equivalents *equivalents;
    struct energy_source energy;
    struct place_list list;
    struct where where;
};

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* ---- for people ---- */

/* Columns of the table that depend on what is in it. */
struct layout {
    int name, bar; /* columns; bar 0: there is no room for one */
    bool pue;      /* not the same everywhere */
    double most_kg;
};

/* `text` in `width` columns: cut with an ellipsis, or filled up with spaces. */
static void print_padded(const char *text, int width)
{
    int columns = 0, all = 0;
    for (const char *at = text; *at; at++)
        all += ((unsigned char)*at & 0xC0) != 0x80;
    const char *end = text;
    for (; *end; end++) {
        bool begins = ((unsigned char)*end & 0xC0) != 0x80;
        if (begins && columns == (all > width ? width - 1 : width))
            break;
        columns += begins;
    }
    printf("%.*s%s%*s", (int)(end - text), text, *end ? "…" : "", width - columns - (*end != '\0'), "");
}

/* A cloud's regions are known by their codes. */
static char *label_of(const struct location *location)
{
    if (location->kind == LOCATION_CLOUD || strcmp(location->code, location->name) == 0)
        return text_printable(location->code);
    AUTO_FREE char *name = text_printable(location->name);
    return text_format("%s (%s)", or_empty(name), location->code);
}

static char *mass_text(double kg)
{
    return kg > 0 ? units_mass(kg) : strdup("0 g");
}

static struct layout lay_out(const struct where *where)
{
    size_t columns, rows;
    struct layout layout = {.most_kg = where->items[where->count - 1].kg_co2e};
    cli_terminal_size(stdout, &columns, &rows);
    for (size_t i = 0; i < where->count; i++) {
        AUTO_FREE char *label = label_of(where->items[i].location);
        int length = (int)strlen(or_empty(label));
        layout.name = length > layout.name ? length : layout.name;
        layout.pue = layout.pue || where->items[i].pue != where->items[0].pue;
    }
    int rest = (int)columns - 3 - 11 - 10 - 24 - (layout.pue ? 6 : 0) - 2;
    int room = rest - BAR_LEAST > 24 ? rest - BAR_LEAST : 24;
    layout.name = layout.name > NAME_MOST ? NAME_MOST : layout.name;
    layout.name = layout.name > room ? room : layout.name;
    layout.bar = rest - layout.name > BAR_MOST ? BAR_MOST : rest - layout.name;
    layout.bar = layout.bar < BAR_LEAST ? 0 : layout.bar;
    return layout;
}

static void print_item(const struct elsewhere *item, const struct layout *layout)
{
    AUTO_FREE char *label = label_of(item->location), *mass = mass_text(item->kg_co2e);
    AUTO_FREE char *low = mass_text(item->low_kg_co2e), *high = mass_text(item->high_kg_co2e);
    AUTO_FREE char *range =
        isfinite(item->low_kg_co2e) ? text_format("%s to %s", or_empty(low), or_empty(high)) : strdup("");
    printf("%s ", item->here ? ">" : " ");
    print_padded(or_empty(label), layout->name);
    printf("%c %8.1f", item->apart ? '*' : ' ', item->location->intensity_g_per_kwh);
    if (layout->pue)
        printf(" %5.2f", item->pue);
    printf(" %10s  %-22s", or_empty(mass), or_empty(range));
    int length = layout->most_kg > 0 ? (int)lround(layout->bar * item->kg_co2e / layout->most_kg) : 0;
    for (int i = 0; i < length; i++)
        putchar('#');
    putchar('\n');
}

/* Of many places the least, the most and here. */
static bool is_shown(const struct where *where, size_t i, uint64_t top)
{
    return i < top || where->count - i <= top || where->items[i].here;
}

static void print_table(const struct where *where, uint64_t top)
{
    struct layout layout = lay_out(where);
    size_t left_out = 0;
    printf("\n  %-*s  %8s%s %10s  %-22s\n", layout.name, "place", "g/kWh", layout.pue ? "   PUE" : "", "CO2e",
           "range");
    for (size_t i = 0; i < where->count; i++) {
        if (!is_shown(where, i, top)) {
            left_out++;
            continue;
        }
        if (left_out)
            printf("  … %zu more: --top N shows them, --json has them all\n", left_out);
        left_out = 0;
        print_item(&where->items[i], &layout);
    }
    putchar('\n');
}

static void print_energy(const struct energy_source *energy, const struct where *where, double pue)
{
    AUTO_FREE char *kwh = units_kwh(energy->energy_j), *joules = units_energy(energy->energy_j);
    AUTO_FREE char *uncertainty = units_energy(energy->uncertainty_j);
    printf("What %s would emit in %zu place%s", or_empty(energy->what), where->count,
           where->count == 1 ? "" : "s");
    if (energy->basis) {
        printf(": %s (%s", or_empty(kwh), or_empty(joules));
        if (isfinite(energy->uncertainty_j))
            printf(" ± %s", or_empty(uncertainty));
        printf(", by %s%s)", strcmp(energy->basis, "hardware") == 0 ? "a wattmeter" : "software",
               energy->estimated ? ", estimated" : "");
    }
    if (pue > 0)
        printf(", PUE %g for all", pue);
    printf("\n");
}

static void print_lines(const char *lines)
{
    for (size_t length; *lines; lines += length + (lines[length] == '\n')) {
        length = strcspn(lines, "\n");
        AUTO_FREE char *line = strndup(lines, length), *shown = line ? text_printable(line) : NULL;
        cli_print_note(stdout, or_empty(shown));
    }
}

static void print_factors(const struct where *where)
{
    AUTO_FREE char *sentence = where_sentence(where, true);
    if (sentence) {
        struct text lines = TEXT_INIT;
        size_t columns, rows;
        cli_terminal_size(stdout, &columns, &rows);
        text_append_wrapped(&lines, sentence, 0, 0, columns);
        printf("%s\n", or_empty(lines.data));
        text_free(&lines);
    }
    if (isfinite(where->here_over_best.value) && where->best != where->worst)
        printf("Here (%s): %.3g times the least, and the most is %.3g times as much.\n",
               where->items[where->here].location->name, where->here_over_best.value,
               where->worst_over_here.value);
}

static void print_equivalents(const struct answer *answer)
{
    if (answer->where.here == NOWHERE)
        return;
    const struct elsewhere *here = &answer->where.items[answer->where.here];
    size_t count;
    const struct equivalent *all = equivalents_all(answer->equivalents, &count);
    for (size_t i = 0, shown = 0; i < count; i++) {
        if (equivalent_units(&all[i], here->kg_co2e) < UNITS_LEAST)
            continue;
        if (shown++ == 0)
            printf("Here it is as much as:\n");
        AUTO_FREE char *text = equivalent_text(&all[i], here->kg_co2e);
        printf("  %s (%s, %d)\n", or_empty(text), all[i].source, all[i].year);
    }
}

static void print_answer(const struct answer *answer, const struct request *request)
{
    const struct where *where = &answer->where;
    const struct energy_source *energy = &answer->energy;
    print_energy(energy, where, request->pue);
    print_table(where, request->top);
    print_factors(where);
    print_equivalents(answer);
    AUTO_FREE char *warnings = where_warnings(where);
    print_lines(or_empty(warnings));
    if (where->apart)
        cli_print_note(stdout, "* marks the figures of another sort.");
    if (energy->estimated)
        cli_print_note(stdout, "the energy is an estimate of a model, and so are the emissions.");
    if (energy->unmeasured) {
        AUTO_FREE char *note =
            text_format("%zu finished runs have no energy and are not in it.", energy->unmeasured);
        cli_print_note(stdout, or_empty(note));
    }
}

/* ---- for programs ---- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *energy_to_json(const struct energy_source *energy)
{
    AUTO_FREE char *what = text_utf8(energy->what, strlen(energy->what));
    return json_pack("{s:s, s:f, s:o, s:b, s:s?, s:I, s:I}", "what", or_empty(what), "energy_j",
                     energy->energy_j, "uncertainty_j", number(energy->uncertainty_j), "estimated",
                     energy->estimated, "basis", energy->basis, "runs", (json_int_t)energy->runs,
                     "unmeasured", (json_int_t)energy->unmeasured);
}

static json_t *equivalents_to_json(const struct answer *answer)
{
    if (answer->where.here == NOWHERE)
        return json_null();
    double kg = answer->where.items[answer->where.here].kg_co2e;
    size_t count;
    const struct equivalent *all = equivalents_all(answer->equivalents, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:f, s:s, s:s, s:f, s:i, s:s}", "code", all[i].code,
                                              "units", equivalent_units(&all[i], kg), "unit", all[i].unit,
                                              "what", all[i].what, "g_co2e", all[i].g_co2e, "year",
                                              all[i].year, "source", all[i].source));
    return list;
}

static int write_json(const struct answer *answer, const struct request *request, struct error *error)
{
    const struct energy_source *energy = &answer->energy;
    json_t *document =
        where_to_json(&answer->where, energy->uncertainty_j / energy->energy_j, energy->estimated);
    json_t *head = json_pack(
        "{s:s, s:o, s:o, s:o}", "schema", "joulery.where/1", "energy", energy_to_json(energy), "pue_given",
        number(request->pue > 0 ? request->pue : NAN), "equivalents", equivalents_to_json(answer));
    if (!document || !head || json_object_update(head, document) < 0) {
        json_decref(head);
        head = NULL;
    }
    json_decref(document);
    return cli_write_json(head, request->json, error);
}

/* ---- the way through ---- */

static int find_here(struct answer *answer, const struct request *request, const struct location **here,
                     struct error *error)
{
    const char *name = request->location ? request->location : answer->energy.location;
    *here = name ? places_find(answer->places, name, error) : NULL;
    if (!name || *here)
        return 0;
    return request->location ? error_prefix(error, "--location")
                             : error_prefix(error, "the location that %s names", answer->energy.what);
}

static int rank(struct answer *answer, const struct request *request, struct error *error)
{
    struct where_request asked = {
        .energy_j = answer->energy.energy_j, .pue = request->pue, .study_pue = answer->energy.pue};
    if (find_here(answer, request, &asked.here, error) < 0)
        return -1;
    if (place_groups_select(answer->groups, answer->places, request->among, &answer->list, error) < 0)
        return error_prefix(error, "--among");
    return where_rank(&asked, &answer->list, &answer->where, error);
}

static int find_answer(struct answer *answer, const struct request *request, struct error *error)
{
    if (energy_source_find(request->energy, &answer->energy, error) < 0)
        return -1;
    answer->places = places_open(NULL, error);
    answer->groups = answer->places ? place_groups_open(error) : NULL;
    answer->equivalents = answer->groups ? equivalents_open(error) : NULL;
    return answer->equivalents ? rank(answer, request, error) : -1;
}

static int answer_request(const struct request *request, struct error *error)
{
    struct answer answer = {0};
    int result = find_answer(&answer, request, error);
    if (result == 0 && request->json)
        result = write_json(&answer, request, error);
    if (result == 0 && !(request->json && strcmp(request->json, "-") == 0))
        print_answer(&answer, request);
    where_free(&answer.where);
    free(answer.list.items);
    energy_source_free(&answer.energy);
    equivalents_close(answer.equivalents);
    place_groups_close(answer.groups);
    places_close(answer.places);
    return result;
}

int cli_where(int argc, char **argv)
{
    struct request request = {.among = "countries", .top = TOP_USUAL};
    const struct option options[] = {
        {"--among", 0, OPTION_TEXT, &request.among, "PLACES",
         "places and groups of them: EU, EEA, Nordic, G20, gcp, aws, US states, world, …; without it "
         "countries",
         0, 0},
        {"--location", 0, OPTION_TEXT, &request.location, "PLACE",
         "here; without it the study's or the record's, if it names one", 0, 0},
        {"--pue", 0, OPTION_NUMBER, &request.pue, "X",
         "power usage effectiveness for all; without it each place's own, or else the study's, or 1", 1, 10},
        {"--top", 0, OPTION_COUNT, &request.top, "N",
         "show the N that emit least and the N that emit most (10)", 1, 1e6},
        {"--json", 0, OPTION_TEXT, &request.json, "FILE",
         "write all as joulery.where/1 to a file, or - for standard output", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery where DB|DB:RUN|RECORD.json|ENERGY [options]",
        .purpose =
            "Says what a study, one of its runs, a record of `joulery run --json` or an energy would emit\n"
            "elsewhere, ranked, and what choosing the place is worth.",
        .example = "joulery where quick.db:3 --among EU,gcp --location DEU",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 1,
        .operands_most = 1,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, argv[0], &error);
    request.energy = operands.items[0];
    return answer_request(&request, &error) == 0 ? CLI_DONE : cli_fail(argv[0], &error, CLI_FAILED);
}
