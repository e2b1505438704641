#include "cli/clean.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "carbon/hourly.h"
#include "carbon/service.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#define TIME_MOST 9.2e9 /* in 2261: what clock_iso8601 can say */

char *clean_time(double at_s)
{
    time_t seconds = (time_t)llround(at_s);
    struct tm local;
    if (!localtime_r(&seconds, &local))
        return NULL;
    long east_min = local.tm_gmtoff / 60;
    return text_format("%04d-%02d-%02d %02d:%02d %c%02ld:%02ld", local.tm_year + 1900, local.tm_mon + 1,
                       local.tm_mday, local.tm_hour, local.tm_min, east_min < 0 ? '-' : '+',
                       labs(east_min) / 60, labs(east_min) % 60);
}

json_t *clean_time_json(double at_s)
{
    if (!isfinite(at_s))
        return json_null();
    AUTO_FREE char *time = clock_iso8601(llround(fmin(at_s, TIME_MOST)) * NS_PER_S);
    return time ? json_string(time) : NULL;
}

char *clean_source(const char *source, int64_t asked_s, bool marginal, double now_s)
{
    AUTO_FREE char *shown = text_printable(source ? source : "");
    if (!shown)
        return NULL;
    if (!asked_s)
        return text_format("%s, a file: its age and kind are not known", shown);
    AUTO_FREE char *age = units_duration(fmax(now_s - (double)asked_s, 0));
    return text_format("%s, asked %s ago; %s figures", shown, age ? age : "",
                       marginal ? "marginal" : "average");
}

json_t *clean_accounting(int64_t asked_s, bool marginal)
{
    return asked_s ? json_string(marginal ? "marginal" : "average") : json_null();
}

int clean_parse_duration(const char *option, const char *text, double *duration_s, struct error *error)
{
    if (units_parse_duration(text, duration_s, error) < 0)
        return error_prefix(error, "%s", option);
    if (*duration_s > CLEAN_MOST_S)
        return error_set(error, "%s: at most %g d, found '%s'", option, CLEAN_MOST_S / 86400, text);
    return 0;
}

int clean_check_source(const char *hourly, const struct location *location, struct error *error)
{
    const struct service *service = hourly ? service_find(hourly) : NULL;
    if (service && !service_forecasts(service))
        return error_set(error,
                         "%s tells what was, and nothing of what will be: joulery places --services names "
                         "others",
                         service_title(service));
    if (hourly_is_asked(hourly, location))
        return 0;
    return error_set(
        error,
        "there is no forecast for %s: --hourly FILE names one (CSV: time,g_per_kwh), or a service "
        "that gives one (docs/services.md)",
        location->name);
}
