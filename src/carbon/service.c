#include "carbon/service.h"

#include "base/clock.h"
#include "base/http.h"
#include "base/text.h"
#include "carbon/fact_table.h"
#include "carbon/service/cache.h"
#include "carbon/service/driver.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_S         10
#define ANSWER_BYTES_MOST ((size_t)8 << 20)
#define REST_USUAL_S      60 /* after a 429 that does not say how long */
#define REST_MOST_S       86400
#define ZONE_BYTES_MOST   63

static const struct service *const services[] = {&service_electricitymaps, &service_energidata,
                                                 &service_entsoe, &service_uk, &service_watttime};

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
    return service->key_form;
}

/* ---- times, as they all take them ---- */

char *service_minute(int64_t time_s, const char *ending)
{
    AUTO_FREE char *time = clock_iso8601(time_s / 60 * 60 * NS_PER_S);
    return time ? text_format("%.16s%s", time, ending) : NULL;
}

char *service_minute_after(int64_t time_s, const char *ending)
{
    return service_minute(time_s + 59, ending);
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

/* What may stand in an address and in the name of a file. */
static int check_zone(const struct service *service, const char *zone, struct error *error)
{
    bool plain = *zone && strlen(zone) <= ZONE_BYTES_MOST;
    for (const char *c = zone; *c; c++)
        plain = plain && (isalnum((unsigned char)*c) || *c == '-' || *c == '_');
    if (!plain)
        error_set(error, "'%s' is no name of a zone: expected letters, digits, '-' and '_'", zone);
    if (plain && (!service->check_zone || service->check_zone(zone, error) == 0))
        return 0;
    return error_prefix(error, "%s", service->title);
}

static void miss_zone(const struct service *service, const struct location *location, struct error *error)
{
    if (service->one_place)
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
    if (zone && check_zone(service, zone, error) == 0)
        return zone;
    if (!zone)
        miss_zone(service, location, error);
    free(zone);
    return NULL;
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
    AUTO_FREE char *header =
        a->service->key_header ? text_format("%s: %s", a->service->key_header, a->key) : NULL;
    const struct http_question question = {.who = a->service->title,
                                           .what = "services of carbon intensity",
                                           .url = url,
                                           .accept = a->service->accept,
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

/* The key is the user and the password, with a blank between. */
static int log_in(struct asking *a, struct error *error)
{
    AUTO_FREE char *url = a->service->login_url(a), *user = strndup(a->key, strcspn(a->key, " "));
    size_t size;
    char *body = url && user ? get(a, url, user, strchr(a->key, ' ') + 1, &size, error) : NULL;
    if (!body)
        return -1;
    a->token = a->service->token(body, size, error);
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
    if (service->login_url && log_in(a, error) < 0)
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
    int result = service_find_key(a->service, key, error);
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
    profile->marginal = a->service->marginal;
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
    int result = zone ? service_find_key(service, key, error) : -1;
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
