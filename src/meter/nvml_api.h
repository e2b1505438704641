/* nvml_api.h: the part of NVIDIA's management library that is used here, found at run time.
 *
 * Names, types and numbers are those of the NVML API reference (docs.nvidia.com/deploy/nvml-api), so that
 * neither NVIDIA's header nor its library is needed to build. NVML may be called from several threads
 * ("NVML is thread-safe", NVML API reference); one open instrument is still one thread's. */
#ifndef JOULERY_METER_NVML_API_H
#define JOULERY_METER_NVML_API_H

#include "base/error.h"

/* nvmlReturn_t */
enum nvml_result {
    NVML_SUCCESS = 0,
    NVML_ERROR_UNINITIALIZED = 1,
    NVML_ERROR_INVALID_ARGUMENT = 2,
    NVML_ERROR_NOT_SUPPORTED = 3,
    NVML_ERROR_NO_PERMISSION = 4,
    NVML_ERROR_NOT_FOUND = 6,
    NVML_ERROR_INSUFFICIENT_SIZE = 7,
    NVML_ERROR_INSUFFICIENT_POWER = 8,
    NVML_ERROR_DRIVER_NOT_LOADED = 9,
    NVML_ERROR_TIMEOUT = 10,
    NVML_ERROR_IRQ_ISSUE = 11,
    NVML_ERROR_LIBRARY_NOT_FOUND = 12,
    NVML_ERROR_FUNCTION_NOT_FOUND = 13,
    NVML_ERROR_GPU_IS_LOST = 15,
    NVML_ERROR_RESET_REQUIRED = 16,
    NVML_ERROR_OPERATING_SYSTEM = 17,
    NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18,
    NVML_ERROR_GPU_NOT_FOUND = 28,
    NVML_ERROR_UNKNOWN = 999,
};

#define NVML_TEXT_BYTES           96 /* NVML_DEVICE_NAME_V2_BUFFER_SIZE, NVML_DEVICE_UUID_V2_BUFFER_SIZE */
#define NVML_DEVICE_ARCH_AMPERE   7
#define NVML_DEVICE_ARCH_UNKNOWN  0xffffffffu
#define NVML_DEVICE_MIG_ENABLE    1
#define NVML_FI_DEV_POWER_INSTANT 186 /* mW */

/* nvmlValueType_t */
enum { NVML_VALUE_TYPE_UNSIGNED_INT = 1, NVML_VALUE_TYPE_UNSIGNED_LONG, NVML_VALUE_TYPE_UNSIGNED_LONG_LONG };

struct nvml_device; /* nvmlDevice_t is a pointer to it */

/* nvmlFieldValue_t */
struct nvml_field {
    unsigned field;
    unsigned scope;
    long long timestamp_us;
    long long latency_us;
    int type; /* of value */
    int result;
    union {
        double d;
        unsigned ui;
        unsigned long ul;
        unsigned long long ull;
    } value;
};

/* Functions that a library lacks are NULL, but never those of the first group. */
struct nvml {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *count);
    int (*handle)(unsigned index, struct nvml_device **device);
    int (*name)(struct nvml_device *device, char *name, unsigned size);
    int (*uuid)(struct nvml_device *device, char *uuid, unsigned size);

    int (*energy)(struct nvml_device *device, unsigned long long *energy_mj);
    int (*power)(struct nvml_device *device, unsigned *power_mw);
    int (*fields)(struct nvml_device *device, int count, struct nvml_field *fields);
    int (*limits)(struct nvml_device *device, unsigned *least_mw, unsigned *most_mw);
    int (*enforced_limit)(struct nvml_device *device, unsigned *limit_mw);
    int (*architecture)(struct nvml_device *device, unsigned *architecture);
    int (*minor)(struct nvml_device *device, unsigned *minor);
    int (*mig_mode)(struct nvml_device *device, unsigned *current, unsigned *pending);
    int (*mig_count)(struct nvml_device *device, unsigned *most);
    int (*mig_handle)(struct nvml_device *device, unsigned index, struct nvml_device **instance);
    const char *(*error_string)(int result);
};

/* Loads the library and initialises it (no GPU yet). -1: `*remedy` says what to do. */
int nvml_load(struct nvml *nvml, const char *path, struct error *error, const char **remedy);
void nvml_unload(struct nvml *nvml);

/* What a result means, and what to do about it; valid while the library is loaded. */
const char *nvml_words(const struct nvml *nvml, int result);
const char *nvml_remedy(int result);

#endif
