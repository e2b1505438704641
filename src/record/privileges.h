/* privileges.h: the rights that measuring needs, and when they are given up. Linux: capabilities(7),
 * credentials(7); capget and capset as system calls, for the calling thread.
 *
 * Only opening instruments needs rights: the kernel checks those to energy_uj, perf events and MSRs when they
 * are opened, and reads then go through what is open. So
 * - while a command runs (of `joulery run` and studies), the thread that waits for it keeps two capabilities
 * effective, if it had them: CAP_KILL (the command may take another uid) and CAP_DAC_OVERRIDE (results are
 * written where root could write before). They come back at the end, because the next run opens instruments
 * again;
 * - threads that read instruments or answer other recorders give up all they have, for good;
 * - of a program that is set-uid, set-gid or has file capabilities, all is done with the rights of the
 *   caller, but for opening instruments; the command never has more than the caller.
 *
 * What this is worth: threads share memory, and a right that can be raised again can be raised by whoever
 * runs code of his own in this process. It limits what a mistake can do, not what a full break-in can. */
#ifndef JOULERY_RECORD_PRIVILEGES_H
#define JOULERY_RECORD_PRIVILEGES_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- during a run ---- */

struct privileges {
    bool lowered;
    uint64_t effective; /* before, bit N for capability N */
};

/* In the calling thread. -1 and `error`: it has what it had. */
int privileges_lower(struct privileges *before, struct error *error);
/* Does nothing unless lowered. */
void privileges_raise(struct privileges *before);

/* All capabilities of the calling thread, for good. Only in a process of Joulery's own: where a host program
 * changes its ids later, the C library ends the program because this thread can't follow. */
void privileges_drop_thread(void);

/* ---- a program with more rights than its caller (AT_SECURE of getauxval(3)) ---- */

/* The effective ids become the real ones and no capability is effective; at the start of the program, and
 * after each privileges_borrow. Ends the program (abort) should the kernel refuse: to go on with rights that
 * the caller must not have would be worse. Does nothing where the program has none. */
void privileges_return(void);
/* Takes them up again, to open instruments with. Not while other threads write files. */
void privileges_borrow(void);
/* In a child between fork and exec: gives them up for good. -1 and errno: don't go on. */
int privileges_become_caller(void);

#endif
