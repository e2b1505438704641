#include "carbon/where_json.h"

#include "base/text.h"
#include "carbon/location_json.h"

#include <math.h>
#include <string.h>

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *factor(const struct where_factor *factor)
{
    if (!isfinite(factor->value))
        return json_null();
    return json_pack("{s:f, s:o, s:o}", "value", factor->value, "low", number(factor->low), "high",
                     number(factor->high));
}

static json_t *code(const struct where *where, size_t item)
{
    return item == NOWHERE ? json_null() : json_string(where->items[item].location->code);
}

static json_t *places(const struct where *where, double uncertainty_share, bool estimated)
{
    json_t *list = json_array();
    for (size_t i = 0; i < where->count; i++) {
        const struct elsewhere *item = &where->items[i];
        json_array_append_new(list, json_pack("{s:o, s:f, s:s, s:f, s:o, s:o, s:o, s:b, s:b, s:b}", "place",
                                              location_to_json(item->location), "pue", item->pue, "pue_from",
                                              pue_from_name(item->pue_from), "kg_co2e", item->kg_co2e,
                                              "low_kg_co2e", number(item->low_kg_co2e), "high_kg_co2e",
                                              number(item->high_kg_co2e), "uncertainty_kg_co2e",
                                              number(uncertainty_share * item->kg_co2e), "estimated",
                                              estimated, "here", item->here, "comparable", !item->apart));
    }
    return list;
}

/* An array of the lines of a text. */
static json_t *lines(const char *text)
{
    json_t *list = json_array();
    for (size_t length; text && *text; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        json_array_append_new(list, json_stringn(text, length));
    }
    return list;
}

json_t *where_to_json(const struct where *where, double uncertainty_share, bool estimated)
{
    AUTO_FREE char *sentence = where_sentence(where, true), *warnings = where_warnings(where);
    AUTO_FREE char *sort = where_sort_text(where);
    json_t *factors =
        json_pack("{s:o, s:o, s:o}", "worst_over_best", factor(&where->worst_over_best), "here_over_best",
                  factor(&where->here_over_best), "worst_over_here", factor(&where->worst_over_here));
    return json_pack(
        "{s:o, s:s?, s:o, s:o, s:o, s:o, s:o, s:s?}", "places", places(where, uncertainty_share, estimated),
        "figures", sort, "here", code(where, where->here), "best", code(where, where->best), "worst",
        code(where, where->worst), "factors", factors, "warnings", lines(warnings), "sentence", sentence);
}
