/* JPEG and PNG files from anybody, decoded and resized as a folder's images are. */
#include "dataset/image.h"
#include "dataset/resize.h"

#include <stdbool.h>
#include <stdlib.h>

enum { PIXELS_MOST = 1 << 18, OUT = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void resize(const struct image *image)
{
    struct error error = ERROR_INIT;
    uint8_t out[OUT * OUT];
    struct resizer *resizer = resizer_new(image->width, image->height, OUT, &error);
    require(resizer);
    uint8_t *scratch = malloc(resizer_scratch(resizer));
    for (size_t c = 0; scratch && c < 3; c++)
        resizer_run(resizer, image->pixels + c, 3, out, scratch);
    free(scratch);
    resizer_free(resizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image image;
    struct error error = ERROR_INIT;
    if (image_decode(data, size, PIXELS_MOST, &image, &error) == 0) {
        require(image.pixels && image.width > 0 && image.height > 0 &&
                image.width <= PIXELS_MOST / image.height);
        resize(&image);
    } else {
        require(error.message && !image.pixels);
    }
    error_clear(&error);
    image_free(&image);
    return 0;
}
