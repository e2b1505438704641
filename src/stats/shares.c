/* Shares of the variance of two factors, of cells of any size. */
#include "stats/groups.h"

#include <math.h>
#include <stdlib.h>

/* An additive model is fitted by turns; each turn divides what is left by a constant of the design. */
enum { TURNS_MOST = 10000 };
#define TURNED_ENOUGH 1e-13

struct table {
    size_t rows, columns;
    double *count, *sum;         /* by cell */
    double *row_count, *row_sum; /* by row */
    double *column_count, *column_sum;
    double *row_effect, *column_effect;
    double *memory;
};

static int make_table(struct table *t, struct error *error)
{
    size_t cells = t->rows * t->columns;
    t->memory = calloc(2 * cells + 3 * t->rows + 3 * t->columns + 1, sizeof *t->memory);
    if (!t->memory)
        return error_memory(error, "shares of the variance");
    double *next = t->memory;
    struct {
        double **at;
        size_t size;
    } parts[] = {{&t->count, cells},           {&t->sum, cells},
                 {&t->row_count, t->rows},     {&t->row_sum, t->rows},
                 {&t->row_effect, t->rows},    {&t->column_count, t->columns},
                 {&t->column_sum, t->columns}, {&t->column_effect, t->columns}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].at = next;
        next += parts[i].size;
    }
    return 0;
}

/* Values are taken from their mean, so that squares lose no digits. Returns the sum of squares. */
static double fill_table(struct table *t, const double *values, const size_t *rows, const size_t *columns,
                         size_t count)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        mean += values[i] / (double)count;
    for (size_t i = 0; i < count; i++) {
        double value = values[i] - mean;
        size_t cell = rows[i] * t->columns + columns[i];
        squares += value * value;
        t->count[cell]++, t->row_count[rows[i]]++, t->column_count[columns[i]]++;
        t->sum[cell] += value, t->row_sum[rows[i]] += value, t->column_sum[columns[i]] += value;
    }
    return squares;
}

static double between(const double *count, const double *sum, size_t levels)
{
    double squares = 0;
    for (size_t i = 0; i < levels; i++)
        squares += count[i] > 0 ? sum[i] * sum[i] / count[i] : 0;
    return squares;
}

/* Each row's effect with the columns' taken off, then the other way round. Returns the largest change. */
static double turn(struct table *t)
{
    double most = 0;
    for (size_t r = 0; r < t->rows; r++) {
        double left = t->row_sum[r];
        for (size_t c = 0; c < t->columns; c++)
            left -= t->count[r * t->columns + c] * t->column_effect[c];
        double effect = t->row_count[r] > 0 ? left / t->row_count[r] : 0;
        most = fmax(most, fabs(effect - t->row_effect[r]));
        t->row_effect[r] = effect;
    }
    for (size_t c = 0; c < t->columns; c++) {
        double left = t->column_sum[c];
        for (size_t r = 0; r < t->rows; r++)
            left -= t->count[r * t->columns + c] * t->row_effect[r];
        t->column_effect[c] = t->column_count[c] > 0 ? left / t->column_count[c] : 0;
    }
    return most;
}

static double additive(struct table *t, double scale)
{
    for (size_t i = 0; i < TURNS_MOST && turn(t) > TURNED_ENOUGH * scale; i++)
        ;
    double squares = 0;
    for (size_t cell = 0; cell < t->rows * t->columns; cell++) {
        double fitted = t->row_effect[cell / t->columns] + t->column_effect[cell % t->columns];
        squares += t->count[cell] * fitted * fitted;
    }
    return squares;
}

int stats_variance_shares(const double *values, const size_t *rows, size_t row_count, const size_t *columns,
                          size_t column_count, size_t count, struct variance_shares *shares,
                          struct error *error)
{
    struct table t = {.rows = row_count, .columns = column_count};
    *shares = (struct variance_shares){NAN, NAN, NAN, NAN};
    if (make_table(&t, error) < 0)
        return -1;
    double total = fill_table(&t, values, rows, columns, count);
    if (total > 0) {
        double by_row = between(t.row_count, t.row_sum, row_count);
        double by_column = between(t.column_count, t.column_sum, column_count);
        double by_cell = between(t.count, t.sum, row_count * column_count);
        double both = additive(&t, sqrt(total / (double)count));
        *shares = (struct variance_shares){(by_row + both - by_column) / 2 / total,
                                           (by_column + both - by_row) / 2 / total, (by_cell - both) / total,
                                           (total - by_cell) / total};
    }
    free(t.memory);
    return total > 0;
}

double stats_share_between(const double *values, const size_t *levels, size_t level_count, size_t count)
{
    double *counts = calloc(2 * level_count + 1, sizeof *counts),
           *sums = counts ? counts + level_count : NULL;
    double mean = 0, total = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        mean += values[i] / (double)count;
    for (size_t i = 0; i < count && counts; i++) {
        total += (values[i] - mean) * (values[i] - mean);
        counts[levels[i]]++;
        sums[levels[i]] += values[i] - mean;
    }
    if (counts)
        squares = between(counts, sums, level_count);
    free(counts);
    return total > 0 ? squares / total : NAN;
}
