#include "rapl_tree.h"

#include "base/clock.h"
#include "base/text.h"

#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PERIOD_S   1.7
#define FILE_BYTES 16 /* 15 digits and a newline, stored at once: a reader never sees half a number */

struct tree_zone {
    struct rapl_zone given;
    char *directory;
    char *counter;                 /* energy_uj, mapped */
    atomic_int fault, shown_fault; /* what is wanted, and what the counter shows */
    double reset_j;                /* the writer's own: where the counter began again */
};

struct rapl_tree {
    char *root;
    struct tree_zone *zones;
    size_t count;
    int64_t start_ns;
    atomic_bool stop;
    _Atomic int64_t slowest_ns, moves;
    pthread_t writer;
};

static void require(int holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    abort();
}

static double energy_since_start_j(const struct rapl_tree *tree, size_t zone, int64_t boot_ns)
{
    const struct rapl_zone *given = &tree->zones[zone].given;
    double elapsed_s = (double)(boot_ns - tree->start_ns) / NS_PER_S;
    double turn = 2 * M_PI / PERIOD_S;
    return given->mean_w * elapsed_s + given->swing_w / turn * (1 - cos(turn * elapsed_s));
}

double rapl_tree_truth_j(const struct rapl_tree *tree, size_t zone, int64_t from_ns, int64_t to_ns)
{
    return energy_since_start_j(tree, zone, to_ns) - energy_since_start_j(tree, zone, from_ns);
}

static void write_counter(struct rapl_tree *tree, size_t i)
{
    struct tree_zone *zone = &tree->zones[i];
    int fault = atomic_load(&zone->fault);
    double energy_j = zone->given.start_j + energy_since_start_j(tree, i, clock_boot_ns());
    if (fault == RAPL_RESET && atomic_load(&zone->shown_fault) != RAPL_RESET)
        zone->reset_j = energy_j;
    if (fault == RAPL_STUCK) {
        atomic_store(&zone->shown_fault, fault);
        return;
    }
    uint64_t range_uj = (uint64_t)llround(zone->given.range_j * 1e6);
    uint64_t energy_uj = (uint64_t)((energy_j - zone->reset_j) * 1e6) % range_uj;
    char text[32];
    if (fault == RAPL_GONE)
        snprintf(text, sizeof text, "%15s\n", "-");
    else
        snprintf(text, sizeof text, "%015llu\n", (unsigned long long)energy_uj);
    memcpy(zone->counter, text, FILE_BYTES);
    atomic_store(&zone->shown_fault, fault);
}

static void *move_counters(void *argument)
{
    struct rapl_tree *tree = argument;
    int64_t latest_ns = clock_boot_ns();
    for (int64_t next_ns = latest_ns; !atomic_load(&tree->stop); next_ns += NS_PER_S / 1000) {
        int64_t before_ns = latest_ns;
        for (size_t i = 0; i < tree->count; i++)
            write_counter(tree, i);
        tree->moves++;
        latest_ns = clock_boot_ns();
        if (latest_ns - before_ns > tree->slowest_ns)
            tree->slowest_ns = latest_ns - before_ns;
        clock_sleep_until(next_ns);
    }
    return NULL;
}

static void make_directories(const char *path)
{
    char *copy = strdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0755);
        *slash = '/';
    }
    mkdir(copy, 0755);
    free(copy);
}

static void write_file(const char *directory, const char *name, const char *content)
{
    AUTO_FREE char *path = text_format("%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    require(file != NULL, path);
    fputs(content, file);
    fclose(file);
}

/* "devices/virtual/powercap/intel-rapl/intel-rapl:0/intel-rapl:0:1" */
static char *zone_directory(const char *entry)
{
    AUTO_FREE char *control = strndup(entry, strcspn(entry, ":"));
    const char *second = strchr(strchr(entry, ':') + 1, ':');
    AUTO_FREE char *parent = second ? strndup(entry, (size_t)(second - entry)) : NULL;
    return text_format("devices/virtual/powercap/%s/%s%s%s", control, parent ? parent : "", parent ? "/" : "",
                       entry);
}

static void make_zone(struct rapl_tree *tree, size_t i)
{
    struct tree_zone *zone = &tree->zones[i];
    AUTO_FREE char *relative = zone_directory(zone->given.entry);
    zone->directory = text_format("%s/%s", tree->root, relative);
    make_directories(zone->directory);
    AUTO_FREE char *target = text_format("../../%s", relative);
    AUTO_FREE char *link = text_format("%s/class/powercap/%s", tree->root, zone->given.entry);
    require(symlink(target, link) == 0, link);
    AUTO_FREE char *name = text_format("%s\n", zone->given.name);
    AUTO_FREE char *range = text_format("%.0f\n", zone->given.range_j * 1e6);
    write_file(zone->directory, "name", name);
    write_file(zone->directory, "max_energy_range_uj", range);
    write_file(zone->directory, "energy_uj", "000000000000000\n");
    AUTO_FREE char *path = text_format("%s/energy_uj", zone->directory);
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    zone->counter = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    require(descriptor >= 0 && zone->counter != MAP_FAILED, path);
    close(descriptor);
}

/* Signals are for the recorder's threads, also where a test failed and left its tree behind. */
static void start_writer(struct rapl_tree *tree)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    require(pthread_create(&tree->writer, NULL, move_counters, tree) == 0, "writer");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct rapl_tree *rapl_tree_make(const struct rapl_zone *zones, size_t count)
{
    struct rapl_tree *tree = calloc(1, sizeof *tree);
    tree->root = strdup("/tmp/joulery-tree-XXXXXX");
    require(mkdtemp(tree->root) != NULL, tree->root);
    chmod(tree->root, 0755);
    AUTO_FREE char *class = text_format("%s/class/powercap", tree->root);
    make_directories(class);
    tree->zones = calloc(count + 1, sizeof *tree->zones);
    tree->count = count;
    tree->start_ns = clock_boot_ns();
    for (size_t i = 0; i < count; i++) {
        tree->zones[i].given = zones[i];
        make_zone(tree, i);
        write_counter(tree, i);
    }
    start_writer(tree);
    return tree;
}

const char *rapl_tree_sysfs(const struct rapl_tree *tree)
{
    return tree->root;
}

int64_t rapl_tree_slowest_ns(const struct rapl_tree *tree)
{
    return tree->slowest_ns;
}

static void await_move(const struct rapl_tree *tree)
{
    for (int64_t before = tree->moves; tree->moves == before;)
        clock_sleep_until(clock_boot_ns() + NS_PER_S / 10000);
}

void rapl_tree_move_for(const struct rapl_tree *tree, double wall_s)
{
    await_move(tree);
    int64_t until_ns = clock_boot_ns() + (int64_t)(wall_s * NS_PER_S);
    while (clock_boot_ns() < until_ns)
        clock_sleep_until(until_ns);
    await_move(tree);
}

void rapl_tree_fault(struct rapl_tree *tree, size_t zone, enum rapl_fault fault)
{
    atomic_store(&tree->zones[zone].fault, fault);
    while (atomic_load(&tree->zones[zone].shown_fault) != (int)fault)
        clock_sleep_until(clock_boot_ns() + NS_PER_S / 10000);
}

char *rapl_tree_path(const struct rapl_tree *tree, size_t zone, const char *file)
{
    return text_format("%s/%s", tree->zones[zone].directory, file);
}

void rapl_tree_mirror(struct rapl_tree *tree, size_t zone, size_t of)
{
    AUTO_FREE char *own = rapl_tree_path(tree, zone, "energy_uj");
    AUTO_FREE char *other = rapl_tree_path(tree, of, "energy_uj");
    require(unlink(own) == 0 && link(other, own) == 0, own);
}

char *rapl_tree_folder(const struct rapl_tree *tree, const char *name)
{
    return text_format("%s/%s", tree->root, name);
}

void rapl_tree_write(const struct rapl_tree *tree, const char *path, const char *content)
{
    AUTO_FREE char *directory = rapl_tree_folder(tree, path);
    char *name = strrchr(directory, '/');
    *name = '\0';
    make_directories(directory);
    write_file(directory, name + 1, content);
}

void rapl_tree_cpu(const struct rapl_tree *tree, unsigned cpu, unsigned package, unsigned die, unsigned core)
{
    const struct {
        const char *name;
        unsigned id;
    } files[] = {{"physical_package_id", package}, {"die_id", die}, {"core_id", core}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        AUTO_FREE char *path = text_format("devices/system/cpu/cpu%u/topology/%s", cpu, files[i].name);
        AUTO_FREE char *id = text_format("%u\n", files[i].id);
        rapl_tree_write(tree, path, id);
    }
}

void rapl_tree_msr(const struct rapl_tree *tree, unsigned cpu, uint32_t address, uint64_t value)
{
    AUTO_FREE char *directory = text_format("%s/dev/cpu/%u", tree->root, cpu);
    AUTO_FREE char *path = text_format("%s/msr", directory);
    make_directories(directory);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    require(descriptor >= 0 &&
                pwrite(descriptor, &value, sizeof value, (off_t)address) == (ssize_t)sizeof value,
            path);
    close(descriptor);
}

void rapl_tree_event(const struct rapl_tree *tree, const char *pmu, const char *event, double power_w)
{
    AUTO_FREE char *path = text_format("bus/event_source/devices/%s/events/%s", pmu, event);
    AUTO_FREE char *unit_path = text_format("%s.unit", path), *scale_path = text_format("%s.scale", path);
    AUTO_FREE char *type_path = text_format("bus/event_source/devices/%s/type", pmu);
    AUTO_FREE char *scale = text_format("%.17g\n", power_w * 1e-9);
    rapl_tree_write(tree, type_path, "1\n");     /* PERF_TYPE_SOFTWARE */
    rapl_tree_write(tree, path, "event=0x00\n"); /* PERF_COUNT_SW_CPU_CLOCK, ns */
    rapl_tree_write(tree, unit_path, "Joules");
    rapl_tree_write(tree, scale_path, scale);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status, (void)type, (void)at;
    return remove(path);
}

void rapl_tree_free(struct rapl_tree *tree)
{
    atomic_store(&tree->stop, true);
    pthread_join(tree->writer, NULL);
    for (size_t i = 0; i < tree->count; i++) {
        munmap(tree->zones[i].counter, FILE_BYTES);
        free(tree->zones[i].directory);
    }
    nftw(tree->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(tree->zones);
    free(tree->root);
    free(tree);
}
