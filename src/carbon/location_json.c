#include "carbon/location_json.h"

#include <math.h>

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text(const char *string)
{
    return *string ? json_string(string) : json_null();
}

json_t *location_to_json(const struct location *l)
{
    static const char *const scopes[] = {"", "life-cycle", "direct"};
    if (!l)
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:f, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s}",
                     "code", l->code, "name", l->name, "kind", location_kind_name(l->kind), "country",
                     text(l->country), "year", l->year ? json_integer(l->year) : json_null(),
                     "intensity_g_per_kwh", l->intensity_g_per_kwh, "low_g_per_kwh", number(l->low_g_per_kwh),
                     "high_g_per_kwh", number(l->high_g_per_kwh), "figure_of", text(l->figure_of),
                     "accounting", l->marginal ? "marginal" : "average", "scope", text(scopes[l->scope]),
                     "pue", number(l->pue), "pue_source", text(l->pue_source), "latitude",
                     number(l->latitude), "longitude", number(l->longitude), "source", l->source);
}
