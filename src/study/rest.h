/* rest.h: the machine at rest in a study: measured at its start and end, and waited for between runs. */
#ifndef JOULERY_STUDY_REST_H
#define JOULERY_STUDY_REST_H

#include "record/baseline.h"
#include "record/recorder.h"
#include "study/study.h"

struct rest_options {
    const struct meter_setup *setup; /* these four as in recorder_options */
    const char *const *meters;
    size_t meter_count;
    double rate_hz;
    const volatile sig_atomic_t *stop;
    void (*progress)(void *context, const char *doing); /* about each second */
    void *context;
};

struct rest {
    struct baseline baseline; /* channel_count 0: not measured */
    double power_w;           /* software total at rest; NAN: not known */
    double uncertainty_w;
    double temperature_c; /* before the first run; NAN: no sensor */
    bool disturbed;       /* something else ran meanwhile */
};

/* Measures for study->idle_s seconds if that is above 0, and takes the temperature. -1 and `error` also when
 * stopped. The caller frees `rest` with rest_free either way. */
int rest_measure(const struct study *study, const struct rest_options *options, struct rest *rest,
                 struct error *error);
void rest_free(struct rest *rest);

/* Waits as the study's cool-down says: at least cooldown.least_s, then until power and temperature are back
 * at `rest`, at most cooldown.most_s in all. Ends early when stopped. `*note`: what a reader should know,
 * NULL if there is nothing; the caller frees it. */
int rest_await(const struct study *study, const struct rest_options *options, const struct rest *rest,
               char **note, struct error *error);

#endif
