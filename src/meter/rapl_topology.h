/* rapl_topology.h: which package, die and core a logical CPU belongs to: sysfs's devices/system/cpu
 * (Documentation/admin-guide/cputopology.rst). */
#ifndef JOULERY_METER_RAPL_TOPOLOGY_H
#define JOULERY_METER_RAPL_TOPOLOGY_H

#include "meter/rapl_text.h"

struct rapl_place {
    uint32_t cpu, package, die, core;
};

/* What a counter is shared by. AMD's package counters are the package's, Intel's the die's
 * (rapl_msrs_are_pkg_scope in intel_rapl_common.c). */
enum rapl_share { SHARED_BY_CORE, SHARED_BY_DIE, SHARED_BY_PACKAGE };

struct rapl_places {
    struct rapl_place *items; /* in order of package, die, core, CPU */
    size_t count;
};

/* A list of CPUs in a file, e.g. devices/system/cpu/online. The caller frees cpus->items. */
int rapl_read_cpus(const char *path, struct rapl_cpus *cpus, struct error *error);

/* One CPU of `cpus` for each core, die or package: the first of its first core. An empty list is an error.
 * The caller frees places->items. */
int rapl_find_places(const char *sysfs, const struct rapl_cpus *cpus, enum rapl_share share,
                     struct rapl_places *places, struct error *error);

/* Whether a package has more than one place: then packages are named with their dies. */
bool rapl_have_dies(const struct rapl_places *places);

#endif
