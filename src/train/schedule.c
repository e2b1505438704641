#include "train/schedule.h"

#include <inttypes.h>
#include <math.h>

#define PI 3.14159265358979323846

const char *const *schedule_names(size_t *count)
{
    static const char *const names[] = {"constant", "step", "cosine"};
    *count = sizeof names / sizeof *names;
    return names;
}

bool schedule_varies(const struct schedule *schedule)
{
    return schedule->kind != SCHEDULE_CONSTANT || schedule->warmup > 0;
}

int schedule_check(const struct schedule *s, uint64_t units, struct error *error)
{
    const char *unit = s->per_step ? "steps" : "epochs";
    if (s->kind == SCHEDULE_STEP && s->step == 0)
        return error_set(error, "a step schedule without its length: expected 1 or more %s", unit);
    if (s->kind == SCHEDULE_STEP && !(s->gamma > 0 && isfinite(s->gamma)))
        return error_set(error, "a step schedule's factor of %g: expected more than 0", s->gamma);
    if (s->kind == SCHEDULE_COSINE && !(s->least >= 0 && s->least <= s->rate))
        return error_set(error, "least learning rate %g: expected 0 to the learning rate, %g", s->least,
                         s->rate);
    if (s->warmup > 0 && !(s->warmup_start >= 0 && s->warmup_start <= 1))
        return error_set(error, "a warm-up from %g times the learning rate: expected 0 to 1",
                         s->warmup_start);
    if (s->warmup > 0 && s->warmup >= units)
        return error_set(error,
                         "a warm-up of %" PRIu64 " %s in a run of %" PRIu64
                         " would not end: expected less, or a longer run",
                         s->warmup, unit, units);
    return 0;
}

double schedule_rate(const struct schedule *s, uint64_t at, uint64_t units)
{
    if (at < s->warmup)
        return s->rate * (s->warmup_start + (1 - s->warmup_start) * (double)at / (double)s->warmup);
    uint64_t since = at - s->warmup;
    if (s->kind == SCHEDULE_STEP)
        return s->rate * pow(s->gamma, (double)(since / s->step));
    if (s->kind == SCHEDULE_COSINE)
        return s->least +
               (s->rate - s->least) * (1 + cos(PI * (double)since / (double)(units - s->warmup))) / 2;
    return s->rate;
}
