#include "meter/gpu_choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A  "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
#define B  "GPU-8932aaaa-0000-4106-c12f-20bd9faed9f6"
#define C  "GPU-4a5b6c7d-0000-4106-c12f-20bd9faed9f6"
#define M0 "MIG-11111111-0000-5000-8000-000000000000"
#define M1 "MIG-22222222-0000-5000-8000-000000000000"

static char *instances[] = {M0, M1};

static const struct gpu_identity same[] = {{A, "NVIDIA A100", 2, false, NULL, 0},
                                           {B, "NVIDIA A100", 0, false, NULL, 0},
                                           {C, "NVIDIA A100", 1, false, NULL, 0}};
static const struct gpu_identity mixed[] = {{A, "NVIDIA T4", 0, false, NULL, 0},
                                            {B, "NVIDIA A100", 1, false, NULL, 0},
                                            {C, NULL, -1, false, NULL, 0}};
static const struct gpu_identity divided[] = {{A, "NVIDIA A100", 0, false, NULL, 0},
                                              {B, "NVIDIA A100", 1, true, instances, 2},
                                              {C, "NVIDIA A100", 2, false, NULL, 0}};

struct example {
    const struct gpu_identity *gpus;
    struct gpu_environment environment;
    const char *ours; /* '1' or '0' a GPU */
    const char *basis;
    const char *doubt; /* what the doubt says; NULL: none */
};

static const struct example examples[] = {
    {same, {NULL, NULL, NULL, NULL}, "111", NULL, NULL},
    {same, {"", NULL, NULL, NULL}, "000", "CUDA_VISIBLE_DEVICES", NULL},
    {same, {"-1", NULL, NULL, NULL}, "000", "CUDA_VISIBLE_DEVICES", NULL},
    {same, {"0", NULL, NULL, NULL}, "100", "CUDA_VISIBLE_DEVICES", NULL},
    {same, {"2,0", NULL, NULL, NULL}, "101", "CUDA_VISIBLE_DEVICES", NULL},
    {same, {" 2 ,\t0", NULL, NULL, NULL}, "101", "CUDA_VISIBLE_DEVICES", NULL},
    {same, {"0,2,-1,1", NULL, NULL, NULL}, "101", "CUDA_VISIBLE_DEVICES", NULL},
    {same, {"0,7,1", NULL, NULL, NULL}, "100", "CUDA_VISIBLE_DEVICES", "names no GPU"},
    {same, {"0,,1", NULL, NULL, NULL}, "100", "CUDA_VISIBLE_DEVICES", "names no GPU"},
    {same, {"0,", NULL, NULL, NULL}, "100", "CUDA_VISIBLE_DEVICES", "names no GPU"},
    {same, {"NoDevFiles", NULL, NULL, NULL}, "000", "CUDA_VISIBLE_DEVICES", "names no GPU"},
    {same, {"18446744073709551616", NULL, NULL, NULL}, "000", "CUDA_VISIBLE_DEVICES", "names no GPU"},
    {same, {A, NULL, NULL, NULL}, "100", "CUDA_VISIBLE_DEVICES", NULL},
    {same, {"GPU-4a," A, NULL, NULL, NULL}, "101", "CUDA_VISIBLE_DEVICES", NULL},
    {same, {"GPU-8932", NULL, NULL, NULL}, "000", "CUDA_VISIBLE_DEVICES", "names no GPU"}, /* two begin so */
    {same, {"GPU-", NULL, NULL, NULL}, "000", "CUDA_VISIBLE_DEVICES", "names no GPU"},
    {same, {A "0", NULL, NULL, NULL}, "000", "CUDA_VISIBLE_DEVICES", "names no GPU"},
    {same, {"1", NULL, "0", "0,1"}, "010", "CUDA_VISIBLE_DEVICES", NULL}, /* CUDA's variable rules */
    {mixed, {"0", NULL, NULL, NULL}, "100", "CUDA_VISIBLE_DEVICES", "fastest first"},
    {mixed, {"0", "FASTEST_FIRST", NULL, NULL}, "100", "CUDA_VISIBLE_DEVICES", "fastest first"},
    {mixed, {"0", "PCI_BUS_ID", NULL, NULL}, "100", "CUDA_VISIBLE_DEVICES", NULL},
    {mixed, {B, NULL, NULL, NULL}, "010", "CUDA_VISIBLE_DEVICES", NULL},
    {divided, {M1, NULL, NULL, NULL}, "010", "CUDA_VISIBLE_DEVICES", NULL},
    {divided, {"MIG-1", NULL, NULL, NULL}, "010", "CUDA_VISIBLE_DEVICES", NULL},
    {divided, {M0 "," M1, NULL, NULL, NULL}, "010", "CUDA_VISIBLE_DEVICES", NULL},
    {divided, {"MIG-" C "/3/0", NULL, NULL, NULL}, "001", "CUDA_VISIBLE_DEVICES", NULL},
    {divided, {"MIG-3", NULL, NULL, NULL}, "000", "CUDA_VISIBLE_DEVICES", "names no GPU"},
    {divided, {"0", "PCI_BUS_ID", NULL, NULL}, "100", "CUDA_VISIBLE_DEVICES", "MIG"},
    {same, {NULL, NULL, "0", "0,1"}, "010", "SLURM_STEP_GPUS", NULL}, /* numbers of /dev/nvidiaN */
    {same, {NULL, NULL, NULL, "0,2"}, "110", "SLURM_JOB_GPUS", NULL},
    {same, {NULL, NULL, "", "1-2"}, "101", "SLURM_JOB_GPUS", NULL},
    {same, {NULL, NULL, NULL, "0-18446744073709551615"}, "111", "SLURM_JOB_GPUS", NULL},
    {mixed, {NULL, NULL, NULL, "2"}, "001", "SLURM_JOB_GPUS", NULL}, /* no number known: NVML's place */
    {same, {NULL, NULL, NULL, "7"}, "111", "SLURM_JOB_GPUS", "all that can be opened"},
    {same, {NULL, NULL, "0,x", NULL}, "111", "SLURM_STEP_GPUS", "all that can be opened"},
    {same, {NULL, NULL, "", ""}, "111", NULL, NULL},
};

static void check(const struct example *example, size_t at)
{
    struct error error = ERROR_INIT;
    struct gpu_choice choice;
    assert_int_equal(gpu_choose(&example->environment, example->gpus, 3, &choice, &error), 0);
    for (size_t i = 0; i < 3; i++)
        if (choice.ours[i] != (example->ours[i] == '1'))
            fail_msg("example %zu: GPU %zu is %s", at, i, choice.ours[i] ? "ours" : "not ours");
    if (!choice.basis != !example->basis || (choice.basis && strcmp(choice.basis, example->basis) != 0))
        fail_msg("example %zu: decided by %s", at, choice.basis ? choice.basis : "nothing");
    const char *doubt = choice.doubts[0];
    if (!doubt != !example->doubt || (doubt && !strstr(doubt, example->doubt)))
        fail_msg("example %zu: doubt: %s", at, doubt ? doubt : "none");
    free(choice.ours);
}

static void the_environment_decides_as_cuda_and_slurm_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        check(&examples[i], i);
}

static void two_doubts_are_both_told(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct gpu_choice choice;
    assert_int_equal(gpu_choose(&(struct gpu_environment){.cuda_devices = "1,x"}, mixed, 3, &choice, &error),
                     0);
    assert_non_null(strstr(choice.doubts[0], "names no GPU"));
    assert_non_null(strstr(choice.doubts[1], "fastest first"));
    free(choice.ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_decides_as_cuda_and_slurm_say),
        cmocka_unit_test(two_doubts_are_both_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
