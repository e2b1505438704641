/* cpu_clock.h: how fast logical CPUs run, from sysfs (cpufreq; Documentation/admin-guide/pm/cpufreq.rst). */
#ifndef JOULERY_METER_CPU_CLOCK_H
#define JOULERY_METER_CPU_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Reading a clock can cost the kernel an interrupt to that CPU: no more than so many, evenly spread. */
#define CPU_CLOCKS_MOST 16

struct cpu_clocks {
    struct cpu_clock {
        size_t cpu;         /* of the kernel's numbering */
        int now;            /* scaling_cur_freq, kHz */
        double nominal_khz; /* sustained with all cores at work: where the TDP holds */
    } clocks[CPU_CLOCKS_MOST];
    size_t count; /* 0: none can be read, as in most virtual machines */
};

/* Never fails: what can't be read is left out. */
void cpu_clocks_open(struct cpu_clocks *clocks, const char *sysfs, size_t cpus);
void cpu_clocks_close(struct cpu_clocks *clocks);

/* The clock as a share of the nominal one, at most 1, mean of the CPUs weighted by `busy[0..cpus)`. NAN: none
 * of those that can be read was busy. */
double cpu_clocks_share(const struct cpu_clocks *clocks, const uint64_t *busy, size_t cpus);

#endif
