#include "filled.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ (x >> 33);
}

uint64_t hash_name(const char *name)
{
    uint64_t key = 0xcbf29ce484222325u;
    for (; *name; name++)
        key = (key ^ (unsigned char)*name) * 0x100000001b3u;
    return key;
}

uint64_t hash_at(uint64_t key, size_t i)
{
    return mix(i * 0x9e3779b97f4a7c15u + key);
}

void fill(float *data, size_t count, const char *name, double offset, double scale)
{
    uint64_t key = hash_name(name);
    for (size_t i = 0; i < count; i++)
        data[i] = (float)(offset + scale * ((double)(hash_at(key, i) >> 40) / 8388608.0 - 1));
}

void fill_tensor(const struct tensor *t, float *data)
{
    bool about_one = t->dim_count == 1 && (t->role == TENSOR_WEIGHT || t->role == TENSOR_RUNNING_VAR);
    if (t->dim_count > 1)
        fill(data, t->count, t->name, 0, sqrt(6 / (double)(t->count / t->dims[0])));
    else
        fill(data, t->count, t->name, about_one, about_one ? 0.25 : 0.1);
}

void fill_labels(int32_t *labels, size_t batch, size_t classes)
{
    for (size_t i = 0; i < batch; i++)
        labels[i] = (int32_t)(hash_at(hash_name("labels"), i) % classes);
}

void set_weights(struct network *network, const struct graph *graph)
{
    struct error error = ERROR_INIT;
    size_t count;
    struct tensor *tensors = graph_tensors(graph, &count, &error);
    assert_non_null(tensors);
    for (size_t i = 0; i < count; i++) {
        float *data = malloc(tensors[i].count * sizeof *data);
        assert_non_null(data);
        fill_tensor(&tensors[i], data);
        assert_int_equal(network_set_tensor(network, tensors[i].name, data, tensors[i].count, &error), 0);
        free(data);
    }
    graph_tensors_free(tensors, count);
}
