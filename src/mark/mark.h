/* mark.h: what a workload says of itself, and how it gets to the recorder.
 *
 * A mark is one datagram, one JSON object, to the unix socket whose path is in the environment variable
 * JOULERY_SOCKET:
 *   {"mark":"begin|end|metric|note","window":"epoch","index":3,"t":<CLOCK_BOOTTIME ns>,
 *    "metrics":{"loss":0.4},"text":"…"}
 * Both ends are here. Without JOULERY_SOCKET nothing is sent and nothing fails. docs/json.md has the format.
 */
#ifndef JOULERY_MARK_MARK_H
#define JOULERY_MARK_MARK_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARK_SOCKET_VARIABLE "JOULERY_SOCKET"
#define MARK_BYTES_MOST      8192
#define MARK_METRICS_MOST    64

enum mark_kind { MARK_BEGIN, MARK_END, MARK_METRIC, MARK_NOTE };

struct mark_metric {
    const char *name;
    double value; /* finite; a metric that isn't is left out by the sender and refused by the receiver */
};

struct mark {
    enum mark_kind kind;
    const char *window; /* NULL for notes and for metrics of the innermost open window */
    int64_t index;
    int64_t boot_ns; /* 0: the time of sending is filled in */
    const struct mark_metric *metrics;
    size_t metric_count;
    const char *text; /* MARK_NOTE */
};

/* The sending end. NULL with no error set: nobody is listening (no JOULERY_SOCKET). Not thread-safe. */
struct mark_sender;
struct mark_sender *mark_sender_open(void);
/* The same to a socket that is known otherwise; NULL as `path`: nobody. */
struct mark_sender *mark_sender_open_to(const char *path);
/* Never blocks for long and never fails the caller: a mark that can't be delivered is dropped. NULL sender:
 * does nothing. Returns whether it was delivered. */
bool mark_send(struct mark_sender *sender, const struct mark *mark);
void mark_sender_close(struct mark_sender *sender);

/* Parses one datagram strictly. On success the strings of `*mark` live in `*owner`, which the caller frees
 * with mark_owner_free. `error` says what is wrong otherwise. */
struct mark_owner;
int mark_parse(const char *bytes, size_t size, struct mark *mark, struct mark_owner **owner,
               struct error *error);
void mark_owner_free(struct mark_owner *owner);

/* The receiving end: a socket in a private directory (mode 0700), removed on close. */
struct mark_receiver;
struct mark_receiver *mark_receiver_open(struct error *error);
const char *mark_receiver_path(const struct mark_receiver *receiver);
int mark_receiver_descriptor(const struct mark_receiver *receiver); /* for poll */
/* 1: a mark; 0: none is waiting; -1: a datagram that is no mark (error says why); go on. */
int mark_receive(struct mark_receiver *receiver, struct mark *mark, struct mark_owner **owner,
                 struct error *error);
void mark_receiver_close(struct mark_receiver *receiver);

#endif
