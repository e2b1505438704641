/* Which transforms there are, and what is drawn for an image. */
#include "dataset/augment.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct transform {
    const char *name;
    size_t offset; /* of its figure in struct augmentation */
    double otherwise, least, most;
    bool whole;
    const char *unit;
};

#define FIGURE(member) offsetof(struct augmentation, member)

static const struct transform transforms[] = {
    {"rotate", FIGURE(rotate_deg), 15, 0.1, 180, false, "degrees"},
    {"shift", FIGURE(shift), 0.1, 0.001, 0.999, false, "of the size"},
    {"flip", FIGURE(flip), 0.5, 0.001, 1, false, "as probability"},
    {"crop", FIGURE(crop), 4, 1, 4095, true, "whole pixels of padding"},
    {"resized-crop", FIGURE(resized_crop), 0.08, 0.001, 1, false, "of the area"},
    {"jitter", FIGURE(jitter), 0.4, 0.001, 1, false, "around a factor of 1"},
};

static const struct {
    const char *name;
    struct augmentation augmentation;
} sets[] = {
    {"standard", {.crop = 4, .flip = 0.5}},
    {"paper", {.rotate_deg = 15, .shift = 0.1, .flip = 0.5}},
};
enum { TRANSFORMS = sizeof transforms / sizeof *transforms, SETS = sizeof sets / sizeof *sets };

static double *figure(const struct transform *transform, struct augmentation *augmentation)
{
    return (double *)((char *)augmentation + transform->offset);
}

static double figure_of(const struct transform *transform, const struct augmentation *augmentation)
{
    return *(const double *)((const char *)augmentation + transform->offset);
}

static int set_figure(const struct transform *transform, double value, struct augmentation *augmentation,
                      struct error *error)
{
    if (*figure(transform, augmentation) != 0)
        return error_set(error, "'%s' is there twice", transform->name);
    *figure(transform, augmentation) = value;
    return 0;
}

static int parse_transform(const struct transform *transform, const char *value,
                           struct augmentation *augmentation, struct error *error)
{
    double number = transform->otherwise;
    if (value && text_to_double(value, &number) < 0)
        return error_set(error, "%s: expected a number, found '%s'", transform->name, value);
    if (number < transform->least || number > transform->most ||
        (transform->whole && number != floor(number)))
        return error_set(error, "%s: expected %g to %g %s, found %s", transform->name, transform->least,
                         transform->most, transform->unit, value);
    return set_figure(transform, number, augmentation, error);
}

static int error_unknown(const char *name, struct error *error)
{
    const char *names[TRANSFORMS + SETS];
    for (size_t i = 0; i < TRANSFORMS; i++)
        names[i] = transforms[i].name;
    for (size_t i = 0; i < SETS; i++)
        names[TRANSFORMS + i] = sets[i].name;
    struct text list = TEXT_INIT;
    for (size_t i = 0; i < TRANSFORMS + SETS; i++)
        text_printf(&list, "%s%s", i ? ", " : "", names[i]);
    AUTO_FREE char *all = text_take(&list);
    const char *nearest = text_nearest(name, names, TRANSFORMS + SETS);
    return error_set(error, "unknown transform '%s'%s%s%s: expected some of %s, with commas between them",
                     name, nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "",
                     all ? all : "rotate, shift, flip");
}

static int add_set(const struct augmentation *set, struct augmentation *augmentation, struct error *error)
{
    for (size_t i = 0; i < TRANSFORMS; i++) {
        double value = figure_of(&transforms[i], set);
        if (value != 0 && set_figure(&transforms[i], value, augmentation, error) < 0)
            return -1;
    }
    return 0;
}

/* `item` is cut in two at its colon. */
static int parse_item(char *item, struct augmentation *augmentation, struct error *error)
{
    char *value = item;
    const char *name = strsep(&value, ":");
    for (size_t i = 0; i < TRANSFORMS; i++)
        if (strcmp(name, transforms[i].name) == 0)
            return parse_transform(&transforms[i], value, augmentation, error);
    for (size_t i = 0; i < SETS; i++)
        if (strcmp(name, sets[i].name) == 0)
            return value ? error_set(error, "%s is a set and takes no figure, found '%s'", name, value)
                         : add_set(&sets[i].augmentation, augmentation, error);
    return error_unknown(name, error);
}

int augmentation_parse(const char *spec, struct augmentation *augmentation, struct error *error)
{
    AUTO_FREE char *copy = strdup(spec);
    if (!copy)
        return error_memory(error, "augmentation");
    *augmentation = (struct augmentation){0};
    char *rest = copy;
    for (char *item; (item = strsep(&rest, ","));)
        if (parse_item(item, augmentation, error) < 0)
            return -1;
    if (augmentation->crop != 0 && augmentation->resized_crop != 0)
        return error_set(error,
                         "crop and resized-crop both choose the window that is seen: give one of them");
    return 0;
}

char *augmentation_text(const struct augmentation *augmentation)
{
    struct text text = TEXT_INIT;
    text_append(&text, "");
    for (size_t i = 0; i < TRANSFORMS; i++) {
        double value = figure_of(&transforms[i], augmentation);
        if (value != 0)
            text_printf(&text, "%s%s:%g", text.length ? "," : "", transforms[i].name, value);
    }
    return text_take(&text);
}

bool augmentation_any(const struct augmentation *augmentation)
{
    bool any = false;
    for (size_t i = 0; i < TRANSFORMS; i++)
        any = any || figure_of(&transforms[i], augmentation) != 0;
    return any;
}

static double between(struct random_stream *random, double least, double most)
{
    return least + (most - least) * random_uniform(random);
}

static long below(struct random_stream *random, size_t bound)
{
    return (long)random_below(random, bound);
}

/* The whole image, where ten attempts give no window inside it. */
static void draw_resized_crop(double least, size_t size, struct random_stream *random,
                              struct augment_draw *draw)
{
    double area = (double)size * (double)size;
    for (int attempt = 0; attempt < 10; attempt++) {
        double seen = area * between(random, least, 1);
        double ratio = exp(between(random, log(3.0 / 4), log(4.0 / 3)));
        size_t width = (size_t)nearbyint(sqrt(seen * ratio)), height = (size_t)nearbyint(sqrt(seen / ratio));
        if (width == 0 || height == 0 || width > size || height > size)
            continue;
        draw->width = width;
        draw->height = height;
        draw->top = below(random, size - height + 1);
        draw->left = below(random, size - width + 1);
        return;
    }
}

static void draw_jitter(double jitter, struct random_stream *random, struct augment_draw *draw)
{
    for (unsigned last = 2; last > 0; last--) {
        unsigned other = (unsigned)random_below(random, last + 1), kept = draw->order[last];
        draw->order[last] = draw->order[other];
        draw->order[other] = kept;
    }
    draw->brightness = between(random, 1 - jitter, 1 + jitter);
    draw->contrast = between(random, 1 - jitter, 1 + jitter);
    draw->saturation = between(random, 1 - jitter, 1 + jitter);
}

struct augment_draw augment_draw(const struct augmentation *augmentation, size_t size,
                                 struct random_stream *random)
{
    struct augment_draw draw = {
        .width = size, .height = size, .brightness = 1, .contrast = 1, .saturation = 1, .order = {0, 1, 2}};
    double shift = augmentation->shift * (double)size;
    if (augmentation->rotate_deg != 0)
        draw.angle_deg = between(random, -augmentation->rotate_deg, augmentation->rotate_deg);
    if (augmentation->shift != 0) {
        draw.down = between(random, -shift, shift);
        draw.right = between(random, -shift, shift);
    }
    if (augmentation->crop != 0) {
        size_t padding = (size_t)augmentation->crop;
        draw.left = below(random, 2 * padding + 1) - (long)padding;
        draw.top = below(random, 2 * padding + 1) - (long)padding;
    }
    if (augmentation->resized_crop != 0)
        draw_resized_crop(augmentation->resized_crop, size, random, &draw);
    if (augmentation->flip != 0)
        draw.flip = random_uniform(random) < augmentation->flip;
    if (augmentation->jitter != 0)
        draw_jitter(augmentation->jitter, random, &draw);
    return draw;
}
