/* Lists of transforms and normalisations: any text is understood or refused; what is understood is written so
 * that it is understood again, draws within its figures, and leaves no pixel outside the levels there are. */
#include "dataset/augment.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE = 9, PIXELS = 3 * SIZE * SIZE };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void use(const struct augmentation *augmentation, uint64_t seed)
{
    const float mean[NORMALISED_CHANNELS] = {0};
    const float deviation[NORMALISED_CHANNELS] = {1 / 255.0F, 1 / 255.0F, 1 / 255.0F};
    struct pixel_values values;
    struct random_stream random;
    uint8_t image[PIXELS];
    float out[PIXELS];
    uint32_t scratch[SIZE * SIZE];
    pixel_values_set(&values, mean, deviation);
    random_seed(&random, seed, 0);
    for (size_t i = 0; i < PIXELS; i++)
        image[i] = (uint8_t)random_u64(&random);
    struct augment_draw draw = augment_draw(augmentation, SIZE, &random);
    require(fabs(draw.angle_deg) <= augmentation->rotate_deg && (!draw.flip || augmentation->flip > 0));
    augment_apply(&draw, image, SIZE, &values, scratch, out);
    for (size_t i = 0; i < PIXELS; i++)
        require(out[i] > -0.1F && out[i] < 255.1F);
}

static void augment(const char *text)
{
    struct error error = ERROR_INIT;
    struct augmentation augmentation, again;
    if (augmentation_parse(text, &augmentation, &error) < 0) {
        require(error.message != NULL);
        error_clear(&error);
        return;
    }
    require(augmentation_any(&augmentation));
    AUTO_FREE char *written = augmentation_text(&augmentation);
    require(written && augmentation_parse(written, &again, &error) == 0);
    use(&augmentation, strlen(text));
}

static void normalise(const char *text)
{
    struct error error = ERROR_INIT;
    struct normalisation normalisation;
    if (normalisation_parse(text, &normalisation, &error) < 0) {
        require(error.message != NULL);
        error_clear(&error);
        return;
    }
    for (size_t c = 0; c < NORMALISED_CHANNELS; c++)
        require(normalisation_is_computed(&normalisation) || normalisation.deviation[c] > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    augment(text);
    normalise(text);
    return 0;
}
