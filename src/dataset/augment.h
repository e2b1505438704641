/* augment.h: random changes of training images.
 *
 * Whatever order they are named in, an image is turned and shifted, then seen through a window (crop or
 * resized-crop), then mirrored, then its colours change. All but the colours is one bilinear resampling. */
#ifndef JOULERY_DATASET_AUGMENT_H
#define JOULERY_DATASET_AUGMENT_H

#include "base/error.h"
#include "base/random.h"
#include "dataset/normalise.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What may happen to an image; 0: this does not. */
struct augmentation {
    double rotate_deg; /* turned about its centre by -rotate_deg to rotate_deg; edges are repeated */
    double shift;      /* moved by up to this part of its size, each way; edges are repeated */
    double flip;       /* mirrored left to right with this probability */
    double crop;       /* a window of the image's size, from the image with so many black pixels around it */
    double
        resized_crop; /* a window of this part of its area to all of it, sides 3:4 to 4:3, made large again */
    double jitter;    /* brightness, contrast and saturation, in any order, by factors 1 ± jitter each */
};

/* Understands a list such as "rotate:15,shift:0.1,flip": transforms of the struct above by name (rotate,
 * shift, flip, crop, resized-crop, jitter), each with its figure or without (then 15, 0.1, 0.5, 4, 0.08,
 * 0.4), and sets: standard  crop:4,flip paper     rotate:15,shift:0.1,flip, as Keras' ImageDataGenerator
 * draws and does them with rotation_range 15, width_shift_range and height_shift_range 0.1, horizontal_flip
 * and fill_mode "nearest" -1 and `error`: an unknown name (with the nearest), a figure out of range, a
 * transform named twice, two windows. */
int augmentation_parse(const char *spec, struct augmentation *augmentation, struct error *error);

/* The list that gives this, every figure in it; NULL: no memory. The caller frees it. */
char *augmentation_text(const struct augmentation *augmentation);

bool augmentation_any(const struct augmentation *augmentation);

/* What was drawn for one image. */
struct augment_draw {
    double angle_deg;   /* clockwise */
    double down, right; /* of the pixels that are shown; in pixels, before the image is turned */
    long left, top;     /* the window: its first pixel, which may lie outside the image, where all is black */
    size_t width, height; /* of the window: the image's, or smaller and inside it */
    bool flip;
    double brightness, contrast, saturation; /* factors */
    unsigned order[3];                       /* 0 brightness, 1 contrast, 2 saturation */
};

/* Draws for an image of size x size pixels; what is drawn depends on `random` alone. As Keras (keras
 * preprocessing/image.py, get_random_transform) and torchvision (transforms.py: RandomCrop,
 * RandomResizedCrop, ColorJitter) draw. */
struct augment_draw augment_draw(const struct augmentation *augmentation, size_t size,
                                 struct random_stream *random);

/* `image` (3, size, size) as drawn, normalised: `out` (3, size, size). Bilinear, between bytes not rounded.
 * `scratch` is (size, size), of the calling thread. */
void augment_apply(const struct augment_draw *draw, const uint8_t *image, size_t size,
                   const struct pixel_values *values, uint32_t *scratch, float *out);

#endif
