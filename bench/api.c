/* bench_api: what the edges of a window cost a program that measures itself with the C library: joulery_begin
 * and joulery_end, the latter with energies and without. Prints medians and 99th percentiles, with six RAPL
 * zones (files that a thread moves at 1 kHz) and with the model. Run it alone on the machine. */
#include "base/clock.h"
#include "joulery.h"
#include "rapl_tree.h"

#include <stdio.h>
#include <stdlib.h>

#define WINDOWS 20000
#define WARM_UP 1000

struct costs {
    double *us;
    size_t count;
};

static void die(const char *what)
{
    fprintf(stderr, "bench_api: %s\n", what);
    exit(1);
}

static void add(struct costs *costs, int64_t from_ns)
{
    costs->us[costs->count++] = (double)(clock_boot_ns() - from_ns) / 1e3;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void print(const char *instrument, const char *call, struct costs *costs)
{
    qsort(costs->us, costs->count, sizeof *costs->us, compare);
    printf("%-16s %-28s %8.2f us %8.2f us\n", instrument, call, costs->us[costs->count / 2],
           costs->us[costs->count * 99 / 100]);
    costs->count = 0;
}

/* Every window is begun and ended twice: once asked for its energies, once not. */
static void bench(const char *instrument, const char *meter, struct costs costs[3])
{
    char *error = NULL;
    const struct joulery_options options = {.size = sizeof options, .meters = &meter, .meter_count = 1};
    struct joulery *joulery = joulery_open(&options, &error);
    if (!joulery)
        die(error);
    for (int64_t i = -WARM_UP; i < WINDOWS; i++) {
        struct joulery_totals totals;
        if (i == 0)
            costs[0].count = costs[1].count = costs[2].count = 0;
        int64_t from_ns = clock_boot_ns();
        int64_t window = joulery_begin(joulery, "step", i < 0 ? 0 : i, NULL);
        add(&costs[0], from_ns);
        from_ns = clock_boot_ns();
        if (joulery_end(joulery, window, &totals, NULL, NULL) < 0)
            die("a window did not end");
        add(&costs[1], from_ns);
        window = joulery_begin(joulery, "step", i < 0 ? 0 : i, NULL);
        from_ns = clock_boot_ns();
        if (joulery_end(joulery, window, NULL, NULL, NULL) < 0)
            die("a window did not end");
        add(&costs[2], from_ns);
    }
    joulery_close(joulery, NULL);
    print(instrument, "joulery_begin", &costs[0]);
    print(instrument, "joulery_end with totals", &costs[1]);
    print(instrument, "joulery_end without", &costs[2]);
}

int main(void)
{
    const struct rapl_zone zones[] = {
        {"intel-rapl:0", "package-0", 262143.328850, 100, 90, 50},
        {"intel-rapl:0:0", "core", 262143.328850, 100, 60, 30},
        {"intel-rapl:0:1", "dram", 65712.999613, 100, 8, 3},
        {"intel-rapl:1", "package-1", 262143.328850, 100, 70, 20},
        {"intel-rapl:1:0", "core", 262143.328850, 100, 40, 10},
        {"intel-rapl:1:1", "dram", 65712.999613, 100, 9, 2},
    };
    struct costs costs[3];
    for (size_t i = 0; i < 3; i++) {
        costs[i] = (struct costs){calloc(WARM_UP + WINDOWS, sizeof(double)), 0};
        if (!costs[i].us)
            die("out of memory");
    }
    unsetenv("JOULERY_SOCKET");
    printf("%-16s %-28s %11s %11s\n", "instrument", "call", "median", "99 %");
    struct rapl_tree *tree = rapl_tree_make(zones, sizeof zones / sizeof *zones);
    setenv("JOULERY_SYSFS", rapl_tree_sysfs(tree), 1);
    bench("RAPL, 6 zones", "rapl", costs);
    rapl_tree_free(tree);
    unsetenv("JOULERY_SYSFS");
    bench("the CPU's model", "cpu-model", costs);
    for (size_t i = 0; i < 3; i++)
        free(costs[i].us);
    return 0;
}
