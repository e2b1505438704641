/* cpuinfo.h: what /proc says of the processors: proc(5), cpuinfo and stat. */
#ifndef JOULERY_METER_CPUINFO_H
#define JOULERY_METER_CPUINFO_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpuinfo {
    char *vendor;                  /* "GenuineIntel", "AuthenticAMD"; NULL if not said */
    char *model;                   /* as the kernel names it; NULL if not said (many ARM machines) */
    uint32_t family, model_number; /* x86: of the first CPU, as CPUID gives them; 0 if not said */
    uint32_t sockets;
    uint32_t logical_cpus;
    bool guest; /* the processor says that it is a virtual machine's */
};

/* `text` is the content of /proc/cpuinfo. Lines that are not understood are passed over; -1 only when memory
 * ran out. */
int cpuinfo_parse(const char *text, struct cpuinfo *info, struct error *error);
/* Reads procfs/cpuinfo. */
int cpuinfo_read(const char *procfs, struct cpuinfo *info, struct error *error);
void cpuinfo_free(struct cpuinfo *info);

/* Time of all CPUs together since boot, in clock ticks. */
struct cpu_ticks {
    uint64_t busy;  /* user, nice, system, irq, softirq: guests are within user and nice */
    uint64_t total; /* and idle, iowait, steal: stolen time is somebody else's work */
};

/* The first line of /proc/stat. */
int cpu_ticks_parse(const char *line, struct cpu_ticks *ticks, struct error *error);
/* The lines "cpuN …" after it, into each[N]; 0 for a CPU that is off, those beyond `count` are passed over.
 * `text` is the file's content, or its beginning up to the end of a line. */
int cpu_ticks_parse_each(const char *text, struct cpu_ticks *each, size_t count, struct error *error);

/* A value of /proc/meminfo, "MemTotal:   24683656 kB" (proc(5)): `*bytes` of the line that begins with `key`.
 * -1: no such line, or not in kB. */
int meminfo_parse(const char *text, const char *key, uint64_t *bytes, struct error *error);

#endif
