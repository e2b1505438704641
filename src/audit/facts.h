/* facts.h: what the checks know of a run. Only for src/audit/. */
#ifndef JOULERY_AUDIT_FACTS_H
#define JOULERY_AUDIT_FACTS_H

#include "audit/audit.h"

#define NO_CHANNEL SIZE_MAX

/* Of a channel, beside its figure. NAN: not known. */
struct channel_facts {
    double resolution; /* J, or W of a power; 0: not known */
    double update_s;   /* 0: not known */
    double averaging_s;
    double uncertainty_j;
    double gap_s;
    double idle_w, idle_uncertainty_w;
    int64_t ordinal, whole_ordinal; /* -1: there is none */
    size_t whole;                   /* place of the channel that this one is part_of, or whose twin it is */
    bool twin;
    size_t mirror;    /* place of a channel that has its energies in all windows */
    int64_t mirrored; /* how many windows those are */
};

/* NAN, 0 or "": not known. Energies are as the file that the run was imported from has them, before any
 * repair of the import's own. */
struct facts {
    struct audited_run *run;
    struct channel_facts *channels; /* in the order of run->channels */
    size_t slowest;                 /* the channel in a total with the longest update period */
    int64_t epochs, short_epochs;   /* all, and those shorter than that */
    double others_share; /* of the processors' busy time, other programs'; 0: it was not disturbed */
    double pue;
    int64_t host;
    int64_t started_ns;
    int64_t sockets;
    char *cpu_model;
    double tdp_w; /* of one processor */
    double cpu_w, gpu_w, ram_w, ram_gib;
    double cpu_kwh, gpu_kwh, ram_kwh, total_kwh;
    double since_line;   /* it was differenced */
    double wall_seconds; /* over which the wattmeter measured */
};

/* Of all done runs, in order: `*facts` has audit->count of them. Freed with facts_free. */
int facts_load(struct store *store, struct audit *audit, struct facts **facts, struct error *error);
void facts_free(struct facts *facts, size_t count);

/* Adds a finding, and raises the figure's verdict to it. */
int finding_add(struct figure *figure, const char *check, enum verdict verdict, struct error *error,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The table of checks, each over all runs. */
int checks_run(struct facts *facts, size_t count, struct error *error);
/* Reconstructions of what the checks found wrong. */
int repair_all(struct facts *facts, size_t count, struct error *error);

/* The bounds that checks and repairs share, docs/method.md. */
#define POWER_FACTOR_DOUBTFUL   2.0
#define POWER_FACTOR_IMPOSSIBLE 5.0
#define PROCESSOR_LEAST_W       5.0
#define TDP_FACTOR_IMPOSSIBLE   1.5
/* Energies that agree to the last of so many steps, and in so many windows. */
#define MIRROR_STEPS_LEAST   1000
#define MIRROR_WINDOWS_LEAST 2

/* How many processors a channel of scope cpu stands for: all of the machine's in one figure of CodeCarbon's,
 * carbontracker's or a table's, one in a RAPL package and in EnergiBridge's figure. 0: not known. */
int64_t processors_of(const struct facts *facts, const struct figure *figure);
bool from_codecarbon(const struct figure *figure);
/* How many of its instrument's smallest steps a figure is. NAN: not known. */
double steps_in(const struct facts *facts, size_t channel);

#endif
