/* library.h: libraries that few need, loaded when they are. */
#ifndef JOULERY_BASE_LIBRARY_H
#define JOULERY_BASE_LIBRARY_H

#include "base/error.h"

#include <stddef.h>

struct library_symbol {
    const char *name;
    size_t at; /* of the pointer in the struct that takes them */
};

struct library {
    const char *file;    /* "libcurl.so.4" */
    const char *name;    /* "libcurl" */
    const char *what;    /* "wattmeters over HTTP" */
    const char *package; /* Debian's: "libcurl4" */
    const struct library_symbol *symbols;
    size_t count;
};

/* Fills the pointers in `api`. The library stays until the program ends: some have threads of their own,
 * which must not lose their code. Errors say what is missing, and what to do. */
int library_load(const struct library *library, void *api, struct error *error);

#endif
