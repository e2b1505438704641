/* windows.h: the windows of a record as marks come in. Not thread-safe: belongs to who receives the marks. */
#ifndef JOULERY_RECORD_WINDOWS_H
#define JOULERY_RECORD_WINDOWS_H

#include "mark/mark.h"
#include "record/account.h"
#include "record/record.h"

/* Adds the run itself to an empty record and opens it in the account. */
int windows_start(struct record *record, struct account *account, int64_t boot_ns, struct error *error);

/* Applies a mark that came in at `now_ns`. -1: it makes no sense (an end without a begin, a metric of a
 * window that never was, …) or there is no room for it; error says why. The record is as it was, but that a
 * begin or end holds, and metrics that fitted stay, where only metrics found no room. */
int windows_apply(struct record *record, struct account *account, const struct mark *mark, int64_t now_ns,
                  struct error *error);

/* Closes what is open with the run, after account_finish, and fills in every window's energies. */
int windows_finish(struct record *record, struct account *account, int64_t boot_ns, struct error *error);

/* Adds a note to the record; does nothing beyond RECORD_NOTES_MOST or without memory. Takes over `note`. */
void record_note(struct record *record, char *note);

#define RECORD_NOTES_MOST 1000

/* What a workload's marks may take of a record, whatever it sends; beyond, windows_apply refuses. */
#define WINDOWS_DEPTH_MOST  256
#define WINDOWS_NOTES_MOST  (RECORD_NOTES_MOST / 2) /* the rest is for what the recorder has to say */
#define WINDOWS_TEXT_MOST   (64u << 20)             /* bytes of names and metrics */
#define WINDOWS_LOOKED_BACK 10000                   /* for a window that has ended, by its metrics */

#endif
