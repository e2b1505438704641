/* zoo.h: are the architectures of a study known? joulery-train is asked, since only it has the engine. */
#ifndef JOULERY_STUDY_ZOO_H
#define JOULERY_STUDY_ZOO_H

#include "study/study.h"

/* Checks the levels of the factor arch and the option arch of `train:` against `TRAINER zoo --json -`. 0 if
 * all are known, or none is named; else -1 and an error with the line and the nearest name. */
int zoo_check(const struct study *study, const char *trainer, struct error *error);

#endif
