/* from_keras.h: weights of keras.applications' VGG16, VGG19 and ResNet50 as safetensors for the same
 * architectures here. */
#ifndef JOULERY_TRAIN_FROM_KERAS_H
#define JOULERY_TRAIN_FROM_KERAS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct from_keras {
    const char *architecture; /* static */
    size_t classes, tensors;  /* outputs, 0 without a head; tensors written */
    bool head;                /* was in the file, and is of the architecture */
    char *left_out; /* layers of the file that are not of the architecture, or NULL; the caller frees it */
};

/* Which of them it is, is told by the names of the layers, old ones and new ones. Kernels (height, width, in,
 * out) become (out, in, height, width), a dense layer's rows behind the flattening (height, width, channels)
 * come in the order (channels, height, width), and the first convolution, which was learned with blue first,
 * takes red first. `width` scales the channels, as zoo_options. -1: no such file, another network, layers
 * that are missing, another shape. */
int from_keras(const char *path, const char *output, double width, struct from_keras *found,
               struct error *error);

#endif
