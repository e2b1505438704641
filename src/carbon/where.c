#include "carbon/where.h"

#include "base/text.h"
#include "base/units.h"
#include "carbon/carbon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- place by place ---- */

static double choose_pue(const struct where_request *request, const struct location *location,
                         enum pue_from *from)
{
    bool here = location == request->here, own = isfinite(location->pue), study = request->study_pue > 0;
    *from = request->pue > 0 ? PUE_GIVEN : own && !(here && study) ? PUE_OWN : study ? PUE_STUDY : PUE_NONE;
    const double pues[] = {request->pue, location->pue, request->study_pue, 1};
    return pues[*from];
}

static void work_out(const struct where_request *request, const struct location *location,
                     struct elsewhere *item)
{
    item->location = location;
    item->here = location == request->here;
    item->pue = choose_pue(request, location, &item->pue_from);
    item->kg_co2e = carbon_emissions_kg(request->energy_j, item->pue, location->intensity_g_per_kwh);
    item->low_kg_co2e = carbon_emissions_kg(request->energy_j, item->pue, location->low_g_per_kwh);
    item->high_kg_co2e = carbon_emissions_kg(request->energy_j, item->pue, location->high_g_per_kwh);
}

static int by_emissions(const void *a, const void *b)
{
    const struct elsewhere *one = a, *other = b;
    if (one->kg_co2e != other->kg_co2e)
        return one->kg_co2e < other->kg_co2e ? -1 : 1;
    return strcmp(one->location->code, other->location->code);
}

/* ---- what can be compared ---- */

static bool same_sort(const struct location *one, const struct location *other)
{
    return one->marginal == other->marginal && one->scope == other->scope;
}

/* The sort of most: of two that are as many, that of the cleanest place. */
static const struct location *commonest(const struct where *where)
{
    const struct location *found = where->items[0].location;
    size_t most = 0;
    for (size_t i = 0; i < where->count; i++) {
        size_t alike = 0;
        for (size_t k = 0; k < where->count; k++)
            alike += same_sort(where->items[i].location, where->items[k].location) && !where->items[k].here;
        if (alike > most) {
            most = alike;
            found = where->items[i].location;
        }
    }
    return found;
}

static void mark_sorts(struct where *where)
{
    const struct location *usual = commonest(where);
    where->marginal = usual->marginal;
    where->scope = usual->scope;
    where->here = where->best = where->worst = NOWHERE;
    for (size_t i = 0; i < where->count; i++) {
        struct elsewhere *item = &where->items[i];
        item->apart = !same_sort(item->location, usual);
        where->apart += item->apart;
        where->nothing += item->kg_co2e <= 0;
        if (item->here)
            where->here = i;
        if (item->apart || item->kg_co2e <= 0)
            continue;
        where->worst = i;
        if (where->best == NOWHERE)
            where->best = i;
    }
}

static struct where_factor factor(const struct where *where, size_t more, size_t less)
{
    struct where_factor factor = {NAN, NAN, NAN};
    if (more == NOWHERE || less == NOWHERE)
        return factor;
    const struct elsewhere *a = &where->items[more], *b = &where->items[less];
    if (a->apart || b->apart || a->kg_co2e <= 0 || b->kg_co2e <= 0)
        return factor;
    factor.value = a->kg_co2e / b->kg_co2e;
    /* against itself a place has no range */
    if (more != less && b->low_kg_co2e > 0) {
        factor.low = a->low_kg_co2e / b->high_kg_co2e;
        factor.high = a->high_kg_co2e / b->low_kg_co2e;
    }
    return factor;
}

int where_rank(const struct where_request *request, const struct place_list *list, struct where *where,
               struct error *error)
{
    *where = (struct where){.items = calloc(list->count + 1, sizeof *where->items)};
    if (!where->items)
        return error_memory(error, "places");
    bool listed = false;
    for (size_t i = 0; i < list->count; i++) {
        listed = listed || list->items[i] == request->here;
        work_out(request, list->items[i], &where->items[where->count++]);
    }
    if (request->here && !listed)
        work_out(request, request->here, &where->items[where->count++]);
    if (where->count == 0) {
        where_free(where);
        return error_set(error, "no place to work emissions out for");
    }
    qsort(where->items, where->count, sizeof *where->items, by_emissions);
    mark_sorts(where);
    where->worst_over_best = factor(where, where->worst, where->best);
    where->here_over_best = factor(where, where->here, where->best);
    where->worst_over_here = factor(where, where->worst, where->here);
    return 0;
}

void where_free(struct where *where)
{
    free(where->items);
    *where = (struct where){0};
}

/* ---- in words ---- */

char *where_sentence(const struct where *where, bool masses)
{
    if (where->best == where->worst)
        return NULL;
    const struct elsewhere *best = &where->items[where->best], *worst = &where->items[where->worst];
    const struct where_factor *factor = &where->worst_over_best;
    AUTO_FREE char *least = units_mass(best->kg_co2e), *most = units_mass(worst->kg_co2e);
    struct text text = TEXT_INIT;
    text_printf(&text, "Choosing among %zu places would change emissions by a factor of %.3g",
                where->count - where->apart - where->nothing, factor->value);
    if (isfinite(factor->low))
        text_printf(&text, " (%.3g to %.3g by the ranges of both figures)", factor->low, factor->high);
    if (masses)
        text_printf(&text, ": from %s in %s to %s in %s.", least ? least : "", best->location->name,
                    most ? most : "", worst->location->name);
    else
        text_printf(&text, ": least in %s, most in %s.", best->location->name, worst->location->name);
    return text_take(&text);
}

char *where_sort_text(const struct where *where)
{
    const struct location sort = {.marginal = where->marginal, .scope = where->scope};
    return location_figure_text(&sort);
}

static void warn_of_sorts(const struct where *where, struct text *lines)
{
    if (where->apart == 0)
        return;
    AUTO_FREE char *sort = where_sort_text(where);
    text_printf(
        lines,
        "%zu of %zu figures are of another sort than the others (%s): the two are not comparable, and "
        "factors are of the others alone.\n",
        where->apart, where->count, sort ? sort : "");
}

static void warn_of_nothing(const struct where *where, struct text *lines)
{
    struct text names = TEXT_INIT;
    for (size_t i = 0; i < where->count; i++)
        if (where->items[i].kg_co2e <= 0)
            text_printf(&names, "%s%s", names.length ? ", " : "", where->items[i].location->name);
    if (where->nothing)
        text_printf(lines,
                    "The figure is 0 in %s: no factor can be told of it, and it is neither best nor worst.\n",
                    names.data ? names.data : "");
    text_free(&names);
}

static void warn_of_pue(const struct where *where, struct text *lines)
{
    size_t counts[PUE_NONE + 1] = {0};
    for (size_t i = 0; i < where->count; i++)
        counts[where->items[i].pue_from]++;
    if (counts[PUE_OWN] && counts[PUE_OWN] < where->count)
        text_printf(lines,
                    "The PUE is the place's own in %zu of %zu places, and %s in the others, where it is not "
                    "known: --pue X reckons all alike.\n",
                    counts[PUE_OWN], where->count, counts[PUE_STUDY] ? "the study's" : "1");
}

char *where_warnings(const struct where *where)
{
    struct text lines = TEXT_INIT;
    text_append(&lines, "");
    warn_of_sorts(where, &lines);
    warn_of_nothing(where, &lines);
    warn_of_pue(where, &lines);
    return text_take(&lines);
}

const char *pue_from_name(enum pue_from from)
{
    static const char *const names[] = {"given", "location", "study", "none"};
    return names[from];
}
