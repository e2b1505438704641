/* ENTSO-E's Transparency Platform: a GL_MarketDocument of actual generation per production type (A75), or an
 * Acknowledgement_MarketDocument that says why there is none. */
#include "base/clock.h"
#include "base/library.h"
#include "base/text.h"
#include "carbon/generation.h"
#include "carbon/service/driver.h"

#include <expat.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MOST 256
#define POWER_MOST_MW   1e7 /* of the whole of Europe: 1e6 */
#define MINUTE_S        60
#define HOUR_S          3600
#define DAY_S           86400
#define NO_DATA         "999" /* the reason's code where nothing matches */

/* ---- the question ---- */

/* "202601010000" of the hour that begins before, or for the end ends after */
static char *hour(int64_t time_s)
{
    AUTO_FREE char *time = clock_iso8601(time_s / HOUR_S * HOUR_S * NS_PER_S);
    return time ? text_format("%.4s%.2s%.2s%.2s00", time, time + 5, time + 8, time + 11) : NULL;
}

/* Actual generation per production type, realised; with a day before, by which a source that is told late is
 * known to be missing. */
static char *url(const struct asking *a, int64_t from_s, int64_t to_s)
{
    AUTO_FREE char *from = hour(from_s - DAY_S), *to = hour(to_s + HOUR_S - 1);
    return from && to ? text_format("%s/api?documentType=A75&processType=A16&in_Domain=%s&periodStart=%s&"
                                    "periodEnd=%s&securityToken=%s",
                                    a->base, a->zone, from, to, a->key)
                      : NULL;
}

/* ---- the library ---- */

struct expat_api {
    XML_Parser (*create)(const XML_Char *encoding);
    void (*set_elements)(XML_Parser parser, XML_StartElementHandler start, XML_EndElementHandler end);
    void (*set_text)(XML_Parser parser, XML_CharacterDataHandler text);
    void (*set_doctype)(XML_Parser parser, XML_StartDoctypeDeclHandler start);
    void (*set_context)(XML_Parser parser, void *context);
    enum XML_Status (*parse)(XML_Parser parser, const char *text, int size, int last);
    enum XML_Status (*stop)(XML_Parser parser, XML_Bool resumable);
    enum XML_Error (*code)(XML_Parser parser);
    XML_Size (*line)(XML_Parser parser);
    const XML_LChar *(*describe)(enum XML_Error code);
    void (*release)(XML_Parser parser);
};

static int load_expat(struct expat_api *api, struct error *error)
{
    static const struct library_symbol symbols[] = {
        {"XML_ParserCreate", offsetof(struct expat_api, create)},
        {"XML_SetElementHandler", offsetof(struct expat_api, set_elements)},
        {"XML_SetCharacterDataHandler", offsetof(struct expat_api, set_text)},
        {"XML_SetStartDoctypeDeclHandler", offsetof(struct expat_api, set_doctype)},
        {"XML_SetUserData", offsetof(struct expat_api, set_context)},
        {"XML_Parse", offsetof(struct expat_api, parse)},
        {"XML_StopParser", offsetof(struct expat_api, stop)},
        {"XML_GetErrorCode", offsetof(struct expat_api, code)},
        {"XML_GetCurrentLineNumber", offsetof(struct expat_api, line)},
        {"XML_ErrorString", offsetof(struct expat_api, describe)},
        {"XML_ParserFree", offsetof(struct expat_api, release)},
    };
    static const struct library library = {"libexpat.so.1", "expat", "answers of ENTSO-E",
                                           "libexpat1",     symbols, sizeof symbols / sizeof *symbols};
    return library_load(&library, api, error);
}

/* ---- the document ---- */

enum root { ROOT_NONE, ROOT_GENERATION, ROOT_ACKNOWLEDGEMENT };

struct reader {
    const struct expat_api *expat;
    XML_Parser parser;
    const char *zone;
    struct generation_types types;
    struct generation generation;
    int64_t finest_s; /* of all resolutions; 0: none yet */
    enum root root;
    size_t depth;
    struct error *error;
    bool failed;

    char text[TEXT_BYTES_MOST + 1]; /* of the element that is open */
    size_t length;
    char reason_code[8], reason[TEXT_BYTES_MOST + 1];

    /* the series */
    const struct generation_type *type; /* NULL: not told yet */
    bool in_series, generates, consumes,
        steps_skipped; /* the last: a figure holds until the next (curve A03) */
    /* the period */
    bool in_period;
    int64_t start_s, end_s, resolution_s; /* 0: not told */
    int64_t held_s; /* where the block begins of which the end is not known; 0: there is none */
    double held_mw;
    /* the point */
    int64_t position; /* from 1; 0: not told */
    double power_mw;  /* NAN: not told */
};

/* Takes the error that is there already. */
static void fail(struct reader *reader)
{
    if (!reader->failed)
        error_prefix(reader->error, "line %lu", (unsigned long)reader->expat->line(reader->parser));
    reader->failed = true;
    reader->expat->stop(reader->parser, XML_FALSE);
}

static int expect(const struct reader *reader, const char *element, const char *wanted, struct error *error)
{
    if (strcmp(reader->text, wanted) == 0)
        return 0;
    AUTO_FREE char *shown = text_printable(reader->text);
    return error_set(error, "%s: expected '%s', found '%s'", element, wanted, shown ? shown : "");
}

static int read_zone(struct reader *r, struct error *error)
{
    r->generates = true;
    return expect(r, "inBiddingZone_Domain.mRID", r->zone, error);
}

/* What plants use themselves, and what is pumped up. */
static int read_consumer(struct reader *r, struct error *error)
{
    (void)error;
    r->consumes = true;
    return 0;
}

static int read_unit(struct reader *r, struct error *error)
{
    return expect(r, "quantity_Measure_Unit.name", "MAW", error);
}

static int read_curve(struct reader *r, struct error *error)
{
    r->steps_skipped = strcmp(r->text, "A03") == 0;
    return r->steps_skipped ? 0 : expect(r, "curveType", "A01", error);
}

static int read_type(struct reader *r, struct error *error)
{
    (void)error;
    r->type = generation_type(&r->types, r->text);
    return 0;
}

static int read_time(const struct reader *r, const char *element, int64_t *time_s, struct error *error)
{
    int64_t ns;
    size_t length = strlen(r->text);
    if (length > 0 && r->text[length - 1] == 'Z' && clock_parse_time(r->text, &ns) == 0) {
        *time_s = ns / NS_PER_S;
        return 0;
    }
    AUTO_FREE char *shown = text_printable(r->text);
    return error_set(error, "%s: expected a time of UTC, found '%s'", element, shown ? shown : "");
}

static int read_start(struct reader *r, struct error *error)
{
    return r->in_period ? read_time(r, "start", &r->start_s, error) : 0;
}

static int read_end(struct reader *r, struct error *error)
{
    return r->in_period ? read_time(r, "end", &r->end_s, error) : 0;
}

static int read_resolution(struct reader *r, struct error *error)
{
    static const struct {
        const char *text;
        int minutes;
    } all[] = {{"PT15M", 15}, {"PT30M", 30}, {"PT60M", 60}, {"PT1H", 60}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(r->text, all[i].text) == 0) {
            r->resolution_s = all[i].minutes * MINUTE_S;
            r->finest_s = r->finest_s && r->finest_s < r->resolution_s ? r->finest_s : r->resolution_s;
            return 0;
        }
    return expect(r, "resolution", "PT15M, PT30M or PT60M", error);
}

static int read_position(struct reader *r, struct error *error)
{
    if (text_to_i64(r->text, &r->position) == 0 && r->position > 0 && r->position <= INT32_MAX)
        return 0;
    return expect(r, "position", "a number from 1", error);
}

/* Plants that stand still may use more than they make. */
static int read_quantity(struct reader *r, struct error *error)
{
    if (text_to_double(r->text, &r->power_mw) == 0 && fabs(r->power_mw) <= POWER_MOST_MW)
        return 0;
    return expect(r, "quantity", "a number of MW", error);
}

static int read_code(struct reader *r, struct error *error)
{
    (void)error;
    size_t most = sizeof r->reason_code - 1, length = r->length < most ? r->length : most;
    memcpy(r->reason_code, r->text, length);
    r->reason_code[length] = '\0';
    return 0;
}

static int read_reason(struct reader *r, struct error *error)
{
    (void)error;
    memcpy(r->reason, r->text, r->length + 1);
    return 0;
}

/* ---- periods ---- */

static bool is_counted(const struct reader *r)
{
    return r->generates && !r->consumes;
}

static int begin_period(struct reader *r)
{
    r->in_period = true;
    r->start_s = r->end_s = r->resolution_s = r->held_s = 0;
    return 0;
}

static int check_period(const struct reader *r, struct error *error)
{
    if (!r->in_series || !r->in_period || !r->resolution_s || !r->start_s || r->end_s <= r->start_s)
        return error_set(error, "a figure without its period: start, end and resolution");
    if (r->start_s % r->resolution_s != 0 || r->end_s % r->resolution_s != 0)
        return error_set(error, "a period that does not begin and end on its resolution");
    if (!r->type)
        return error_set(error, "a figure without its psrType");
    return 0;
}

/* The block that is held goes on until then. */
static int end_block(struct reader *r, int64_t to_s, struct error *error)
{
    if (!r->held_s)
        return 0;
    const struct generation_block block = {
        .type = r->type, .from_s = r->held_s, .to_s = to_s, .power_mw = fmax(r->held_mw, 0)};
    r->held_s = 0;
    return is_counted(r) ? generation_add(&r->generation, block, error) : 0;
}

static int end_point(struct reader *r, struct error *error)
{
    if (check_period(r, error) < 0)
        return -1;
    if (!r->position || isnan(r->power_mw))
        return error_set(error, "a point without position and quantity");
    int64_t at_s = r->start_s + (r->position - 1) * r->resolution_s;
    if (at_s >= r->end_s || (r->held_s && at_s <= r->held_s))
        return error_set(error, "position %lld: it is out of the period, or of order",
                         (long long)r->position);
    if (end_block(r, r->steps_skipped ? at_s : r->held_s + r->resolution_s, error) < 0)
        return -1;
    r->held_s = at_s;
    r->held_mw = r->power_mw;
    return 0;
}

static int end_period(struct reader *r, struct error *error)
{
    int result = end_block(r, r->steps_skipped ? r->end_s : r->held_s + r->resolution_s, error);
    r->in_period = false;
    return result;
}

static int begin_series(struct reader *r)
{
    r->in_series = true;
    r->generates = r->consumes = r->steps_skipped = false;
    r->type = NULL;
    return 0;
}

static int begin_point(struct reader *r)
{
    r->position = 0;
    r->power_mw = NAN;
    return 0;
}

static int end_series(struct reader *r, struct error *error)
{
    (void)error;
    r->in_series = false;
    return 0;
}

/* ---- elements ---- */

static const struct element {
    const char *name;
    int (*begin)(struct reader *reader);
    int (*end)(struct reader *reader, struct error *error);
} elements[] = {
    {"TimeSeries", begin_series, end_series},
    {"Period", begin_period, end_period},
    {"Point", begin_point, end_point},
    {"inBiddingZone_Domain.mRID", NULL, read_zone},
    {"outBiddingZone_Domain.mRID", NULL, read_consumer},
    {"quantity_Measure_Unit.name", NULL, read_unit},
    {"curveType", NULL, read_curve},
    {"psrType", NULL, read_type},
    {"start", NULL, read_start},
    {"end", NULL, read_end},
    {"resolution", NULL, read_resolution},
    {"position", NULL, read_position},
    {"quantity", NULL, read_quantity},
    {"code", NULL, read_code},
    {"text", NULL, read_reason},
};

static const struct element *find_element(const char *name)
{
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (strcmp(elements[i].name, name) == 0)
            return &elements[i];
    return NULL;
}

static void on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *r = context;
    const struct element *element = find_element(name);
    (void)attributes;
    if (r->failed)
        return;
    if (r->depth++ == 0)
        r->root = strcmp(name, "GL_MarketDocument") == 0                ? ROOT_GENERATION
                  : strcmp(name, "Acknowledgement_MarketDocument") == 0 ? ROOT_ACKNOWLEDGEMENT
                                                                        : ROOT_NONE;
    r->length = 0;
    r->text[0] = '\0';
    if (r->root == ROOT_NONE) {
        error_set(r->error, "it is no GL_MarketDocument");
        fail(r);
    } else if (element && element->begin) {
        element->begin(r);
    }
}

static void on_end(void *context, const XML_Char *name)
{
    struct reader *r = context;
    const struct element *element = find_element(name);
    if (r->failed)
        return;
    r->depth--;
    if (element && element->end(r, r->error) < 0)
        fail(r);
    r->length = 0;
    r->text[0] = '\0';
}

/* No text of an element that is read is as long as what fits. */
static void on_text(void *context, const XML_Char *text, int length)
{
    struct reader *r = context;
    size_t room = TEXT_BYTES_MOST - r->length, taken = (size_t)length < room ? (size_t)length : room;
    memcpy(r->text + r->length, text, taken);
    r->length += taken;
    r->text[r->length] = '\0';
}

/* None has one; where there is one, it is an attack by entities. */
static void on_doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                       int internal)
{
    struct reader *r = context;
    (void)name, (void)system, (void)public, (void)internal;
    error_set(r->error, "a DOCTYPE, which no such answer has");
    fail(r);
}

static int read_document(struct reader *r, const char *text, size_t size, struct error *error)
{
    const struct expat_api *expat = r->expat;
    expat->set_context(r->parser, r);
    expat->set_elements(r->parser, on_start, on_end);
    expat->set_text(r->parser, on_text);
    expat->set_doctype(r->parser, on_doctype);
    if (size > INT32_MAX)
        return error_set(error, "longer than can be read");
    bool good = expat->parse(r->parser, text, (int)size, 1) == XML_STATUS_OK;
    if (r->failed)
        return -1;
    return good ? 0
                : error_set(error, "line %lu: it is no XML: %s", (unsigned long)expat->line(r->parser),
                            expat->describe(expat->code(r->parser)));
}

static int take_document(struct reader *r, struct profile *profile, struct error *error)
{
    if (r->root == ROOT_GENERATION)
        return generation_profile(&r->generation, &r->types, r->finest_s, profile, error);
    if (strcmp(r->reason_code, NO_DATA) == 0 && strncmp(r->reason, "No matching data", 16) == 0)
        return 0;
    AUTO_FREE char *shown = text_printable(r->reason);
    return error_set(error, "a refusal (%s): %s", r->reason_code, shown ? shown : "");
}

static int parse(const char *text, size_t size, const char *zone, struct profile *profile,
                 struct error *error)
{
    struct expat_api expat;
    struct reader reader = {.expat = &expat, .zone = zone, .error = error};
    if (load_expat(&expat, error) < 0 || generation_types_read(&reader.types, error) < 0)
        return -1;
    reader.parser = expat.create(NULL);
    if (!reader.parser)
        return error_memory(error, "XML");
    int result = read_document(&reader, text, size, error);
    if (result == 0)
        result = take_document(&reader, profile, error);
    expat.release(reader.parser);
    generation_free(&reader.generation);
    return result;
}

const struct service service_entsoe = {
    .name = "entsoe",
    .example_zone = "10Y1001A1001A82H",
    .title = "ENTSO-E",
    .about = "Europe, average over the life cycle, estimated of the generation by source, by the hour or "
             "finer; no forecasts",
    .base = "https://web-api.tp.entsoe.eu",
    .key_variable = "JOULERY_KEY_ENTSOE",
    .url_variable = "JOULERY_SERVICE_URL_ENTSOE",
    .key_form = "TOKEN",
    .key_in_url = true,
    .accept = "Accept: application/xml",
    .range_s = 14 * DAY_S,
    .forecasts = FORECASTS_NONE,
    .url = url,
    .parse = parse,
};
