/* groups.h: do groups of values differ, which from which, and by how much.
 *
 * Values are finite. What can't be said (too few values, no spread within groups, nothing but ties) is NAN.
 * Functions with an error fail only if memory ran out. tests/stats/golden_groups.R has the values that R
 * gives. */
#ifndef JOULERY_STATS_GROUPS_H
#define JOULERY_STATS_GROUPS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The first sizes[0] values are of group 0, the next sizes[1] of group 1, …; each group has one at least.
 * Borrowed. */
struct grouped {
    const double *values;
    const size_t *sizes;
    size_t groups;
};

size_t stats_grouped_count(const struct grouped *grouped);
/* out[i]: values[i] less the mean of its group. */
void stats_residuals(const struct grouped *grouped, double *out);

struct group_test {
    double statistic, df1, df2, p; /* F; or Kruskal and Wallis's H, which has no df2 */
};

/* ---- groups.c: tests of all groups at once ---- */

/* One-way analysis of variance, as R's aov (Fisher 1925). eta_squared: the share of the sum of squares
 * between groups; omega_squared: the same less what chance gives it (Hays 1963), which may be below 0. */
struct anova {
    struct group_test test;
    double eta_squared, omega_squared;
    double mean_square; /* within groups */
};
void stats_anova(const struct grouped *grouped, struct anova *anova);

/* Variances that differ are allowed for (Welch, Biometrika 38, 1951), as R's oneway.test. Each group needs
 * two values that differ. */
void stats_welch(const struct grouped *grouped, struct group_test *test);

/* Do variances differ? The analysis of variance of distances from each group's median (Brown and Forsythe,
 * Journal of the American Statistical Association 69, 1974; car's leveneTest). */
int stats_levene(const struct grouped *grouped, struct group_test *test, struct error *error);

/* Kruskal and Wallis's H of mean ranks, corrected for ties, by the chi-squared distribution (Journal of the
 * American Statistical Association 47, 1952), as R's kruskal.test. epsilon_squared: H / (n - 1) (Tomczak and
 * Tomczak, Trends in Sport Sciences 21, 2014). */
int stats_kruskal(const struct grouped *grouped, struct group_test *test, double *epsilon_squared,
                  struct error *error);

/* ---- posthoc.c: all pairs ---- */

struct contrast {
    size_t a, b; /* groups */
    double difference, low,
        high;         /* of means, a - b, with the simultaneous 95 % interval; Dunn: of mean ranks, without */
    double statistic; /* studentised range, or Dunn's z */
    double p;         /* of Dunn's, by itself; else NAN */
    double adjusted_p; /* so that of all pairs 5 % say too much at the most */
};

/* `contrasts` has room for groups (groups - 1) / 2: (0, 1), (0, 2), …, (1, 2), …
 *
 * Tukey's honestly significant differences, with Kramer's for unequal sizes (Biometrics 12, 1956), as R's
 * TukeyHSD. */
void stats_tukey(const struct grouped *grouped, struct contrast *contrasts);
/* The same without one variance for all (Games and Howell, Journal of Educational Statistics 1, 1976). */
void stats_games_howell(const struct grouped *grouped, struct contrast *contrasts);
/* Of ranks over all groups, corrected for ties (Dunn, Technometrics 6, 1964), Holm-adjusted. */
int stats_dunn(const struct grouped *grouped, struct contrast *contrasts, struct error *error);
/* Replaces p[0..count) by Holm's (Scandinavian Journal of Statistics 6, 1979), as R's p.adjust; NAN stays and
 * counts as no test. */
int stats_holm(double *p, size_t count, struct error *error);

/* ---- studentized.c ---- */

/* P(Q > q) of the range of `groups` means over an sd that is known with so many degrees of freedom (at least
 * 1), by Gauss and Legendre's quadrature, to 1e-9. R's ptukey(lower.tail = FALSE), which for 2 degrees is
 * itself off by as much as 3e-4: Student's t says so of two means. */
double stats_studentized_p(double q, size_t groups, double degrees_of_freedom);
/* The q that this p belongs to: R's qtukey. */
double stats_studentized_q(double p, size_t groups, double degrees_of_freedom);

/* ---- effect.c: how much ---- */

/* P(a > b) - P(a < b) of one value of each (Cliff, Psychological Bulletin 114, 1993); both sorted upwards. */
double stats_cliff(const double *a, size_t a_count, const double *b, size_t b_count);
/* (mean a - mean b) / pooled sd, with the exact correction for few values (Hedges, Journal of Educational
 * Statistics 6, 1981). */
double stats_hedges(const double *a, size_t a_count, const double *b, size_t b_count);
/* "negligible", "small", "medium", "large"; "" of NAN. delta: from 0.147, 0.33, 0.474 (Romano et al. 2006);
 * g: from 0.2, 0.5, 0.8; shares of variance: from 0.01, 0.06, 0.14 (both Cohen 1988). */
const char *stats_delta_word(double delta);
const char *stats_g_word(double g);
const char *stats_share_word(double share);

/* ---- interaction.c: two factors ---- */

/* group = row * columns + column. Sums of squares of type II, each against the residuals of all cells: as R's
 * anova of nested lm; those of type III too where cells are of equal size. */
struct two_way {
    struct group_test rows, columns, interaction;
};
int stats_two_way(const struct grouped *cells, size_t columns, struct two_way *two_way, struct error *error);
/* The interaction alone, of ranks of what is left when the factors' means are taken off (Wobbrock et al., CHI
 * 2011). Values that are alike to 1e-9 of the largest are ties. */
int stats_aligned_rank(const struct grouped *cells, size_t columns, struct group_test *interaction,
                       struct error *error);

/* ---- shares.c ---- */

/* Of the sum of squares of all values, the share of each of two factors, of what they do together that
 * neither does alone, and of values in the same cell; they add up to 1. A factor's share is averaged over the
 * two orders in which the factors can enter an additive model (Lindeman, Merenda and Gold, 1980; Groemping,
 * J. Stat. Softw. 17, 2006), so that cells need not be of equal size: where they are, it is eta squared. */
struct variance_shares {
    double rows, columns, interaction, within;
};
/* rows[i] < row_count and columns[i] < column_count are value i's levels. 1; 0: all values are alike; -1: no
 * memory. */
int stats_variance_shares(const double *values, const size_t *rows, size_t row_count, const size_t *columns,
                          size_t column_count, size_t count, struct variance_shares *shares,
                          struct error *error);
/* Of one factor: eta squared. NAN: all values are alike, or no memory. */
double stats_share_between(const double *values, const size_t *levels, size_t level_count, size_t count);

/* ---- power.c ---- */

/* The chance that a two-sided t test at 5 % of two groups of `count` sees a difference of `difference` where
 * values scatter by `sd`: by the noncentral t distribution, as R's power.t.test. */
double stats_power(double difference, double sd, double count);
/* The least count (from 2) with that power; 0: more than a million. */
size_t stats_repetitions(double difference, double sd, double power);

#endif
