/* normalise.h: how a pixel becomes the number a network sees: (pixel / 255 - mean) / deviation, a channel
 * each.
 *
 * Weights that were learned elsewhere expect the normalisation they were learned with. */
#ifndef JOULERY_DATASET_NORMALISE_H
#define JOULERY_DATASET_NORMALISE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { NORMALISED_CHANNELS = 3 };

struct normalisation {
    const char *name; /* never freed; NULL and "computed": from the training images */
    float mean[NORMALISED_CHANNELS], deviation[NORMALISED_CHANNELS]; /* of pixels / 255; unset if computed */
};

/* Understands
 *   computed             mean and deviation of the training images
 *   imagenet             0.485,0.456,0.406/0.229,0.224,0.225: what torchvision's weights were learned with
 *   caffe                the means 123.68,116.779,103.939 of 255 and no scaling: keras.applications' VGG and
 * ResNet (keras imagenet_utils, mode "caffe"; that these take blue first is for the weights' reader) tf -1 to
 * 1: keras.applications' Inception, Xception and MobileNet (mode "tf") R,G,B/R,G,B          means, from 0 to
 * 1, and deviations, from 0.001 to 10 -1 and `error` for anything else. */
int normalisation_parse(const char *spec, struct normalisation *normalisation, struct error *error);

bool normalisation_is_computed(const struct normalisation *normalisation);

/* What pixels become, ready for use. */
struct pixel_values {
    float byte[NORMALISED_CHANNELS][256];
    float level[256];                                              /* the byte itself, as a float */
    float scale[NORMALISED_CHANNELS], offset[NORMALISED_CHANNELS]; /* the same as level * scale + offset */
};
void pixel_values_set(struct pixel_values *values, const float *mean, const float *deviation);

#endif
