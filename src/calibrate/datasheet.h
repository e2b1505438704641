/* datasheet.h: makes the data sheets of this machine's channels: reads them at rest and under a load that it
 * makes itself, for characterise.h to judge. */
#ifndef JOULERY_CALIBRATE_DATASHEET_H
#define JOULERY_CALIBRATE_DATASHEET_H

#include "record/sheets.h"

#define DATASHEET_LEAST_S 5

struct datasheet_options {
    const struct meter_setup *setup; /* NULL: the real machine */
    const char *const *meters;       /* names of drivers; NULL: those that a run would use */
    size_t meter_count;
    double wall_s; /* for all of it; at least DATASHEET_LEAST_S */
    /* How far it is, from the calling thread; NULL: nobody asks. */
    void (*progress)(void *context, double done_s, double total_s, const char *phase);
    void *context;
};

/* Takes options->wall_s; loads all cores for about two thirds of it. The caller frees `sheets` with
 * sheets_free. Models are left out: nothing of them is measured; none but models is an error. */
int datasheet_make(const struct datasheet_options *options, struct sheets *sheets, struct error *error);

#endif
