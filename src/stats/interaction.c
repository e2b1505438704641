/* Two factors at once. */
#include "stats/groups.h"
#include "stats/pairs.h"

#include <float.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>

static const struct group_test no_test = {NAN, NAN, NAN, NAN};

/* Sums by cell, row and column, and of all. */
struct table {
    size_t rows, columns;
    double *n, *sum;               /* cells */
    double *row_n, *row_sum;       /* rows */
    double *column_n, *column_sum; /* columns */
    double all_n, all_sum;
    double squares;  /* within cells */
    double rounding; /* what is of rounding in sums of squares */
    double *matrix, *effects;
};

static int table_make(struct table *t, const struct grouped *cells, size_t columns, struct error *error)
{
    size_t rows = cells->groups / columns, total = cells->groups;
    *t = (struct table){.rows = rows, .columns = columns};
    t->n = calloc(2 * total + 2 * rows + 3 * columns + columns * columns + 1, sizeof *t->n);
    if (!t->n)
        return error_memory(error, "interaction");
    t->sum = t->n + total;
    t->row_n = t->sum + total;
    t->row_sum = t->row_n + rows;
    t->column_n = t->row_sum + rows;
    t->column_sum = t->column_n + columns;
    t->effects = t->column_sum + columns;
    t->matrix = t->effects + columns;
    const double *values = cells->values;
    for (size_t c = 0; c < total; values += cells->sizes[c++]) {
        double mean = gsl_stats_mean(values, 1, cells->sizes[c]), n = (double)cells->sizes[c];
        t->n[c] = n;
        t->sum[c] = n * mean;
        t->squares += gsl_stats_tss_m(values, 1, cells->sizes[c], mean);
        t->row_n[c / columns] += n;
        t->row_sum[c / columns] += n * mean;
        t->column_n[c % columns] += n;
        t->column_sum[c % columns] += n * mean;
        t->all_n += n;
        t->all_sum += n * mean;
        t->rounding += n * mean * mean * 256 * DBL_EPSILON * DBL_EPSILON;
    }
    return 0;
}

/* Gauss without pivots: the matrix is symmetric and positive definite. solution[1..size): of it; [0] is 0. */
static void solve(double *matrix, double *solution, size_t size)
{
    for (size_t k = 1; k < size; k++) {
        for (size_t i = k + 1; i < size; i++) {
            double factor = matrix[i * size + k] / matrix[k * size + k];
            for (size_t j = k; j < size; j++)
                matrix[i * size + j] -= factor * matrix[k * size + j];
            solution[i] -= factor * solution[k];
        }
    }
    solution[0] = 0;
    for (size_t i = size; i-- > 1;) {
        for (size_t j = i + 1; j < size; j++)
            solution[i] -= matrix[i * size + j] * solution[j];
        solution[i] /= matrix[i * size + i];
    }
}

/* effects[j]: column j against column 0, by least squares with every row its own mean. */
static void fit_columns(struct table *t)
{
    size_t width = t->columns;
    for (size_t j = 0; j < width; j++) {
        t->effects[j] = t->column_sum[j];
        for (size_t k = 0; k < width; k++)
            t->matrix[j * width + k] = j == k ? t->column_n[j] : 0;
        for (size_t i = 0; i < t->rows; i++) {
            const double *n = t->n + i * width;
            t->effects[j] -= n[j] * t->row_sum[i] / t->row_n[i];
            for (size_t k = 0; k < width; k++)
                t->matrix[j * width + k] -= n[j] * n[k] / t->row_n[i];
        }
    }
    solve(t->matrix, t->effects, width);
}

/* Squares of the cells' means about those of their row, with columns' effects if there are any. */
static double about_rows(const struct table *t, const double *effects)
{
    double squares = 0;
    for (size_t i = 0; i < t->rows; i++) {
        const double *n = t->n + i * t->columns, *sum = t->sum + i * t->columns;
        double row = t->row_sum[i];
        for (size_t j = 0; effects && j < t->columns; j++)
            row -= n[j] * effects[j];
        for (size_t j = 0; j < t->columns; j++) {
            double apart = sum[j] / n[j] - row / t->row_n[i] - (effects ? effects[j] : 0);
            squares += n[j] * apart * apart;
        }
    }
    return squares;
}

static double about_columns(const struct table *t)
{
    double squares = 0;
    for (size_t c = 0; c < t->rows * t->columns; c++) {
        double apart = t->sum[c] / t->n[c] - t->column_sum[c % t->columns] / t->column_n[c % t->columns];
        squares += t->n[c] * apart * apart;
    }
    return squares;
}

static struct group_test against(const struct table *t, double squares, double df1, double df2)
{
    double f = (squares > t->rounding ? squares : 0) / df1 / (t->squares / df2);
    return (struct group_test){f, df1, df2, gsl_cdf_fdist_Q(f, df1, df2)};
}

int stats_two_way(const struct grouped *cells, size_t columns, struct two_way *two_way, struct error *error)
{
    struct table t;
    *two_way = (struct two_way){no_test, no_test, no_test};
    if (columns < 2 || cells->groups < 2 * columns)
        return 0;
    if (table_make(&t, cells, columns, error) < 0)
        return -1;
    struct anova spread; /* says whether there is any within cells */
    stats_anova(cells, &spread);
    if (isfinite(spread.mean_square)) {
        double of_rows = (double)t.rows - 1, of_columns = (double)columns - 1, df2 = spread.test.df2;
        double rows_only = about_rows(&t, NULL), columns_only = about_columns(&t);
        fit_columns(&t);
        double both = about_rows(&t, t.effects);
        two_way->rows = against(&t, columns_only - both, of_rows, df2);
        two_way->columns = against(&t, rows_only - both, of_columns, df2);
        two_way->interaction = against(&t, both, of_rows * of_columns, df2);
    }
    free(t.n);
    return 0;
}

int stats_aligned_rank(const struct grouped *cells, size_t columns, struct group_test *interaction,
                       struct error *error)
{
    struct table t;
    struct two_way two_way;
    size_t count = stats_grouped_count(cells), i = 0;
    double *aligned = calloc(2 * count + 1, sizeof *aligned), ties, largest = 0;
    *interaction = no_test;
    if (!aligned)
        return error_memory(error, "aligned ranks");
    if (columns < 2 || table_make(&t, cells, columns, error) < 0) {
        free(aligned);
        return columns < 2 ? 0 : -1;
    }
    for (size_t k = 0; k < count; k++)
        largest = fmax(largest, fabs(cells->values[k]));
    for (size_t c = 0; c < cells->groups; c++) {
        double row = t.row_sum[c / columns] / t.row_n[c / columns],
               column = t.column_sum[c % columns] / t.column_n[c % columns];
        for (size_t k = 0; k < cells->sizes[c]; k++, i++)
            aligned[i] = largest > 0
                             ? round((cells->values[i] - row - column + t.all_sum / t.all_n) / largest * 1e9)
                             : 0;
    }
    free(t.n);
    int result = stats_ranks(aligned, count, aligned + count, &ties, error);
    if (result == 0)
        result = stats_two_way(&(struct grouped){aligned + count, cells->sizes, cells->groups}, columns,
                               &two_way, error);
    if (result == 0)
        *interaction = two_way.interaction;
    free(aligned);
    return result;
}
