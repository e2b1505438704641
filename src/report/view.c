/* Energies that the audit does not hold for sound: put back together, or left out. */
#include "report/view.h"
#include "report/analysis.h"

#include <math.h>
#include <string.h>

bool report_is_sound(const struct audited_run *audited, bool hardware)
{
    const struct figure *total = hardware ? &audited->hardware : &audited->software;
    return total->verdict == VERDICT_SOUND && audited->whole.verdict == VERDICT_SOUND;
}

/* The energy to go on with. */
static void replace(const struct audited_run *audited, struct run *run, bool repair, bool hardware)
{
    if (repair && (hardware || !isfinite(audited->repaired_j)))
        return;
    if (!repair && report_is_sound(audited, hardware))
        return;
    run->replaced = true;
    run->energy_j = repair ? audited->repaired_j : NAN;
    run->uncertainty_j = repair ? audited->repaired_uncertainty_j : NAN;
}

int report_take_view(struct report *report, struct store *store, bool repaired, bool sound,
                     struct error *error)
{
    struct audit audit;
    report->repaired = repaired;
    report->sound = sound;
    if (!repaired && !sound)
        return 0;
    if (audit_build(store, &audit, error) < 0)
        return -1;
    bool hardware = strcmp(report->basis, "hardware") == 0;
    for (size_t i = 0; i < report->run_count; i++) {
        struct run *run = &report->runs[i];
        const struct audited_run *audited = audit_find(&audit, run->id);
        if (!audited || !isfinite(run->energy_j))
            continue;
        replace(audited, run, repaired, hardware);
        report->replaced += run->replaced;
    }
    audit_free(&audit);
    return 0;
}
