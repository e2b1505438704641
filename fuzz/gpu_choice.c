/* CUDA's and Slurm's lists of GPUs: any text is understood or refused, and only GPUs that are there are
 * chosen. */
#include "meter/gpu_choice.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *instances[] = {"MIG-11111111-0000-5000-8000-000000000000",
                            "MIG-22222222-0000-5000-8000-000000000000"};

static const struct gpu_identity gpus[] = {
    {"GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "NVIDIA T4", 2, false, NULL, 0},
    {"GPU-8932aaaa-d72c-4106-c12f-20bd9faed9f6", "NVIDIA A100", 0, true, instances, 2},
    {NULL, NULL, -1, false, NULL, 0},
};

#define COUNT (sizeof gpus / sizeof *gpus)

static void require(bool holds)
{
    if (!holds)
        abort();
}

static size_t choose(const struct gpu_environment *environment)
{
    struct error error = ERROR_INIT;
    struct gpu_choice choice;
    if (gpu_choose(environment, gpus, COUNT, &choice, &error) < 0) {
        error_clear(&error);
        return COUNT;
    }
    size_t chosen = 0;
    for (size_t i = 0; i < COUNT; i++)
        chosen += choice.ours[i];
    require(!choice.ours[COUNT]); /* the one beyond the GPUs */
    require(choice.basis || (chosen == COUNT && !choice.doubts[0]));
    free(choice.ours);
    return chosen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    size_t chosen = choose(&(struct gpu_environment){.cuda_devices = text});
    require(text[0] || chosen == 0);
    require(choose(&(struct gpu_environment){.slurm_job = text}) > 0); /* an allocation is never none */
    return 0;
}
