/* filled.h: weights, images and labels that golden.py makes, too: from a hash of their names. */
#ifndef JOULERY_TESTS_NN_FILLED_H
#define JOULERY_TESTS_NN_FILLED_H

#include "nn/graph.h"

uint64_t hash_name(const char *name);
uint64_t hash_at(uint64_t key, size_t i);
/* offset + scale * [-1, 1) */
void fill(float *data, size_t count, const char *name, double offset, double scale);
void fill_tensor(const struct tensor *t, float *data);
void fill_labels(int32_t *labels, size_t batch, size_t classes);
/* All tensors of the network by fill_tensor. */
void set_weights(struct network *network, const struct graph *graph);

#endif
