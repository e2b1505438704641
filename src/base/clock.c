#include "base/clock.h"

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

static int64_t clock_read_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_boot_ns(void)
{
    return clock_read_ns(CLOCK_BOOTTIME);
}

int64_t clock_asleep(int64_t *least_ns, int64_t *most_ns)
{
    int64_t before_ns = clock_boot_ns();
    int64_t monotonic_ns = clock_read_ns(CLOCK_MONOTONIC);
    int64_t after_ns = clock_boot_ns();
    *least_ns = before_ns - monotonic_ns;
    *most_ns = after_ns - monotonic_ns;
    return after_ns;
}

int64_t clock_wall_ns(void)
{
    return clock_read_ns(CLOCK_REALTIME);
}

char *clock_iso8601(int64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc))
        return NULL;
    return text_format("%04d-%02d-%02dT%02d:%02d:%02dZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                       utc.tm_hour, utc.tm_min, utc.tm_sec);
}

static int number_of(const char *from, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++)
        number = number * 10 + from[i] - '0';
    return number;
}

int clock_parse_iso8601(const char *string, int64_t *wall_ns)
{
    static const char form[] = "0000-00-00T00:00:00Z";
    if (strlen(string) != sizeof form - 1)
        return -1;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == '0' ? string[i] < '0' || string[i] > '9' : string[i] != form[i])
            return -1;
    const struct tm given = {.tm_year = number_of(string, 4) - 1900,
                             .tm_mon = number_of(string + 5, 2) - 1,
                             .tm_mday = number_of(string + 8, 2),
                             .tm_hour = number_of(string + 11, 2),
                             .tm_min = number_of(string + 14, 2),
                             .tm_sec = number_of(string + 17, 2)};
    struct tm normal = given;
    time_t seconds = timegm(&normal); /* puts a 31st of February right: then it is another date */
    bool same = normal.tm_year == given.tm_year && normal.tm_mon == given.tm_mon &&
                normal.tm_mday == given.tm_mday && normal.tm_hour == given.tm_hour &&
                normal.tm_min == given.tm_min && normal.tm_sec == given.tm_sec;
    if (!same || given.tm_year < 70 || given.tm_year > 361)
        return -1;
    *wall_ns = (int64_t)seconds * NS_PER_S;
    return 0;
}

int clock_sleep_until(int64_t boot_ns)
{
    struct timespec until = {.tv_sec = (time_t)(boot_ns / NS_PER_S), .tv_nsec = (long)(boot_ns % NS_PER_S)};
    return clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) == 0 ? 0 : -1;
}
