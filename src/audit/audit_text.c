/* An audit in words and as JSON. */
#include "audit/audit.h"
#include "base/text.h"
#include "base/units.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 96, INDENT = 8, RUNS_SHOWN = 50 };

/* ---- words ---- */

static char *energy_words(double energy_j)
{
    AUTO_FREE char *size = isfinite(energy_j) ? units_energy(fabs(energy_j)) : NULL;
    return text_format("%s%s", energy_j < 0 ? "-" : "", size ? size : "-");
}

static void add_reason(struct text *text, const char *what, const char *reason)
{
    AUTO_FREE char *line = text_format("%s: %s", what, reason);
    text_printf(text, "%*s", INDENT, "");
    text_append_wrapped(text, line ? line : what, INDENT, INDENT, COLUMNS);
    text_append(text, "\n");
}

static void add_findings(struct text *text, const struct figure *figure)
{
    for (size_t i = 0; i < figure->finding_count; i++)
        add_reason(text, figure->findings[i].check, figure->findings[i].reason);
}

static void add_reconstruction(struct text *text, const struct reconstruction *r)
{
    AUTO_FREE char *energy = energy_words(r->energy_j), *uncertainty = energy_words(r->uncertainty_j);
    AUTO_FREE char *others = r->least_wraps == r->most_wraps
                                 ? strdup("no other number fits")
                                 : text_format("%.0f to %.0f would fit", r->least_wraps, r->most_wraps);
    AUTO_FREE char *line = text_format(
        "%s ± %s, a mean power of %.4g W, if %.0f counter range%s of %.1f J %s lost; %s; not a "
        "measurement",
        energy ? energy : "", uncertainty ? uncertainty : "", r->mean_w, r->wraps, r->wraps == 1 ? "" : "s",
        r->range_j, r->wraps == 1 ? "was" : "were", others ? others : "");
    add_reason(text, "reconstruction", line ? line : "");
}

static void add_figure(struct text *text, const struct figure *figure)
{
    AUTO_FREE char *full =
        figure->meter ? text_format("%s/%s", figure->meter, figure->name) : strdup(figure->name);
    AUTO_FREE char *name = full ? text_printable(full) : NULL;
    AUTO_FREE char *energy = energy_words(figure->energy_j);
    AUTO_FREE char *power = isfinite(figure->mean_w) ? text_format("%.4g W", figure->mean_w) : strdup("-");
    text_printf(text, "    %-26s %12s %12s   %s\n", name ? name : "", energy ? energy : "",
                power ? power : "", audit_verdict_name(figure->verdict));
    add_findings(text, figure);
    if (figure->reconstruction.possible)
        add_reconstruction(text, &figure->reconstruction);
}

static void add_levels(struct text *text, const char *factors)
{
    json_t *object = json_loads(factors, 0, NULL), *level;
    const char *name;
    json_object_foreach(object, name, level)
    {
        AUTO_FREE char *line = text_format("%s %s", name, json_string_value(level));
        AUTO_FREE char *words = line ? text_printable(line) : NULL;
        text_printf(text, ", %s", words ? words : "");
    }
    json_decref(object);
}

static void add_run(struct text *text, const struct audited_run *run)
{
    AUTO_FREE char *source = text_printable(run->source ? run->source : "measured here");
    AUTO_FREE char *duration = isfinite(run->wall_s) ? units_duration(run->wall_s) : strdup("-");
    text_printf(text, "run %lld", (long long)run->run);
    add_levels(text, run->factors);
    text_printf(text, ", repetition %lld: %s (%s)\n", (long long)run->repetition, duration ? duration : "-",
                source ? source : "");
    add_findings(text, &run->whole);
    if (run->epochs.finding_count)
        add_figure(text, &run->epochs);
    for (size_t i = 0; i < run->channel_count; i++)
        if (isfinite(run->channels[i].energy_j))
            add_figure(text, &run->channels[i]);
    add_figure(text, &run->software);
    if (isfinite(run->repaired_j)) {
        AUTO_FREE char *energy = energy_words(run->repaired_j);
        AUTO_FREE char *uncertainty = energy_words(run->repaired_uncertainty_j);
        AUTO_FREE char *line = text_format("%s ± %s with what was reconstructed", energy ? energy : "",
                                           uncertainty ? uncertainty : "");
        add_reason(text, "reconstruction", line ? line : "");
    }
    if (isfinite(run->hardware.energy_j))
        add_figure(text, &run->hardware);
    text_append(text, "\n");
}

static bool has_finding(const struct audited_run *run)
{
    bool found = run->whole.finding_count + run->epochs.finding_count + run->software.finding_count +
                     run->hardware.finding_count >
                 0;
    for (size_t i = 0; i < run->channel_count; i++)
        found = found || run->channels[i].finding_count > 0;
    return found;
}

char *audit_text(const struct audit *audit)
{
    struct text text = TEXT_INIT;
    size_t found = 0;
    for (size_t i = 0; i < audit->count; i++) {
        if (!has_finding(&audit->runs[i]))
            continue;
        if (found++ < RUNS_SHOWN)
            add_run(&text, &audit->runs[i]);
    }
    if (found > RUNS_SHOWN)
        text_printf(&text, "(%zu more runs with findings: --json has all)\n\n", found - RUNS_SHOWN);
    text_printf(&text, "%zu run%s, %zu with findings; energies: %zu sound, %zu doubtful, %zu impossible\n",
                audit->count, audit->count == 1 ? "" : "s", found, audit->figures[VERDICT_SOUND],
                audit->figures[VERDICT_DOUBTFUL], audit->figures[VERDICT_IMPOSSIBLE]);
    if (audit->reconstructions)
        text_printf(
            &text,
            "%zu reconstruction%s: the database keeps what was published; `joulery compare --repaired` "
            "takes them\n",
            audit->reconstructions, audit->reconstructions == 1 ? "" : "s");
    return text_take(&text);
}

/* ---- JSON ---- */

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *findings(const struct figure *figure)
{
    json_t *list = json_array();
    for (size_t i = 0; i < figure->finding_count; i++) {
        const struct finding *f = &figure->findings[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "check", f->check, "verdict",
                                              audit_verdict_name(f->verdict), "reason", f->reason));
    }
    return list;
}

static json_t *reconstruction(const struct reconstruction *r)
{
    if (!r->possible)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "energy_j", r->energy_j, "uncertainty_j",
                     r->uncertainty_j, "mean_w", r->mean_w, "wraps", r->wraps, "least_wraps", r->least_wraps,
                     "most_wraps", r->most_wraps, "range_j", r->range_j);
}

static json_t *figure_to_json(const struct figure *figure)
{
    return json_pack("{s:s?, s:s, s:o, s:o, s:o, s:s, s:o, s:o}", "meter", figure->meter, "name",
                     figure->name, "energy_j", real(figure->energy_j), "mean_w", real(figure->mean_w),
                     "closing_w", real(figure->closing_w), "verdict", audit_verdict_name(figure->verdict),
                     "findings", findings(figure), "reconstruction", reconstruction(&figure->reconstruction));
}

static json_t *run_to_json(const struct audited_run *run)
{
    json_t *figures = json_array();
    for (size_t i = 0; i < run->channel_count; i++)
        json_array_append_new(figures, figure_to_json(&run->channels[i]));
    json_array_append_new(figures, figure_to_json(&run->software));
    json_array_append_new(figures, figure_to_json(&run->hardware));
    json_t *factors = json_loads(run->factors, 0, NULL);
    return json_pack("{s:I, s:o, s:I, s:s?, s:o, s:s, s:o, s:{s:s, s:o}, s:o, s:o, s:o}", "run",
                     (json_int_t)run->run, "factors", factors ? factors : json_object(), "repetition",
                     (json_int_t)run->repetition, "source", run->source, "wall_s", real(run->wall_s),
                     "verdict", audit_verdict_name(run->whole.verdict), "findings", findings(&run->whole),
                     "epochs", "verdict", audit_verdict_name(run->epochs.verdict), "findings",
                     findings(&run->epochs), "figures", figures, "repaired_j", real(run->repaired_j),
                     "repaired_uncertainty_j", real(run->repaired_uncertainty_j));
}

json_t *audit_to_json(const struct audit *audit)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < audit->count; i++)
        if (json_array_append_new(runs, run_to_json(&audit->runs[i])) < 0) {
            json_decref(runs);
            return NULL;
        }
    return json_pack("{s:s, s:{s:I, s:I, s:I}, s:I, s:o}", "schema", "joulery.audit/1", "verdicts", "sound",
                     (json_int_t)audit->figures[VERDICT_SOUND], "doubtful",
                     (json_int_t)audit->figures[VERDICT_DOUBTFUL], "impossible",
                     (json_int_t)audit->figures[VERDICT_IMPOSSIBLE], "reconstructions",
                     (json_int_t)audit->reconstructions, "runs", runs);
}
