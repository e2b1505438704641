#include "base/units.h"

#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct scale {
    double least; /* the smallest magnitude shown with this unit */
    double divisor;
    const char *unit;
};

/* Four significant digits at the most, never an exponent. */
static char *scaled(double value, const struct scale *scales, size_t count)
{
    double magnitude = fabs(value);
    size_t i = 0;
    while (i + 1 < count && magnitude < scales[i].least)
        i++;
    double shown = value / scales[i].divisor;
    double size = fabs(shown);
    int decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
    if (size == 0)
        decimals = 0;
    return text_format("%.*f %s", decimals, shown, scales[i].unit);
}

char *units_energy(double energy_j)
{
    static const struct scale scales[] = {
        {1e9, 1e9, "GJ"}, {1e6, 1e6, "MJ"}, {1e4, 1e3, "kJ"}, {1, 1, "J"}, {0, 1e-3, "mJ"}};
    return scaled(energy_j, scales, sizeof scales / sizeof *scales);
}

char *units_kwh(double energy_j)
{
    double kwh = energy_j / J_PER_KWH;
    int decimals = 3;
    if (kwh != 0 && fabs(kwh) < 1)
        decimals = 2 - (int)floor(log10(fabs(kwh)));
    if (decimals > 9)
        decimals = 9;
    return text_format("%.*f kWh", decimals, kwh);
}

char *units_wh(double energy_j)
{
    return text_format("%.4g Wh", energy_j / J_PER_KWH * 1000);
}

char *units_power(double power_w)
{
    static const struct scale scales[] = {{1e6, 1e6, "MW"}, {1e4, 1e3, "kW"}, {1, 1, "W"}, {0, 1e-3, "mW"}};
    return scaled(power_w, scales, sizeof scales / sizeof *scales);
}

char *units_mass(double mass_kg)
{
    static const struct scale scales[] = {
        {1e3, 1e3, "t"}, {1, 1, "kg"}, {1e-3, 1e-3, "g"}, {1e-6, 1e-6, "mg"}, {0, 1e-9, "µg"}};
    return scaled(mass_kg, scales, sizeof scales / sizeof *scales);
}

char *units_bytes(uint64_t bytes)
{
    static const struct scale scales[] = {
        {1073741824.0, 1073741824.0, "GiB"}, {1048576.0, 1048576.0, "MiB"}, {1024, 1024, "KiB"}, {0, 1, "B"}};
    return scaled((double)bytes, scales, sizeof scales / sizeof *scales);
}

char *units_duration(double elapsed_s)
{
    if (elapsed_s < 0.0995)
        return text_format("%.2f ms", elapsed_s * 1e3);
    if (elapsed_s < 0.9995)
        return text_format("%.0f ms", elapsed_s * 1e3);
    if (elapsed_s < 99.95)
        return text_format("%.1f s", elapsed_s);
    int64_t seconds = llround(elapsed_s);
    if (seconds < 3600)
        return text_format("%" PRId64 " min %" PRId64 " s", seconds / 60, seconds % 60);
    int64_t minutes = llround(elapsed_s / 60);
    return text_format("%" PRId64 " h %" PRId64 " min", minutes / 60, minutes % 60);
}

char *units_count(uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    struct text text = TEXT_INIT;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text_append(&text, ",");
        text_append_bytes(&text, &digits[i], 1);
    }
    return text_take(&text);
}

/* Splits "50 Wh" into the number and what follows it; NULL where no number comes first. */
static const char *split_number(const char *string, double *number)
{
    size_t length = strspn(string, "0123456789.");
    size_t exponent = 0; /* of "1e3", and not the E of a unit: digits must follow */
    if (length && (string[length] == 'e' || string[length] == 'E')) {
        exponent = 1 + strspn(string + length + 1, "+-");
        size_t digits = strspn(string + length + exponent, "0123456789");
        exponent = digits ? exponent + digits : 0;
    }
    AUTO_FREE char *copy = strndup(string, length + exponent);
    if (!copy || text_to_double(copy, number) < 0)
        return NULL;
    const char *rest = string + length + exponent;
    return *rest == ' ' ? rest + 1 : rest;
}

struct unit {
    const char *name;
    double worth;
};

/* 1: a number above 0 and one of `units`; 0: of none of them; -1: not above 0, or beyond all numbers. */
static int parse_quantity(const char *string, const struct unit *units, size_t count, double *value)
{
    double number = 0;
    const char *unit = split_number(string, &number);
    for (size_t i = 0; unit && i < count; i++) {
        double found = number * units[i].worth;
        if (strcmp(unit, units[i].name) != 0)
            continue;
        if (!(found > 0) || !isfinite(found))
            return -1;
        *value = found;
        return 1;
    }
    return 0;
}

int units_parse_energy(const char *string, double *energy_j, struct error *error)
{
    static const struct unit units[] = {{"J", 1},     {"kJ", 1e3},  {"MJ", 1e6},
                                        {"mWh", 3.6}, {"Wh", 3600}, {"kWh", J_PER_KWH}};
    int found = parse_quantity(string, units, sizeof units / sizeof *units, energy_j);
    if (found < 0)
        return error_set(error, "expected an energy above 0, found '%s'", string);
    if (found > 0)
        return 0;
    return error_set(
        error, "expected an energy with its unit (J, kJ, MJ, mWh, Wh, kWh) such as 50Wh, found '%s'", string);
}

int units_parse_duration(const char *string, double *duration_s, struct error *error)
{
    static const struct unit units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    int found = parse_quantity(string, units, sizeof units / sizeof *units, duration_s);
    if (found < 0)
        return error_set(error, "expected a duration above 0, found '%s'", string);
    if (found > 0)
        return 0;
    return error_set(error, "expected a duration with its unit (s, min, h, d) such as 6h, found '%s'",
                     string);
}

int units_parse_share(const char *string, double *share, struct error *error)
{
    double number = 0;
    const char *unit = split_number(string, &number);
    if (!unit || strcmp(unit, "%") != 0 || !(number > 0) || number > 100)
        return error_set(error, "expected a share above 0%% and up to 100%% such as 2%%, found '%s'", string);
    *share = number / 100;
    return 0;
}
