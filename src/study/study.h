/* study.h: a study file (YAML, docs/studies.md) as data: factors x levels x repetitions and the workload.
 *
 * Messages name the place as "FILE:LINE: …". Nothing here runs anything. */
#ifndef JOULERY_STUDY_STUDY_H
#define JOULERY_STUDY_STUDY_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STUDY_RUNS_MOST 1000000 /* what a design may ask for */

/* A piece of text of the file, and the line (from 1) where it stands. */
struct study_text {
    char *text;
    size_t line;
};

struct study_factor {
    struct study_text name;
    struct study_text *levels;
    size_t level_count;
};

/* An option of `joulery train`: name without dashes. */
struct study_option {
    struct study_text name;
    struct study_text value;
};

/* How many options of `joulery train` a study may set, seed among them. */
#define STUDY_TRAIN_OPTIONS 35

/* Whether an option of `joulery train` takes no value, or needs none: in a study it is true or false. */
bool study_option_is_flag(const char *name);
/* Whether it can have a value besides: the option's own, beginning with a letter. */
bool study_flag_takes_value(const char *name);

enum study_order {
    ORDER_SHUFFLED, /* each repetition a block with every treatment once, in an order drawn for it */
    ORDER_LISTED    /* as the file lists them */
};

enum study_folder {
    FOLDER_STUDY,  /* runs start in the folder of the study file */
    FOLDER_SCRATCH /* each starts in an empty folder of its own, which is removed afterwards */
};

struct study {
    char *path;       /* as given: for messages */
    char *directory;  /* absolute path of the folder of the file */
    char *definition; /* the file's text */
    char *name;
    char *question; /* NULL: none */
    int64_t seed;
    int64_t repetitions;
    enum study_order order;
    enum study_folder folder;
    double cooldown_s; /* rest between two runs */
    double timeout_s;  /* of a run; 0: none */
    struct study_factor *factors;
    size_t factor_count;
    struct study_option *options; /* workload `train:`, unless there is a command */
    size_t option_count;
    struct study_text *command; /* workload `command:`, words with placeholders */
    size_t command_count;       /* 0: the workload is `train:` */
    struct study_text location; /* what a report assumes; text NULL: none */
    double pue;                 /* 0: none */
};

/* NULL if the file is not a valid study. */
struct study *study_load(const char *path, struct error *error);
/* The same from text; `path` is for messages and to find the folder. */
struct study *study_parse(const char *path, const char *text, size_t size, struct error *error);
void study_free(struct study *study);

/* All that decides the runs, as a JSON object (sorted keys, compact): two studies with the same fingerprint
 * may share a database. Name, question, repetitions, location and pue are left out. NULL if memory ran out.
 */
char *study_fingerprint(const struct study *study);

/* "FILE:LINE: message". Always returns -1. */
int study_error(const struct study *study, size_t line, struct error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
