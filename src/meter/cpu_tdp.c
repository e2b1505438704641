#include "meter/cpu_tdp.h"

#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern const unsigned char cpu_tdp_csv[];

/* Skips "(R)", "(TM)", "(C)" and their Unicode signs; 0 if none stands here. */
static size_t mark_length(const char *at)
{
    static const char *const marks[] = {"(r)", "(tm)", "(c)", "®", "™"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strncasecmp(at, marks[i], strlen(marks[i])) == 0)
            return strlen(marks[i]);
    return 0;
}

static bool is_filler(const char *word, size_t length)
{
    static const char *const fillers[] = {"cpu", "processor"};
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++)
        if (strlen(fillers[i]) == length && strncasecmp(word, fillers[i], length) == 0)
            return true;
    return length > 5 && strncasecmp(word + length - 5, "-core", 5) == 0; /* "8-Core", "Six-Core" */
}

/* "@ 3.40GHz", "with Radeon Graphics", "w/ Radeon …" end the name proper. */
static bool ends_name(const char *word, size_t length)
{
    return word[0] == '@' || (length == 4 && strncasecmp(word, "with", 4) == 0) ||
           (length == 2 && strncasecmp(word, "w/", 2) == 0);
}

/* "12th Gen" before Intel's newer names. */
static const char *skip_generation(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    if (digits && strncasecmp(name + digits, "th gen ", 7) == 0)
        return name + digits + 7;
    return name;
}

char *cpu_tdp_normalise(const char *name)
{
    struct text bare = TEXT_INIT;
    for (const char *at = skip_generation(name); *at;) {
        size_t mark = mark_length(at);
        char letter = mark ? ' ' : (char)tolower((unsigned char)*at);
        text_append_bytes(&bare, &letter, 1);
        at += mark ? mark : 1;
    }
    AUTO_FREE char *words = text_take(&bare);
    struct text result = TEXT_INIT;
    for (const char *at = words; at && *at;) {
        at += strspn(at, " \t");
        size_t length = strcspn(at, " \t");
        if (length && ends_name(at, length))
            break;
        if (length && !is_filler(at, length)) {
            text_append(&result, result.length ? " " : "");
            text_append_bytes(&result, at, length);
        }
        at += length;
    }
    return words ? text_take(&result) : NULL;
}

/* Whether `word`, in small letters, stands in the line, case ignored: rules out nearly all lines before the
 * costly comparison. Looked for in the whole table when a run starts. */
static bool line_has(const char *line, size_t length, const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= length; i++)
        if (tolower((unsigned char)line[i]) == word[0] && strncasecmp(line + i, word, size) == 0)
            return true;
    return false;
}

double cpu_tdp_find(const char *model_name)
{
    AUTO_FREE char *wanted = cpu_tdp_normalise(model_name);
    if (!wanted || !wanted[0])
        return 0;
    const char *space = strrchr(wanted, ' ');
    const char *last_word = space ? space + 1 : wanted;
    double found_w = 0;
    for (const char *line = (const char *)cpu_tdp_csv; *line && found_w == 0;) {
        size_t length = strcspn(line, "\n");
        size_t comma = strcspn(line, ",");
        if (line[0] != '#' && comma < length && line_has(line, length, last_word)) {
            AUTO_FREE char *name = strndup(line + comma + 1, length - comma - 1);
            AUTO_FREE char *watts = strndup(line, comma);
            AUTO_FREE char *normal = name ? cpu_tdp_normalise(name) : NULL;
            double tdp_w;
            if (normal && watts && strcmp(normal, wanted) == 0 && text_to_double(watts, &tdp_w) == 0)
                found_w = tdp_w;
        }
        line += length + (line[length] == '\n');
    }
    return found_w;
}

bool cpu_tdp_is_default(double power_w, double tdp_w)
{
    enum { PROCESSORS_MOST = 8 };
    const double halves_w[] = {42.5, tdp_w / 2};
    for (size_t i = 0; i < sizeof halves_w / sizeof *halves_w; i++)
        for (int n = 1; n <= PROCESSORS_MOST && halves_w[i] > 0; n++)
            if (fabs(power_w - n * halves_w[i]) < 1e-9 * power_w)
                return true;
    return false;
}
