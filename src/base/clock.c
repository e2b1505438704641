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

/* The first 19 characters, "2026-11-23T18:43:43", as seconds since 1970, as if they were UTC. */
static int parse_date_time(const char *string, char separator, struct tm *given, int64_t *seconds)
{
    static const char form[] = "0000-00-00?00:00:00";
    if (strlen(string) < sizeof form - 1 || string[10] != separator)
        return -1;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == '0' ? string[i] < '0' || string[i] > '9' : form[i] != '?' && string[i] != form[i])
            return -1;
    *given = (struct tm){.tm_year = number_of(string, 4) - 1900,
                         .tm_mon = number_of(string + 5, 2) - 1,
                         .tm_mday = number_of(string + 8, 2),
                         .tm_hour = number_of(string + 11, 2),
                         .tm_min = number_of(string + 14, 2),
                         .tm_sec = number_of(string + 17, 2),
                         .tm_isdst = -1};
    struct tm normal = *given;
    *seconds = timegm(&normal); /* puts a 31st of February right: then it is another date */
    bool same = normal.tm_year == given->tm_year && normal.tm_mon == given->tm_mon &&
                normal.tm_mday == given->tm_mday && normal.tm_hour == given->tm_hour &&
                normal.tm_min == given->tm_min && normal.tm_sec == given->tm_sec;
    return !same || given->tm_year < 70 || given->tm_year > 361 ? -1 : 0;
}

int clock_parse_iso8601(const char *string, int64_t *wall_ns)
{
    struct tm given;
    int64_t seconds;
    if (strlen(string) != 20 || string[19] != 'Z' || parse_date_time(string, 'T', &given, &seconds) < 0)
        return -1;
    *wall_ns = seconds * NS_PER_S;
    return 0;
}

/* ".25" or ",25", of any length; what follows it. */
static const char *parse_fraction(const char *string, int64_t *ns)
{
    *ns = 0;
    if ((string[0] != '.' && string[0] != ',') || string[1] < '0' || string[1] > '9')
        return string;
    int64_t worth = NS_PER_S / 10;
    for (string++; *string >= '0' && *string <= '9'; string++, worth /= 10)
        *ns += (*string - '0') * worth;
    return string;
}

/* "Z", "+01", "+01:00", "+0100": seconds east of Greenwich. */
static int parse_zone(const char *string, int64_t *east_s)
{
    *east_s = 0;
    if (strcmp(string, "Z") == 0)
        return 0;
    if (string[0] != '+' && string[0] != '-')
        return -1;
    char digits[5] = "";
    size_t count = 0;
    for (const char *c = string + 1; *c; c++) {
        if (*c == ':' && count == 2 && c[1])
            continue;
        if (*c < '0' || *c > '9' || count == 4)
            return -1;
        digits[count++] = *c;
    }
    if (count != 2 && count != 4)
        return -1;
    int hours = number_of(digits, 2), minutes = count == 4 ? number_of(digits + 2, 2) : 0;
    if (hours > 18 || minutes > 59)
        return -1;
    *east_s = (string[0] == '-' ? -60 : 60) * (60 * hours + minutes);
    return 0;
}

/* Seconds since 1970, or milliseconds, microseconds, nanoseconds: by their size, for they are times of our
 * days. */
static int parse_epoch(const char *string, int64_t *wall_ns)
{
    double number;
    int64_t whole;
    if (text_to_i64(string, &whole) == 0 && whole >= (int64_t)1e17) {
        *wall_ns = whole;
        return 0;
    }
    if (text_to_double(string, &number) < 0 || number < 0 || number >= 9e17)
        return -1;
    int64_t unit_ns = number < 1e11 ? NS_PER_S : number < 1e14 ? 1000000 : number < 1e17 ? 1000 : 1;
    if (number * (double)unit_ns > 9.2e18) /* after 2261 */
        return -1;
    whole = (int64_t)number;
    *wall_ns = whole * unit_ns + (int64_t)((number - (double)whole) * (double)unit_ns);
    return 0;
}

/* Of a date and a time to the second or to the minute; what follows them, NULL if there are none. */
static const char *parse_local(const char *string, struct tm *given, int64_t *seconds, int64_t *ns)
{
    char minute[] = "0000-00-00T00:00:00";
    *ns = 0;
    if (parse_date_time(string, 'T', given, seconds) == 0 ||
        parse_date_time(string, ' ', given, seconds) == 0)
        return parse_fraction(string + 19, ns);
    if (strnlen(string, 17) < 16 || string[16] == ':')
        return NULL;
    memcpy(minute, string, 16);
    bool known = parse_date_time(minute, 'T', given, seconds) == 0 ||
                 parse_date_time(minute, ' ', given, seconds) == 0;
    return known ? string + 16 : NULL;
}

int clock_parse_time(const char *string, int64_t *wall_ns)
{
    struct tm given;
    int64_t seconds, ns, east_s = 0;
    const char *rest = parse_local(string, &given, &seconds, &ns);
    if (!rest)
        return parse_epoch(string, wall_ns);
    if (*rest == '\0')
        seconds = mktime(&given);
    else if (parse_zone(rest, &east_s) < 0)
        return -1;
    *wall_ns = (seconds - east_s) * NS_PER_S + ns;
    return 0;
}

int clock_sleep_until(int64_t boot_ns)
{
    struct timespec until = {.tv_sec = (time_t)(boot_ns / NS_PER_S), .tv_nsec = (long)(boot_ns % NS_PER_S)};
    return clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) == 0 ? 0 : -1;
}
