#include "carbon/service.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/secret_file.h"
#include "base/text.h"
#include "carbon/fact_table.h"
#include "carbon/service_cache.h"
#include "carbon/service_parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_S         10
#define ANSWER_BYTES_MOST ((size_t)8 << 20)
#define KEYS_BYTES_MOST   4096
#define REST_USUAL_S      60 /* after a 429 that does not say how long */
#define REST_MOST_S       86400
#define KEY_BYTES_MOST    512
#define KEY_IN_URL        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"
#define HOUR_S            3600
#define UK_REGIONS        17

/* One answer at a time: `key` is the key, or for WattTime "USER PASSWORD". */
struct asking {
    const struct service *service;
    const char *zone, *base;
    const char *cache; /* under which name its answers are kept: those of another address apart */
    const char *key;   /* NULL: none is wanted */
    char *token;       /* WattTime's, got by the key */
    int64_t from_s, to_s, now_s;
};

enum forecasts { FORECASTS_NONE, FORECASTS_WITH_PAST, FORECASTS_APART };

struct service {
    const char *name, *title, *about, *base;
    const char *key_variable; /* NULL: it wants none */
    const char *url_variable;
    bool one_place;           /* the table has all its locations */
    bool key_in_url;          /* the only way it takes one */
    const char *example_zone; /* for who must name one */
    int64_t range_s;          /* the longest time that one question may ask for */
    enum forecasts forecasts; /* the last by a question of their own */
    bool (*is_zone)(const char *zone);
    service_parser *parse;
    /* The address of the past from..to; with to 0: of the forecast. */
    char *(*url)(const struct asking *asking, int64_t from_s, int64_t to_s);
};

/* ---- what each is asked ---- */

/* "2026-01-01T00:00Z", as all of them take it */
static char *minute(int64_t time_s, const char *ending)
{
    AUTO_FREE char *time = clock_iso8601(time_s / 60 * 60 * NS_PER_S);
    return time ? text_format("%.16s%s", time, ending) : NULL;
}

static char *electricitymaps_url(const struct asking *a, int64_t from_s, int64_t to_s)
{
    AUTO_FREE char *from = minute(from_s, "Z"), *to = minute(to_s + 59, "Z");
    if (to_s == 0)
        return text_format("%s/v3/carbon-intensity/forecast?zone=%s&horizonHours=72", a->base, a->zone);
    return from && to ? text_format("%s/v3/carbon-intensity/past-range?zone=%s&start=%s&end=%s", a->base,
                                    a->zone, from, to)
                      : NULL;
}

static char *uk_url(const struct asking *a, int64_t from_s, int64_t to_s)
{
    AUTO_FREE char *from = minute(from_s, "Z"), *to = minute(to_s + 59, "Z");
    if (!from || !to)
        return NULL;
    if (strcmp(a->zone, UK_NATIONAL) == 0)
        return text_format("%s/intensity/%s/%s", a->base, from, to);
    return text_format("%s/regional/intensity/%s/%s/regionid/%s", a->base, from, to, a->zone);
}

/* {"PriceArea":["DK1"]}; two hours more on either side, for a start without a zone may be taken for Danish
 * time
 */
static char *energidata_url(const struct asking *a, int64_t from_s, int64_t to_s)
{
    bool forecast = to_s == 0;
    AUTO_FREE char *from = minute(from_s - 7200, ""), *to = forecast ? NULL : minute(to_s + 7200, "");
    if (!from || (!forecast && !to))
        return NULL;
    return text_format("%s/dataset/%s?start=%s%s%s&timezone=UTC&limit=0&sort=Minutes5UTC%%20ASC&filter="
                       "%%7B%%22PriceArea%%22%%3A%%5B%%22%s%%22%%5D%%7D",
                       a->base, forecast ? "CO2EmisProg" : "CO2Emis", from, to ? "&end=" : "", to ? to : "",
                       a->zone);
}

static char *watttime_url(const struct asking *a, int64_t from_s, int64_t to_s)
{
    AUTO_FREE char *from = minute(from_s, "Z"), *to = minute(to_s + 59, "Z");
    if (to_s == 0)
        return text_format("%s/v3/forecast?region=%s&signal_type=co2_moer&horizon_hours=72", a->base,
                           a->zone);
    return from && to ? text_format("%s/v3/historical?region=%s&signal_type=co2_moer&start=%s&end=%s",
                                    a->base, a->zone, from, to)
                      : NULL;
}

/* "202601010000" of the hour that begins before, or for the end ends after */
static char *entsoe_hour(int64_t time_s)
{
    AUTO_FREE char *time = clock_iso8601(time_s / HOUR_S * HOUR_S * NS_PER_S);
    return time ? text_format("%.4s%.2s%.2s%.2s00", time, time + 5, time + 8, time + 11) : NULL;
}

/* Actual generation per production type, realised; with a day before, by which a source that is told late is
 * known to be missing. */
static char *entsoe_url(const struct asking *a, int64_t from_s, int64_t to_s)
{
    AUTO_FREE char *from = entsoe_hour(from_s - 86400), *to = entsoe_hour(to_s + HOUR_S - 1);
    return from && to ? text_format("%s/api?documentType=A75&processType=A16&in_Domain=%s&periodStart=%s&"
                                    "periodEnd=%s&securityToken=%s",
                                    a->base, a->zone, from, to, a->key)
                      : NULL;
}

/* What may stand in an address and in the name of a file. */
static bool is_zone(const char *zone)
{
    for (const char *c = zone; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            return false;
    return *zone != '\0' && strlen(zone) < 64;
}

static bool is_uk_zone(const char *zone)
{
    int64_t region;
    return strcmp(zone, UK_NATIONAL) == 0 ||
           (is_zone(zone) && text_to_i64(zone, &region) == 0 && region >= 1 && region <= UK_REGIONS);
}

static const struct service electricitymaps = {
    .name = "electricitymaps",
    .example_zone = "US-CAL-CISO",
    .title = "Electricity Maps",
    .about = "most grids of the world, average over the life cycle, by the hour; forecasts of three days",
    .base = "https://api.electricitymaps.com",
    .key_variable = "JOULERY_KEY_ELECTRICITYMAPS",
    .url_variable = "JOULERY_SERVICE_URL_ELECTRICITYMAPS",
    .range_s = 9 * 86400,
    .forecasts = FORECASTS_APART,
    .is_zone = is_zone,
    .parse = electricitymaps_parse,
    .url = electricitymaps_url};
static const struct service watttime = {
    .name = "watttime",
    .example_zone = "CAISO_NORTH",
    .title = "WattTime",
    .about = "grids of America and others, marginal, by five minutes; forecasts of three days",
    .base = "https://api.watttime.org",
    .key_variable = "JOULERY_KEY_WATTTIME",
    .url_variable = "JOULERY_SERVICE_URL_WATTTIME",
    .range_s = 30 * 86400,
    .forecasts = FORECASTS_APART,
    .is_zone = is_zone,
    .parse = watttime_parse,
    .url = watttime_url};
static const struct service uk = {.name = "uk",
                                  .title = "Carbon Intensity (Great Britain)",
                                  .about =
                                      "Great Britain, average, by the half hour; forecasts of two days; its "
                                      "regions, forecasts only, as uk:13 (London)",
                                  .base = "https://api.carbonintensity.org.uk",
                                  .url_variable = "JOULERY_SERVICE_URL_UK",
                                  .one_place = true,
                                  .example_zone = "13",
                                  .range_s = 13 * 86400,
                                  .forecasts = FORECASTS_WITH_PAST,
                                  .is_zone = is_uk_zone,
                                  .parse = uk_parse,
                                  .url = uk_url};
static const struct service energidata = {
    .name = "energidata",
    .example_zone = "DK1",
    .title = "Energi Data Service",
    .about = "Denmark's zones DK1 and DK2, average, by five minutes; forecasts",
    .base = "https://api.energidataservice.dk",
    .url_variable = "JOULERY_SERVICE_URL_ENERGIDATA",
    .range_s = 31 * 86400,
    .forecasts = FORECASTS_APART,
    .is_zone = is_zone,
    .parse = energidata_parse,
    .url = energidata_url};

static const struct service entsoe = {.name = "entsoe",
                                      .example_zone = "10Y1001A1001A82H",
                                      .title = "ENTSO-E",
                                      .about = "Europe, average over the life cycle, estimated of the "
                                               "generation by source, by the hour or finer; no "
                                               "forecasts",
                                      .base = "https://web-api.tp.entsoe.eu",
                                      .key_variable = "JOULERY_KEY_ENTSOE",
                                      .url_variable = "JOULERY_SERVICE_URL_ENTSOE",
                                      .key_in_url = true,
                                      .range_s = 14 * 86400,
                                      .is_zone = is_zone,
                                      .parse = entsoe_parse,
                                      .url = entsoe_url};

static const struct service *const services[] = {&electricitymaps, &energidata, &entsoe, &uk, &watttime};

#define SERVICES (sizeof services / sizeof *services)

const struct service *service_find(const char *given)
{
    size_t length = strcspn(given, ":");
    for (size_t i = 0; i < SERVICES; i++)
        if (strlen(services[i]->name) == length && strncasecmp(services[i]->name, given, length) == 0)
            return services[i];
    return NULL;
}

const struct service *const *service_all(size_t *count)
{
    *count = SERVICES;
    return services;
}

const char *service_name(const struct service *service)
{
    return service->name;
}

const char *service_title(const struct service *service)
{
    return service->title;
}

const char *service_about(const struct service *service)
{
    return service->about;
}

const char *service_key_variable(const struct service *service)
{
    return service->key_variable;
}

bool service_forecasts(const struct service *service)
{
    return service->forecasts != FORECASTS_NONE;
}

const char *service_key_form(const struct service *service)
{
    return service == &watttime ? "USER PASSWORD" : "KEY";
}

/* ---- zones ---- */

extern const unsigned char service_zones_csv[];
extern const size_t service_zones_csv_size;

enum zone_column { ZONE_SERVICE, ZONE_LOCATION, ZONE_NAME, ZONE_COLUMNS };

/* The zone of data/service_zones.csv for a location; NULL: it has none there, or with `error` the table is
 * wrong. */
static char *zone_in_table(const char *service, const char *location, struct error *error)
{
    static const char *const columns[ZONE_COLUMNS] = {"service", "location", "zone"};
    struct fact_table table;
    char *zone = NULL;
    if (fact_table_read(&table, (const char *)service_zones_csv, service_zones_csv_size,
                        "data/service_zones.csv", columns, ZONE_COLUMNS, error) < 0)
        return NULL;
    for (size_t i = 0; i < table.count && !zone; i++)
        if (strcmp(table.rows[i].fields[ZONE_SERVICE], service) == 0 &&
            strcmp(table.rows[i].fields[ZONE_LOCATION], location) == 0)
            zone = strdup(table.rows[i].fields[ZONE_NAME]);
    fact_table_free(&table);
    return zone;
}

static void refuse_zone(const struct service *service, const struct location *location, const char *zone,
                        struct error *error)
{
    if (zone && service == &uk)
        error_set(
            error,
            "%s: a region is a number from 1 to %d, as in --hourly uk:13, found '%s' (docs/services.md)",
            service->title, UK_REGIONS, zone);
    else if (zone)
        error_set(error, "%s: '%s' is no name of a zone: expected letters, digits, '-' and '_'",
                  service->title, zone);
    else if (service->one_place)
        error_set(error, "%s does not know %s", service->title, location->name);
    else
        error_set(error, "%s has no one zone for %s: name it, as in --hourly %s:%s (docs/services.md)",
                  service->title, location->name, service->name, service->example_zone);
}

/* NULL and `error`: it is not known. */
static char *zone_of(const struct service *service, const char *given, const struct location *location,
                     struct error *error)
{
    const char *colon = strchr(given, ':');
    char *zone = colon ? strdup(colon + 1) : zone_in_table(service->name, location->code, error);
    if (!zone && !colon && location->kind == LOCATION_CLOUD)
        zone = zone_in_table(service->name, location->country, error);
    if (zone && service->is_zone(zone))
        return zone;
    refuse_zone(service, location, colon ? colon + 1 : NULL, error);
    free(zone);
    return NULL;
}

/* ---- keys ---- */

/* The rest of the line that begins with the service's name, into `key`. */
static void take_line(const char *text, const char *name, char *key)
{
    size_t length = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        size_t bytes = strcspn(line, "\r\n");
        size_t blanks = strncmp(line, name, length) == 0 ? strspn(line + length, " \t") : 0;
        size_t begin = length + blanks;
        if (blanks == 0 || begin >= bytes || bytes - begin > KEY_BYTES_MOST)
            continue;
        memcpy(key, line + begin, bytes - begin);
        key[bytes - begin] = '\0';
        return;
    }
}

static int read_key_file(const struct service *service, char key[KEY_BYTES_MOST + 1], struct error *error)
{
    const char *config = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
    AUTO_FREE char *path = config && config[0] == '/' ? text_format("%s/joulery/keys", config)
                           : home && home[0] == '/'   ? text_format("%s/.config/joulery/keys", home)
                                                      : NULL;
    char text[KEYS_BYTES_MOST + 1];
    size_t size;
    if (!path || !file_exists(path))
        return 0;
    int result = secret_file_read(path, text, KEYS_BYTES_MOST, &size, error);
    if (result == 0)
        take_line(text, service->name, key);
    explicit_bzero(text, sizeof text);
    return result;
}

/* -1 and `error`: it wants one, and there is none. */
static int find_key(const struct service *service, char key[KEY_BYTES_MOST + 1], struct error *error)
{
    key[0] = '\0';
    if (!service->key_variable)
        return 0;
    const char *given = secure_getenv(service->key_variable);
    if (given && strlen(given) > KEY_BYTES_MOST)
        return error_set(error, "%s: longer than %d bytes: that is no key", service->key_variable,
                         KEY_BYTES_MOST);
    if (given)
        memcpy(key, given, strlen(given) + 1);
    else if (read_key_file(service, key, error) < 0)
        return -1;
    bool pair = service == &watttime;
    bool good = *key && !strpbrk(key, "\r\n") && (!pair || (strchr(key, ' ') && strchr(key, ' ') > key));
    if (good && service->key_in_url && key[strspn(key, KEY_IN_URL)])
        return error_set(error, "the key of %s is letters, digits and '-': what was found is none",
                         service->title);
    if (good)
        return 0;
    return error_set(
        error,
        "%s wants %s: in the environment, %s, or in ~/.config/joulery/keys, a line '%s %s' (chmod 600)",
        service->title, pair ? "a user and a password" : "a key", service->key_variable, service->name,
        service_key_form(service));
}

/* ---- asking ---- */

static int refuse(const struct asking *a, const struct http_reply *reply, struct error *error)
{
    const char *who = a->service->title;
    if (reply->status == 401 || reply->status == 403)
        return error_set(error, "%s refuses the key, or the key has no right to this (HTTP %ld)", who,
                         reply->status);
    if (reply->status == 404)
        return error_set(error, "%s knows no zone '%s', or nothing of this time (HTTP 404)", who, a->zone);
    if (reply->status == 429) {
        int64_t rest_s = reply->retry_after_s > 0 ? reply->retry_after_s : REST_USUAL_S;
        rest_s = rest_s < REST_MOST_S ? rest_s : REST_MOST_S;
        service_cache_set_rest(a->cache, a->now_s + rest_s);
        return error_set(error, "%s was asked too often: it is not asked again for %lld s (HTTP 429)", who,
                         (long long)rest_s);
    }
    if (reply->status >= 300 && reply->status < 400)
        return error_set(error, "%s sends elsewhere, which is not followed (HTTP %ld)", who, reply->status);
    return error_set(error, "%s failed (HTTP %ld)", who, reply->status);
}

/* Of the address the host alone is shown: before it may stand a password, behind it a key. */
static int not_reached(const struct http_question *q, const struct http_reply *reply, struct error *error)
{
    const char *host = strstr(q->url, "://");
    host = host ? host + 3 : q->url;
    const char *at = memchr(host, '@', strcspn(host, "/?#"));
    host = at ? at + 1 : host;
    int length = (int)strcspn(host, "/?#");
    if (reply->failure == HTTP_TOO_LONG)
        return error_set(error, "%s: the answer is longer than %zu KiB: it can't be what was asked for",
                         q->who, q->most_bytes >> 10);
    if (reply->failure == HTTP_TIMEOUT)
        return error_set(error, "%s: %.*s gave no whole answer within %g s", q->who, length, host,
                         q->timeout_s);
    return error_set(error, "%s: %.*s: %s", q->who, length, host, reply->why);
}

static char *ask_client(const struct asking *a, const struct http_question *question,
                        struct http_client *client, size_t *size, struct error *error)
{
    struct http_reply reply;
    if (http_ask(client, &reply) < 0 ? not_reached(question, &reply, error) < 0
                                     : reply.status != 200 && refuse(a, &reply, error) < 0)
        return NULL;
    char *body = malloc(reply.size + 1);
    if (!body) {
        error_memory(error, question->who);
        return NULL;
    }
    memcpy(body, reply.body, reply.size + 1);
    *size = reply.size;
    return body;
}

/* The body of an answer 200; NULL and `error`. */
static char *get(const struct asking *a, const char *url, const char *user, const char *password,
                 size_t *size, struct error *error)
{
    AUTO_FREE char *header = a->service == &electricitymaps ? text_format("auth-token: %s", a->key) : NULL;
    const struct http_question question = {.who = a->service->title,
                                           .what = "services of carbon intensity",
                                           .url = url,
                                           .header = header,
                                           .user = user,
                                           .password = password,
                                           .bearer = user ? NULL : a->token,
                                           .timeout_s = TIMEOUT_S,
                                           .most_bytes = ANSWER_BYTES_MOST};
    struct http_client *client = http_open(&question, error);
    char *body = client ? ask_client(a, &question, client, size, error) : NULL;
    http_close(client);
    if (header)
        explicit_bzero(header, strlen(header));
    return body;
}

/* WattTime gives a token for half an hour. */
static int log_in(struct asking *a, struct error *error)
{
    AUTO_FREE char *url = text_format("%s/login", a->base), *user = strndup(a->key, strcspn(a->key, " "));
    size_t size;
    char *body = url && user ? get(a, url, user, strchr(a->key, ' ') + 1, &size, error) : NULL;
    if (!body)
        return -1;
    a->token = watttime_token(body, size, error);
    explicit_bzero(body, size);
    free(body);
    return a->token ? 0 : error_prefix(error, "%s", a->service->title);
}

static int ask_once(const struct asking *a, int64_t from_s, int64_t to_s, struct profile *profile,
                    struct error *error)
{
    AUTO_FREE char *url = a->service->url(a, from_s, to_s);
    size_t size;
    AUTO_FREE char *body = url ? get(a, url, NULL, NULL, &size, error) : NULL;
    if (!url)
        return error_memory(error, a->service->title);
    explicit_bzero(url, strlen(url));
    if (!body)
        return -1;
    if (a->service->parse(body, size, a->zone, profile, error) < 0)
        return error_prefix(error, "%s answered what it does not say it would", a->service->title);
    return 0;
}

/* The past in pieces as long as it may be asked for, then what lies ahead. */
static int ask_all(struct asking *a, struct profile *profile, struct error *error)
{
    const struct service *service = a->service;
    bool with_past = service->forecasts == FORECASTS_WITH_PAST;
    int64_t past_to_s = !with_past && a->to_s > a->now_s ? a->now_s : a->to_s;
    if (service->forecasts == FORECASTS_NONE && past_to_s == a->from_s)
        past_to_s++; /* a run that began this second */
    if (service == &watttime && log_in(a, error) < 0)
        return -1;
    for (int64_t from_s = a->from_s; from_s < past_to_s; from_s += service->range_s) {
        int64_t to_s = from_s + service->range_s < past_to_s ? from_s + service->range_s : past_to_s;
        if (ask_once(a, from_s, to_s, profile, error) < 0)
            return -1;
    }
    int64_t from_s = a->from_s > a->now_s ? a->from_s : a->now_s;
    if (service->forecasts != FORECASTS_APART || a->to_s <= a->now_s)
        return 0;
    size_t past = profile->count;
    int result = ask_once(a, from_s, 0, profile, error);
    for (size_t i = past; i < profile->count; i++)
        profile->steps[i].forecast = true;
    return result;
}

static int ask_service(struct asking *a, struct profile *profile, struct error *error)
{
    char key[KEY_BYTES_MOST + 1];
    int64_t rest_s = service_cache_rest(a->cache) - a->now_s;
    if (rest_s > 0 && rest_s <= REST_MOST_S)
        return error_set(error, "%s was asked too often, and is not asked again for %lld s",
                         a->service->title, (long long)rest_s);
    int result = find_key(a->service, key, error);
    a->key = key;
    if (result == 0)
        result = ask_all(a, profile, error);
    explicit_bzero(key, sizeof key);
    if (a->token)
        explicit_bzero(a->token, strlen(a->token));
    free(a->token);
    return result;
}

/* Steps of `kept` that `profile` lacks; it had none where it did not know the time. */
static int fill_from(struct profile *profile, const struct profile *kept, struct error *error)
{
    struct profile both = {.marginal = profile->marginal};
    size_t k = 0;
    int result = 0;
    for (size_t i = 0; i <= profile->count && result == 0; i++) {
        int64_t until_s = i < profile->count ? profile->steps[i].from_s : INT64_MAX;
        for (; k < kept->count && kept->steps[k].from_s < until_s && result == 0; k++) {
            bool free_before = both.count == 0 || kept->steps[k].from_s >= both.steps[both.count - 1].to_s;
            if (free_before && kept->steps[k].to_s <= until_s)
                result = profile_add(&both, kept->steps[k], error);
        }
        if (i < profile->count && result == 0)
            result = profile_add(&both, profile->steps[i], error);
    }
    both.asked_s = profile->count && profile->asked_s < kept->asked_s ? profile->asked_s : kept->asked_s;
    profile_free(profile);
    *profile = both;
    return result;
}

/* Of the time asked for; an answer may be of other times alone. */
static bool knows_some(const struct asking *a, const struct profile *profile)
{
    double known;
    profile_mean(profile, (double)a->from_s, (double)a->to_s, &known);
    return known > 0;
}

/* What fails, or is not told, is taken from what was told before, where that knows it. */
static int ask_or_remember(struct asking *a, struct profile *profile, char **trouble, struct error *error)
{
    struct error why = ERROR_INIT;
    int result = ask_service(a, profile, &why);
    if (profile->count > 0)
        service_cache_add(a->cache, a->zone, profile, a->now_s);
    profile->asked_s = a->now_s;
    profile->marginal = a->service == &watttime;
    if (result == 0 && knows_some(a, profile))
        return 0;
    if (result == 0)
        error_set(&why, "%s knows nothing of this time", a->service->title);
    struct profile kept;
    service_cache_read(a->cache, a->zone, a->from_s, a->to_s, &kept);
    if (kept.count > 0 && fill_from(profile, &kept, error) < 0)
        profile->count = 0;
    profile_free(&kept);
    *trouble = strdup(error_text(&why));
    result = profile->count > 0 || result == 0 ? 0 : error_set(error, "%s", error_text(&why));
    error_clear(&why);
    return result;
}

int service_check(const char *given, const struct location *location, struct error *error)
{
    const struct service *service = service_find(given);
    char key[KEY_BYTES_MOST + 1];
    AUTO_FREE char *zone = zone_of(service, given, location, error);
    int result = zone ? find_key(service, key, error) : -1;
    explicit_bzero(key, sizeof key);
    return result;
}

/* Where nobody on the way can read a key. A name before an @ would hide where it goes. */
static bool is_private(const char *url)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]", "localhost"};
    const char *host = strstr(url, "://");
    if (!host || memchr(host, '@', strlen(host)))
        return false;
    if (strncmp(url, "https://", 8) == 0)
        return true;
    host += 3;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        size_t length = strlen(hosts[i]);
        if (strncmp(url, "http://", 7) == 0 && strncmp(host, hosts[i], length) == 0 &&
            (host[length] == ':' || host[length] == '/' || host[length] == '\0'))
            return true;
    }
    return false;
}

int service_ask(const char *given, const struct location *location, int64_t from_s, int64_t to_s,
                struct profile *profile, char **trouble, struct error *error)
{
    const struct service *service = service_find(given);
    const char *base = secure_getenv(service->url_variable);
    *profile = (struct profile){0};
    *trouble = NULL;
    if (to_s - from_s > SERVICE_RANGE_MOST_S)
        return error_set(error, "%s: more than %lld days are not asked for", service->title,
                         (long long)(SERVICE_RANGE_MOST_S / 86400));
    if (service->key_variable && base && !is_private(base))
        return error_set(error, "%s: a key goes to https:// or to this machine only", service->url_variable);
    AUTO_FREE char *zone = zone_of(service, given, location, error);
    if (!zone)
        return -1;
    AUTO_FREE char *cache = text_format("%s%s", service->name, base && *base ? "-elsewhere" : "");
    if (!cache)
        return error_memory(error, service->title);
    struct asking asking = {.service = service,
                            .cache = cache,
                            .zone = zone,
                            .base = base && *base ? base : service->base,
                            .from_s = from_s,
                            .to_s = to_s,
                            .now_s = clock_wall_ns() / NS_PER_S};
    if (ask_or_remember(&asking, profile, trouble, error) == 0) {
        profile->source = text_format("%s, zone %s", service->title, zone);
        if (profile->source)
            return 0;
        error_memory(error, service->title);
    }
    free(*trouble);
    *trouble = NULL;
    profile_free(profile);
    return -1;
}
