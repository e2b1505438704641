/* rapl_tree.h: a powercap tree whose counters move at 1 kHz along a known truth. */
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
void rapl_tree_fault(struct rapl_tree *tree, size_t zone, enum rapl_fault fault);
/* The path of a zone's file; the caller frees it. */
char *rapl_tree_path(const struct rapl_tree *tree, size_t zone, const char *file);
void rapl_tree_free(struct rapl_tree *tree);

#endif
