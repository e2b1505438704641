/* compare.h: two ways to one quantity, held against each other at the end of a run. */
#ifndef JOULERY_RECORD_COMPARE_H
#define JOULERY_RECORD_COMPARE_H

#include "record/record.h"

/* Notes every twin (channel.twin) whose mean power over the run differs from its channel's by more than both
 * uncertainties and the twin's averaging explain, and every channel that gave nothing while its twin did.
 * docs/method.md has the rule. */
void compare_twins(struct record *record);

#endif
