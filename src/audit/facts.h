/* facts.h: what the checks know of a run. Only for src/audit/. */
#ifndef JOULERY_AUDIT_FACTS_H
#define JOULERY_AUDIT_FACTS_H

#include "audit/audit.h"

/* NAN, 0 or "": not known. Energies are as the file that the run was imported from has them, before any
 * repair of the import's own. */
struct facts {
    struct audited_run *run;
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

/* How many processors a channel of scope cpu stands for: all of the machine's in one figure of CodeCarbon's,
 * carbontracker's or a table's, one in a RAPL package and in EnergiBridge's figure. 0: not known. */
int64_t processors_of(const struct facts *facts, const struct figure *figure);
bool from_codecarbon(const struct figure *figure);

#endif
