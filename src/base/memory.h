/* memory.h: how much memory can be had, and much of it at once. */
#ifndef JOULERY_BASE_MEMORY_H
#define JOULERY_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that can be taken without swapping: the kernel's MemAvailable, or less where a control group of this
 * process (v1 or v2, or one above it) allows less; its page cache counts as free. UINT64_MAX if the system
 * does not say. */
uint64_t memory_available(void);
/* The same of other mounts than /proc and /sys/fs/cgroup. */
uint64_t memory_available_in(const char *procfs, const char *cgroupfs);

/* Zeroed memory in huge pages where the system gives them, for what is walked whole; NULL if there is none.
 * Freed with as many bytes. */
void *memory_take(size_t bytes);
void memory_give_back(void *memory, size_t bytes);

#endif
