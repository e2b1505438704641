/* gpu_choice.h: which of a machine's NVIDIA GPUs are this job's, from the environment.
 *
 * CUDA_VISIBLE_DEVICES decides where it is set (CUDA C++ Programming Guide, "CUDA Environment Variables"):
 * indices, UUIDs or unique beginnings of them, MIG instances; what follows an entry that names nothing is not
 * visible; an empty list shows nothing. Else Slurm's allocation: SLURM_STEP_GPUS, then SLURM_JOB_GPUS, which
 * hold the machine's numbers of the GPUs whatever a control group hides (srun(1), sbatch(1)): those of the
 * device files, /dev/nvidiaN. Else every GPU that can be opened is ours. */
#ifndef JOULERY_METER_GPU_CHOICE_H
#define JOULERY_METER_GPU_CHOICE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpu_identity {
    char *uuid;       /* "GPU-…"; NULL: not known */
    char *name;       /* the model; NULL: not known */
    int64_t minor;    /* N of /dev/nvidiaN; -1: not known */
    bool mig;         /* the GPU is divided into instances */
    char **instances; /* their UUIDs, "MIG-…" */
    size_t instance_count;
};

/* The variables; NULL: not set. */
struct gpu_environment {
    const char *cuda_devices; /* CUDA_VISIBLE_DEVICES */
    const char *cuda_order;   /* CUDA_DEVICE_ORDER */
    const char *slurm_step;   /* SLURM_STEP_GPUS */
    const char *slurm_job;    /* SLURM_JOB_GPUS */
};

#define GPU_DOUBTS_MOST 2

struct gpu_choice {
    bool *ours;                          /* one a GPU */
    const char *basis;                   /* the name of the variable that decided, a constant; NULL: none */
    const char *doubts[GPU_DOUBTS_MOST]; /* why the choice may be wrong: constants; NULL: no more */
};

/* `gpus` are those that can be opened, in NVML's order. The caller frees choice->ours. */
int gpu_choose(const struct gpu_environment *environment, const struct gpu_identity *gpus, size_t count,
               struct gpu_choice *choice, struct error *error);

#endif
