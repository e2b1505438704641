/* surroundings.h: whether the programs here have a machine to themselves. In a container or a virtual machine
 * the counters are the host's, and can be read only where the host shows them.
 *
 * Everything is found by looking: below meter_procfs and meter_sysfs, at the variables `container` (systemd's
 * container interface) and KUBERNETES_SERVICE_HOST, and, where procfs is this machine's own /proc, at CPUID
 * leaf 0x40000000. No process is started; files that are missing or make no sense are passed over. */
#ifndef JOULERY_METER_SURROUNDINGS_H
#define JOULERY_METER_SURROUNDINGS_H

#include "meter/meter.h"

enum surroundings_kind {
    SURROUNDINGS_BARE, /* no sign of either; not a proof */
    SURROUNDINGS_CONTAINER,
    SURROUNDINGS_VIRTUAL,
    SURROUNDINGS_CONTAINER_IN_VIRTUAL,
};

/* "bare", "container", "virtual machine", "container in a virtual machine". */
const char *surroundings_kind_name(enum surroundings_kind kind);

struct surroundings {
    enum surroundings_kind kind;
    char *name;   /* "none", "docker", "kvm", "podman on kvm": as a record's host has it; never NULL */
    char *remedy; /* what would have to be done for the host's counters to be seen here, a phrase to follow
                     "what to do: "; NULL where kind is SURROUNDINGS_BARE */
};

/* Fills `found`, to be freed with surroundings_free. -1 only when memory ran out. `setup` may be NULL. */
int surroundings_find(const struct meter_setup *setup, struct surroundings *found, struct error *error);
void surroundings_free(struct surroundings *found);

/* The container that the text of /proc/1/cgroup (cgroups(7)) or /proc/self/mountinfo (proc(5)) tells of:
 * "docker", "podman", "kubernetes", "lxc", …; NULL: none. */
const char *surroundings_of_cgroups(const char *cgroups);
const char *surroundings_of_mounts(const char *mountinfo);

#endif
