/* record.h: what is known of one measured run: windows x channels, metrics, gaps, uncertainties, host.
 *
 * A record is plain data. recorder.h makes one by measuring a command; the store keeps it; the report reads
 * it. */
#ifndef JOULERY_RECORD_RECORD_H
#define JOULERY_RECORD_RECORD_H

#include "base/error.h"
#include "meter/meter.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct metric {
    char *name; /* "loss", "accuracy", "val_loss", … as the workload named it */
    double value;
};

/* The energy of one channel in one window. */
struct channel_energy {
    bool known;           /* false: no two readings; the rest is then 0 and means nothing */
    double energy_j;      /* measured, or computed for KIND_MODEL; over the window without its gaps */
    double uncertainty_j; /* standard uncertainty, docs/method.md; NAN: not known, of an imported energy */
    double gap_s;         /* time in the window that no trusted reading covers */
};

/* Totals never count a joule twice, see docs/method.md: software = top-level CPU + DRAM outside packages +
 * GPUs, models only for scopes that nothing measures. hardware = wall channels; NAN where there is none. */
struct energy_totals {
    double software_j; /* NAN if a channel that belongs to it isn't known, or none does */
    double software_uncertainty_j;
    bool estimated; /* some of software_j comes from a model */
    double hardware_j;
    double hardware_uncertainty_j;
};

struct window {
    char *name;     /* "run" for the first, then what the workload says: "epoch", … */
    int64_t index;  /* the workload's; 0 for the run */
    int64_t parent; /* position in record.windows of the enclosing window; -1 for the run */
    double
        start_s; /* since the start of the run; NAN, as wall_s: whoever reported the window gave no times */
    double wall_s;
    bool complete; /* false: its end never came (the workload died); it was closed with the run */
    struct channel_energy *energies; /* one a channel of the record */
    struct metric *metrics;
    size_t metric_count;
};

struct gap {
    size_t channel; /* position in record.channels */
    double start_s;
    double wall_s;
    char
        *reason; /* "counter reset", "counter stands still", "no reading", "late reading", "implies 4100 W" */
};

struct host {
    char *name;
    char *cpu_model;
    char *kernel;
    char *os;
    char *virtualisation; /* "none", or what the machine says: "kvm", "docker" */
    char *version;        /* Joulery's */
    uint32_t sockets;
    uint32_t logical_cpus;
    uint64_t memory_bytes;
};

/* A channel at rest, from a baseline (baseline.h). */
struct idle_power {
    double power_w; /* NAN: the baseline doesn't know this channel */
    double uncertainty_w;
};

/* What of the processors' energy above idle is the command's, by its CPU time against the machine's. An
 * attribution, docs/method.md: no instrument measures it, and it never takes the place of a total. */
struct attribution {
    bool known;
    double command_cpu_s; /* of the command and all that it started */
    double machine_cpu_s; /* busy time of all logical CPUs */
    double energy_j, uncertainty_j;
    char *basis; /* how the command's time was found, see share.h */
};

/* What a calibration (calibrate/calibration.h) says that the wall drew in the run, where no wattmeter was:
 * predicted, never measured, and in no total. */
struct calibrated {
    bool known;
    double wall_j, low_j, high_j; /* the interval is of 95 % */
    bool estimated;               /* it rests on a model's figures */
    char *calibration;            /* which: "2026-11-23T10:00:00Z, load ladder of 27 windows" */
    char **warnings;
    size_t warning_count;
};

/* How the command ended. */
enum run_end {
    END_EXITED,     /* exit_status is its own */
    END_SIGNALLED,  /* term_signal killed it; exit_status is 128 + signal */
    END_NOT_STARTED /* not found (127) or not executable (126) */
};

struct record {
    char **command; /* argv; command_count entries */
    size_t command_count;
    enum run_end end;
    int exit_status;
    int term_signal;
    int64_t started_wall_ns; /* UTC */
    double wall_s;
    struct channel *channels;
    size_t channel_count;
    struct window *windows; /* windows[0] is the run; in order of their begin */
    size_t window_count;
    struct idle_power *idle; /* one a channel; NULL: no baseline */
    char *baseline;          /* what it is: "60 s at rest, 2026-11-23T10:00:00Z"; NULL: none */
    struct attribution attribution;
    struct calibrated calibrated;
    struct gap *gaps;
    size_t gap_count;
    char **notes; /* things a reader of the figures must know, and notes of the workload */
    size_t note_count;
    bool joined;        /* another recorder measures this machine for us: no channels, docs/method.md */
    int64_t joined_pid; /* 0: not known */
    struct host host;
    double rate_hz;        /* samples a second asked for */
    double recorder_cpu_s; /* what measuring itself cost */
    uint64_t recorder_peak_rss_bytes;
    uint64_t marks_received, marks_rejected;
    size_t marks_notes, marks_text_bytes; /* what marks brought, for its limits (windows.h) */
    char *output_tail; /* last bytes of the command's standard output and error, when asked for; else NULL */
    char *source;      /* where the run was imported from; NULL: it was measured here */
};

/* The totals of one window (0: the run). */
struct energy_totals record_totals(const struct record *record, size_t window);

/* What of them is of one scope: the same rule with the other scopes' channels set apart. */
struct energy_totals record_scope_totals(const struct record *record, size_t window,
                                         enum channel_scope scope);

/* Whether channels[number] is one of those whose sum is the software total. */
bool channel_in_software(const struct channel *channels, size_t count, size_t number);

/* The software total above idle of one window, J, with its uncertainty; NAN without a baseline for every
 * channel in it. */
double record_above_idle_j(const struct record *record, size_t window, double *uncertainty_j);

/* The rule behind record_totals, for callers that hold channels and energies otherwise (the report, from the
 * store). `known[i]`, `energy_j[i]`, `uncertainty_j[i]` belong to channels[i]. */
struct energy_totals energy_totals(const struct channel *channels, const struct channel_energy *energies,
                                   size_t count);

/* Frees what it owns; the struct can be used again. */
void calibrated_free(struct calibrated *calibrated);

/* joulery.run/1 without its `emissions` member, which the caller adds. NULL if memory ran out. */
json_t *record_to_json(const struct record *record);

/* Frees everything the record owns; the struct can be used again. */
void record_free(struct record *record);

#endif
