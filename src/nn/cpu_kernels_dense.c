/* The backward pass of a dense layer and the optimiser's step on its weights, in one walk over them.
 *
 * Apart, they are three walks over weights that no cache holds, and a fourth over their gradients. */
#include "nn/cpu_element.h"

#include <string.h>

/* Floats that are computed side by side: a cache line, whatever the processor's own vectors are. */
enum { LANES = 16 };
typedef float vector __attribute__((vector_size(LANES * sizeof(float))));

/* Rows of a tile that are summed at once, as many as keep all their sums in registers. */
enum { GRADIENT_ROWS = 4, INPUT_ROWS = 8, VECTORS_MOST = DENSE_LANES_MOST / LANES };

static size_t round_up(size_t count, size_t unit)
{
    return (count + unit - 1) / unit * unit;
}

static size_t blocks(size_t count, size_t unit)
{
    return (count + unit - 1) / unit;
}

/* What the operands are packed to, so that a tile reads of each one stretch: x (block of inputs, image,
 * DENSE_ROWS), dy (block of outputs, image, lanes), dy_turned (block of outputs, lanes, image) and the sum of
 * dx (block of inputs, DENSE_ROWS, image), images padded to LANES. */
struct panels {
    float *x, *dy, *dy_turned, *dx;
    size_t images; /* padded */
};

static size_t lay_panels(const struct dense_backward *d, float *scratch, struct panels *panels)
{
    size_t padded = round_up(d->images, LANES);
    size_t inputs = round_up(d->inputs, DENSE_ROWS), outputs = round_up(d->outputs, d->lanes);
    size_t x = round_up(inputs * d->images, LANES), dy = round_up(outputs * d->images, LANES);
    if (scratch)
        *panels = (struct panels){scratch, scratch + x, scratch + x + dy, scratch + x + dy + outputs * padded,
                                  padded};
    return x + dy + (outputs + inputs) * padded;
}

size_t kernel_dense_scratch(const struct dense_backward *d)
{
    return lay_panels(d, NULL, NULL);
}

/* Columns [first, first + width) of the rows (images, columns) of x go to (image, width); 0 beyond the last
 * column. */
static void pack(float *to, const void *x, enum element type, size_t images, size_t columns, size_t first,
                 size_t width)
{
    size_t count = columns - first < width ? columns - first : width;
    for (size_t n = 0; n < images; n++) {
        for (size_t i = 0; i < count; i++)
            to[n * width + i] = element_get(x, n * columns + first + i, type);
        for (size_t i = count; i < width; i++)
            to[n * width + i] = 0;
    }
}

/* (image, width) to (width, image), 0 beyond the last image. */
static void turn(float *to, const float *from, size_t images, size_t padded, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        for (size_t n = 0; n < images; n++)
            to[i * padded + n] = from[n * width + i];
        for (size_t n = images; n < padded; n++)
            to[i * padded + n] = 0;
    }
}

static void sum_images(float *sums, const float *from, size_t images, size_t width, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sums[i] = from[i];
    for (size_t n = 1; n < images; n++)
        for (size_t i = 0; i < count; i++)
            sums[i] += from[n * width + i];
}

/* g (GRADIENT_ROWS, vectors) = the sum over images of x (image, DENSE_ROWS) times dy (image, vectors). */
static inline ALWAYS_INLINE void gradient_rows(vector *g, const float *x, const vector *dy, size_t images,
                                               const size_t vectors)
{
    vector sums[GRADIENT_ROWS][VECTORS_MOST] = {{{0}}};
    for (size_t n = 0; n < images; n++)
#pragma GCC unroll 4
        for (size_t r = 0; r < GRADIENT_ROWS; r++)
#pragma GCC unroll 4
            for (size_t k = 0; k < vectors; k++)
                sums[r][k] += x[n * DENSE_ROWS + r] * dy[n * vectors + k];
#pragma GCC unroll 4
    for (size_t r = 0; r < GRADIENT_ROWS; r++)
#pragma GCC unroll 4
        for (size_t k = 0; k < vectors; k++)
            g[r * vectors + k] = sums[r][k];
}

/* dx (INPUT_ROWS, vectors) += the sum over outputs of w (row, output) times dy (output, vectors), in lines of
 * `line` vectors. */
static inline ALWAYS_INLINE void input_rows(vector *dx, const float *w, size_t outputs, const vector *dy,
                                            size_t line, const size_t vectors)
{
    vector sums[INPUT_ROWS][2];
#pragma GCC unroll 8
    for (size_t r = 0; r < INPUT_ROWS; r++)
#pragma GCC unroll 2
        for (size_t k = 0; k < vectors; k++)
            sums[r][k] = dx[r * line + k];
    for (size_t o = 0; o < outputs; o++)
#pragma GCC unroll 8
        for (size_t r = 0; r < INPUT_ROWS; r++)
#pragma GCC unroll 2
            for (size_t k = 0; k < vectors; k++)
                sums[r][k] += w[r * outputs + o] * dy[o * line + k];
#pragma GCC unroll 8
    for (size_t r = 0; r < INPUT_ROWS; r++)
#pragma GCC unroll 2
        for (size_t k = 0; k < vectors; k++)
            dx[r * line + k] = sums[r][k];
}

VECTOR static void tile_gradient(vector *g, const float *x, const vector *dy, size_t images, size_t lanes)
{
    for (size_t r = 0; r < DENSE_ROWS; r += GRADIENT_ROWS) {
        if (lanes == 4 * LANES)
            gradient_rows(g + r * 4, x + r, dy, images, 4);
        else if (lanes == 2 * LANES)
            gradient_rows(g + r * 2, x + r, dy, images, 2);
        else
            gradient_rows(g + r, x + r, dy, images, 1);
    }
}

VECTOR static void tile_input(vector *dx, const float *w, const vector *dy, size_t lanes, size_t line)
{
    for (size_t k = 0; k < line; k += 2) {
        for (size_t r = 0; r < DENSE_ROWS; r += INPUT_ROWS) {
            if (k + 1 < line)
                input_rows(dx + r * line + k, w + r * lanes, lanes, dy + k, line, 2);
            else
                input_rows(dx + r * line + k, w + r * lanes, lanes, dy + k, line, 1);
        }
    }
}

static const vector *as_vectors(const float *x)
{
    return (const vector *)(const void *)x;
}

/* A tile is a page, where the processor's own reading ahead ends. */
static inline ALWAYS_INLINE void ask_for(const float *x, size_t count)
{
    for (size_t i = 0; x && i < count; i += LANES)
        __builtin_prefetch(x + i, 0, 2);
}

/* All tiles of the blocks of inputs [begin, end), a block of outputs after the other. */
static void walk(const struct dense_backward *d, const struct panels *p, bool wants_dx, size_t begin,
                 size_t end)
{
    vector gradient[DENSE_ROWS * VECTORS_MOST];
    size_t tile = DENSE_ROWS * d->lanes, line = p->images / LANES;
    size_t input_blocks = blocks(d->inputs, DENSE_ROWS), output_blocks = blocks(d->outputs, d->lanes);
    for (size_t o = 0; o < output_blocks; o++) {
        const vector *dy = as_vectors(p->dy + o * d->images * d->lanes);
        const vector *turned = as_vectors(p->dy_turned + o * d->lanes * p->images);
        for (size_t i = begin; i < end; i++) {
            size_t at = (o * input_blocks + i) * tile;
            ask_for(d->w + at + tile, tile);
            ask_for(d->first + at + tile, tile);
            ask_for(d->second + at + tile, tile);
            if (wants_dx)
                tile_input((vector *)(void *)(p->dx + i * DENSE_ROWS * p->images), d->w + at, turned,
                           d->lanes, line);
            tile_gradient(gradient, p->x + i * d->images * DENSE_ROWS, dy, d->images, d->lanes);
            kernel_update_part(d->update, d->w + at, (const float *)(const void *)gradient,
                               d->first ? d->first + at : NULL, d->second ? d->second + at : NULL, tile);
        }
    }
}

/* The sums of a block of inputs, as (images, inputs). */
static void unpack(const struct dense_backward *d, const struct panels *p, void *dx, size_t block)
{
    size_t first = block * DENSE_ROWS;
    for (size_t n = 0; n < d->images; n++)
        for (size_t r = 0; r < DENSE_ROWS && first + r < d->inputs; r++)
            element_put(dx, n * d->inputs + first + r, d->type, p->dx[(first + r) * p->images + n]);
}

void kernel_dense_backward(void *dx, float *db, const void *x, const void *dy, float *scratch,
                           const struct dense_backward *d)
{
    struct panels p;
    lay_panels(d, scratch, &p);
    size_t input_blocks = blocks(d->inputs, DENSE_ROWS), output_blocks = blocks(d->outputs, d->lanes);
#pragma omp parallel if (d->inputs * d->outputs >= PARALLEL_LEAST)
    {
#pragma omp for schedule(static) nowait
        for (size_t i = 0; i < input_blocks; i++)
            pack(p.x + i * d->images * DENSE_ROWS, x, d->type, d->images, d->inputs, i * DENSE_ROWS,
                 DENSE_ROWS);
#pragma omp for schedule(static)
        for (size_t o = 0; o < output_blocks; o++) {
            float *own = p.dy + o * d->images * d->lanes;
            size_t first = o * d->lanes, left = d->outputs - first;
            pack(own, dy, d->type, d->images, d->outputs, first, d->lanes);
            turn(p.dy_turned + o * d->lanes * p.images, own, d->images, p.images, d->lanes);
            if (db)
                sum_images(db + first, own, d->images, d->lanes, left < d->lanes ? left : d->lanes);
        }
        size_t threads = (size_t)omp_get_num_threads(), thread = (size_t)omp_get_thread_num();
        size_t begin = input_blocks * thread / threads, end = input_blocks * (thread + 1) / threads;
        if (dx && begin < end)
            memset(p.dx + begin * DENSE_ROWS * p.images, 0,
                   (end - begin) * DENSE_ROWS * p.images * sizeof *p.dx);
        walk(d, &p, dx != NULL, begin, end);
        for (size_t i = begin; dx && i < end; i++)
            unpack(d, &p, dx, i);
    }
}
