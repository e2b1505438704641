/* bench_api: what the edges of a window cost a program that measures itself with the C library: joulery_begin
 * and joulery_end, the latter with energies and without. Prints medians and 99th percentiles, with six RAPL
 * zones (files that a thread moves at 1 kHz) and with the model; in a loop, and after 12 ms of sleep, when
 * caches are cold and the model has a new tick to read. Run it alone on the machine. */
#include "base/clock.h"
#include "joulery.h"
#include "rapl_tree.h"

#include <stdio.h>
#include <stdlib.h>

/* How far apart windows are: in a loop, or as in a program that does something. */
struct spacing {
    const char *name;
    int64_t windows, between_ns;
};

static const struct spacing spacings[] = {{"in a loop", 20000, 0},
                                          {"12 ms apart", 500, 12 * NS_PER_S / 1000}};

#define WINDOWS_MOST 20000

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

static void print(const char *instrument, const char *spacing, const char *call, struct costs *costs)
{
    qsort(costs->us, costs->count, sizeof *costs->us, compare);
    printf("%-16s %-12s %-24s %8.2f us %8.2f us\n", instrument, spacing, call, costs->us[costs->count / 2],
           costs->us[costs->count * 99 / 100]);
    costs->count = 0;
}

static void pass(const struct spacing *spacing)
{
    if (spacing->between_ns)
        clock_sleep_until(clock_boot_ns() + spacing->between_ns);
}

static void end(struct joulery *joulery, int64_t window, struct joulery_totals *totals, struct costs *costs)
{
    int64_t from_ns = clock_boot_ns();
    int result = joulery_end(joulery, window, totals, NULL, NULL);
    add(costs, from_ns);
    if (result < 0)
        die("a window did not end");
}

/* Each time two windows: the one asked for its energies at its end, the other not. */
static void bench(const char *instrument, const char *meter, const struct spacing *spacing,
                  struct costs costs[3])
{
    char *error = NULL;
    const struct joulery_options options = {.size = sizeof options, .meters = &meter, .meter_count = 1};
    struct joulery *joulery = joulery_open(&options, &error);
    if (!joulery)
        die(error);
    int64_t known = 0;
    for (int64_t i = 0; i < spacing->windows; i++) {
        struct joulery_totals totals;
        pass(spacing);
        int64_t from_ns = clock_boot_ns();
        int64_t window = joulery_begin(joulery, "step", i, NULL);
        add(&costs[0], from_ns);
        int64_t other = joulery_begin(joulery, "other", i, NULL);
        pass(spacing);
        end(joulery, window, &totals, &costs[1]);
        pass(spacing);
        end(joulery, other, NULL, &costs[2]);
        known += totals.software_j > 0;
    }
    joulery_close(joulery, NULL);
    if (spacing->between_ns && known < spacing->windows * 9 / 10)
        die("windows of 12 ms have no energy");
    print(instrument, spacing->name, "joulery_begin", &costs[0]);
    print(instrument, spacing->name, "joulery_end with totals", &costs[1]);
    print(instrument, spacing->name, "joulery_end without", &costs[2]);
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
        costs[i] = (struct costs){calloc(WINDOWS_MOST, sizeof(double)), 0};
        if (!costs[i].us)
            die("out of memory");
    }
    unsetenv("JOULERY_SOCKET");
    printf("%-16s %-12s %-24s %11s %11s\n", "instrument", "windows", "call", "median", "99 %");
    struct rapl_tree *tree = rapl_tree_make(zones, sizeof zones / sizeof *zones);
    setenv("JOULERY_SYSFS", rapl_tree_sysfs(tree), 1);
    for (size_t i = 0; i < 2; i++)
        bench("RAPL, 6 zones", "rapl", &spacings[i], costs);
    rapl_tree_free(tree);
    unsetenv("JOULERY_SYSFS");
    for (size_t i = 0; i < 2; i++)
        bench("the CPU's model", "cpu-model", &spacings[i], costs);
    for (size_t i = 0; i < 3; i++)
        free(costs[i].us);
    return 0;
}
