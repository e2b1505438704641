/* cpu_element.h: what the cpu_kernels*.c files share: elements of either type, and ranges of them. */
#ifndef JOULERY_NN_CPU_ELEMENT_H
#define JOULERY_NN_CPU_ELEMENT_H

#include "nn/cpu_kernels.h"

#include <omp.h>

/* The loops over ranges are compiled for several instruction sets; the loader picks one (by feature: GCC
 * takes "arch=haswell" for that model alone, not for those after it). Sanitizers can't instrument the
 * picking. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&     \
    !defined(__SANITIZE_THREAD__)
#define VECTOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTOR
#endif

/* Where the type is a constant, the choice is made when it is compiled. */
#define ALWAYS_INLINE __attribute__((always_inline))

static inline ALWAYS_INLINE float element_get(const void *x, size_t i, const enum element type)
{
    if (type == ELEMENT_FLOAT)
        return ((const float *)x)[i];
    union {
        uint32_t bits;
        float value;
    } whole = {.bits = (uint32_t)((const uint16_t *)x)[i] << 16};
    return whole.value;
}

/* Rounds to the nearest, ties to even; what is no number stays none. */
static inline ALWAYS_INLINE void element_put(void *y, size_t i, const enum element type, float value)
{
    if (type == ELEMENT_FLOAT) {
        ((float *)y)[i] = value;
        return;
    }
    union {
        float value;
        uint32_t bits;
    } whole = {.value = value};
    uint32_t rounded = (whole.bits + 0x7fff + (whole.bits >> 16 & 1)) >> 16;
    bool number = (whole.bits & 0x7fffffff) <= 0x7f800000;
    ((uint16_t *)y)[i] = (uint16_t)(number ? rounded : (whole.bits >> 16 | 0x40));
}

static inline size_t element_size(enum element type)
{
    return type == ELEMENT_BF16 ? sizeof(uint16_t) : sizeof(float);
}

static inline void *element_at(void *x, size_t i, enum element type)
{
    return (char *)x + i * element_size(type);
}

static inline const void *element_from(const void *x, size_t i, enum element type)
{
    return (const char *)x + i * element_size(type);
}

/* Below this many elements, waking the other threads costs more than they save. */
#define PARALLEL_LEAST ((size_t)16384)

/* The part [*begin, *end) of `count` elements this thread takes, in whole cache lines. */
static inline void my_range(size_t count, size_t *begin, size_t *end)
{
    const size_t grain = 32;
    size_t threads = (size_t)omp_get_num_threads(), thread = (size_t)omp_get_thread_num();
    size_t lines = (count + grain - 1) / grain;
    *begin = lines * thread / threads * grain;
    *end = lines * (thread + 1) / threads * grain;
    *begin = *begin < count ? *begin : count;
    *end = *end < count ? *end : count;
}

#endif
