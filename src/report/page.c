/* The page: web/'s template, assembled at build, with the title and the data put in. */
#include "carbon/equivalents.h"
#include "carbon/location_json.h"
#include "carbon/place_groups.h"
#include "report/analysis.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

extern const unsigned char report_template[];
extern const size_t report_template_size;

/* A place in the template; the build checks that each is there once. */
static const char title_mark[] = "@JOULERY_TITLE@";
static const char data_mark[] = "@JOULERY_DATA@";

static void append_html(struct text *page, const char *text)
{
    static const struct {
        char character;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (; *text; text++) {
        const char *entity = NULL;
        for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
            if (*text == entities[i].character)
                entity = entities[i].entity;
        if (entity)
            text_append(page, entity);
        else
            text_append_bytes(page, text, 1);
    }
}

/* JSON inside a script element: nothing that could end the element, whatever stands in the strings. These
 * characters are found in strings only; all beyond ASCII is escaped by the caller. */
static void append_script_json(struct text *page, const char *json)
{
    while (*json) {
        size_t plain = strcspn(json, "<>&");
        text_append_bytes(page, json, plain);
        json += plain;
        if (*json)
            text_printf(page, "\\u%04x", (unsigned)(unsigned char)*json++);
    }
}

static bool is_listed(const struct location *const *list, size_t count, const struct location *location)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == location)
            return true;
    return false;
}

static json_t *all_locations(const struct report *report)
{
    size_t count;
    const struct location *const *locations = places_all(report->places, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, location_to_json(locations[i]));
    for (size_t i = 0; i < report->among_count; i++) /* an intensity given by hand is in no table */
        if (!is_listed(locations, count, report->among[i]))
            json_array_append_new(list, location_to_json(report->among[i]));
    if (report->location && !is_listed(locations, count, report->location) &&
        !is_listed(report->among, report->among_count, report->location))
        json_array_append_new(list, location_to_json(report->location));
    return list;
}

static json_t *members(const struct place_group *group, const struct report *report)
{
    size_t count;
    const struct location *const *locations = places_all(report->places, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        if (place_group_has(group, locations[i]))
            json_array_append_new(list, json_string(locations[i]->code));
    return list;
}

static json_t *all_groups(const struct report *report)
{
    struct error ignored = ERROR_INIT; /* NULL ends the page's making anyway */
    struct place_groups *groups = place_groups_open(&ignored);
    size_t count = 0;
    const struct place_group *all = groups ? place_groups_all(groups, &count) : NULL;
    json_t *list = groups ? json_array() : NULL;
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "code", all[i].code, "name", all[i].name,
                                              "members", members(&all[i], report)));
    place_groups_close(groups);
    error_clear(&ignored);
    return list;
}

static json_t *all_equivalents(void)
{
    struct error ignored = ERROR_INIT;
    struct equivalents *equivalents = equivalents_open(&ignored);
    size_t count = 0;
    const struct equivalent *all = equivalents ? equivalents_all(equivalents, &count) : NULL;
    json_t *list = equivalents ? json_array() : NULL;
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:f, s:i, s:s}", "unit", all[i].unit, "what",
                                              all[i].what, "g_co2e", all[i].g_co2e, "year", all[i].year,
                                              "source", all[i].source));
    equivalents_close(equivalents);
    error_clear(&ignored);
    return list;
}

static char *page_data(const struct report *report)
{
    json_t *data = json_pack("{s:o, s:o, s:o, s:o}", "report", report_to_json(report), "locations",
                             all_locations(report), "place_groups", all_groups(report), "equivalents",
                             all_equivalents());
    char *json = data ? json_dumps(data, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(data);
    return json;
}

/* The part of the template before `mark`; `*rest` goes on after it. */
static void append_until(struct text *page, const char **rest, const char *mark)
{
    const char *found = strstr(*rest, mark);
    size_t length = found ? (size_t)(found - *rest) : strlen(*rest);
    text_append_bytes(page, *rest, length);
    *rest += found ? length + strlen(mark) : length;
}

char *report_page(const struct report *report, size_t *size, struct error *error)
{
    AUTO_FREE char *json = page_data(report);
    if (!json) {
        error_memory(error, "report page");
        return NULL;
    }
    struct text page = TEXT_INIT;
    const char *rest = (const char *)report_template;
    append_until(&page, &rest, title_mark);
    append_html(&page, report->study_name);
    append_until(&page, &rest, data_mark);
    append_script_json(&page, json);
    text_append(&page, rest);
    *size = page.length;
    char *html = text_take(&page);
    if (!html)
        error_memory(error, "report page");
    return html;
}
