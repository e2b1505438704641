#include "store/disturbance.h"

#include "store/query.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* There is such a note only above the limit, which it may have been rounded to. */
static double noted_share(const char *note)
{
    double percent;
    bool told = note && sscanf(note, STORE_DISTURBED_SHARE "%lf", &percent) == 1;
    return note ? fmax(told ? percent / 100 : 0, SHARE_DISTURBED) : 0;
}

/* 0: not disturbed. */
static double read_share(sqlite3_stmt *row)
{
    const struct cpu_times times = {.machine_s = query_number(row, 1),
                                    .command_s = query_number(row, 2),
                                    .recorder_s = query_number(row, 3),
                                    .wall_s = query_number(row, 4),
                                    .logical_cpus = query_number(row, 5)};
    if (!isfinite(times.machine_s))
        return noted_share((const char *)sqlite3_column_text(row, 6));
    double share = share_of_others(&times);
    return share > SHARE_DISTURBED ? share : 0;
}

static int add(struct disturbances *found, int64_t run, double share, struct error *error)
{
    struct disturbance *grown = reallocarray(found->runs, found->count + 1, sizeof *grown);
    if (!grown)
        return error_memory(error, "runs that were disturbed");
    found->runs = grown;
    grown[found->count++] = (struct disturbance){run, share};
    return 0;
}

int disturbances_load(struct store *store, struct disturbances *found, struct error *error)
{
    static const char sql[] =
        "SELECT run.id, machine_cpu_s, command_cpu_s, recorder_cpu_s, wall_s, coalesce(logical_cpus, 0), "
        "n.text "
        "FROM run LEFT JOIN host ON host.id = run.host LEFT JOIN (SELECT run, min(text) AS text FROM note "
        "WHERE "
        "text GLOB '" STORE_DISTURBED "*' GROUP BY run) n ON n.run = run.id WHERE state = 'done' AND "
        "(machine_cpu_s IS NOT NULL OR n.text IS NOT NULL) ORDER BY run.id";
    *found = (struct disturbances){0};
    AUTO_QUERY sqlite3_stmt *row = query_prepare(store_database(store), sql, error);
    int more = row ? 0 : -1;
    while (row && (more = query_step(row, error)) > 0) {
        double share = read_share(row);
        if (share > 0 && add(found, sqlite3_column_int64(row, 0), share, error) < 0)
            return -1;
    }
    return more;
}

void disturbances_free(struct disturbances *found)
{
    free(found->runs);
    *found = (struct disturbances){0};
}

static int compare_runs(const void *a, const void *b)
{
    const struct disturbance *p = a, *q = b;
    return (p->run > q->run) - (p->run < q->run);
}

double disturbances_share(const struct disturbances *found, int64_t run)
{
    const struct disturbance key = {.run = run};
    const struct disturbance *one =
        found->count ? bsearch(&key, found->runs, found->count, sizeof key, compare_runs) : NULL;
    return one ? one->share : 0;
}
