/* meter.h: the contract between instruments and whoever reads them.
 *
 * An instrument is one file in this folder that fills in a `struct meter_driver`, and one line in drivers.c.
 * A driver knows nothing of sampling, wraps or windows: it says what its channels are and reads them. */
#ifndef JOULERY_METER_METER_H
#define JOULERY_METER_METER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum channel_scope { SCOPE_CPU, SCOPE_DRAM, SCOPE_GPU, SCOPE_PLATFORM, SCOPE_WALL };

enum channel_kind {
    KIND_COUNTER, /* joules since some start; wraps at range_j */
    KIND_POWER,   /* watts now */
    KIND_MODEL,   /* computed, not measured: joules since open; never wraps */
};

/* Names as they stand in JSON and in the store: "cpu", "dram", "gpu", "platform", "wall"; "counter", "power",
 * "model". The parse functions return -1 for an unknown name. */
const char *channel_scope_name(enum channel_scope scope);
const char *channel_kind_name(enum channel_kind kind);
int channel_scope_parse(const char *name, enum channel_scope *scope);
int channel_kind_parse(const char *name, enum channel_kind *kind);

struct channel {
    char *meter; /* the driver's name: "rapl" */
    char *name;  /* unique within the meter: "package-0", "package-0/core", "package-0/dram", "psys" */
    char *label; /* which piece of hardware, for people: "NVIDIA A100-SXM4-40GB, GPU-5f3c…"; NULL: the name
                    says it */
    char *part_of; /* name of the channel of the same meter whose energy includes this one; NULL: none */
    enum channel_scope scope;
    enum channel_kind kind;
    double resolution;   /* smallest step: J for counters and models, W for powers */
    double range_j;      /* KIND_COUNTER: the counter starts again at 0 after this many joules */
    double update_s;     /* the instrument's own update period: a reading may be this old; 0: not known */
    double still_most_s; /* KIND_COUNTER: one that stands still for longer is stuck, which makes a gap; 0: it
                            may */
    double max_power_w;  /* more than this is absurd: a reading implying it makes a gap; 0: not known */
    double averaging_s;  /* KIND_POWER: a reading tells of about this long before it; 0: of the moment */
    double accuracy;     /* relative standard uncertainty of an energy, e.g. 0.02; NAN: imported, not known */
    char *accuracy_source; /* where that figure comes from */
    bool apart; /* stands beside the totals and is never in them: a GPU that is not ours, a second way to the
                   same counter */
    bool has_memory; /* SCOPE_CPU: the memory's energy is in it, so that no model need stand for it */
    bool twin; /* the quantity of `part_of` by another way, such as a power beside its counter: never added,
                  compared at the end of a run (record/compare.h); `apart` is then set too */
};

/* Deep copy; returns 0 or -1. `channel_free` frees the members, not the struct. */
int channel_copy(struct channel *to, const struct channel *from, struct error *error);
void channel_free(struct channel *channel);

/* What a probe found. Either usable, or `reason` says exactly why not and `remedy` what to do. Both owned. */
struct meter_probe {
    bool usable;
    char *reason;
    char *remedy;
};

void meter_probe_free(struct meter_probe *probe);

/* Where an instrument finds its machine; all NULL for the real one. Tests and containers point elsewhere. */
struct machine;

struct meter_setup {
    const char *sysfs;       /* instead of "/sys" (environment: JOULERY_SYSFS) */
    const char *procfs;      /* instead of "/proc" (environment: JOULERY_PROCFS) */
    const char *devfs;       /* instead of "/dev" (environment: JOULERY_DEVFS) */
    const char *nvml;        /* instead of "libnvidia-ml.so.1" (environment: JOULERY_NVML) */
    const char *site;        /* the site file, which lists wattmeters (environment: JOULERY_SITE); NULL: the
                              * user's own, if there is one */
    struct machine *machine; /* keeps what was looked up for the next who asks, in the same thread
                              * (meter/machine.h); NULL: looked up each time */
    double tdp_w;            /* for the model: thermal design power given by the user; 0: from the table */
    /* The process is Joulery's own: it opens instruments with rights that its caller may lack, and its
     * threads give up theirs (record/privileges.h). Never set by a library in somebody else's program. */
    bool own_process;
    void (*thread_begins)(void); /* called first in every thread that an instrument starts; NULL: nothing */
};

/* setup->sysfs, else $JOULERY_SYSFS, else "/sys"; the same for the others. `setup` may be NULL. */
const char *meter_sysfs(const struct meter_setup *setup);
const char *meter_procfs(const struct meter_setup *setup);
const char *meter_devfs(const struct meter_setup *setup);
const char *meter_nvml(const struct meter_setup *setup);

struct meter; /* an open instrument */

struct meter_reading {
    int64_t boot_ns;   /* CLOCK_BOOTTIME half-way between just before and just after the read */
    int64_t span_ns;   /* how long the read took */
    int64_t asleep_ns; /* how long the machine was suspended since the meter was opened; 0 if it never was */
    double *values;    /* one a channel, in the order of meter_channels: J or W; NAN: no reading (never 0) */
    bool news;         /* false: a late instrument had none */
};

/* Of an instrument whose readings come by themselves, with times of their own. */
struct meter_late {
    /* When what was just read was true, and how long asking for it took; 0: there was no news. */
    int64_t (*stamp)(void *state, int64_t *span_ns);
    /* Whether all that was true up to `boot_ns` has been read, or won't come any more. */
    bool (*reached)(void *state, int64_t boot_ns);
};

struct meter_driver {
    const char *name;    /* "rapl" */
    const char *purpose; /* one line for `joulery meters` */
    bool model; /* true: estimates; opened only where nothing measures that scope, or when asked for */
    /* Drivers of one family are ways to the same counters: the first that opens is used. Others only when
     * named, and then their channels are `apart`. NULL: a family of its own. */
    const char *family;
    bool unprivileged;             /* opened with no more rights than the caller's */
    const struct meter_late *late; /* NULL: a reading is of the time at which it is made */
    /* Whether the user has asked for it, as by a file that configures it: that it can't be opened then stops
     * whoever measures. NULL: never. */
    bool (*asked_for)(const struct meter_setup *setup);
    /* Never writes, takes at most 250 ms. Fills `probe`. */
    void (*probe)(const struct meter_setup *setup, struct meter_probe *probe);
    /* Returns the driver's own state (passed to the rest) or NULL. `*channels` and `*count` are the driver's,
     * valid until close. */
    void *(*open)(const struct meter_setup *setup, const struct channel **channels, size_t *count,
                  struct error *error);
    /* What a reader of this instrument's figures must know, as found by open: `*count` sentences, the
     * driver's, valid until close. NULL: never anything. */
    const char *const *(*notes)(void *state, size_t *count);
    /* Fills values[0..count): J or W, NAN where a channel gave nothing. -1 only if nothing could be read. */
    int (*read)(void *state, double *values, struct error *error);
    void (*close)(void *state);
};

/* All drivers, in order of preference; `*count` entries (drivers.c). */
const struct meter_driver *const *meter_drivers(size_t *count);

struct meter *meter_open(const struct meter_driver *driver, const struct meter_setup *setup,
                         struct error *error);
const struct meter_driver *meter_driver_of(const struct meter *meter);
const struct channel *meter_channels(const struct meter *meter, size_t *count);
/* The driver's notes, valid until meter_close. */
const char *const *meter_notes(const struct meter *meter, size_t *count);
/* One call for all channels with one timestamp. `reading->values` has room for every channel. Of a late
 * instrument: the oldest news that nobody has read, as of its own time; none: NAN in all channels. */
int meter_read(struct meter *meter, struct meter_reading *reading, struct error *error);
/* Whether readings up to that time have been made: always, but of a late instrument. */
bool meter_reached(const struct meter *meter, int64_t boot_ns);
void meter_close(struct meter *meter);

#endif
