#include "audit/audit.h"

#include "audit/facts.h"

#include <math.h>
#include <stdlib.h>

static void count_figure(struct audit *audit, const struct figure *figure)
{
    if (!isfinite(figure->energy_j))
        return;
    audit->figures[figure->verdict]++;
    audit->reconstructions += figure->reconstruction.possible;
}

static void count_all(struct audit *audit)
{
    for (size_t i = 0; i < audit->count; i++) {
        const struct audited_run *run = &audit->runs[i];
        for (size_t k = 0; k < run->channel_count; k++)
            count_figure(audit, &run->channels[k]);
        count_figure(audit, &run->software);
        count_figure(audit, &run->hardware);
    }
}

int audit_build(struct store *store, struct audit *audit, struct error *error)
{
    *audit = (struct audit){0};
    struct facts *facts = NULL;
    int result = facts_load(store, audit, &facts, error);
    if (result == 0)
        result = checks_run(facts, audit->count, error);
    if (result == 0)
        result = repair_all(facts, audit->count, error);
    if (result == 0)
        count_all(audit);
    facts_free(facts, audit->count);
    if (result < 0)
        audit_free(audit);
    return result;
}

static void free_figure(struct figure *figure)
{
    for (size_t i = 0; i < figure->finding_count; i++)
        free(figure->findings[i].reason);
    free(figure->findings);
    free(figure->meter);
    free(figure->name);
}

void audit_free(struct audit *audit)
{
    for (size_t i = 0; i < audit->count; i++) {
        struct audited_run *run = &audit->runs[i];
        for (size_t k = 0; k < run->channel_count; k++)
            free_figure(&run->channels[k]);
        free_figure(&run->whole);
        free_figure(&run->epochs);
        free_figure(&run->software);
        free_figure(&run->hardware);
        free(run->channels);
        free(run->factors);
        free(run->source);
    }
    free(audit->runs);
    *audit = (struct audit){0};
}

static int compare_runs(const void *a, const void *b)
{
    const struct audited_run *p = a, *q = b;
    return (p->run > q->run) - (p->run < q->run);
}

const struct audited_run *audit_find(const struct audit *audit, int64_t run)
{
    const struct audited_run key = {.run = run};
    return audit->count ? bsearch(&key, audit->runs, audit->count, sizeof key, compare_runs) : NULL;
}

const char *audit_verdict_name(enum verdict verdict)
{
    static const char *const names[VERDICTS] = {"sound", "doubtful", "impossible"};
    return names[verdict];
}
