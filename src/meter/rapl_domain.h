/* rapl_domain.h: what the three ways to RAPL share: which counters there are, what is known of each kind, and
 * their names. A counter has the same name whichever way it is read, so that figures can be compared.
 *
 * Sources: Intel SDM volume 3B, "RAPL Interfaces"; AMD PPR for family 17h; Linux's
 * drivers/powercap/intel_rapl_common.c and arch/x86/events/rapl.c for models and units. */
#ifndef JOULERY_METER_RAPL_DOMAIN_H
#define JOULERY_METER_RAPL_DOMAIN_H

#include "meter/meter.h"

enum rapl_domain { RAPL_PACKAGE, RAPL_CORE, RAPL_UNCORE, RAPL_DRAM, RAPL_PSYS, RAPL_DOMAINS };

struct rapl_counter {
    enum rapl_domain domain;
    uint32_t package, die; /* as in the kernel's topology; psys: of the package that it was read from */
    bool dies;             /* packages have several dies, each with a counter of its own */
    bool one_core;         /* RAPL_CORE: of one core alone, not of the package's cores together */
    double resolution_j;
    double range_j; /* 0: never wraps */
};

/* The processor, as far as RAPL depends on it. */
struct rapl_processor {
    bool intel;
    bool amd; /* or Hygon, which has AMD's registers */
    uint32_t family, model;
};

/* What cannot be found out is false and 0. */
void rapl_processor_read(const struct meter_setup *setup, struct rapl_processor *processor);

/* J a step where a processor's register for the units doesn't hold for a domain; 0: it does. */
double rapl_fixed_unit_j(const struct rapl_processor *processor, enum rapl_domain domain);

/* The coarsest step of the energy counters in use, 2^-14 J: for where the step isn't told. */
#define RAPL_COARSEST_J 61.03515625e-6

/* Finds counters that show what an earlier one shows: some processors give each die the whole socket's
 * counter. They are told by their values: always equal, over some 10 ms. `read` gives counter i as it
 * stands. `dropped[i]` is set for those to leave out: mirrors, and planes of packages that are. Corrects
 * `dies` of the rest where a package is left with one counter. */
void rapl_drop_mirrors(struct rapl_counter *counters, size_t count,
                       int (*read)(void *state, size_t i, uint64_t *value), void *state, bool *dropped);

/* Order in which channels are listed: by package and die, the package before its parts, psys last. */
int rapl_compare(const struct rapl_counter *left, const struct rapl_counter *right);

/* One channel a counter; the caller frees each (channel_free) and the array. NULL: out of memory. */
struct channel *rapl_describe(const char *meter, const struct rapl_processor *processor,
                              const struct rapl_counter *counters, size_t count, struct error *error);
void rapl_free_channels(struct channel *channels, size_t count);

/* Whether opening `path` fails for want of permission. */
bool rapl_is_denied(const char *path);

/* What to do, in the words of all three. The permission is powercap's: it opens the same counters. */
#define RAPL_FOR_GOOD "once, for good: sudo joulery meters --grant --apply (for rapl); or run as root"
#define RAPL_ON_HOST  "in a virtual machine: measure on its host"

#endif
