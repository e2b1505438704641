/* amd_visible.h: which of AMD's GPUs a program started from here may use: ROCR_VISIBLE_DEVICES, and within
 * those HIP_VISIBLE_DEVICES (ROCm documentation, "GPU isolation techniques"). Both count GPUs in the order of
 * the kernel's list in /sys/class/kfd/kfd/topology/nodes; the first also knows them as GPU-<unique id>. */
#ifndef JOULERY_METER_AMD_VISIBLE_H
#define JOULERY_METER_AMD_VISIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kfd_node {
    uint64_t simd_count; /* 0: a processor, not a GPU */
    uint64_t domain, location_id, unique_id;
};

/* The text of nodes/N/properties: lines of a word and a number; others are passed over. */
void kfd_node_parse(const char *properties, struct kfd_node *node);

/* Keeps of chosen[0 .. *count), positions in `nodes`, those that `list` names, in its order: "0,2" are
 * positions in `chosen`. Like the runtime, stops at the first that makes no sense. `list` NULL or empty: all.
 */
void amd_visible_filter(const char *list, const struct kfd_node *nodes, size_t *chosen, size_t *count);

/* ours[i]: whether the GPU at PCI address addresses[i] ("0000:03:00.0") may be used. Without either variable
 * all may. Where the kernel has no list the addresses' own order counts. -1: memory ran out. */
int amd_visible(const char *sysfs, const char *rocr_list, const char *hip_list, const char *const *addresses,
                size_t count, bool *ours);

#endif
