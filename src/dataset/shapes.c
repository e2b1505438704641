/* Drawn images: one of ten shapes, large and bright, among smaller ones of any kind, under bars and noise.
 *
 * Everything but the outline is drawn from the same distributions whatever the class, and all shapes have the
 * same area, so that neither colour nor size gives the class away. Only + - * / and sqrt, which IEEE 754
 * fixes to the bit, and no contraction (CMakeLists.txt): the same images on every machine. */
#include "base/random.h"
#include "base/text.h"
#include "dataset/format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLASSES = 10,
    OWN_SIZE = 32,
    COUNT_DEFAULT = 10000,
    LAYERS_MOST = 16,
    SAMPLES = 4, /* a side, in each pixel that an edge may cross */
};

struct point {
    double x, y;
};

static const struct point triangle[] = {{0, -1.2}, {1.04, 0.6}, {-1.04, 0.6}};
static const struct point square[] = {{-1, -1}, {1, -1}, {1, 1}, {-1, 1}};
static const struct point pentagon[] = {
    {0, -1}, {0.951, -0.309}, {0.588, 0.809}, {-0.588, 0.809}, {-0.951, -0.309}};
static const struct point star[] = {{0, -1},          {0.259, -0.357}, {0.951, -0.309}, {0.42, 0.136},
                                    {0.588, 0.809},   {0, 0.442},      {-0.588, 0.809}, {-0.42, 0.136},
                                    {-0.951, -0.309}, {-0.259, -0.357}};
static const struct point cross[] = {{-0.36, -1},   {0.36, -1},   {0.36, -0.36}, {1, -0.36},
                                     {1, 0.36},     {0.36, 0.36}, {0.36, 1},     {-0.36, 1},
                                     {-0.36, 0.36}, {-1, 0.36},   {-1, -0.36},   {-0.36, -0.36}};
static const struct point arrow[] = {{0, -1.1},  {0.9, 0},   {0.36, 0}, {0.36, 1},
                                     {-0.36, 1}, {-0.36, 0}, {-0.9, 0}};

/* A polygon's corners, or where there are none, a formula. Areas are of the outlines above. */
struct shape {
    const char *name;
    const struct point *corners;
    size_t corner_count;
    bool (*inside)(double x, double y);
    double area;
};

static bool inside_circle(double x, double y)
{
    return x * x + y * y <= 1;
}

static bool inside_ring(double x, double y)
{
    double square_radius = x * x + y * y;
    return square_radius <= 1 && square_radius >= 0.36;
}

static bool inside_crescent(double x, double y)
{
    double dx = x - 0.5;
    return x * x + y * y <= 1 && dx * dx + y * y >= 0.7225;
}

static bool inside_heart(double x, double y)
{
    double a = x * x + y * y - 1;
    return a * a * a + x * x * y * y * y <= 0;
}

#define CORNERS(points) points, sizeof points / sizeof *points, NULL

static const struct shape shapes[CLASSES] = {
    {"circle", NULL, 0, inside_circle, 3.142},
    {"triangle", CORNERS(triangle), 1.872},
    {"square", CORNERS(square), 4},
    {"pentagon", CORNERS(pentagon), 2.378},
    {"star", CORNERS(star), 1.298},
    {"cross", CORNERS(cross), 2.362},
    {"ring", NULL, 0, inside_ring, 2.011},
    {"crescent", NULL, 0, inside_crescent, 1.391},
    {"heart", NULL, 0, inside_heart, 3.662},
    {"arrow", CORNERS(arrow), 1.71},
};

/* Even-odd rule. */
static bool inside_polygon(const struct shape *shape, double x, double y)
{
    bool inside = false;
    for (size_t i = 0, j = shape->corner_count - 1; i < shape->corner_count; j = i++) {
        const struct point *a = &shape->corners[i], *b = &shape->corners[j];
        if ((a->y > y) != (b->y > y) && x < (b->x - a->x) * (y - a->y) / (b->y - a->y) + a->x)
            inside = !inside;
    }
    return inside;
}

struct colour {
    double channel[DATASET_CHANNELS]; /* 0 … 1 */
};

/* One thing drawn: a shape under a linear map, with a colour that changes linearly across it. */
struct layer {
    const struct shape *shape;
    double x, y, reach;    /* centre and half the side of a box that holds it; the image is [0,1] x [0,1] */
    double xx, xy, yx, yy; /* from image to shape */
    struct colour colour, change;
};

struct scene {
    struct colour background, change_x, change_y;
    struct layer layers[LAYERS_MOST];
    size_t layer_count;
    double noise;
};

static double between(struct random_stream *random, double low, double high)
{
    return low + (high - low) * random_uniform(random);
}

/* A direction without sine and cosine. */
static struct point direction(struct random_stream *random)
{
    for (;;) {
        struct point p = {between(random, -1, 1), between(random, -1, 1)};
        double square_length = p.x * p.x + p.y * p.y;
        if (square_length > 1 || square_length < 0.01)
            continue;
        double length = sqrt(square_length);
        return (struct point){p.x / length, p.y / length};
    }
}

static struct colour any_colour(struct random_stream *random, double low, double high)
{
    struct colour colour;
    for (size_t c = 0; c < DATASET_CHANNELS; c++)
        colour.channel[c] = between(random, low, high);
    return colour;
}

static struct colour change(struct random_stream *random, double most)
{
    struct colour colour;
    for (size_t c = 0; c < DATASET_CHANNELS; c++)
        colour.channel[c] = between(random, -most, most);
    return colour;
}

/* Adds a shape with the area of a circle of radius `radius`, turned anyhow, stretched by `stretch` along one
 * axis and by 1/stretch along the other. */
static struct layer *add_shape(struct scene *scene, struct random_stream *random, const struct shape *shape,
                               struct point center, double radius, double stretch)
{
    struct layer *layer = &scene->layers[scene->layer_count++];
    struct point turn = direction(random), axis = direction(random);
    double unit = radius * sqrt(3.141592653589793 / shape->area);
    double along = 1 / stretch, across = stretch;
    double sxx = axis.x * axis.x * along + axis.y * axis.y * across;
    double sxy = axis.x * axis.y * (along - across);
    double syy = axis.y * axis.y * along + axis.x * axis.x * across;
    layer->shape = shape;
    layer->x = center.x;
    layer->y = center.y;
    layer->reach = 1.5 * unit * (stretch > 1 ? stretch : 1 / stretch);
    layer->xx = (turn.x * sxx + turn.y * sxy) / unit;
    layer->xy = (turn.x * sxy + turn.y * syy) / unit;
    layer->yx = (turn.x * sxy - turn.y * sxx) / unit;
    layer->yy = (turn.x * syy - turn.y * sxy) / unit;
    return layer;
}

static struct point any_point(struct random_stream *random, double margin)
{
    struct point point;
    point.x = between(random, margin, 1 - margin);
    point.y = between(random, margin, 1 - margin);
    return point;
}

static void add_clutter(struct scene *scene, struct random_stream *random)
{
    size_t count = 1 + random_below(random, 4);
    for (size_t i = 0; i < count; i++) {
        const struct shape *shape = &shapes[random_below(random, CLASSES)];
        struct point center = any_point(random, 0);
        double radius = between(random, 0.04, 0.09);
        struct layer *layer = add_shape(scene, random, shape, center, radius, 1);
        layer->colour = any_colour(random, 0, 0.9);
        layer->change = change(random, 0.2);
    }
}

/* A thin bar is a square stretched far. */
static void add_bars(struct scene *scene, struct random_stream *random)
{
    size_t count = random_below(random, 2);
    for (size_t i = 0; i < count; i++) {
        struct point center = any_point(random, 0.1);
        double radius = between(random, 0.08, 0.13);
        double stretch = between(random, 2.5, 4);
        struct layer *layer = add_shape(scene, random, &shapes[2], center, radius, stretch);
        layer->colour = any_colour(random, 0, 0.9);
        layer->change = change(random, 0.2);
    }
}

static void compose(struct scene *scene, struct random_stream *random, size_t class_index)
{
    *scene = (struct scene){0};
    scene->background = any_colour(random, 0, 0.5);
    scene->change_x = change(random, 0.2);
    scene->change_y = change(random, 0.2);
    add_clutter(scene, random);
    double radius = between(random, 0.21, 0.31);
    struct point center = any_point(random, 0.05 + radius);
    double stretch = between(random, 0.85, 1.18);
    struct layer *layer = add_shape(scene, random, &shapes[class_index], center, radius, stretch);
    layer->colour = any_colour(random, 0.5, 1);
    layer->change = change(random, 0.15);
    add_bars(scene, random);
    scene->noise = between(random, 0.02, 0.1);
}

static bool inside(const struct layer *layer, double dx, double dy)
{
    double x = layer->xx * dx + layer->xy * dy, y = layer->yx * dx + layer->yy * dy;
    return layer->shape->inside ? layer->shape->inside(x, y) : inside_polygon(layer->shape, x, y);
}

/* The share of a pixel at (dx, dy) from the layer's centre, `pixel` wide, that the layer covers. */
static double coverage(const struct layer *layer, double dx, double dy, double pixel)
{
    unsigned hits = 0;
    for (int j = 0; j < SAMPLES; j++)
        for (int i = 0; i < SAMPLES; i++)
            hits += inside(layer, dx + ((i + 0.5) / SAMPLES - 0.5) * pixel,
                           dy + ((j + 0.5) / SAMPLES - 0.5) * pixel);
    return hits / (double)(SAMPLES * SAMPLES);
}

static struct colour colour_at(const struct scene *scene, double x, double y, double pixel)
{
    struct colour colour;
    for (size_t c = 0; c < DATASET_CHANNELS; c++)
        colour.channel[c] = scene->background.channel[c] + scene->change_x.channel[c] * (x - 0.5) +
                            scene->change_y.channel[c] * (y - 0.5);
    for (size_t i = 0; i < scene->layer_count; i++) {
        const struct layer *layer = &scene->layers[i];
        double dx = x - layer->x, dy = y - layer->y;
        if (fabs(dx) > layer->reach + pixel || fabs(dy) > layer->reach + pixel)
            continue;
        double covered = coverage(layer, dx, dy, pixel);
        for (size_t c = 0; c < DATASET_CHANNELS && covered > 0; c++) {
            double own = layer->colour.channel[c] + layer->change.channel[c] * dx / layer->reach;
            colour.channel[c] += covered * (own - colour.channel[c]);
        }
    }
    return colour;
}

/* About normal, mean 0 and deviation 1: a sum of four uniform numbers (Irwin-Hall), without a logarithm. */
static double noise(struct random_stream *random)
{
    double sum = 0;
    for (int i = 0; i < 4; i++)
        sum += random_uniform(random);
    return (sum - 2) * 1.7320508075688772;
}

static uint8_t to_byte(double value)
{
    double scaled = value * 255 + 0.5;
    return (uint8_t)(scaled < 0 ? 0 : scaled > 255 ? 255 : scaled);
}

struct drawing {
    struct dataset_split *split;
    size_t size;
    uint64_t seed;
};

static void draw(void *context, size_t index)
{
    const struct drawing *drawing = context;
    size_t size = drawing->size, plane = size * size;
    struct random_stream random;
    random_seed(&random, drawing->seed, index);
    size_t class_index = random_below(&random, CLASSES);
    struct scene scene;
    compose(&scene, &random, class_index);
    uint8_t *out = drawing->split->images + index * DATASET_CHANNELS * plane;
    double pixel = 1 / (double)size;
    for (size_t y = 0; y < size; y++)
        for (size_t x = 0; x < size; x++) {
            struct colour colour =
                colour_at(&scene, ((double)x + 0.5) * pixel, ((double)y + 0.5) * pixel, pixel);
            for (size_t c = 0; c < DATASET_CHANNELS; c++)
                out[c * plane + y * size + x] = to_byte(colour.channel[c] + scene.noise * noise(&random));
        }
    drawing->split->labels[index] = (int32_t)class_index;
}

/* "N[:SEED]", or NULL for the defaults. */
static int parse_argument(const char *argument, uint64_t *count, uint64_t *seed, struct error *error)
{
    *count = COUNT_DEFAULT;
    *seed = 0;
    if (!argument)
        return 0;
    size_t length = strcspn(argument, ":");
    AUTO_FREE char *number = strndup(argument, length);
    if (!number)
        return error_memory(error, "shapes");
    if (text_to_u64(number, count) < 0)
        return error_set(error, "shapes:%s: expected a number of images, as in shapes:%d, found '%s'",
                         argument, COUNT_DEFAULT, number);
    if (*count < 2 * CLASSES)
        return error_set(error, "shapes:%s: expected at least %d images, found %s", argument, 2 * CLASSES,
                         number);
    if (argument[length] && text_to_u64(argument + length + 1, seed) < 0)
        return error_set(error, "shapes:%s: expected a seed, as in shapes:%d:1, found '%s'", argument,
                         COUNT_DEFAULT, argument + length + 1);
    return 0;
}

static int draw_split(struct dataset *dataset, struct dataset_split *split, uint64_t count, uint64_t seed,
                      size_t threads, struct error *error)
{
    if (dataset_allocate(dataset, split, count, error) < 0)
        return -1;
    struct drawing drawing = {split, dataset->size, seed};
    parallel_for(count, threads, draw, &drawing);
    return 0;
}

int shapes_open(const char *argument, const struct dataset_options *options, struct dataset *dataset,
                struct error *error)
{
    uint64_t count, seed;
    if (parse_argument(argument, &count, &seed, error) < 0)
        return -1;
    const char *names[CLASSES];
    for (size_t i = 0; i < CLASSES; i++)
        names[i] = shapes[i].name;
    dataset->size = dataset_target_size(options, OWN_SIZE);
    if (dataset_name_classes(dataset, names, CLASSES, error) < 0)
        return -1;
    /* two seeds from one, so that no test image is a training image */
    if (draw_split(dataset, &dataset->train, count, 2 * seed, options->threads, error) < 0)
        return -1;
    return draw_split(dataset, &dataset->test, count / 5, 2 * seed + 1, options->threads, error);
}
