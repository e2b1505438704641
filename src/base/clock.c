#include "base/clock.h"

#include "base/text.h"

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

int clock_sleep_until(int64_t boot_ns)
{
    struct timespec until = {.tv_sec = (time_t)(boot_ns / NS_PER_S), .tv_nsec = (long)(boot_ns % NS_PER_S)};
    return clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) == 0 ? 0 : -1;
}
