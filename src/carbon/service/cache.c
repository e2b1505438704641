#include "carbon/service/cache.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/text.h"
#include "carbon/service.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define CACHE_BYTES_MOST ((size_t)32 << 20)

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

/* Steps, and when each was told. */
struct cached {
    struct profile profile;
    int64_t *asked_s; /* of each step */
};

static void cached_free(struct cached *cached)
{
    profile_free(&cached->profile);
    free(cached->asked_s);
}

/* Room for one more grows as the profile's does. */
static int add_step(struct cached *cached, struct profile_step step, int64_t asked_s, struct error *error)
{
    size_t count = cached->profile.count;
    if ((count & (count - 1)) == 0) {
        int64_t *asked = realloc(cached->asked_s, (count ? 2 * count : 1) * sizeof *asked);
        if (!asked)
            return error_memory(error, "cache");
        cached->asked_s = asked;
    }
    if (profile_add(&cached->profile, step, error) < 0)
        return -1;
    cached->asked_s[count] = asked_s;
    return 0;
}

enum column { FROM, TO, INTENSITY, LOW, HIGH, FORECAST, ESTIMATED, ASKED, COLUMNS };
#define HEADER "from,to,g_per_kwh,low_g_per_kwh,high_g_per_kwh,forecast,estimated,asked\n"

static int read_time(const char *field, int64_t *time_s)
{
    int64_t ns;
    if (clock_parse_iso8601(field, &ns) < 0)
        return -1;
    *time_s = ns / NS_PER_S;
    return 0;
}

static int read_flag(const char *field, bool *flag)
{
    *flag = strcmp(field, "1") == 0;
    return *flag || strcmp(field, "0") == 0 ? 0 : -1;
}

static int read_row(const struct csv_row *row, struct cached *cached, struct error *error)
{
    char *const *fields = row->fields;
    struct profile_step step;
    int64_t asked_s;
    if (row->count != COLUMNS || read_time(fields[FROM], &step.from_s) < 0 ||
        read_time(fields[TO], &step.to_s) < 0 ||
        text_to_double(fields[INTENSITY], &step.intensity_g_per_kwh) < 0 ||
        text_to_double(fields[LOW], &step.low_g_per_kwh) < 0 ||
        text_to_double(fields[HIGH], &step.high_g_per_kwh) < 0 ||
        read_flag(fields[FORECAST], &step.forecast) < 0 ||
        read_flag(fields[ESTIMATED], &step.estimated) < 0 || read_time(fields[ASKED], &asked_s) < 0)
        return error_set(error, "not a row of the cache");
    return add_step(cached, step, asked_s, error);
}

static int read_rows(const char *text, size_t size, struct cached *cached, struct error *error)
{
    bool header = true;
    for (size_t at = 0; at < size;) {
        struct csv_row row;
        if (csv_parse_row(text + at, size - at, &row, error) < 0)
            return -1;
        at += row.size;
        int result = header ? 0 : read_row(&row, cached, error);
        header = false;
        csv_row_free(&row);
        if (result < 0)
            return -1;
    }
    return 0;
}

static void read_whole(const char *path, struct cached *cached)
{
    struct error ignored = ERROR_INIT;
    size_t size;
    *cached = (struct cached){0};
    if (!file_exists(path))
        return;
    AUTO_FREE char *text = file_read(path, CACHE_BYTES_MOST, &size, &ignored);
    if (text && read_rows(text, size, cached, &ignored) < 0) {
        cached_free(cached);
        *cached = (struct cached){0};
    }
    error_clear(&ignored);
}

void service_cache_read(const char *service, const char *zone, int64_t from_s, int64_t to_s,
                        struct profile *profile)
{
    AUTO_FREE char *path = cache_path(service, zone, "csv");
    struct error ignored = ERROR_INIT;
    struct cached whole;
    *profile = (struct profile){0};
    if (!path)
        return;
    read_whole(path, &whole);
    for (size_t i = 0; i < whole.profile.count; i++) {
        const struct profile_step *step = &whole.profile.steps[i];
        if (step->to_s <= from_s || step->from_s >= to_s || profile_add(profile, *step, &ignored) < 0)
            continue;
        if (profile->count == 1 || whole.asked_s[i] < profile->asked_s)
            profile->asked_s = whole.asked_s[i];
    }
    cached_free(&whole);
    error_clear(&ignored);
}

static void append_step(struct text *text, const struct profile_step *step, int64_t asked_s)
{
    AUTO_FREE char *from = clock_iso8601(step->from_s * NS_PER_S), *to = clock_iso8601(step->to_s * NS_PER_S);
    AUTO_FREE char *asked = clock_iso8601(asked_s * NS_PER_S);
    if (from && to && asked)
        text_printf(text, "%s,%s,%.17g,%.17g,%.17g,%d,%d,%s\n", from, to, step->intensity_g_per_kwh,
                    step->low_g_per_kwh, step->high_g_per_kwh, step->forecast, step->estimated, asked);
}

/* Both are in order: of two that overlap the new one stays. */
static void append_merged(struct text *text, const struct cached *kept, const struct profile *told,
                          int64_t now_s, int64_t least_s)
{
    size_t k = 0, n = 0;
    while (k < kept->profile.count || n < told->count) {
        const struct profile_step *old = k < kept->profile.count ? &kept->profile.steps[k] : NULL;
        const struct profile_step *new = n < told->count ? &told->steps[n] : NULL;
        if (old && new && old->to_s > new->from_s && old->from_s < new->to_s) {
            k++;
            continue;
        }
        bool first_old = old && (!new || old->from_s < new->from_s);
        const struct profile_step *step = first_old ? old : new;
        if (step->to_s > least_s)
            append_step(text, step, first_old ? kept->asked_s[k] : now_s);
        k += first_old;
        n += !first_old;
    }
}

/* Of the folder, so that what another process adds in between is not lost; closing it lets go. Where there
 * are no locks, it goes without. -1: there is no such folder. */
static int lock_folder(const char *path)
{
    AUTO_FREE char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
    int lock = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (lock >= 0)
        flock(lock, LOCK_EX);
    return lock;
}

void service_cache_add(const char *service, const char *zone, const struct profile *profile, int64_t now_s)
{
    AUTO_FREE char *path = cache_path(service, zone, "csv");
    struct error ignored = ERROR_INIT;
    if (!path || profile->count == 0)
        return;
    int lock = file_make_folders(path, &ignored) == 0 ? lock_folder(path) : -1;
    error_clear(&ignored);
    if (lock < 0)
        return;
    struct cached kept;
    struct text text = TEXT_INIT;
    read_whole(path, &kept);
    text_append(&text, HEADER);
    append_merged(&text, &kept, profile, now_s,
                  profile->steps[profile->count - 1].to_s - SERVICE_RANGE_MOST_S);
    if (!text.failed)
        file_write(path, text.data, text.length, &ignored);
    close(lock);
    text_free(&text);
    cached_free(&kept);
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
