#include "dataset/image.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h> /* jpeglib.h needs FILE */
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>
#include <spng.h>

enum { SCANS_MOST = 200 }; /* of a progressive JPEG: each costs a pass over the whole image */

static int check_size(size_t width, size_t height, size_t pixels_most, struct error *error)
{
    if (width == 0 || height == 0)
        return error_set(error, "an image of %zu x %zu pixels", width, height);
    if (width > pixels_most / height)
        return error_set(error, "an image of %zu x %zu pixels: expected at most %zu pixels", width, height,
                         pixels_most);
    return 0;
}

struct jpeg {
    struct jpeg_decompress_struct decompress;
    struct jpeg_error_mgr manager;
    jmp_buf failed;
    char message[JMSG_LENGTH_MAX]; /* libjpeg's own bound */
    bool incomplete;
    uint8_t *row; /* CMYK only */
};

static void jpeg_fail(j_common_ptr common)
{
    struct jpeg *jpeg = common->client_data;
    common->err->format_message(common, jpeg->message);
    longjmp(jpeg->failed, 1);
}

/* libjpeg makes up what is missing and warns: an image with a made-up part is no data. */
static void jpeg_warn(j_common_ptr common, int level)
{
    struct jpeg *jpeg = common->client_data;
    int code = common->err->msg_code;
    if (level == -1 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER) && !jpeg->incomplete) {
        jpeg->incomplete = true;
        common->err->format_message(common, jpeg->message);
    }
}

static void jpeg_progress(j_common_ptr common)
{
    struct jpeg *jpeg = common->client_data;
    if (jpeg->decompress.input_scan_number <= SCANS_MOST)
        return;
    snprintf(jpeg->message, sizeof jpeg->message, "more than %d scans", SCANS_MOST);
    longjmp(jpeg->failed, 1);
}

/* As Adobe writes CMYK into JPEG: inverted. */
static void from_cmyk(const uint8_t *cmyk, uint8_t *rgb, size_t width)
{
    for (size_t x = 0; x < width; x++)
        for (size_t c = 0; c < 3; c++)
            rgb[3 * x + c] = (uint8_t)((unsigned)cmyk[4 * x + c] * cmyk[4 * x + 3] / 255);
}

/* Jumps to jpeg->failed on errors; what it allocates is in *image and *jpeg. */
static int jpeg_run(struct jpeg *jpeg, const uint8_t *bytes, size_t size, size_t pixels_most,
                    struct image *image, struct error *error)
{
    struct jpeg_decompress_struct *decompress = &jpeg->decompress;
    jpeg_mem_src(decompress, bytes, size);
    jpeg_read_header(decompress, TRUE);
    image->width = decompress->image_width;
    image->height = decompress->image_height;
    if (check_size(image->width, image->height, pixels_most, error) < 0)
        return -1;
    bool cmyk = decompress->jpeg_color_space == JCS_CMYK || decompress->jpeg_color_space == JCS_YCCK;
    decompress->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(decompress);
    image->pixels = malloc(image->width * image->height * 3);
    jpeg->row = cmyk ? malloc(image->width * 4) : NULL;
    if (!image->pixels || (cmyk && !jpeg->row))
        return error_memory(error, "image");
    while (decompress->output_scanline < decompress->output_height) {
        uint8_t *line = image->pixels + decompress->output_scanline * image->width * 3;
        JSAMPROW row = cmyk ? jpeg->row : line;
        jpeg_read_scanlines(decompress, &row, 1);
        if (cmyk)
            from_cmyk(jpeg->row, line, image->width);
        if (jpeg->incomplete)
            return error_set(error, "damaged or truncated JPEG: %s", jpeg->message);
    }
    return 0;
}

static int decode_jpeg(const uint8_t *bytes, size_t size, size_t pixels_most, struct image *image,
                       struct error *error)
{
    struct jpeg_progress_mgr progress = {.progress_monitor = jpeg_progress};
    struct jpeg *jpeg = calloc(1, sizeof *jpeg);
    if (!jpeg)
        return error_memory(error, "image");
    int result;
    jpeg->decompress.err = jpeg_std_error(&jpeg->manager);
    jpeg->manager.error_exit = jpeg_fail;
    jpeg->manager.emit_message = jpeg_warn;
    jpeg->decompress.client_data = jpeg;
    if (setjmp(jpeg->failed) == 0) {
        jpeg_create_decompress(&jpeg->decompress);
        jpeg->decompress.progress = &progress;
        result = jpeg_run(jpeg, bytes, size, pixels_most, image, error);
    } else {
        result = error_set(error, "damaged JPEG: %s", jpeg->message);
    }
    jpeg_destroy_decompress(&jpeg->decompress);
    free(jpeg->row);
    free(jpeg);
    return result;
}

static int png_run(spng_ctx *png, const uint8_t *bytes, size_t size, size_t pixels_most, struct image *image,
                   struct error *error)
{
    struct spng_ihdr header;
    size_t decoded;
    int code = spng_set_png_buffer(png, bytes, size);
    if (!code)
        code = spng_set_chunk_limits(png, 8 << 20, 32 << 20);
    if (!code)
        code = spng_get_ihdr(png, &header);
    if (code)
        return error_set(error, "damaged PNG: %s", spng_strerror(code));
    image->width = header.width;
    image->height = header.height;
    if (check_size(image->width, image->height, pixels_most, error) < 0)
        return -1;
    code = spng_decoded_image_size(png, SPNG_FMT_RGB8, &decoded);
    if (!code && decoded != image->width * image->height * 3)
        return error_set(error, "damaged PNG: %zu bytes for %zu x %zu pixels", decoded, image->width,
                         image->height);
    if (!code && !(image->pixels = malloc(decoded)))
        return error_memory(error, "image");
    if (!code)
        code = spng_decode_image(png, image->pixels, decoded, SPNG_FMT_RGB8, 0);
    return code ? error_set(error, "damaged PNG: %s", spng_strerror(code)) : 0;
}

static int decode_png(const uint8_t *bytes, size_t size, size_t pixels_most, struct image *image,
                      struct error *error)
{
    spng_ctx *png = spng_ctx_new(0);
    if (!png)
        return error_memory(error, "image");
    int result = png_run(png, bytes, size, pixels_most, image, error);
    spng_ctx_free(png);
    return result;
}

int image_decode(const uint8_t *bytes, size_t size, size_t pixels_most, struct image *image,
                 struct error *error)
{
    static const uint8_t jpeg_magic[] = {0xff, 0xd8, 0xff},
                         png_magic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    *image = (struct image){0};
    int result;
    if (size >= sizeof jpeg_magic && memcmp(bytes, jpeg_magic, sizeof jpeg_magic) == 0)
        result = decode_jpeg(bytes, size, pixels_most, image, error);
    else if (size >= sizeof png_magic && memcmp(bytes, png_magic, sizeof png_magic) == 0)
        result = decode_png(bytes, size, pixels_most, image, error);
    else
        result = error_set(error, "expected a JPEG or PNG, found %s", size ? "other bytes" : "an empty file");
    if (result < 0)
        image_free(image);
    return result;
}

void image_free(struct image *image)
{
    free(image->pixels);
    *image = (struct image){0};
}
