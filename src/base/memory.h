/* memory.h: how much memory can be had. */
#ifndef JOULERY_BASE_MEMORY_H
#define JOULERY_BASE_MEMORY_H

#include <stdint.h>

/* Bytes that can be taken without swapping: the kernel's MemAvailable, or less where a control group of this
 * process (v1 or v2, or one above it) allows less; its page cache counts as free. UINT64_MAX if the system
 * does not say. */
uint64_t memory_available(void);
/* The same of other mounts than /proc and /sys/fs/cgroup. */
uint64_t memory_available_in(const char *procfs, const char *cgroupfs);

#endif
