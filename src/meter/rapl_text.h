/* rapl_text.h: the short texts in which Linux describes RAPL, parsed strictly. A newline at the end is
 * allowed everywhere, other white space nowhere.
 *
 * Sources: Documentation/power/powercap/powercap.rst; drivers/powercap/intel_rapl_common.c (zones' names);
 * Documentation/ABI/testing/sysfs-bus-event_source-devices-events; arch/x86/events/rapl.c (events, scales);
 * Documentation/admin-guide/cputopology.rst (lists of CPUs). */
#ifndef JOULERY_METER_RAPL_TEXT_H
#define JOULERY_METER_RAPL_TEXT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An entry of class/powercap: "intel-rapl:N" or "intel-rapl:N:M", the same with "intel-rapl-mmio". */
struct rapl_entry {
    uint32_t zone;
    uint32_t sub; /* M + 1; 0: top-level */
    bool mmio;
};

/* False: not such an entry. */
bool rapl_parse_entry(const char *text, struct rapl_entry *entry);

/* "package-1" or "package-1-die-0". False: neither. */
bool rapl_parse_package(const char *text, uint32_t *package, uint32_t *die, bool *dies);

struct rapl_cpus {
    uint32_t *items; /* ascending */
    size_t count;
};

#define RAPL_CPU_MOST 65535

/* "0,18-19". An empty list is one. The caller frees items. */
int rapl_parse_cpus(const char *text, struct rapl_cpus *cpus, struct error *error);

/* "event=0x02": attr.config of perf_event_open. The power PMU has eight bits for it. */
int rapl_parse_event(const char *text, uint64_t *config, struct error *error);

/* "2.3283064365386962890625e-10": J a count. */
int rapl_parse_scale(const char *text, double *scale_j, struct error *error);

#endif
