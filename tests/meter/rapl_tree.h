/* rapl_tree.h: a powercap tree whose counters move at 1 kHz along a known truth; and what else RAPL is read
 * from: topology, PMUs, registers. Its root serves as sysfs, its `proc` as procfs, its `dev` as devfs. */
#ifndef JOULERY_TESTS_METER_RAPL_TREE_H
#define JOULERY_TESTS_METER_RAPL_TREE_H

#include <stddef.h>
#include <stdint.h>

struct rapl_zone {
    const char *entry; /* "intel-rapl:0:1"; its folder lies below its parent's, as in the kernel */
    const char *name;  /* "package-0", "dram" */
    double range_j, start_j;
    double mean_w, swing_w; /* power: mean_w + swing_w sin(2 pi t / 1.7 s) */
};

/* RESET: began again at 0; GONE: no number any more; STUCK: keeps the number that it has */
enum rapl_fault { RAPL_FINE, RAPL_RESET, RAPL_GONE, RAPL_STUCK };

struct rapl_tree;

/* In a new temporary folder; aborts the test program when that fails. The counters move until rapl_tree_free.
 */
struct rapl_tree *rapl_tree_make(const struct rapl_zone *zones, size_t count);
const char *rapl_tree_sysfs(const struct rapl_tree *tree);
/* Joules of a zone from an instant to another, without wraps and faults. */
double rapl_tree_truth_j(const struct rapl_tree *tree, size_t zone, int64_t from_ns, int64_t to_ns);
/* The longest that the counters stood still so far: on a busy machine they move less often than at 1 kHz,
 * which is no error of who reads them. */
int64_t rapl_tree_slowest_ns(const struct rapl_tree *tree);
/* Waits so long, from one move of the counters to another: on a busy machine they are late. */
void rapl_tree_move_for(const struct rapl_tree *tree, double wall_s);
/* Returns when the counter shows it. */
void rapl_tree_fault(struct rapl_tree *tree, size_t zone, enum rapl_fault fault);
/* The path of a zone's file; the caller frees it. */
char *rapl_tree_path(const struct rapl_tree *tree, size_t zone, const char *file);
/* From now on a zone shows another's counter. */
void rapl_tree_mirror(struct rapl_tree *tree, size_t zone, size_t of);
/* Writes a file below the root, with the folders above it. */
void rapl_tree_write(const struct rapl_tree *tree, const char *path, const char *content);
/* A logical CPU's place, in devices/system/cpu. */
void rapl_tree_cpu(const struct rapl_tree *tree, unsigned cpu, unsigned package, unsigned die, unsigned core);
/* Eight bytes at `address` of dev/cpu/CPU/msr, a sparse file: unlike the device, registers closer than eight
 * share bytes, and what nobody wrote is 0 up to the last one written. */
void rapl_tree_msr(const struct rapl_tree *tree, unsigned cpu, uint32_t address, uint64_t value);
/* An event of a PMU that counts a software clock of the kernel's, 1e9 a second: so many watts. */
void rapl_tree_event(const struct rapl_tree *tree, const char *pmu, const char *event, double power_w);
/* The root/`name`, as a path; the caller frees it. */
char *rapl_tree_folder(const struct rapl_tree *tree, const char *name);
void rapl_tree_free(struct rapl_tree *tree);

#endif
