/* Energies that the audit does not hold for sound: put back together, or left out. */
#include "audit/audit.h"
#include "report/analyse_parts.h"

#include <math.h>
#include <string.h>

static bool is_sound(const struct audited_run *audited, bool hardware)
{
    const struct figure *total = hardware ? &audited->hardware : &audited->software;
    return total->verdict == VERDICT_SOUND && audited->whole.verdict == VERDICT_SOUND;
}

/* The energy to go on with. */
static double held(const struct audited_run *audited, const struct run *run, bool repair, bool hardware)
{
    if (!repair)
        return is_sound(audited, hardware) ? run->energy_j : NAN;
    return !hardware && isfinite(audited->repaired_j) ? audited->repaired_j : run->energy_j;
}

int analyse_audited(struct analysis *analysis, struct store *store, struct error *error)
{
    struct report *report = analysis->report;
    struct audit audit;
    if (!analysis->repaired && !analysis->sound)
        return 0;
    if (audit_build(store, &audit, error) < 0)
        return -1;
    bool hardware = strcmp(report->basis, "hardware") == 0;
    for (size_t i = 0; i < report->run_count; i++) {
        struct run *run = &report->runs[i];
        const struct audited_run *audited = audit_find(&audit, run->id);
        if (!audited || !isfinite(run->energy_j))
            continue;
        double energy_j = held(audited, run, analysis->repaired, hardware);
        analysis->replaced += !(energy_j == run->energy_j);
        run->energy_j = energy_j;
    }
    audit_free(&audit);
    return 0;
}
