/* image.h: JPEG and PNG files decoded from memory to RGB. */
#ifndef JOULERY_DATASET_IMAGE_H
#define JOULERY_DATASET_IMAGE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* A file that claims more pixels is refused before anything is decoded. */
#define IMAGE_PIXELS_MOST ((size_t)64 << 20)

struct image {
    size_t width, height;
    uint8_t *pixels; /* (height, width, 3), red green blue; owned */
};

/* Decodes a JPEG or PNG (told by its first bytes) of at most `pixels_most` pixels. Grey is repeated, CMYK
 * converted, transparency dropped, 16 bits cut to 8. Truncated and damaged files are errors. */
int image_decode(const uint8_t *bytes, size_t size, size_t pixels_most, struct image *image,
                 struct error *error);
void image_free(struct image *image);

#endif
