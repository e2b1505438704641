/* study.h: what the subcommands of `joulery study` share. */
#ifndef JOULERY_CLI_STUDY_H
#define JOULERY_CLI_STUDY_H

#include "study/study.h"

#define STUDY_NAME "study" /* for cli_fail */

/* "studies/quick.yaml" gives "quick.db": in the current folder. The caller frees it. */
char *study_database_of(const char *study_path, struct error *error);
/* Path of joulery-train; the caller frees it. */
char *study_find_trainer(struct error *error);
/* The study, with all checked that can be before a run. */
struct study *study_load_checked(const char *path, const char *trainer, struct error *error);
/* Whether the file is an SQLite database. */
bool study_is_database(const char *path);

int study_status(int argc, char **argv);
int study_check(int argc, char **argv);
int study_init(int argc, char **argv);
int study_merge(int argc, char **argv);

#endif
