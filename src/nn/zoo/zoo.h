/* zoo.h: what a family of architectures gives to the zoo's table. */
#ifndef JOULERY_NN_ZOO_ZOO_H
#define JOULERY_NN_ZOO_ZOO_H

#include "nn/graph.h"

/* `options` has its defaults filled in; `name` is one of the family's in the zoo's table. NULL and an error
 * if a shape doesn't fit. */
typedef struct graph *zoo_builder(const char *name, const struct zoo_options *options, struct error *error);

zoo_builder zoo_alexnet, zoo_convnext, zoo_densenet, zoo_efficientnet, zoo_googlenet, zoo_inception_v3,
    zoo_lenet, zoo_mnasnet, zoo_mobilenet_v2, zoo_mobilenet_v3, zoo_regnet, zoo_resnet, zoo_resnet_cifar,
    zoo_resnet_keras, zoo_shufflenet, zoo_squeezenet, zoo_vgg, zoo_xception;

/* The row of a family's table with this name; each row starts with its name. */
const void *zoo_row(const void *rows, size_t count, size_t size, const char *name);
#define ZOO_ROW(rows, name) zoo_row(rows, sizeof(rows) / sizeof *(rows), sizeof *(rows), name)

/* `channels` scaled by options->width, at least 1. */
size_t zoo_width(const struct zoo_options *options, size_t channels);
/* `channels` as the nearest multiple of 8, unless that takes away more than a tenth: then the next. The rule
 * of the MobileNets. */
size_t zoo_eighths(size_t channels);
/* (channels, size, size) */
size_t zoo_input(struct graph *graph, const struct zoo_options *options);

/* Each family says with graph_end_base where its base ends: its last features with a height and width, before
 * any pooling for the classifier. */

/* ---- groups of layers that many architectures share ---- */

/* Convolution and batch normalisation. */
size_t zoo_conv_bn(struct graph *graph, size_t input, const char *convolution_name, const char *norm_name,
                   struct convolution convolution);
/* Convolution "NAME.0", batch normalisation "NAME.1" and an activation. */
size_t zoo_unit(struct graph *graph, size_t input, const char *name, struct convolution convolution,
                enum activation activation);
/* The same, named PREFIX and NUMBER. */
size_t zoo_numbered_unit(struct graph *graph, size_t input, const char *prefix, size_t number,
                         struct convolution convolution, enum activation activation);
/* Convolution "NAME.conv", batch normalisation "NAME.bn" and ReLU. */
size_t zoo_named_unit(struct graph *graph, size_t input, const char *name, struct convolution convolution);
/* Hu, Shen, Sun, "Squeeze-and-excitation networks", 2017: each channel times a gate computed from all
 * channels' means by the 1x1 convolutions "fc1", to `squeeze` channels, and "fc2". */
size_t zoo_squeeze(struct graph *graph, size_t input, size_t squeeze, enum activation inner,
                   enum activation gate);
/* The mean of each channel, and the dense layer `name` to the classes. NULL as graph_finish. */
struct graph *zoo_finish(struct graph *graph, size_t input, const char *name,
                         const struct zoo_options *options, struct error *error);

#endif
