/* study.h: a study file (YAML, docs/studies.md) as data: factors x levels x repetitions and the workload.
 *
 * Messages name the place as "FILE:LINE: …". Nothing here runs anything. */
#ifndef JOULERY_STUDY_STUDY_H
#define JOULERY_STUDY_STUDY_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STUDY_RUNS_MOST  1000000 /* what a design may ask for */
#define STUDY_RULES_MOST 1000    /* items of exclude: or runs: */

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

/* Some factors, each with some of its levels: of `exclude:`, or with one level each, of `runs:`. */
struct study_rule {
    size_t line;
    struct study_factor *terms;
    size_t term_count;
};

/* An option of `joulery train`: name without dashes; or of `fixed:`, a placeholder with the same value in all
 * runs. */
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
    ORDER_COMPLETELY_SHUFFLED, /* all runs of all repetitions in one order drawn for them */
    ORDER_LISTED               /* as the file lists them */
};

enum study_folder {
    FOLDER_STUDY,  /* runs start in the folder of the study file */
    FOLDER_SCRATCH /* each starts in an empty folder of its own, which is removed afterwards */
};

/* The rest between two runs. */
struct study_cooldown {
    double least_s;
    double most_s;        /* until the machine is back at rest, in all; 0: least_s is all */
    double power_share;   /* "back": within this share of the power at rest, */
    double temperature_k; /* and within these kelvins of the temperature before the study */
};

/* What becomes of a run's own folder after it. */
enum study_keep { KEEP_NONE, KEEP_FAILED, KEEP_ALL };

enum study_response { RESPONSE_ENERGY, RESPONSE_DURATION, RESPONSE_ACCURACY };

/* Repetitions are added until the 95 % interval of the mean is within `share` of it in every treatment. */
struct study_until {
    double share; /* 0: no such rule */
    enum study_response response;
    int64_t most; /* repetitions, also for a budget */
};

struct study {
    char *path;       /* as given: for messages */
    char *directory;  /* absolute path of the folder of the file */
    char *definition; /* the file's text */
    char *name;
    char *question; /* NULL: none */
    int64_t seed;
    int64_t repetitions;
    struct study_until until;
    double budget_j; /* repetitions are added while it suffices, and no run begins beyond it; 0: none */
    enum study_order order;
    enum study_folder folder;
    enum study_keep keep;
    bool warm_up;  /* an uncounted run before the first of each start */
    double idle_s; /* the machine is measured at rest before the first run and after the last; 0: not */
    struct study_cooldown cooldown;
    double timeout_s; /* of a run; 0: none */
    int64_t retries;  /* how often a run that failed is done again */
    struct study_factor *factors;
    size_t factor_count;
    struct study_rule *excluded; /* a treatment that one of them fits is left out */
    size_t excluded_count;
    struct study_rule *listed; /* the treatments, one a rule; none: all combinations of levels */
    size_t listed_count;
    struct study_text block;    /* the factor whose levels stay together in a repetition; text NULL: none */
    struct study_option *fixed; /* placeholders beside the factors, for `command:` */
    size_t fixed_count;
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

/* The number of the factor, or factor_count. `length` bytes of `name` count. */
size_t study_find_factor(const struct study *study, const char *name, size_t length);
/* Whether the rule fits the treatment that has levels[i] (a number of the factor's level) of factors[i]. */
bool study_rule_fits(const struct study *study, const struct study_rule *rule, const size_t *levels);

/* All that decides the runs, as a JSON object (sorted keys, compact): two studies with the same fingerprint
 * may share a database. Name, question, repetitions (but in ORDER_COMPLETELY_SHUFFLED), location and pue are
 * left out. NULL if memory ran out. */
char *study_fingerprint(const struct study *study);

/* "FILE:LINE: message". Always returns -1. */
int study_error(const struct study *study, size_t line, struct error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
