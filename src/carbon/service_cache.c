#include "carbon/service_cache.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "carbon/service.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_BYTES_MOST ((size_t)32 << 20)
#define ASKED            "# asked "

/* NULL: there is no place for it. Zones hold letters, digits, '-' and '_' alone: service.c sees to it. */
static char *cache_path(const char *service, const char *zone, const char *ending)
{
    const char *cache = secure_getenv("XDG_CACHE_HOME"), *home = secure_getenv("HOME");
    if (cache && cache[0] == '/')
        return text_format("%s/joulery/intensity/%s%s%s.%s", cache, service, *zone ? "-" : "", zone, ending);
    if (home && home[0] == '/')
        return text_format("%s/.cache/joulery/intensity/%s%s%s.%s", home, service, *zone ? "-" : "", zone,
                           ending);
    return NULL;
}

/* The first line says when the newest answer came. */
static int64_t read_asked(const char *text)
{
    int64_t ns;
    if (strncmp(text, ASKED, sizeof ASKED - 1) != 0)
        return 0;
    AUTO_FREE char *time = strndup(text + sizeof ASKED - 1, strcspn(text + sizeof ASKED - 1, "\n"));
    return time && clock_parse_iso8601(time, &ns) == 0 ? ns / NS_PER_S : 0;
}

static void read_whole(const char *path, struct profile *profile)
{
    struct error ignored = ERROR_INIT;
    size_t size;
    *profile = (struct profile){0};
    if (!file_exists(path))
        return;
    AUTO_FREE char *text = file_read(path, CACHE_BYTES_MOST, &size, &ignored);
    if (text && profile_parse(text, size, path, profile, &ignored) == 0)
        profile->asked_s = read_asked(text);
    error_clear(&ignored);
}

void service_cache_read(const char *service, const char *zone, int64_t from_s, int64_t to_s,
                        struct profile *profile)
{
    AUTO_FREE char *path = cache_path(service, zone, "csv");
    struct error ignored = ERROR_INIT;
    struct profile whole;
    *profile = (struct profile){0};
    if (!path)
        return;
    read_whole(path, &whole);
    for (size_t i = 0; i < whole.count; i++)
        if (whole.steps[i].to_s > from_s && whole.steps[i].from_s < to_s)
            profile_add(profile, whole.steps[i], &ignored);
    profile->asked_s = whole.asked_s;
    profile_free(&whole);
    error_clear(&ignored);
}

static void append_step(struct text *text, const struct profile_step *step)
{
    AUTO_FREE char *from = clock_iso8601(step->from_s * NS_PER_S), *to = clock_iso8601(step->to_s * NS_PER_S);
    if (from && to)
        text_printf(text, "%s,%s,%.17g\n", from, to, step->intensity_g_per_kwh);
}

/* Both are in order: of two that overlap the new one stays. */
static void append_merged(struct text *text, const struct profile *kept, const struct profile *asked,
                          int64_t least_s)
{
    size_t k = 0, a = 0;
    while (k < kept->count || a < asked->count) {
        const struct profile_step *old = k < kept->count ? &kept->steps[k] : NULL;
        const struct profile_step *new = a < asked->count ? &asked->steps[a] : NULL;
        if (old && new && old->to_s > new->from_s && old->from_s < new->to_s) {
            k++;
            continue;
        }
        bool first_old = old && (!new || old->from_s < new->from_s);
        const struct profile_step *step = first_old ? old : new;
        k += first_old;
        a += !first_old;
        if (step->to_s > least_s)
            append_step(text, step);
    }
}

void service_cache_add(const char *service, const char *zone, const struct profile *profile, int64_t now_s)
{
    AUTO_FREE char *path = cache_path(service, zone, "csv"), *now = clock_iso8601(now_s * NS_PER_S);
    struct error ignored = ERROR_INIT;
    if (!path || !now || profile->count == 0)
        return;
    struct profile kept;
    struct text text = TEXT_INIT;
    read_whole(path, &kept);
    text_printf(&text, ASKED "%s\nfrom,to,g_per_kwh\n", now);
    append_merged(&text, &kept, profile, profile->steps[profile->count - 1].to_s - SERVICE_RANGE_MOST_S);
    if (!text.failed && file_make_folders(path, &ignored) == 0)
        file_write(path, text.data, text.length, &ignored);
    text_free(&text);
    profile_free(&kept);
    error_clear(&ignored);
}

/* ---- when not to ask ---- */

int64_t service_cache_rest(const char *service)
{
    AUTO_FREE char *path = cache_path(service, "", "rest");
    struct error ignored = ERROR_INIT;
    int64_t until_s = 0;
    if (!path || !file_exists(path))
        return 0;
    AUTO_FREE char *text = file_read(path, 64, NULL, &ignored);
    if (text && text_to_i64(text, &until_s) < 0)
        until_s = 0;
    error_clear(&ignored);
    return until_s;
}

void service_cache_set_rest(const char *service, int64_t until_s)
{
    AUTO_FREE char *path = cache_path(service, "", "rest"), *text = text_format("%" PRId64, until_s);
    struct error ignored = ERROR_INIT;
    if (path && text && file_make_folders(path, &ignored) == 0)
        file_write(path, text, strlen(text), &ignored);
    error_clear(&ignored);
}
