#include "base/text.h"
#include "meter/wall/raw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint16_t words;
} kinds[] = {
    [REGISTER_INT16] = {"int16", 1},   [REGISTER_UINT16] = {"uint16", 1},   [REGISTER_INT32] = {"int32", 2},
    [REGISTER_UINT32] = {"uint32", 2}, [REGISTER_FLOAT32] = {"float32", 2}, [REGISTER_INT64] = {"int64", 4},
    [REGISTER_UINT64] = {"uint64", 4}, [REGISTER_FLOAT64] = {"float64", 4},
};

/* A number, decimal or as 0x1f. */
static int parse_address(const char *text, uint16_t *address)
{
    char *end;
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    if (text[0] < '0' || text[0] > '9')
        return -1;
    unsigned long number = strtoul(text, &end, hexadecimal ? 16 : 10);
    if (*end || end == text || number > UINT16_MAX)
        return -1;
    *address = (uint16_t)number;
    return 0;
}

static int parse_kind(const char *text, struct registers *registers)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, text) == 0) {
            registers->kind = (enum register_kind)i;
            registers->count = kinds[i].words;
            return 0;
        }
    return -1;
}

int registers_parse(const char *text, struct registers *registers, struct error *error)
{
    AUTO_FREE char *copy = strdup(text);
    char *rest = copy, *fields[5] = {0};
    size_t count = 0;
    if (!copy)
        return error_memory(error, text);
    while (rest && count < 5)
        fields[count++] = strsep(&rest, ":");
    *registers = (struct registers){.low_first = count == 4};
    bool sound = count >= 3 && count <= 4 && parse_address(fields[1], &registers->first) == 0 &&
                 parse_kind(fields[2], registers) == 0 &&
                 (count == 3 || strcmp(fields[3], "low-first") == 0) &&
                 UINT16_MAX - registers->first >= registers->count - 1;
    if (sound && strcmp(fields[0], "holding") == 0) {
        registers->holding = true;
        return 0;
    }
    if (sound && strcmp(fields[0], "input") == 0)
        return 0;
    return error_set(error,
                     "expected input or holding, an address, a type (int16 to float64) and, where it is so, "
                     "low-first, as in input:0x000C:float32, found '%.60s'",
                     text);
}

double registers_value(const struct registers *registers, const uint16_t *words)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < registers->count; i++)
        bits = bits << 16 | words[registers->low_first ? registers->count - 1U - i : i];
    uint32_t half = (uint32_t)bits;
    float single;
    double value;
    switch (registers->kind) {
    case REGISTER_INT16:
        return (double)(int16_t)bits;
    case REGISTER_INT32:
        return (double)(int32_t)half;
    case REGISTER_INT64:
        return (double)(int64_t)bits;
    case REGISTER_FLOAT32:
        memcpy(&single, &half, sizeof single);
        value = single;
        break;
    case REGISTER_FLOAT64:
        memcpy(&value, &bits, sizeof value);
        break;
    default:
        return (double)bits;
    }
    return isfinite(value) ? value : NAN;
}
