#include "report/compare.h"

#include "audit/audit.h"
#include "base/text.h"
#include "report/view.h"
#include "store/query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct loading {
    struct store *store;
    sqlite3 *database;
    const struct compare_options *options;
    struct comparison *c;
    char *software, *hardware; /* JSON arrays of channels; NULL: the totals */
    size_t software_count, hardware_count;
    struct error *error;
};

/* ---- which channels ---- */

/* All names that the query gives; the caller frees them and the array. */
static int list_names(const struct loading *l, const char *sql, char ***names, size_t *count)
{
    AUTO_QUERY sqlite3_stmt *statement = query_prepare(l->database, sql, l->error);
    int row = -1;
    *names = NULL;
    *count = 0;
    while (statement && (row = query_step(statement, l->error)) > 0) {
        char **grown = reallocarray(*names, *count + 1, sizeof *grown);
        if (!grown)
            return error_memory(l->error, "names");
        *names = grown;
        grown[(*count)++] = query_text(statement, 0);
    }
    return row;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

static int unknown_name(const struct loading *l, const char *what, const char *name, char **known,
                        size_t count)
{
    const char *nearest = text_nearest(name, (const char *const *)known, count);
    struct text all = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&all, "%s%s", i ? ", " : "", known[i] ? known[i] : "");
    int result = nearest
                     ? error_set(l->error, "no %s '%s' (did you mean %s?)", what, name, nearest)
                     : error_set(l->error, "no %s '%s': there are %s", what, name, count ? all.data : "none");
    text_free(&all);
    return result;
}

/* The names as a JSON array and as words. */
static int join(const char *const *names, size_t count, char **json, char **words, struct error *error)
{
    json_t *array = json_array();
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(array, json_string(names[i]));
        text_printf(&text, "%s%s", i ? " + " : "", names[i]);
    }
    *json = json_dumps(array, JSON_COMPACT);
    *words = text_take(&text);
    json_decref(array);
    return *json && *words ? 0 : error_memory(error, "channels");
}

static int check_channels(const struct loading *l, const char *const *names, size_t count)
{
    char **known;
    size_t known_count;
    int result =
        list_names(l, "SELECT DISTINCT meter || '/' || name FROM channel ORDER BY 1", &known, &known_count);
    for (size_t i = 0; i < count && result == 0; i++) {
        size_t k = 0;
        while (k < known_count && strcmp(known[k] ? known[k] : "", names[i]) != 0)
            k++;
        if (k == known_count)
            result = unknown_name(l, "channel", names[i], known, known_count);
    }
    free_names(known, known_count);
    return result;
}

/* Where no wattmeter was there, the platform's channels. */
static int choose_platform(struct loading *l)
{
    char **names;
    size_t count;
    int result = list_names(
        l, "SELECT DISTINCT meter || '/' || name FROM channel WHERE scope = 'platform' AND NOT twin", &names,
        &count);
    if (result == 0 && count == 0)
        result = error_set(l->error, "no wattmeter measured any run, nor a channel of the platform: "
                                     "--hardware METER/CHANNEL names what to compare with");
    if (result == 0)
        result = join((const char *const *)names, count, &l->hardware, &l->c->hardware, l->error);
    l->hardware_count = count;
    free_names(names, count);
    return result;
}

static int has_wall(const struct loading *l)
{
    AUTO_QUERY sqlite3_stmt *statement =
        query_prepare(l->database, "SELECT count(hardware_j) FROM window", l->error);
    return !statement || query_step(statement, l->error) < 0 ? -1 : sqlite3_column_int64(statement, 0) > 0;
}

static int choose_sides(struct loading *l)
{
    const struct compare_options *o = l->options;
    if (check_channels(l, o->software, o->software_count) < 0 ||
        check_channels(l, o->hardware, o->hardware_count) < 0)
        return -1;
    l->software_count = o->software_count;
    l->hardware_count = o->hardware_count;
    if (o->software_count &&
        join(o->software, o->software_count, &l->software, &l->c->software, l->error) < 0)
        return -1;
    if (o->hardware_count &&
        join(o->hardware, o->hardware_count, &l->hardware, &l->c->hardware, l->error) < 0)
        return -1;
    int wall = o->hardware_count ? 1 : has_wall(l);
    if (wall < 0 || (wall == 0 && choose_platform(l) < 0))
        return -1;
    if (!l->c->software)
        l->c->software = strdup("software total");
    if (!l->c->hardware)
        l->c->hardware = strdup("wall");
    return l->c->software && l->c->hardware ? 0 : error_memory(l->error, "comparison");
}

/* ---- which factor ---- */

static int choose_factor(struct loading *l)
{
    char **names;
    size_t count;
    int result = list_names(l,
                            "SELECT factor FROM plan_factor GROUP BY factor HAVING count(DISTINCT level) > 1 "
                            "ORDER BY factor NOT LIKE 'arch%', min(ordinal)",
                            &names, &count);
    const char *by = l->options->by;
    size_t chosen = 0;
    while (result == 0 && by && chosen < count && strcmp(names[chosen] ? names[chosen] : "", by) != 0)
        chosen++;
    if (result == 0 && by && chosen == count)
        result = unknown_name(l, "factor that varies", by, names, count);
    if (result == 0 && chosen < count) {
        l->c->factor = strdup(names[chosen]);
        result = l->c->factor ? 0 : error_memory(l->error, "factor");
    }
    free_names(names, count);
    return result;
}

/* ---- rows ---- */

/* The sum over channels, not known unless each is. */
static const char side_sql[] =
    "SELECT sum(e.energy_j), CASE WHEN count(e.uncertainty_j) = count(*) THEN sqrt(sum(e.uncertainty_j * "
    "e.uncertainty_j)) END, count(*), max(c.kind = 'model') "
    "FROM energy e JOIN channel c ON c.run = e.run AND c.ordinal = e.channel "
    "WHERE e.run = ?1 AND e.window = ?2 AND c.meter || '/' || c.name IN (SELECT value FROM json_each(?3))";

static int read_side(const struct loading *l, sqlite3_stmt *statement, const char *channels, size_t count,
                     int64_t run, int64_t window, double *energy_j, double *uncertainty_j, bool *estimated)
{
    sqlite3_reset(statement);
    sqlite3_bind_int64(statement, 1, run);
    sqlite3_bind_int64(statement, 2, window);
    sqlite3_bind_text(statement, 3, channels, -1, SQLITE_STATIC);
    if (query_step(statement, l->error) < 0)
        return -1;
    bool whole = (size_t)sqlite3_column_int64(statement, 2) == count;
    *energy_j = whole ? query_number(statement, 0) : NAN;
    *uncertainty_j = whole ? query_number(statement, 1) : NAN;
    if (estimated)
        *estimated = sqlite3_column_int64(statement, 3) != 0;
    return 0;
}

static struct compared *add_row(struct loading *l)
{
    struct comparison *c = l->c;
    if ((c->row_count & (c->row_count - 1)) == 0) { /* a power of two: full */
        struct compared *grown = reallocarray(c->rows, c->row_count ? 2 * c->row_count : 1, sizeof *grown);
        if (!grown) {
            error_memory(l->error, "comparison");
            return NULL;
        }
        c->rows = grown;
    }
    return &c->rows[c->row_count++];
}

static int read_row(struct loading *l, sqlite3_stmt *windows, sqlite3_stmt *side)
{
    struct compared *row = add_row(l);
    if (!row)
        return -1;
    l->c->imported = l->c->imported || sqlite3_column_int64(windows, 11) != 0;
    int64_t window = sqlite3_column_int64(windows, 1);
    *row = (struct compared){.run = sqlite3_column_int64(windows, 0),
                             .epoch = window ? sqlite3_column_int64(windows, 2) : -1,
                             .wall_s = query_number(windows, 3),
                             .software_j = query_number(windows, 4),
                             .software_uncertainty_j = query_number(windows, 5),
                             .estimated = sqlite3_column_int64(windows, 6) != 0,
                             .hardware_j = query_number(windows, 7),
                             .hardware_uncertainty_j = query_number(windows, 8),
                             .repetition = sqlite3_column_int64(windows, 9),
                             .level = query_text(windows, 10),
                             .reconstruction_uncertainty_j = NAN};
    if (!row->level)
        return error_memory(l->error, "comparison");
    if (l->software && read_side(l, side, l->software, l->software_count, row->run, window, &row->software_j,
                                 &row->software_uncertainty_j, &row->estimated) < 0)
        return -1;
    if (l->hardware && read_side(l, side, l->hardware, l->hardware_count, row->run, window, &row->hardware_j,
                                 &row->hardware_uncertainty_j, NULL) < 0)
        return -1;
    return 0;
}

static int read_rows(struct loading *l)
{
    static const char sql[] =
        "SELECT w.run, w.ordinal, w.\"index\", w.wall_s, w.software_j, w.software_uncertainty_j, "
        "w.estimated, "
        "w.hardware_j, w.hardware_uncertainty_j, plan.repetition, "
        "(SELECT level FROM plan_factor f WHERE f.position = run.position AND f.factor = ?1), "
        "run.source IS NOT NULL FROM window w JOIN run ON run.id = w.run JOIN plan USING (position) "
        "WHERE run.state = 'done' AND (?2 = 0 AND w.ordinal = 0 OR ?2 = 1 AND w.name = 'epoch') "
        "ORDER BY w.run, w.ordinal";
    AUTO_QUERY sqlite3_stmt *windows = query_prepare(l->database, sql, l->error),
                            *side = query_prepare(l->database, side_sql, l->error);
    if (!windows || !side)
        return -1;
    sqlite3_bind_text(windows, 1, l->c->factor, -1, SQLITE_STATIC);
    sqlite3_bind_int(windows, 2, l->options->epochs);
    int more;
    while ((more = query_step(windows, l->error)) > 0)
        if (read_row(l, windows, side) < 0)
            return -1;
    return more;
}

/* ---- as the audit would have it ---- */

/* Whether a side holds the figure: a list names it, or it is in the software total. */
static int side_has(const struct loading *l, const char *channels, bool total, const struct figure *figure)
{
    if (!channels)
        return total && !figure->apart;
    AUTO_QUERY sqlite3_stmt *statement = query_prepare(
        l->database, "SELECT count(*) FROM json_each(?1) WHERE value = ?2 || '/' || ?3", l->error);
    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, channels, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, figure->meter, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, figure->name, -1, SQLITE_STATIC);
    return query_step(statement, l->error) < 0 ? -1 : sqlite3_column_int64(statement, 0) > 0;
}

static int repair_row(const struct loading *l, struct compared *row, const struct figure *figure)
{
    const struct reconstruction *r = &figure->reconstruction;
    int in_software = side_has(l, l->software, true, figure);
    int in_hardware = side_has(l, l->hardware, false, figure);
    if (in_software < 0 || in_hardware < 0 || in_software + in_hardware == 0)
        return in_software < 0 || in_hardware < 0 ? -1 : 0;
    double before_j = row->reconstructed ? row->reconstruction_uncertainty_j : 0;
    row->software_j += in_software * (r->energy_j - figure->energy_j);
    row->hardware_j += in_hardware * (r->energy_j - figure->energy_j);
    row->reconstruction_uncertainty_j = before_j + r->uncertainty_j;
    row->reconstructed = true;
    return 0;
}

static int repair_rows(const struct loading *l, const struct audit *audit)
{
    for (size_t i = 0; i < l->c->row_count; i++) {
        struct compared *row = &l->c->rows[i];
        const struct audited_run *run = audit_find(audit, row->run);
        for (size_t k = 0; run && k < run->channel_count; k++)
            if (run->channels[k].reconstruction.possible && repair_row(l, row, &run->channels[k]) < 0)
                return -1;
        l->c->reconstructed += row->reconstructed;
    }
    return 0;
}

static bool is_pair(const struct compared *row)
{
    return isfinite(row->software_j) && isfinite(row->hardware_j) && row->wall_s > 0;
}

/* A total that is compared, or the run as a whole, is doubtful. */
static void leave_out(struct comparison *c, const struct audit *audit)
{
    for (size_t i = 0; i < c->row_count; i++) {
        struct compared *row = &c->rows[i];
        const struct audited_run *run = audit_find(audit, row->run);
        if (!run || !is_pair(row) || (report_is_sound(run, false) && report_is_sound(run, true)))
            continue;
        row->software_j = row->hardware_j = NAN;
        c->left_out++;
    }
}

static int take_view(struct loading *l)
{
    struct audit audit;
    const struct compare_options *options = l->options;
    if (!options->repaired && !options->sound)
        return 0;
    if (options->repaired && options->epochs)
        return error_set(l->error, "--repaired goes with whole runs: no reconstruction tells its epochs");
    if (audit_build(l->store, &audit, l->error) < 0)
        return -1;
    int result = 0;
    if (options->repaired)
        result = repair_rows(l, &audit);
    else
        leave_out(l->c, &audit);
    audit_free(&audit);
    l->c->repaired = options->repaired;
    l->c->sound = options->sound;
    return result;
}

/* ---- figures ---- */

struct pairs {
    double *software_j, *hardware_j, *software_w, *hardware_w;
    size_t count;
};

static int collect(struct comparison *c, struct pairs *pairs, struct error *error)
{
    double *all = calloc(4 * c->row_count + 1, sizeof *all);
    *pairs = (struct pairs){all, all + c->row_count, all + 2 * c->row_count, all + 3 * c->row_count, 0};
    if (!all)
        return error_memory(error, "comparison");
    for (size_t i = 0; i < c->row_count; i++) {
        const struct compared *row = &c->rows[i];
        if (!is_pair(row))
            continue;
        size_t k = pairs->count++;
        pairs->software_j[k] = row->software_j;
        pairs->hardware_j[k] = row->hardware_j;
        pairs->software_w[k] = row->software_j / row->wall_s;
        pairs->hardware_w[k] = row->hardware_j / row->wall_s;
        c->estimated = c->estimated || row->estimated;
    }
    c->pair_count = pairs->count;
    return 0;
}

static void find_coverage(struct comparison *c, const struct pairs *pairs)
{
    double software_j = 0, hardware_j = 0;
    c->coverage_low = INFINITY;
    c->coverage_high = -INFINITY;
    for (size_t i = 0; i < pairs->count; i++) {
        double share = pairs->software_j[i] / pairs->hardware_j[i];
        software_j += pairs->software_j[i];
        hardware_j += pairs->hardware_j[i];
        c->coverage_low = fmin(c->coverage_low, share);
        c->coverage_high = fmax(c->coverage_high, share);
    }
    c->coverage = software_j / hardware_j;
}

static double mean(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i] / (double)count;
    return sum;
}

/* Each point's line goes through most others: of more pairs than this it would take too long. */
enum { SMOOTH_MOST = 2000 };

static int find_smooth(struct comparison *c, const struct pairs *p, struct error *error)
{
    for (size_t i = 0; i < c->row_count; i++)
        c->rows[i].smooth_w = NAN;
    if (p->count > SMOOTH_MOST)
        return 0;
    double *smooth = calloc(p->count + 1, sizeof *smooth);
    int result = smooth ? stats_lowess(p->software_w, p->hardware_w, p->count, LOWESS_SHARE, smooth, error)
                        : error_memory(error, "comparison");
    for (size_t i = 0, k = 0; i < c->row_count && result == 0; i++)
        c->rows[i].smooth_w = is_pair(&c->rows[i]) ? smooth[k++] : NAN;
    free(smooth);
    return result;
}

static int find_figures(struct comparison *c, const struct pairs *p, struct error *error)
{
    find_coverage(c, p);
    stats_bland_altman(p->software_j, p->hardware_j, p->count, &c->agreement);
    stats_least_squares(p->software_w, p->hardware_w, p->count, &c->least_squares);
    stats_deming(p->software_w, p->hardware_w, p->count, 1, &c->deming);
    c->pearson = stats_pearson(p->software_j, p->hardware_j, p->count);
    c->concordance = stats_concordance(p->software_j, p->hardware_j, p->count);
    c->hardware_w = mean(p->hardware_w, p->count);
    if (stats_spearman(p->software_j, p->hardware_j, p->count, &c->spearman, error) < 0)
        return -1;
    return stats_paired(p->software_j, p->hardware_j, p->count, &c->paired, error);
}

static struct ranked_level *level_of(struct comparison *c, const char *name)
{
    for (size_t i = 0; i < c->level_count; i++)
        if (strcmp(c->levels[i].level, name) == 0)
            return &c->levels[i];
    c->levels[c->level_count] = (struct ranked_level){.level = strdup(name)};
    return &c->levels[c->level_count++];
}

/* Means of each level, and whether both instruments put them into one order. */
static int find_ranking(struct comparison *c, struct error *error)
{
    c->kendall = NAN;
    if (!c->factor)
        return 0;
    c->levels = calloc(c->row_count + 1, sizeof *c->levels);
    double *means = calloc(2 * c->row_count + 1, sizeof *means);
    int result = c->levels && means ? 0 : error_memory(error, "comparison");
    for (size_t i = 0; i < c->row_count && result == 0; i++) {
        const struct compared *row = &c->rows[i];
        if (!is_pair(row))
            continue;
        struct ranked_level *level = level_of(c, row->level);
        result = level->level ? 0 : error_memory(error, "comparison");
        level->count++;
        level->software_j += (row->software_j - level->software_j) / (double)level->count;
        level->hardware_j += (row->hardware_j - level->hardware_j) / (double)level->count;
    }
    for (size_t i = 0; i < c->level_count && result == 0; i++) {
        means[i] = c->levels[i].software_j;
        means[c->row_count + i] = c->levels[i].hardware_j;
    }
    if (result == 0)
        c->kendall = stats_kendall(means, means + c->row_count, c->level_count);
    free(means);
    return result;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A counter that steps by a tenth of what it counts says little of it. */
static int find_resolution(struct loading *l, struct pairs *pairs)
{
    AUTO_QUERY sqlite3_stmt *statement = query_prepare(
        l->database,
        "SELECT max(resolution) FROM channel WHERE kind = 'counter' AND NOT apart AND (?1 IS NULL AND scope "
        "= 'wall' OR meter || '/' || name IN (SELECT value FROM json_each(?1)))",
        l->error);
    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, l->hardware, -1, SQLITE_STATIC);
    if (query_step(statement, l->error) < 0)
        return -1;
    qsort(pairs->hardware_j, pairs->count, sizeof *pairs->hardware_j, by_value);
    l->c->resolution_share = query_number(statement, 0) / pairs->hardware_j[pairs->count / 2];
    return 0;
}

static int find_all(struct loading *l)
{
    struct pairs pairs;
    struct comparison *c = l->c;
    if (collect(c, &pairs, l->error) < 0)
        return -1;
    int result = 0;
    if (pairs.count < 2)
        result = error_set(
            l->error, "%zu of %zu %s have both energies (%s, %s): a comparison takes at least two",
            pairs.count, c->row_count, l->options->epochs ? "epochs" : "runs", c->software, c->hardware);
    if (result == 0)
        result = find_figures(c, &pairs, l->error);
    if (result == 0)
        result = find_smooth(c, &pairs, l->error);
    if (result == 0)
        result = find_ranking(c, l->error);
    if (result == 0)
        result = find_resolution(l, &pairs);
    free(pairs.software_j);
    return result;
}

int compare_build(struct store *store, const struct compare_options *options, struct comparison *comparison,
                  struct error *error)
{
    *comparison = (struct comparison){.spearman = NAN};
    struct loading l = {.store = store,
                        .database = store_database(store),
                        .options = options,
                        .c = comparison,
                        .error = error};
    int result = choose_sides(&l);
    if (result == 0)
        result = choose_factor(&l);
    if (result == 0)
        result = read_rows(&l);
    if (result == 0)
        result = take_view(&l);
    if (result == 0)
        result = find_all(&l);
    free(l.software);
    free(l.hardware);
    if (result < 0)
        compare_free(comparison);
    return result;
}

void compare_free(struct comparison *c)
{
    for (size_t i = 0; i < c->row_count; i++)
        free(c->rows[i].level);
    for (size_t i = 0; i < c->level_count; i++)
        free(c->levels[i].level);
    free(c->rows);
    free(c->levels);
    free(c->software);
    free(c->hardware);
    free(c->factor);
    *c = (struct comparison){0};
}
