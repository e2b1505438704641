/* studentized.h: what studentized.c and power.c share. Only for src/stats/. */
#ifndef JOULERY_STATS_STUDENTIZED_H
#define JOULERY_STATS_STUDENTIZED_H

/* The mean of function(s, context) over s, an sd that is estimated with so many degrees of freedom where it
 * is 1: s^2 is chi-squared by its degrees. What lies above `most` counts as 0; INFINITY: all counts. */
double stats_over_sd(double degrees_of_freedom, double most,
                     double (*function)(double s, const void *context), const void *context);

#endif
