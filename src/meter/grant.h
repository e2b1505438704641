/* grant.h: read access to energy counters that the kernel keeps to root, for one group, by one udev rule.
 *
 * The kernel made powercap's energy_uj root's own (Linux 5.10) because an unprivileged program could learn
 * secrets of other processes from fast readings: PLATYPUS, CVE-2020-8694. So access is a decision of the
 * machine's owner: it goes to a group, is written down in one file, and can be taken back. */
#ifndef JOULERY_METER_GRANT_H
#define JOULERY_METER_GRANT_H

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

#define GRANT_GROUP "joulery"

/* The machine that is changed, so that a test can be one. */
struct grant_machine {
    const char *root; /* put before every path: "" is the real machine */
    bool (*has_group)(void *context, const char *group);
    bool (*has_program)(void *context, const char *program);
    /* Runs a command to its end, without a shell. -1 and `error`: it could not be started or failed. */
    int (*run)(void *context, char *const *argv, struct error *error);
    void *context;
};

/* The real one. */
struct grant_machine grant_this_machine(void);

enum grant_step_kind { GRANT_COMMAND, GRANT_WRITE, GRANT_REMOVE };

struct grant_step {
    enum grant_step_kind kind;
    char **argv;   /* GRANT_COMMAND, NULL-terminated */
    char *path;    /* GRANT_WRITE, GRANT_REMOVE: without the machine's root */
    char *content; /* GRANT_WRITE */
};

struct grant_plan {
    struct grant_step *steps;
    size_t count;
    bool udev; /* the machine has udevadm; without it the access lasts until the next boot */
};

/* 0 if `group` is a name that groupadd takes ([a-z_][a-z0-9_-]*, at most 32 bytes) and isn't root's: nothing
 * that a rule or a command could misread. */
int grant_check_group(const char *group, struct error *error);

/* What has to be done to give a group access, or to take it from whoever has it. Looks, and changes nothing.
 * -1 also if the rule's file exists and was not written by us. */
int grant_plan(const struct grant_machine *machine, const char *group, struct grant_plan *plan,
               struct error *error);
int grant_plan_revoke(const struct grant_machine *machine, struct grant_plan *plan, struct error *error);
void grant_plan_free(struct grant_plan *plan);

/* A step as a person would type it: the caller frees it; NULL: no memory. */
char *grant_step_text(const struct grant_step *step);

/* Does one step. The error names it. */
int grant_do(const struct grant_machine *machine, const struct grant_step *step, struct error *error);

/* How many energy files there are, and how many of them their group can read. */
void grant_count(const struct grant_machine *machine, size_t *files, size_t *readable);

#endif
