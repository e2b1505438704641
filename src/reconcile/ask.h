/* ask.h: a short question to another program: what it prints and how it ends, within a time. */
#ifndef JOULERY_RECONCILE_ASK_H
#define JOULERY_RECONCILE_ASK_H

#include "base/error.h"

#include <signal.h>

struct answer {
    char *output, *errors; /* the first ASK_BYTES_MOST bytes of each stream; never NULL after 0 */
    int status;            /* exit status; 128 + N if signal N ended it */
};

#define ASK_BYTES_MOST 65536

/* Runs argv without input in a process group of its own, which is killed after `timeout_s`, or once `*stop`
 * (NULL: never) is set: that is an error, as is a program that can't be started. 0: the caller frees `answer`
 * with answer_free. */
int ask_program(char *const *argv, double timeout_s, const volatile sig_atomic_t *stop, struct answer *answer,
                struct error *error);
void answer_free(struct answer *answer);

#endif
