/* random.h: random numbers that are the same on every machine for the same seed.
 *
 * SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) seeds and splits; xoshiro256** (Blackman, Vigna, 2018) draws.
 */
#ifndef JOULERY_BASE_RANDOM_H
#define JOULERY_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random_stream {
    uint64_t state[4];
    double spare_normal;
    int has_spare;
};

/* Streams with different (seed, stream) pairs are independent for all we need them for. */
void random_seed(struct random_stream *random, uint64_t seed, uint64_t stream);

uint64_t random_u64(struct random_stream *random);
/* In [0, bound), unbiased; bound > 0. */
uint64_t random_below(struct random_stream *random, uint64_t bound);
/* In [0, 1). */
double random_uniform(struct random_stream *random);
/* Mean 0, variance 1 (polar method). */
double random_normal(struct random_stream *random);
/* Fisher-Yates shuffle of `count` indices in place. */
void random_shuffle(struct random_stream *random, size_t *items, size_t count);

#endif
