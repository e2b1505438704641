#include "carbon/carbon.h"

#include "base/text.h"
#include "base/units.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const struct location locations[] = {
#include "grid_country.inc"
};

#define LOCATIONS (sizeof locations / sizeof *locations)

/* What people write that is neither ISO 3166 nor the source's name. */
static const struct alias {
    const char *name;
    const char *code;
} aliases[] = {
    {"Bolivia, Plurinational State of", "BOL"},
    {"Bosnia", "BIH"},
    {"Britain", "GBR"},
    {"Brunei Darussalam", "BRN"},
    {"Burma", "MMR"},
    {"Cabo Verde", "CPV"},
    {"Congo-Brazzaville", "COG"},
    {"Congo-Kinshasa", "COD"},
    {"Côte d'Ivoire", "CIV"},
    {"Czech Republic", "CZE"},
    {"DR Congo", "COD"},
    {"EL", "GRC"}, /* the European Union's code */
    {"Emirates", "ARE"},
    {"Great Britain", "GBR"},
    {"Holland", "NLD"},
    {"Iran, Islamic Republic of", "IRN"},
    {"Ivory Coast", "CIV"},
    {"Korea", "KOR"},
    {"Korea, Republic of", "KOR"},
    {"Lao PDR", "LAO"},
    {"Macau", "MAC"},
    {"Macedonia", "MKD"},
    {"Moldova, Republic of", "MDA"},
    {"Republic of Ireland", "IRL"},
    {"Republic of Korea", "KOR"},
    {"Republic of the Congo", "COG"},
    {"Russian Federation", "RUS"},
    {"Réunion", "REU"},
    {"Sao Tome", "STP"},
    {"São Tomé and Príncipe", "STP"},
    {"Swaziland", "SWZ"},
    {"Syrian Arab Republic", "SYR"},
    {"Tanzania, United Republic of", "TZA"},
    {"The Bahamas", "BHS"},
    {"The Gambia", "GMB"},
    {"The Netherlands", "NLD"},
    {"Timor-Leste", "TLS"},
    {"Turkiye", "TUR"},
    {"Türkiye", "TUR"},
    {"UAE", "ARE"},
    {"UK", "GBR"},
    {"United States of America", "USA"},
    {"Venezuela, Bolivarian Republic of", "VEN"},
    {"Viet Nam", "VNM"},
};

#define ALIASES (sizeof aliases / sizeof *aliases)

const struct location *carbon_locations(size_t *count)
{
    *count = LOCATIONS;
    return locations;
}

static const char *code_of_alias(const char *name)
{
    for (size_t i = 0; i < ALIASES; i++)
        if (strcasecmp(name, aliases[i].name) == 0)
            return aliases[i].code;
    return name;
}

/* Codes are compared with codes and names with names. Two letters are near to every code: nothing is offered.
 */
static const char *nearest_location(const char *given)
{
    if (strlen(given) < 3)
        return NULL;
    const char *names[LOCATIONS + ALIASES];
    size_t count = 0;
    bool code = strlen(given) == 3;
    for (size_t i = 0; i < LOCATIONS; i++)
        names[count++] = code ? locations[i].code : locations[i].name;
    for (size_t i = 0; i < ALIASES && !code; i++)
        names[count++] = aliases[i].name;
    return text_nearest(given, names, count);
}

const struct location *carbon_find(const char *code_or_name, struct error *error)
{
    const char *wanted = code_of_alias(code_or_name);
    for (size_t i = 0; i < LOCATIONS; i++) {
        const struct location *location = &locations[i];
        if (strcasecmp(wanted, location->code) == 0 || strcasecmp(wanted, location->code2) == 0 ||
            strcasecmp(wanted, location->name) == 0)
            return location;
    }
    const char *nearest = nearest_location(code_or_name);
    if (nearest)
        error_set(error, "no location '%s' (did you mean %s?): `joulery locations` lists them", code_or_name,
                  nearest);
    else
        error_set(
            error,
            "no location '%s': an ISO country code (SWE, SE) or a name is expected; `joulery locations` "
            "lists them",
            code_or_name);
    return NULL;
}

double carbon_emissions_kg(double energy_j, double pue, double intensity_g_per_kwh)
{
    return energy_j / J_PER_KWH * pue * intensity_g_per_kwh / 1000;
}
