/* The parallel job that this process is a rank of, as its launcher's environment tells. */
#include "record/registry.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS_MOST 4

/* A launcher whose ranks all have the same values of `parts`; those that need not be there follow the ones
 * that must. In order: a launcher inside another is the nearer one. */
struct launcher {
    const char *name;
    const char *rank; /* must be there too: it is set for ranks only */
    const char *parts[PARTS_MOST];
    size_t needed;
    bool by_parent; /* the ranks of a node have the same parent, and nothing else in common */
};

/* torchrun: https://docs.pytorch.org/docs/stable/elastic/run.html (environment variables).
 * Open MPI: its documentation, 11.1; the namespace is the PMIx standard's, 3.1 of its environment.
 * Slurm: srun(1), OUTPUT ENVIRONMENT VARIABLES: a batch script has no step, and is no rank.
 * Flux: flux-environment(7); the variables are set for tasks only. LSF's jsrun: those that PyTorch
 * Lightning's LSFEnvironment documents. PALS (HPE Cray, PBS): as MPI programs read them on such machines;
 * that its ranks, and jsrun's, have one parent a node is taken from how they start programs and was not
 * checked. PMI-1: https://flux-framework.readthedocs.io/projects/flux-rfc/en/latest/spec_13.html; Hydra
 * (MPICH, Intel MPI) numbers the ranks of a node in MPI_LOCALRANKID and starts them from one proxy a node. */
static const struct launcher launchers[] = {
    {"torchrun", "LOCAL_RANK", {"TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT"}, 1, false},
    {"pmix", "PMIX_RANK", {"PMIX_NAMESPACE", "PMIX_SERVER_URI2"}, 1, false},
    {"openmpi", "OMPI_COMM_WORLD_LOCAL_RANK", {"OMPI_MCA_ess_base_jobid"}, 1, false},
    {"flux", "FLUX_TASK_LOCAL_ID", {"FLUX_JOB_ID"}, 1, false},
    {"lsf", "JSM_NAMESPACE_LOCAL_RANK", {"LSB_JOBID"}, 1, true},
    {"pals", "PALS_LOCAL_RANKID", {"PBS_JOBID"}, 0, true},
    {"slurm", "SLURM_PROCID", {"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_CLUSTER_NAME"}, 2, false},
    {"pmi", "PMI_RANK", {"PMI_JOBID"}, 1, false},
    {"hydra", "MPI_LOCALRANKID", {NULL}, 0, true},
};

static const char *value_of(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; environment[i]; i++)
        if (strncmp(environment[i], name, length) == 0 && environment[i][length] == '=')
            return environment[i] + length + 1;
    return NULL;
}

static char *key_of(const struct launcher *launcher, char *const *environment)
{
    if (!value_of(environment, launcher->rank))
        return NULL;
    struct text key = TEXT_INIT;
    text_printf(&key, "%s:", launcher->name);
    if (launcher->by_parent)
        text_printf(&key, "%ld", (long)getppid());
    for (size_t i = 0; i < PARTS_MOST && launcher->parts[i]; i++) {
        const char *value = value_of(environment, launcher->parts[i]);
        if (!value && i < launcher->needed) {
            text_free(&key);
            return NULL;
        }
        if (value)
            text_printf(&key, "%s%s", i || launcher->by_parent ? "." : "", value);
    }
    return text_take(&key);
}

char *registry_job(char *const *environment)
{
    char *key = NULL;
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers && !key; i++)
        key = key_of(&launchers[i], environment);
    return key;
}
