/* remarks.h: what a record says of its own readings, however it was made: by recorder.c for a command, by the
 * library for a program that measures itself. */
#ifndef JOULERY_RECORD_REMARKS_H
#define JOULERY_RECORD_REMARKS_H

#include "record/account.h"
#include "record/record.h"
#include "record/registry.h"

/* Notes of readings that were left out, of sleep, and of other recorders that began meanwhile (`registry` may
 * be NULL). Once, after account_finish. A note for which there is no memory is left out. */
void remarks_add(struct record *record, struct account *account, struct registry *registry);

#endif
