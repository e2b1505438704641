#include "carbon/embodied.h"

#include "base/text.h"
#include "base/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define S_PER_DAY  86400.0
#define S_PER_YEAR (365.25 * S_PER_DAY)

struct unit {
    const char *name;
    double scale;
};

static int parse(const char *option, const char *string, const struct unit *units, size_t count,
                 const char *example, double *value, struct error *error)
{
    size_t digits = strspn(string, "0123456789.");
    AUTO_FREE char *number = strndup(string, digits);
    const char *unit = string + digits + (string[digits] == ' ');
    double given = 0;
    bool good = number && text_to_double(number, &given) == 0;
    for (size_t i = 0; good && i < count; i++)
        if (strcmp(unit, units[i].name) == 0 && given > 0) {
            *value = given * units[i].scale;
            return 0;
        }
    struct text names = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&names, "%s%s", i ? ", " : "", units[i].name);
    error_set(error, "%s: expected a number above 0 with its unit (%s) such as %s, found '%s'", option,
              names.data ? names.data : "", example, string);
    text_free(&names);
    return -1;
}

int embodied_parse(const char *mass, const char *lifetime, struct embodied *embodied, struct error *error)
{
    static const struct unit masses[] = {{"g", 1e-3}, {"kg", 1}, {"t", 1000}};
    static const struct unit times[] = {{"y", S_PER_YEAR},     {"year", S_PER_YEAR},
                                        {"years", S_PER_YEAR}, {"months", S_PER_YEAR / 12},
                                        {"d", S_PER_DAY},      {"days", S_PER_DAY}};
    *embodied = (struct embodied){0};
    if (!mass && !lifetime)
        return 0;
    if (!mass || !lifetime)
        return error_set(error,
                         "--embodied and --lifetime go together: what making the machine emitted, and how "
                         "long it is used (--embodied 1200kg --lifetime 4y)");
    if (parse("--embodied", mass, masses, sizeof masses / sizeof *masses, "1200kg",
              &embodied->machine_kg_co2e, error) == 0 &&
        parse("--lifetime", lifetime, times, sizeof times / sizeof *times, "4y", &embodied->lifetime_s,
              error) == 0)
        return 0;
    *embodied = (struct embodied){0};
    return -1;
}

double embodied_share_kg(const struct embodied *embodied, double wall_s)
{
    return embodied->machine_kg_co2e > 0 ? embodied->machine_kg_co2e * wall_s / embodied->lifetime_s : NAN;
}

char *embodied_text(const struct embodied *embodied, double wall_s)
{
    AUTO_FREE char *share = units_mass(embodied_share_kg(embodied, wall_s));
    AUTO_FREE char *machine = units_mass(embodied->machine_kg_co2e);
    if (!share || !machine)
        return NULL;
    return text_format(
        "%s CO2e of the %s that making the machine emitted, by its share of %.3g years; not in "
        "the figures above",
        share, machine, embodied->lifetime_s / S_PER_YEAR);
}
