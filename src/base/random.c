#include "base/random.h"

#include <math.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void random_seed(struct random_stream *random, uint64_t seed, uint64_t stream)
{
    uint64_t state = seed;
    uint64_t mixed = splitmix64(&state) ^ stream;
    for (int i = 0; i < 4; i++)
        random->state[i] = splitmix64(&mixed);
    random->has_spare = 0;
    random->spare_normal = 0;
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t random_u64(struct random_stream *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t random_below(struct random_stream *random, uint64_t bound)
{
    uint64_t threshold = -bound % bound;
    for (;;) {
        uint64_t number = random_u64(random);
        if (number >= threshold)
            return number % bound;
    }
}

double random_uniform(struct random_stream *random)
{
    return (double)(random_u64(random) >> 11) * 0x1.0p-53;
}

double random_normal(struct random_stream *random)
{
    if (random->has_spare) {
        random->has_spare = 0;
        return random->spare_normal;
    }
    double u, v, s;
    do {
        u = 2 * random_uniform(random) - 1;
        v = 2 * random_uniform(random) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    double factor = sqrt(-2 * log(s) / s);
    random->spare_normal = v * factor;
    random->has_spare = 1;
    return u * factor;
}

void random_shuffle(struct random_stream *random, size_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)random_below(random, i);
        size_t held = items[i - 1];
        items[i - 1] = items[j];
        items[j] = held;
    }
}
