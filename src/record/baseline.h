/* baseline.h: what each channel draws while the machine is at rest, kept in a file for later runs.
 *
 * joulery.baseline/1, docs/json.md. A baseline belongs to a host and its processor; it is used for no other.
 */
#ifndef JOULERY_RECORD_BASELINE_H
#define JOULERY_RECORD_BASELINE_H

#include "record/record.h"

struct baseline_channel {
    char *meter, *name;
    struct idle_power idle; /* power_w NAN: it could not be measured; such channels are not in the file */
};

struct baseline {
    char *host, *cpu_model, *kernel;
    char *boot_id; /* of the boot it was measured in; "": not known */
    int64_t measured_wall_ns;
    double duration_s;
    double load; /* share of the logical CPUs' time that was busy meanwhile; NAN: not known */
    struct baseline_channel *channels;
    size_t channel_count;
};

#define BASELINE_CHANNELS_MOST 4096
#define BASELINE_BYTES_MOST    (1u << 20)

/* ${XDG_STATE_HOME:-~/.local/state}/joulery/baseline-HOST.json; the caller frees it. NULL and `error`: there
 * is no home to put it in. */
char *baseline_default_path(const char *host, struct error *error);

/* Strict: -1 and `error` for whatever is not such a document. The caller frees `baseline` after 0. */
int baseline_parse(const char *text, size_t size, struct baseline *baseline, struct error *error);
int baseline_read(const char *path, struct baseline *baseline, struct error *error);

/* Makes the folders of `path` that are missing. */
int baseline_write(const char *path, const struct baseline *baseline, struct error *error);

/* -1 and `error`: it was measured on another host or another processor. */
int baseline_check_host(const struct baseline *baseline, const struct host *host, struct error *error);

/* Fills record->idle and record->baseline, and notes what makes it doubtful: more than a week old, another
 * boot or kernel, a clock that went back, channels that it does not know. */
int baseline_apply(const struct baseline *baseline, const struct meter_setup *setup, struct record *record,
                   struct error *error);

/* Of the running kernel; "" where it can't be read; NULL if memory ran out. The caller frees it. */
char *baseline_boot_id(const struct meter_setup *setup);

void baseline_free(struct baseline *baseline);

#endif
