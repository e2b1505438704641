/* instruments.h: which instruments measure a run. */
#ifndef JOULERY_RECORD_INSTRUMENTS_H
#define JOULERY_RECORD_INSTRUMENTS_H

#include "record/record.h"

struct instruments {
    struct meter **meters;
    size_t *first; /* position in record->channels of each meter's first channel */
    size_t count;
};

/* Opens the named drivers (all must work), or with no names all that work, models only for scopes that
 * nothing measures. Copies their channels into the record, and notes what a reader must know of them. */
int instruments_open(const struct meter_setup *setup, const char *const *names, size_t name_count,
                     struct instruments *instruments, struct record *record, struct error *error);
/* Notes of instruments that are known only once they were read: in the record, after the last reading. */
void instruments_note_late(const struct instruments *instruments, struct record *record);
void instruments_close(struct instruments *instruments);

#endif
