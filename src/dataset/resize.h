/* resize.h: bilinear resizing with antialiasing.
 *
 * The arithmetic is that of Pillow's Resample.c (8-bit channels, BILINEAR; torchvision's Resize of a PIL
 * image is the same): a triangle filter as wide as the scale asks, 22-bit fixed-point weights, the horizontal
 * pass first, rounded to 8 bits in between. Results are equal to Pillow's to the bit. */
#ifndef JOULERY_DATASET_RESIZE_H
#define JOULERY_DATASET_RESIZE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* The weights for one pair of sizes; can be used by several threads at once. */
struct resizer;
struct resizer *resizer_new(size_t in_width, size_t in_height, size_t out_size, struct error *error);
void resizer_free(struct resizer *resizer);

/* Resizes one channel. `in` has in_height rows of in_width pixels that stand `step` bytes apart (1: planar,
 * 3: one channel of RGB); `out` is (out_size, out_size); `scratch` holds resizer_scratch bytes of the calling
 * thread. */
void resizer_run(const struct resizer *resizer, const uint8_t *in, size_t step, uint8_t *out,
                 uint8_t *scratch);
size_t resizer_scratch(const struct resizer *resizer);

#endif
