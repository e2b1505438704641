/* known_places.h: the locations of the program, opened once for a test program. */
#ifndef JOULERY_TESTS_CARBON_KNOWN_PLACES_H
#define JOULERY_TESTS_CARBON_KNOWN_PLACES_H

#include "carbon/places.h"

struct places *known_places(void);
/* Aborts the test program when there is none. */
const struct location *known_location(const char *name);

#endif
