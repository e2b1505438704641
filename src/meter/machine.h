/* machine.h: the processors and the surroundings, looked up once for all who ask: several drivers and the
 * record's host do, and the kernel asks every processor for /proc/cpuinfo each time. */
#ifndef JOULERY_METER_MACHINE_H
#define JOULERY_METER_MACHINE_H

#include "meter/cpuinfo.h"
#include "meter/surroundings.h"

struct machine {
    bool cpu_known, around_known;
    struct cpuinfo cpu;
    struct surroundings around;
};

/* What setup->machine keeps, looked up now if it was not yet; `own` (zeroed, to be freed) keeps it where the
 * setup has none. NULL: /proc/cpuinfo can't be read; no memory. */
const struct cpuinfo *machine_cpu(const struct meter_setup *setup, struct machine *own, struct error *error);
const struct surroundings *machine_around(const struct meter_setup *setup, struct machine *own,
                                          struct error *error);
void machine_free(struct machine *machine);

#endif
