#include "carbon/course.h"

#include <math.h>

static void join_pairs(struct energy_course *course)
{
    for (size_t i = 0; i < COURSE_BINS; i++)
        course->energy_j[i] =
            2 * i + 1 < COURSE_BINS ? course->energy_j[2 * i] + course->energy_j[2 * i + 1] : 0;
    course->bin_s *= 2;
}

void course_add(struct energy_course *course, double from_s, double to_s, double energy_j)
{
    if (!(energy_j > 0) || !isfinite(energy_j) || !(from_s >= 0) || !(to_s > from_s) || !(to_s < 1e12))
        return;
    if (course->bin_s == 0)
        course->bin_s = 1;
    while (to_s > COURSE_BINS * course->bin_s)
        join_pairs(course);
    size_t first = (size_t)(from_s / course->bin_s), last = (size_t)(to_s / course->bin_s);
    for (size_t i = first; i <= last && i < COURSE_BINS; i++) {
        double begin_s = fmax(from_s, (double)i * course->bin_s);
        double end_s = fmin(to_s, (double)(i + 1) * course->bin_s);
        course->energy_j[i] += energy_j * fmax(end_s - begin_s, 0) / (to_s - from_s);
    }
}

struct charge course_charge(const struct energy_course *course, const struct location *location,
                            const struct profile *profile, double started_s, double wall_s)
{
    struct energy_piece pieces[COURSE_BINS];
    size_t count = 0;
    for (size_t i = 0; i < COURSE_BINS; i++) {
        double from_s = (double)i * course->bin_s, to_s = fmin(from_s + course->bin_s, fmax(wall_s, from_s));
        if (course->energy_j[i] > 0)
            pieces[count++] = (struct energy_piece){
                started_s + from_s, started_s + (to_s > from_s ? to_s : from_s + course->bin_s),
                course->energy_j[i]};
    }
    if (count == 0)
        pieces[count++] = (struct energy_piece){started_s, started_s + wall_s, 1};
    return charge_energy(location, profile, pieces, count);
}
