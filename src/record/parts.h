/* parts.h: counters that contradict each other: a part (a core, a package in psys) can't have more energy
 * than what it is part of. */
#ifndef JOULERY_RECORD_PARTS_H
#define JOULERY_RECORD_PARTS_H

#include "record/record.h"

/* Adds a note for each channel of a complete record whose part, or whose parts together, claim more energy
 * over the run than it has, by more than twice the standard uncertainty of what reading them adds (edges and
 * resolution; not the instrument's accuracy: parts and whole are compared, not trusted). Channels whose gaps
 * differ by more than a twentieth of the run are not compared. */
void parts_check(struct record *record);

#endif
