/* A stand-in for NVIDIA's management library: it answers as the NVML API reference says, from a scenario in
 * the file that NVML_STANDIN names, so that what is true is known. One "key value" a line; `gpu UUID` begins
 * a GPU:
 *
 *   t0 NS            the zero of all times, CLOCK_BOOTTIME
 *   init CODE        what nvmlInit_v2 returns (nvmlReturn_t)
 *   shutdowns FILE   a line is added to it when the library is given up
 *   gpu UUID         draws mean_w + swing_w sin(2 pi t / 1.7 s), and has counted start_mj at t0
 *     name, minor, architecture, limit_mw, mean_w, swing_w, start_mj
 *     update_s S     its figures are renewed this often
 *     factor F       power readings are F times the truth
 *     handle, energy, power, instant CODE: what those calls return; instant is not supported unless said
 *     lost_s S       from then on it has fallen off the bus
 *     back_s S       its counter began again then
 *     mig UUID       an instance; there can be several
 *
 * It declares NVML's types itself, apart from the driver under test. STANDIN_OLD leaves out what drivers from
 * before the energy counter lack. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GPUS_MOST      8
#define INSTANCES_MOST 4
#define PERIOD_S       1.7

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    GPU_IS_LOST = 15,
};

struct gpu;

struct nvmlDevice_st {
    char uuid[96];
    struct gpu *gpu;
    bool instance;
};

typedef struct nvmlDevice_st *nvmlDevice_t;

struct gpu {
    struct nvmlDevice_st device;
    struct nvmlDevice_st instances[INSTANCES_MOST];
    unsigned instance_count;
    char name[96];
    double mean_w, swing_w, start_mj, update_s, factor, lost_s, back_s;
    double minor, architecture, limit_mw, handle, energy, power, instant;
};

typedef union {
    double dVal;
    unsigned int uiVal;
    unsigned long long ullVal;
} nvmlValue_t;

typedef struct {
    unsigned int fieldId;
    unsigned int scopeId;
    long long timestamp;
    long long latencyUsec;
    unsigned int valueType;
    unsigned int nvmlReturn;
    nvmlValue_t value;
} nvmlFieldValue_t;

/* What a library with NVML's interface can't do without. */
static struct {
    int users;
    struct gpu gpus[GPUS_MOST];
    unsigned count;
    double t0_ns, init;
    char shutdowns[512];
} standin;

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned int *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device);
int nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length);
int nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length);
int nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *power);
int nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *energy);
int nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values);
int nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned int *least,
                                                 unsigned int *most);
int nvmlDeviceGetArchitecture(nvmlDevice_t device, unsigned int *architecture);
int nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minor);
int nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending);
int nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count);
int nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *instance);

/* ---- the scenario ---- */

static void set_text(char *to, size_t size, const char *value)
{
    if (strlen(value) >= size)
        abort();
    memcpy(to, value, strlen(value) + 1);
}

static void begin_gpu(const char *uuid)
{
    if (standin.count == GPUS_MOST)
        abort();
    struct gpu *gpu = &standin.gpus[standin.count];
    *gpu = (struct gpu){.factor = 1,
                        .lost_s = INFINITY,
                        .back_s = INFINITY,
                        .minor = standin.count++,
                        .architecture = 5,
                        .limit_mw = 300000,
                        .instant = NOT_SUPPORTED,
                        .name = "NVIDIA Stand-in"};
    gpu->device.gpu = gpu;
    set_text(gpu->device.uuid, sizeof gpu->device.uuid, uuid);
}

static void add_instance(struct gpu *gpu, const char *uuid)
{
    if (gpu->instance_count == INSTANCES_MOST)
        abort();
    struct nvmlDevice_st *instance = &gpu->instances[gpu->instance_count++];
    instance->gpu = gpu;
    instance->instance = true;
    set_text(instance->uuid, sizeof instance->uuid, uuid);
}

static bool set_number(struct gpu *gpu, const char *key, const char *value)
{
    const struct {
        const char *key;
        double *number;
    } numbers[] = {
        {"t0", &standin.t0_ns},     {"init", &standin.init},      {"mean_w", &gpu->mean_w},
        {"swing_w", &gpu->swing_w}, {"start_mj", &gpu->start_mj}, {"update_s", &gpu->update_s},
        {"factor", &gpu->factor},   {"lost_s", &gpu->lost_s},     {"back_s", &gpu->back_s},
        {"minor", &gpu->minor},     {"limit_mw", &gpu->limit_mw}, {"architecture", &gpu->architecture},
        {"handle", &gpu->handle},   {"energy", &gpu->energy},     {"power", &gpu->power},
        {"instant", &gpu->instant},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(numbers[i].key, key) != 0)
            continue;
        *numbers[i].number = strtod(value, NULL);
        return true;
    }
    return false;
}

static void apply(const char *key, const char *value)
{
    struct gpu *gpu = &standin.gpus[standin.count ? standin.count - 1 : 0];
    if (strcmp(key, "gpu") == 0)
        begin_gpu(value);
    else if (strcmp(key, "name") == 0)
        set_text(gpu->name, sizeof gpu->name, value);
    else if (strcmp(key, "mig") == 0)
        add_instance(gpu, value);
    else if (strcmp(key, "shutdowns") == 0)
        set_text(standin.shutdowns, sizeof standin.shutdowns, value);
    else if (!set_number(gpu, key, value))
        abort();
}

static void read_scenario(void)
{
    const char *path = getenv("NVML_STANDIN");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file)
        abort();
    memset(&standin, 0, sizeof standin);
    char line[512], key[64], value[400];
    while (fgets(line, sizeof line, file))
        if (sscanf(line, " %63s %399[^\n]", key, value) == 2)
            apply(key, value);
    fclose(file);
}

/* ---- the truth ---- */

static double elapsed_s(const struct gpu *gpu)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    double elapsed = ((double)now.tv_sec * 1e9 + (double)now.tv_nsec - standin.t0_ns) * 1e-9;
    return gpu->update_s > 0 ? floor(elapsed / gpu->update_s) * gpu->update_s : elapsed;
}

static unsigned power_mw(const struct gpu *gpu)
{
    double t = elapsed_s(gpu);
    return (unsigned)(1e3 * gpu->factor * (gpu->mean_w + gpu->swing_w * sin(2 * M_PI / PERIOD_S * t)));
}

/* SUCCESS, or why this call on this device can't be answered. */
static int check(nvmlDevice_t device, const void *result, double code)
{
    if (!standin.users)
        return UNINITIALIZED;
    if (!device || !result || device->instance)
        return INVALID_ARGUMENT;
    if (elapsed_s(device->gpu) >= device->gpu->lost_s)
        return GPU_IS_LOST;
    return (int)code;
}

/* ---- NVML ---- */

int nvmlInit_v2(void)
{
    if (!standin.users)
        read_scenario();
    if (standin.init > 0)
        return (int)standin.init;
    standin.users++;
    return SUCCESS;
}

int nvmlShutdown(void)
{
    if (!standin.users)
        return UNINITIALIZED;
    FILE *file = --standin.users == 0 && standin.shutdowns[0] ? fopen(standin.shutdowns, "a") : NULL;
    if (file) {
        fputs("shut down\n", file);
        fclose(file);
    }
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned int *count)
{
    if (!standin.users)
        return UNINITIALIZED;
    *count = standin.count;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    if (!standin.users)
        return UNINITIALIZED;
    if (index >= standin.count)
        return INVALID_ARGUMENT;
    *device = &standin.gpus[index].device;
    return check(*device, device, standin.gpus[index].handle);
}

static int give_text(const char *text, char *to, unsigned length)
{
    if (strlen(text) >= length)
        return INSUFFICIENT_SIZE;
    memcpy(to, text, strlen(text) + 1);
    return SUCCESS;
}

int nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length)
{
    int result = check(device, name, SUCCESS);
    return result == SUCCESS ? give_text(device->gpu->name, name, length) : result;
}

int nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length)
{
    return standin.users && device ? give_text(device->uuid, uuid, length) : INVALID_ARGUMENT;
}

int nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *power)
{
    int result = check(device, power, device->gpu->power);
    if (result == SUCCESS)
        *power = power_mw(device->gpu);
    return result;
}

#ifndef STANDIN_OLD

static double energy_j(const struct gpu *gpu, double t)
{
    double turn = 2 * M_PI / PERIOD_S;
    return gpu->mean_w * t + gpu->swing_w / turn * (1 - cos(turn * t));
}

int nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *energy)
{
    int result = check(device, energy, device->gpu->energy);
    if (result != SUCCESS)
        return result;
    const struct gpu *gpu = device->gpu;
    double t = elapsed_s(gpu);
    double counted_mj = gpu->start_mj + 1e3 * energy_j(gpu, t);
    if (t >= gpu->back_s)
        counted_mj = 1e3 * (energy_j(gpu, t) - energy_j(gpu, gpu->back_s));
    *energy = (unsigned long long)counted_mj;
    return SUCCESS;
}

int nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values)
{
    int result = check(device, values, SUCCESS);
    for (int i = 0; result == SUCCESS && i < count; i++) {
        nvmlFieldValue_t *field = &values[i];
        bool known = field->fieldId == 186 && field->scopeId == 0; /* NVML_FI_DEV_POWER_INSTANT */
        field->nvmlReturn = known ? (unsigned)device->gpu->instant : INVALID_ARGUMENT;
        field->valueType = 1; /* NVML_VALUE_TYPE_UNSIGNED_INT */
        field->value.uiVal = power_mw(device->gpu);
    }
    return result;
}

int nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned int *least, unsigned int *most)
{
    int result = check(device, most, device->gpu->limit_mw > 0 ? SUCCESS : NOT_SUPPORTED);
    if (result == SUCCESS) {
        *least = 100000;
        *most = (unsigned)device->gpu->limit_mw;
    }
    return result;
}

int nvmlDeviceGetArchitecture(nvmlDevice_t device, unsigned int *architecture)
{
    int result = check(device, architecture, SUCCESS);
    if (result == SUCCESS)
        *architecture = (unsigned)device->gpu->architecture;
    return result;
}

int nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minor)
{
    int result = check(device, minor, SUCCESS);
    if (result == SUCCESS)
        *minor = (unsigned)device->gpu->minor;
    return result;
}

int nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
    int result = check(device, current, device->gpu->architecture >= 7 ? SUCCESS : NOT_SUPPORTED);
    if (result == SUCCESS)
        *current = *pending = device->gpu->instance_count > 0;
    return result;
}

int nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)
{
    int result = check(device, count, SUCCESS);
    if (result == SUCCESS)
        *count = device->gpu->instance_count ? 7 : 0;
    return result;
}

int nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *instance)
{
    int result = check(device, instance, SUCCESS);
    if (result == SUCCESS && index >= device->gpu->instance_count)
        result = NOT_FOUND;
    if (result == SUCCESS)
        *instance = &device->gpu->instances[index];
    return result;
}

#endif
