/* `joulery run`: joulery.run/1 and joulery.repeat/1; docs/json.md. */
#include "cli/clean.h"
#include "cli/cli.h"
#include "cli/run.h"
#include "record/json.h"

#include <math.h>

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *hourly_to_json(const struct run_charge *charge, const struct location *at)
{
    if (!charge->hourly)
        return json_null();
    return json_pack("{s:o, s:f, s:b, s:f, s:o}", "source", json_text(charge->source), "part",
                     charge->charge.by_the_hour, "mixed", charge->charge.mixed, "yearly_g_per_kwh",
                     at->intensity_g_per_kwh, "trouble", json_text(charge->trouble));
}

static json_t *emissions_to_json(const struct run_call *call, const struct record *record)
{
    const struct run_options *options = call->options;
    const struct location *at = options->location;
    struct energy_totals totals = record_totals(record, 0);
    if (!at || isnan(totals.software_j))
        return json_null();
    const struct run_charge *charged = &call->charges[record - call->records];
    const struct charge *charge = &charged->charge;
    double per_j = carbon_emissions_kg(1, options->pue, charge->intensity_g_per_kwh);
    double low_kg = carbon_emissions_kg(totals.software_j, options->pue, charge->low_g_per_kwh);
    double high_kg = carbon_emissions_kg(totals.software_j, options->pue, charge->high_g_per_kwh);
    return json_pack("{s:s, s:s, s:o, s:s, s:f, s:o, s:o, s:f, s:o, s:f, s:o, s:o, s:f, s:b, s:o}",
                     "location", at->code, "name", at->name, "year",
                     at->year ? json_integer(at->year) : json_null(), "source", at->source,
                     "intensity_g_per_kwh", charge->intensity_g_per_kwh, "low_g_per_kwh",
                     number(charge->low_g_per_kwh), "high_g_per_kwh", number(charge->high_g_per_kwh), "pue",
                     options->pue, "pue_source", options->pue_own ? json_string(at->pue_source) : json_null(),
                     "kg_co2e", totals.software_j * per_j, "low_kg_co2e", number(low_kg), "high_kg_co2e",
                     number(high_kg), "uncertainty_kg_co2e", totals.software_uncertainty_j * per_j,
                     "estimated", totals.estimated, "hourly", hourly_to_json(charged, at));
}

static json_t *embodied_to_json(const struct record *record, const struct run_options *options)
{
    const struct embodied *embodied = &options->embodied;
    if (!(embodied->machine_kg_co2e > 0))
        return json_null();
    return json_pack("{s:f, s:f, s:o}", "machine_kg_co2e", embodied->machine_kg_co2e, "lifetime_s",
                     embodied->lifetime_s, "kg_co2e", number(embodied_share_kg(embodied, record->wall_s)));
}

/* The wait is the first run's. */
static json_t *waited_to_json(const struct run_call *call, const struct record *record)
{
    const struct waited *waited = &call->waited;
    if (!call->has_waited || record != call->records)
        return json_null();
    double asked_s = waited->asked_s ? (double)waited->asked_s : NAN;
    return json_pack("{s:s, s:o, s:o, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o}", "end",
                     wait_end_name(waited->end), "from", clean_time_json(waited->from_s), "until",
                     clean_time_json(waited->until_s), "wall_s", waited->wall_s, "within_s",
                     call->options->within_s, "duration_s", call->options->duration_s, "source",
                     json_text(waited->source), "asked", clean_time_json(asked_s), "accounting",
                     waited->source ? clean_accounting(waited->asked_s, waited->marginal) : json_null(),
                     "at_once_g_per_kwh", number(waited->at_once_g_per_kwh), "started_g_per_kwh",
                     number(waited->started_g_per_kwh), "trouble", json_text(waited->trouble));
}

static json_t *run_to_json(const struct run_call *call, const struct record *record)
{
    json_t *json = record_to_json(record);
    if (json && json_object_set_new(json, "emissions", emissions_to_json(call, record)) == 0 &&
        json_object_set_new(json, "embodied", embodied_to_json(record, call->options)) == 0 &&
        json_object_set_new(json, "waited", waited_to_json(call, record)) == 0)
        return json;
    json_decref(json);
    return NULL;
}

/* null where no run gave a value. */
static json_t *summary_to_json(const struct run_call *call,
                               double (*quantity)(const struct record *record, size_t index), size_t index)
{
    struct repeated all;
    struct error ignored = ERROR_INIT;
    int result = run_summarise(call, quantity, index, &all, &ignored);
    error_clear(&ignored);
    if (result < 0)
        return NULL;
    const struct summary *s = &all.summary;
    if (s->count == 0)
        return json_null();
    return json_pack("{s:I, s:I, s:f, s:o, s:o, s:o, s:f, s:f}", "n", (json_int_t)s->count, "unknown",
                     (json_int_t)all.unknown, "mean", s->mean, "sd", number(s->sd), "low", number(s->low),
                     "high", number(s->high), "least", s->least, "most", s->most);
}

static json_t *channels_to_json(const struct run_call *call)
{
    const struct record *first = &call->records[0];
    json_t *array = json_array();
    for (size_t i = 0; array && i < first->channel_count; i++) {
        json_t *channel =
            json_pack("{s:s, s:s, s:o}", "meter", first->channels[i].meter, "name", first->channels[i].name,
                      "energy_j", summary_to_json(call, run_quantity_channel_j, i));
        if (!channel || json_array_append_new(array, channel) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *runs_to_json(const struct run_call *call)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < call->record_count; i++) {
        json_t *run = run_to_json(call, &call->records[i]);
        if (!run || json_array_append_new(array, run) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *repeat_to_json(const struct run_call *call)
{
    const struct run_options *options = call->options;
    bool asked = options->precision > 0;
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", "joulery.repeat/1", "repeat",
                     (json_int_t)(options->repeat ? options->repeat : REPEAT_USUAL), "precision",
                     asked ? json_real(options->precision) : json_null(), "precision_reached",
                     asked ? json_boolean(run_is_precise(call)) : json_null(), "energy_j",
                     summary_to_json(call, run_quantity_energy_j, 0), "above_idle_j",
                     summary_to_json(call, run_quantity_above_idle_j, 0), "wall_s",
                     summary_to_json(call, run_quantity_wall_s, 0), "channels", channels_to_json(call),
                     "runs", runs_to_json(call));
}

int run_write_json(const struct run_call *call, struct error *error)
{
    json_t *json =
        run_is_repeated(call->options) ? repeat_to_json(call) : run_to_json(call, &call->records[0]);
    return cli_write_json(json, call->options->json, error);
}
