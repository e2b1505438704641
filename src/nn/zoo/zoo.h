/* zoo.h: what a family of architectures gives to the zoo's table. */
#ifndef JOULERY_NN_ZOO_ZOO_H
#define JOULERY_NN_ZOO_ZOO_H

#include "nn/graph.h"

/* `options` has its defaults filled in. NULL and an error if a shape doesn't fit. */
typedef struct graph *zoo_builder(const char *name, const struct zoo_options *options, struct error *error);

zoo_builder zoo_lenet5, zoo_vgg16, zoo_vgg19, zoo_resnet18, zoo_resnet50;

/* `channels` scaled by options->width, at least 1. */
size_t zoo_width(const struct zoo_options *options, size_t channels);
/* (channels, size, size) */
size_t zoo_input(struct graph *graph, const struct zoo_options *options);

#endif
