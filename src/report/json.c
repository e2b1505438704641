/* joulery.report/1, docs/json.md. */
#include "carbon/location_json.h"
#include "report/analysis.h"
#include "report/place_effect.h"

#include "base/clock.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* Texts from outside may hold any bytes: the tail of an output is cut anywhere. */
json_t *report_text_json(const char *text)
{
    if (!text)
        return json_null();
    AUTO_FREE char *valid = text_utf8(text, strlen(text));
    return valid ? json_string(valid) : NULL;
}

static json_t *summary(const struct summary *s)
{
    if (s->count == 0)
        return json_null();
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "n", (json_int_t)s->count, "mean",
                     number(s->mean), "sd", number(s->sd), "low", number(s->low), "high", number(s->high),
                     "least", number(s->least), "q1", number(s->q1), "median", number(s->median), "q3",
                     number(s->q3), "most", number(s->most));
}

/* What epochs need, which are many. */
static json_t *span(const struct summary *s)
{
    if (s->count == 0)
        return json_null();
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "n", (json_int_t)s->count, "mean", number(s->mean),
                     "low", number(s->low), "high", number(s->high), "least", number(s->least), "most",
                     number(s->most));
}

static json_t *study(const struct report *report)
{
    return json_pack("{s:o, s:o, s:o, s:I, s:o}", "name", report_text_json(report->study_name), "question",
                     report_text_json(report->question), "created", report_text_json(report->created), "seed",
                     (json_int_t)report->seed, "definition", report_text_json(report->definition));
}

static json_t *counts(const struct report *report)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "planned", (json_int_t)report->planned, "done",
                     (json_int_t)report->states[RUN_DONE], "failed", (json_int_t)report->states[RUN_FAILED],
                     "cut", (json_int_t)report->states[RUN_CUT], "running",
                     (json_int_t)report->states[RUN_RUNNING]);
}

static json_t *factors(const struct report *report)
{
    json_t *list = json_array();
    for (size_t f = 0; f < report->factor_count; f++) {
        const struct factor *factor = &report->factors[f];
        json_t *levels = json_array();
        for (size_t i = 0; i < factor->level_count; i++)
            json_array_append_new(levels, report_text_json(factor->levels[i]));
        json_array_append_new(list, json_pack("{s:o, s:o, s:b, s:b}", "name", report_text_json(factor->name),
                                              "levels", levels, "varies", factor->level_count > 1, "main",
                                              f == report->main_factor));
    }
    return list;
}

static json_t *predicted(bool known, double wall_j, double low_j, double high_j)
{
    if (!known)
        return json_null();
    return json_pack("{s:f, s:f, s:f}", "wall_j", wall_j, "low_j", low_j, "high_j", high_j);
}

static json_t *group_levels(const struct report *report, const struct group *group)
{
    json_t *levels = json_object();
    for (size_t f = 0; f < report->factor_count; f++)
        if (group->level[f] < report->factors[f].level_count)
            json_object_set_new(levels, report->factors[f].name,
                                report_text_json(report->factors[f].levels[group->level[f]]));
    return levels;
}

static json_t *groups(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->group_count; i++) {
        const struct group *group = &report->groups[i];
        json_t *item = json_pack(
            "{s:o, s:o, s:o, s:I, s:I, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
            "label", report_text_json(group->label), "main",
            report_text_json(report_main_level(report, group)), "levels", group_levels(report, group),
            "planned", (json_int_t)group->planned, "unmeasured", (json_int_t)group->unmeasured, "estimated",
            group->estimated, "front", group->front, "energy_j", summary(&group->energy_j), "wall_s",
            summary(&group->wall_s), "power_w", summary(&group->power_w), "accuracy",
            summary(&group->accuracy), "accuracy_per_kwh", summary(&group->score_per_kwh), "hardware_j",
            summary(&group->hardware_j), "instrument_uncertainty", number(group->instrument_uncertainty),
            "calibrated",
            predicted(group->calibrated > 0, group->calibrated_j, group->calibrated_low_j,
                      group->calibrated_high_j),
            "kg_co2e", number(group->kg_co2e.count ? group->kg_co2e.mean : NAN), "low_kg_co2e",
            number(group->low_kg_co2e), "high_kg_co2e", number(group->high_kg_co2e));
        json_array_append_new(list, item);
    }
    return list;
}

/* What a failed or cut run left; nothing for one that is done. */
static int add_end(json_t *item, const struct run *run, size_t *tails)
{
    enum { TAILS_MOST = 100 };
    if (run->state == RUN_DONE)
        return 0;
    json_t *tail =
        run->output_tail && (*tails)++ < TAILS_MOST ? report_text_json(run->output_tail) : json_null();
    return json_object_set_new(item, "exit_status", json_integer(run->exit_status)) |
           json_object_set_new(item, "term_signal", json_integer(run->term_signal)) |
           json_object_set_new(item, "output_tail", tail);
}

static json_t *runs(const struct report *report)
{
    json_t *list = json_array();
    size_t tails = 0;
    for (size_t i = 0; i < report->run_count; i++) {
        const struct run *run = &report->runs[i];
        json_t *item = json_pack(
            "{s:I, s:I, s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "run",
            (json_int_t)run->id, "position", (json_int_t)run->position, "repetition",
            (json_int_t)run->repetition, "group",
            run->group == NO_GROUP ? json_null() : json_integer((json_int_t)run->group), "state",
            report_state_name(run->state), "started", report_text_json(run->started), "wall_s",
            number(run->wall_s), "energy_j", number(run->energy_j), "uncertainty_j",
            number(run->uncertainty_j), "estimated", run->estimated, "hardware_j", number(run->hardware_j),
            "accuracy", number(run->accuracy), "accuracy_per_kwh", number(run->score_per_kwh), "gap_s",
            number(run->gap_s), "recorder_cpu_s", number(run->recorder_cpu_s), "intensity_g_per_kwh",
            number(run->intensity_g_per_kwh), "calibrated",
            predicted(run->calibrated.known, run->calibrated.wall_j, run->calibrated.low_j,
                      run->calibrated.high_j));
        if (!item || add_end(item, run, &tails) != 0) {
            json_decref(item);
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *epochs(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->epoch_count; i++) {
        const struct epoch *epoch = &report->epochs[i];
        json_array_append_new(
            list, json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "group", (json_int_t)epoch->group, "epoch",
                            (json_int_t)epoch->epoch, "energy_j", span(&epoch->energy_j), "energy_so_far_j",
                            span(&epoch->energy_so_far_j), "accuracy", span(&epoch->accuracy), "loss",
                            span(&epoch->loss), "wall_s", span(&epoch->wall_s)));
    }
    return list;
}

static json_t *instruments(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->channel_count; i++) {
        const struct channel_use *channel = &report->channels[i];
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:I, s:o, s:o, s:I}", "meter",
                            report_text_json(channel->meter), "name", report_text_json(channel->name),
                            "part_of", report_text_json(channel->part_of), "scope",
                            report_text_json(channel->scope), "kind", report_text_json(channel->kind),
                            "apart", channel->apart, "accuracy", number(channel->accuracy), "accuracy_source",
                            report_text_json(channel->accuracy_source), "runs", (json_int_t)channel->runs,
                            "energy_j", number(channel->energy_j), "gap_s", number(channel->gap_s), "gaps",
                            (json_int_t)channel->gaps));
    }
    return list;
}

static json_t *hosts(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->host_count; i++) {
        const struct host_use *host = &report->hosts[i];
        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "name",
                      report_text_json(host->name), "cpu_model", report_text_json(host->cpu_model), "kernel",
                      report_text_json(host->kernel), "os", report_text_json(host->os), "virtualisation",
                      report_text_json(host->virtualisation), "version", report_text_json(host->version),
                      "sockets", (json_int_t)host->sockets, "logical_cpus", (json_int_t)host->logical_cpus,
                      "memory_bytes", (json_int_t)host->memory_bytes, "runs", (json_int_t)host->runs));
    }
    return list;
}

static json_t *notes(const struct note_use *uses, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:o, s:I}", "text", report_text_json(uses[i].text), "runs",
                                              (json_int_t)uses[i].runs));
    return list;
}

static json_t *calibration(const struct report *report)
{
    if (!report->calibration)
        return json_null();
    return json_pack("{s:o, s:b, s:o}", "calibration", report_text_json(report->calibration), "estimated",
                     report->calibration_estimated, "warnings",
                     notes(report->calibration_notes, report->calibration_note_count));
}

/* Tenths of a milliwatt are the most that a store keeps. */
static json_t *power(const struct trace_bins *bins, size_t channel)
{
    json_t *list = json_array();
    for (size_t bin = 0; bin < bins->bins; bin++)
        json_array_append_new(list, number(round(trace_bins_power(bins, channel, bin) * 1e3) / 1e3));
    return list;
}

static json_t *traces(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->trace_count; i++) {
        const struct run_trace *trace = &report->traces[i];
        json_t *channels = json_array();
        for (size_t c = 0; c < trace->bins.channels; c++)
            json_array_append_new(channels,
                                  json_pack("{s:o, s:o}", "channel", report_text_json(trace->channels[c]),
                                            "power_w", power(&trace->bins, c)));
        json_t *starts = json_array();
        for (size_t e = 0; e < trace->epoch_count; e++)
            json_array_append_new(starts, number(trace->epoch_starts[e]));
        json_array_append_new(
            list, json_pack("{s:I, s:f, s:o, s:o}", "run", (json_int_t)report->runs[trace->run].id, "bin_s",
                            trace->bins.bin_s, "epoch_starts_s", starts, "channels", channels));
    }
    return list;
}

static json_t *answer(const struct report *report)
{
    json_t *sentences = json_array();
    for (size_t i = 0; i < report->sentence_count; i++)
        json_array_append_new(sentences, report_text_json(report->sentences[i]));
    json_t *threats = json_array();
    for (size_t i = 0; i < report->threat_count; i++)
        json_array_append_new(threats, report_text_json(report->threats[i]));
    return json_pack("{s:o, s:o, s:o}", "headline", report_text_json(report->headline), "sentences",
                     sentences, "threats", threats);
}

/* null: each by the yearly figure. */
static json_t *hourly(const struct report *report)
{
    if (!report->hourly_source)
        return json_null();
    return json_pack("{s:o, s:f, s:b, s:o}", "source", report_text_json(report->hourly_source), "part",
                     report->hourly_part, "mixed", report->hourly_mixed, "trouble", report_text_json(report->hourly_trouble));
}

/* The machine's share by the time of all finished runs. */
static json_t *embodied(const struct report *report)
{
    double wall_s = report_done_s(report);
    if (!(report->embodied.machine_kg_co2e > 0))
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:o}", "machine_kg_co2e", report->embodied.machine_kg_co2e,
                     "lifetime_s", report->embodied.lifetime_s, "wall_s", wall_s, "kg_co2e",
                     number(embodied_share_kg(&report->embodied, wall_s)));
}

static json_t *carbon(const struct report *report)
{
    json_t *among = json_array();
    for (size_t i = 0; i < report->among_count; i++)
        json_array_append_new(among, location_to_json(report->among[i]));
    return json_pack(
        "{s:o, s:f, s:b, s:o, s:o, s:o, s:o, s:o}", "location", location_to_json(report->location), "pue",
        report->pue, "pue_given", report->pue_given, "pue_source",
        report->pue_own ? report_text_json(report->location->pue_source) : json_null(), "embodied",
        embodied(report), "among", among, "site_factor",
        report->sites ? report_text_json(report->factors[report->site_factor].name) : json_null(), "hourly",
        hourly(report));
}

static json_t *accuracy(const struct report *report)
{
    if (!report->accuracy_metric)
        return json_null();
    return json_pack("{s:s, s:b}", "metric", report->accuracy_metric, "fraction",
                     report->accuracy_is_fraction);
}

json_t *report_to_json(const struct report *report)
{
    AUTO_FREE char *now = clock_iso8601(clock_wall_ns());
    json_t *recorder =
        json_pack("{s:o, s:o, s:o}", "rate_hz", number(report->rate_hz), "cpu_share",
                  number(report->recorder_share), "peak_rss_bytes", number(report->recorder_peak_rss));
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o, s:o, s:o, s:O?, s:O?}",
        "schema", "joulery.report/1", "version", JOULERY_VERSION, "generated", report_text_json(now), "study",
        study(report), "answer", answer(report), "counts", counts(report), "factors", factors(report),
        "accuracy", accuracy(report), "energy_basis", report->basis, "view",
        report->repaired ? "repaired"
        : report->sound  ? "sound"
                         : "published",
        "replaced", (json_int_t)report->replaced, "groups", groups(report), "runs", runs(report), "epochs",
        epochs(report), "traces", traces(report), "instruments", instruments(report), "recorder", recorder,
        "hosts", hosts(report), "notes", notes(report->notes, report->note_count), "emissions",
        carbon(report), "place_effect", place_effect_to_json(report->place_effect), "calibration",
        calibration(report), "comparison", report->comparison, "analysis", report->analysis);
}
