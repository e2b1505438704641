#include "dataset/normalise.h"

#include "base/text.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static const struct normalisation known[] = {
    {"computed", {0}, {0}},
    {"imagenet", {0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}},
    {"caffe", {123.68F / 255, 116.779F / 255, 103.939F / 255}, {1.0F / 255, 1.0F / 255, 1.0F / 255}},
    {"tf", {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F}},
};
enum { KNOWN = sizeof known / sizeof *known };

bool normalisation_is_computed(const struct normalisation *normalisation)
{
    return !normalisation->name || strcmp(normalisation->name, known[0].name) == 0;
}

/* Three numbers with commas between them. */
static int parse_channels(char *list, const char *what, double least, double most, float *out,
                          struct error *error)
{
    for (size_t c = 0; c < NORMALISED_CHANNELS; c++) {
        double value;
        const char *part = strsep(&list, ",");
        if (!part)
            return error_set(error, "expected three %ss with commas between them, found %zu", what, c);
        if (text_to_double(part, &value) < 0)
            return error_set(error, "expected three %ss with commas between them, found '%s'", what, part);
        if (value < least || value > most)
            return error_set(error, "expected %ss from %g to %g, of pixels from 0 to 1, found %s", what,
                             least, most, part);
        out[c] = (float)value;
    }
    return list ? error_set(error, "expected three %ss, found more: '%s'", what, list) : 0;
}

static int parse_numbers(const char *spec, struct normalisation *normalisation, struct error *error)
{
    AUTO_FREE char *copy = strdup(spec);
    if (!copy)
        return error_memory(error, "normalisation");
    char *deviations = copy;
    char *means = strsep(&deviations, "/");
    if (!deviations)
        return error_set(error, "expected means and deviations, as 0.5,0.5,0.5/0.25,0.25,0.25, found '%s'",
                         spec);
    *normalisation = (struct normalisation){.name = "given"};
    if (parse_channels(means, "mean", 0, 1, normalisation->mean, error) < 0)
        return -1;
    return parse_channels(deviations, "deviation", 0.001, 10, normalisation->deviation, error);
}

int normalisation_parse(const char *spec, struct normalisation *normalisation, struct error *error)
{
    const char *names[KNOWN];
    for (size_t i = 0; i < KNOWN; i++) {
        names[i] = known[i].name;
        if (strcmp(spec, known[i].name) == 0) {
            *normalisation = known[i];
            return 0;
        }
    }
    if (!isalpha((unsigned char)spec[0]))
        return parse_numbers(spec, normalisation, error);
    const char *nearest = text_nearest(spec, names, KNOWN);
    return error_set(error,
                     "unknown normalisation '%s'%s%s%s: expected computed, imagenet, caffe, tf, or means and "
                     "deviations as 0.5,0.5,0.5/0.25,0.25,0.25",
                     spec, nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
}

void pixel_values_set(struct pixel_values *values, const float *mean, const float *deviation)
{
    for (size_t c = 0; c < NORMALISED_CHANNELS; c++) {
        for (size_t v = 0; v < 256; v++)
            values->byte[c][v] = ((float)v / 255.0F - mean[c]) / deviation[c];
        values->scale[c] = 1 / (255.0F * deviation[c]);
        values->offset[c] = -mean[c] / deviation[c];
    }
    for (size_t v = 0; v < 256; v++)
        values->level[v] = (float)v;
}
