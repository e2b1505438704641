#include "meter/machine.h"

static struct machine *keeper(const struct meter_setup *setup, struct machine *own)
{
    return setup && setup->machine ? setup->machine : own;
}

const struct cpuinfo *machine_cpu(const struct meter_setup *setup, struct machine *own, struct error *error)
{
    struct machine *machine = keeper(setup, own);
    if (!machine->cpu_known && cpuinfo_read(meter_procfs(setup), &machine->cpu, error) < 0)
        return NULL;
    machine->cpu_known = true;
    return &machine->cpu;
}

const struct surroundings *machine_around(const struct meter_setup *setup, struct machine *own,
                                          struct error *error)
{
    struct machine *machine = keeper(setup, own);
    if (!machine->around_known && surroundings_find(setup, &machine->around, error) < 0)
        return NULL;
    machine->around_known = true;
    return &machine->around;
}

void machine_free(struct machine *machine)
{
    cpuinfo_free(&machine->cpu);
    surroundings_free(&machine->around);
    *machine = (struct machine){0};
}
