#include "meter/nvml_api.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct symbol {
    const char *name;
    size_t at; /* the member of struct nvml */
    bool needed;
};

#define AT(member) offsetof(struct nvml, member)

static const struct symbol symbols[] = {
    {"nvmlInit_v2", AT(init), true},
    {"nvmlShutdown", AT(shutdown), true},
    {"nvmlDeviceGetCount_v2", AT(count), true},
    {"nvmlDeviceGetHandleByIndex_v2", AT(handle), true},
    {"nvmlDeviceGetName", AT(name), true},
    {"nvmlDeviceGetUUID", AT(uuid), true},
    {"nvmlDeviceGetTotalEnergyConsumption", AT(energy), false},
    {"nvmlDeviceGetPowerUsage", AT(power), false},
    {"nvmlDeviceGetFieldValues", AT(fields), false},
    {"nvmlDeviceGetPowerManagementLimitConstraints", AT(limits), false},
    {"nvmlDeviceGetEnforcedPowerLimit", AT(enforced_limit), false},
    {"nvmlDeviceGetArchitecture", AT(architecture), false},
    {"nvmlDeviceGetMinorNumber", AT(minor), false},
    {"nvmlDeviceGetMigMode", AT(mig_mode), false},
    {"nvmlDeviceGetMaxMigDeviceCount", AT(mig_count), false},
    {"nvmlDeviceGetMigDeviceHandleByIndex", AT(mig_handle), false},
    {"nvmlErrorString", AT(error_string), false},
};

struct meaning {
    int result;
    const char *words;
    const char *remedy;
};

static const char install_remedy[] =
    "install NVIDIA's driver, which brings libnvidia-ml.so.1; in a container: give it the GPUs (--gpus all, "
    "with NVIDIA's container toolkit)";
static const char mismatch_remedy[] =
    "the driver was updated while it was loaded: reboot, or unload and load the nvidia modules; in a "
    "container: its libnvidia-ml must be the host's";
static const char access_remedy[] =
    "the user, the container or the job must be able to open /dev/nvidiactl and /dev/nvidia*";
static const char lost_remedy[] =
    "`dmesg | grep -i xid` says what happened to it: reset it (nvidia-smi --gpu-reset) or reboot";
static const char unknown_remedy[] = "see whether nvidia-smi works, and what `dmesg | grep -i nvrm` says";

static const struct meaning meanings[] = {
    {NVML_ERROR_NOT_SUPPORTED, "not supported by this GPU or its driver",
     "guests with a virtual GPU and some display cards have no sensor of their own: measure on the host, or "
     "at the wall"},
    {NVML_ERROR_FUNCTION_NOT_FOUND, "not known to this driver", "a newer driver may know it"},
    {NVML_ERROR_NO_PERMISSION, "permission denied", access_remedy},
    {NVML_ERROR_OPERATING_SYSTEM, "blocked by the operating system or a control group", access_remedy},
    {NVML_ERROR_DRIVER_NOT_LOADED, "NVIDIA's driver is not loaded",
     "sudo modprobe nvidia; if that fails, `dmesg | grep -i nvrm` says why"},
    {NVML_ERROR_LIBRARY_NOT_FOUND, "a library of the driver is missing", install_remedy},
    {NVML_ERROR_LIB_RM_VERSION_MISMATCH, "the library and the loaded driver are of different versions",
     mismatch_remedy},
    {NVML_ERROR_GPU_IS_LOST, "the GPU is lost: it fell off the bus", lost_remedy},
    {NVML_ERROR_RESET_REQUIRED, "the GPU must be reset", lost_remedy},
    {NVML_ERROR_INSUFFICIENT_POWER, "the GPU's power cables are not attached as they should be",
     "attach its power cables"},
    {NVML_ERROR_IRQ_ISSUE, "the kernel has trouble with the GPU's interrupts", unknown_remedy},
    {NVML_ERROR_GPU_NOT_FOUND, "no GPU was found", unknown_remedy},
    {NVML_ERROR_TIMEOUT, "no answer in time", unknown_remedy},
    {NVML_ERROR_UNKNOWN, "an error inside the driver", unknown_remedy},
};

static const struct meaning *find_meaning(int result)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].result == result)
            return &meanings[i];
    return NULL;
}

const char *nvml_words(const struct nvml *nvml, int result)
{
    const struct meaning *meaning = find_meaning(result);
    if (meaning)
        return meaning->words;
    const char *words = nvml->error_string ? nvml->error_string(result) : NULL;
    return words ? words : "an error that is not documented";
}

const char *nvml_remedy(int result)
{
    const struct meaning *meaning = find_meaning(result);
    return meaning ? meaning->remedy : unknown_remedy;
}

/* The name of the first needed symbol that lacks; NULL: none. */
static const char *resolve(struct nvml *nvml)
{
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *found = dlsym(nvml->library, symbols[i].name);
        if (!found && symbols[i].needed)
            return symbols[i].name;
        memcpy((char *)nvml + symbols[i].at, &found, sizeof found);
    }
    return NULL;
}

int nvml_load(struct nvml *nvml, const char *path, struct error *error, const char **remedy)
{
    *nvml = (struct nvml){.library = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    *remedy = install_remedy;
    if (!nvml->library) {
        const char *why = dlerror();
        return error_set(error, "%s", why ? why : path);
    }
    const char *missing = resolve(nvml);
    if (missing) {
        error_set(error, "%s: not NVIDIA's management library, or an old one: it has no %s", path, missing);
        dlclose(nvml->library);
        return -1;
    }
    int result = nvml->init();
    if (result == NVML_SUCCESS)
        return 0;
    *remedy = nvml_remedy(result);
    error_set(error, "%s: %s", path, nvml_words(nvml, result));
    dlclose(nvml->library);
    return -1;
}

void nvml_unload(struct nvml *nvml)
{
    nvml->shutdown();
    dlclose(nvml->library);
}
