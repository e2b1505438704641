/* output.h: the child's standard output and error through pipes: the tail is kept, all can be passed on. */
#ifndef JOULERY_RECORD_OUTPUT_H
#define JOULERY_RECORD_OUTPUT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct output {
    int read_end[2];  /* of standard output and standard error; -1: closed */
    int write_end[2]; /* the child's; closed here with output_started */
    bool shown;
    char *tail; /* a ring of the last `capacity` bytes, both streams in the order of arrival */
    size_t capacity, used, next;
};

/* Makes the pipes. */
int output_open(struct output *output, size_t tail_bytes, bool shown, struct error *error);
void output_started(struct output *output);
/* Reads what is there on stream 0 or 1 without waiting; closes it at its end. False: nothing was there. */
bool output_read(struct output *output, size_t stream);
/* Reads what is left, without waiting for anybody who still holds the pipe. */
void output_drain(struct output *output);
/* The tail as valid UTF-8; the caller frees it; NULL if memory ran out. */
char *output_tail(const struct output *output);
void output_close(struct output *output);

#endif
