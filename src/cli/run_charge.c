/* `joulery run`: which intensity a run is charged by. */
#include "base/clock.h"
#include "carbon/hourly.h"
#include "cli/run.h"

#include <stdlib.h>
#include <string.h>

/* The record began at a time of day that its own clocks tell; the course counts from there. */
void run_charge(struct run_call *call, const struct energy_course *course)
{
    const struct location *at = call->options->location;
    const struct record *record = &call->records[call->record_count - 1];
    struct run_charge *charge = &call->charges[call->record_count - 1];
    if (!at)
        return;
    struct profile profile = {0};
    struct error error = ERROR_INIT;
    double started_s = (double)record->started_wall_ns / NS_PER_S;
    charge->hourly = hourly_is_asked(call->options->hourly, at);
    if (charge->hourly &&
        hourly_get(call->options->hourly, at, (int64_t)started_s, (int64_t)(started_s + record->wall_s) + 1,
                   &profile, &charge->trouble, &error) < 0)
        charge->trouble = strdup(error_text(&error)); /* a file that was there before the run */
    charge->charge = course_charge(course, at, &profile, started_s, record->wall_s);
    charge->source = profile.source ? profile_text(&profile) : NULL;
    profile_free(&profile);
    error_clear(&error);
}

void run_charges_free(struct run_call *call)
{
    for (size_t i = 0; i < call->record_count && call->charges; i++) {
        free(call->charges[i].source);
        free(call->charges[i].trouble);
    }
    free(call->charges);
}
