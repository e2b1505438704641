/* costs.h: FLOPs and parameters of networks, as `joulery zoo --json` writes them (joulery.zoo/1). */
#ifndef JOULERY_REPORT_COSTS_H
#define JOULERY_REPORT_COSTS_H

#include "base/error.h"

#include <stddef.h>

struct network_cost {
    char *name;
    double parameters, flops; /* NAN: not known */
};

struct network_costs {
    struct network_cost *items;
    size_t count;
};

/* Errors: no such file, not joulery.zoo/1, an architecture without a name or with a count that isn't one. The
 * caller frees with network_costs_free. */
int network_costs_read(const char *path, struct network_costs *costs, struct error *error);
int network_costs_parse(const char *text, size_t size, struct network_costs *costs, struct error *error);
void network_costs_free(struct network_costs *costs);

/* NULL: not among them. */
const struct network_cost *network_costs_find(const struct network_costs *costs, const char *name);

#endif
