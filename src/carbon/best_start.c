#include "carbon/best_start.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"

#include <math.h>
#include <stdlib.h>

#define SLACK_S   1e-6 /* rounding of times; steps are whole seconds */
#define AS_GOOD   1e-9
#define NO_SOURCE "the forecast"
#define TIME_MOST 9.2e9 /* in 2261: what clock_iso8601 can say */

double job_duration_s(const struct job *job)
{
    double sum = 0;
    for (size_t i = 0; i < job->count; i++)
        sum += job->pieces[i].duration_s;
    return sum;
}

double job_energy_j(const struct job *job)
{
    double sum = 0;
    for (size_t i = 0; i < job->count; i++)
        sum += job->pieces[i].energy_j;
    return sum;
}

/* A step with what makes means quick. Times are seconds after the earliest start, so that no digits go to the
 * years since 1970. */
struct rung {
    double from_s, to_s, intensity;
    double before;  /* integral of the intensity over the steps before it */
    double until_s; /* where the first hole after it begins */
};

struct search {
    const struct job *job;
    double duration_s, energy_j;
    double latest_s;
    struct rung *rungs;
    size_t rung_count;
    bool any; /* start at which all is known; of them: */
    struct job_start best, worst;
    double last_s;
};

static bool follows(const struct rung *rung, const struct rung *before)
{
    return rung->from_s <= before->to_s + SLACK_S;
}

static int lay_rungs(struct search *search, const struct profile *profile, double earliest_s,
                     struct error *error)
{
    search->rungs = calloc(profile->count ? profile->count : 1, sizeof *search->rungs);
    if (!search->rungs)
        return error_memory(error, "forecast");
    double sum = 0;
    for (size_t i = 0; i < profile->count; i++) {
        const struct profile_step *step = &profile->steps[i];
        struct rung rung = {.from_s = fmax((double)step->from_s - earliest_s, 0),
                            .to_s = (double)step->to_s - earliest_s,
                            .intensity = step->intensity_g_per_kwh,
                            .before = sum};
        if (rung.to_s <= 0 || rung.from_s >= search->latest_s + search->duration_s)
            continue;
        sum += rung.intensity * (rung.to_s - rung.from_s);
        search->rungs[search->rung_count++] = rung;
    }
    for (size_t i = search->rung_count; i-- > 0;) {
        struct rung *rung = &search->rungs[i];
        bool goes_on = i + 1 < search->rung_count && follows(rung + 1, rung);
        rung->until_s = goes_on ? rung[1].until_s : rung->to_s;
    }
    return 0;
}

/* The last rung that begins by then; NULL: none does. */
static const struct rung *rung_at(const struct search *search, double at_s)
{
    size_t low = 0, high = search->rung_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (search->rungs[middle].from_s <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &search->rungs[low - 1] : NULL;
}

/* Up to a time at which it is known. */
static double integral(const struct search *search, double at_s)
{
    const struct rung *rung = rung_at(search, at_s);
    return rung ? rung->before + rung->intensity * (fmin(at_s, rung->to_s) - rung->from_s) : 0;
}

/* Weighted by energy; NAN: not known all through. */
static double intensity_of(const struct search *search, double start_s)
{
    const struct rung *first = rung_at(search, start_s + SLACK_S);
    if (!first || first->until_s < start_s + search->duration_s - SLACK_S)
        return NAN;
    double sum = 0, offset_s = start_s, before = integral(search, offset_s);
    for (size_t i = 0; i < search->job->count; i++) {
        const struct job_piece *piece = &search->job->pieces[i];
        offset_s += piece->duration_s;
        double after = integral(search, offset_s);
        sum += piece->energy_j * (after - before) / piece->duration_s;
        before = after;
    }
    return sum / search->energy_j;
}

/* Of starts as good the earlier. */
static bool is_better(const struct job_start *start, const struct job_start *than, double sign)
{
    double less = sign * (than->intensity_g_per_kwh - start->intensity_g_per_kwh);
    double as_good = AS_GOOD * (1 + fabs(than->intensity_g_per_kwh));
    return less > as_good || (less >= -as_good && start->start_s < than->start_s);
}

static void consider(struct search *search, double start_s)
{
    if (start_s < 0 || start_s > search->latest_s)
        return;
    struct job_start start = {start_s, intensity_of(search, start_s)};
    if (isnan(start.intensity_g_per_kwh))
        return;
    if (!search->any || is_better(&start, &search->best, 1))
        search->best = start;
    if (!search->any || is_better(&start, &search->worst, -1))
        search->worst = start;
    search->last_s = fmax(search->last_s, start_s);
    search->any = true;
}

/* Starts at which an edge of the job meets this time. */
static void consider_edges_at(struct search *search, double at_s)
{
    double offset_s = 0;
    consider(search, at_s);
    for (size_t i = 0; i < search->job->count; i++) {
        offset_s += search->job->pieces[i].duration_s;
        consider(search, at_s - offset_s);
    }
}

static void consider_all(struct search *search)
{
    consider(search, 0);
    consider(search, search->latest_s);
    for (size_t i = 0; i < search->rung_count; i++) {
        const struct rung *rung = &search->rungs[i];
        consider_edges_at(search, rung->from_s);
        if (i + 1 == search->rung_count || !follows(rung + 1, rung))
            consider_edges_at(search, rung->to_s);
    }
}

static char *time_text(double at_s)
{
    return clock_iso8601((int64_t)fmin(fmax(at_s, 0), TIME_MOST) * NS_PER_S);
}

static int no_start(const struct search *search, const struct profile *profile, double earliest_s,
                    struct error *error)
{
    const char *source = profile->source ? profile->source : NO_SOURCE;
    AUTO_FREE char *duration = units_duration(search->duration_s);
    AUTO_FREE char *now = time_text(earliest_s);
    int64_t end_s = profile->count ? profile->steps[profile->count - 1].to_s : 0;
    AUTO_FREE char *end = time_text((double)end_s);
    if (profile->count == 0)
        return error_set(error, "%s: no forecast is in it", source);
    if ((double)end_s <= earliest_s)
        return error_set(error, "%s: it ends at %s, and it is %s: a newer forecast is needed", source, end,
                         now);
    double longest_s = 0;
    for (size_t i = 0; i < search->rung_count; i++)
        longest_s = fmax(longest_s, search->rungs[i].until_s - search->rungs[i].from_s);
    AUTO_FREE char *longest = units_duration(longest_s);
    if (longest_s >= search->duration_s)
        return error_set(error, "%s: what it knows of the time asked for begins too late for a start by then",
                         source);
    return error_set(
        error,
        "%s: a job of %s does not fit: from %s on at most %s are known without a hole; the forecast "
        "ends at %s",
        source, duration, now, longest, end);
}

static void describe(const struct search *search, double earliest_s, struct best_start *found)
{
    *found = (struct best_start){.best = search->best, .worst = search->worst, .last_s = search->last_s};
    found->now = (struct job_start){0, intensity_of(search, 0)};
    found->holes = search->rungs[0].from_s > 0;
    for (size_t i = 1; i < search->rung_count; i++)
        found->holes += !follows(&search->rungs[i], &search->rungs[i - 1]);
    found->known_to_s =
        earliest_s + fmin(search->rungs[search->rung_count - 1].to_s, search->latest_s + search->duration_s);
    found->last_s += earliest_s;
    found->best.start_s += earliest_s;
    found->worst.start_s += earliest_s;
    found->now.start_s += earliest_s;
}

int best_start_find(const struct profile *profile, const struct job *job, double earliest_s, double latest_s,
                    struct best_start *found, struct error *error)
{
    struct search search = {.job = job,
                            .duration_s = job_duration_s(job),
                            .energy_j = job_energy_j(job),
                            .latest_s = fmax(latest_s - earliest_s, 0)};
    int result = lay_rungs(&search, profile, earliest_s, error);
    if (result == 0)
        consider_all(&search);
    if (result == 0 && search.any)
        describe(&search, earliest_s, found);
    else if (result == 0)
        result = no_start(&search, profile, earliest_s, error);
    free(search.rungs);
    return result;
}
