/* into_record.h: records made of what another tool has written. Only for src/exchange/. */
#ifndef JOULERY_EXCHANGE_INTO_RECORD_H
#define JOULERY_EXCHANGE_INTO_RECORD_H

#include "store/import.h"

/* Puts the window of the run into a record that has none. */
int record_begin(struct record *record, double wall_s, struct error *error);
/* Adds a copy of the channel, with an energy of unknown uncertainty over the whole run; other windows don't
 * know it. */
int record_add_channel(struct record *record, const struct channel *channel, double energy_j,
                       struct error *error);
/* Adds a window without times or energies, inside the run. The pointer is good until the next is added. */
struct window *record_add_window(struct record *record, const char *name, int64_t index, struct error *error);
int record_add_metric(struct window *window, const char *name, double value, struct error *error);
int record_add_note(struct record *record, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int imported_add_value(struct imported_run *run, const char *name, const char *value, struct error *error);

#endif
