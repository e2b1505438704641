/* A model of the memory where nothing measures it: memory that holds data is refreshed and clocked whether
 * used or not, so its power is taken as constant. dram_model.h has the figures. */
#include "meter/dram_model.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "meter/cpuinfo.h"
#include "meter/driver.h"

#include <stdlib.h>
#include <string.h>

#define MEMINFO_BYTES_MOST (1u << 20)
#define GIB                1073741824.0

struct dram_model {
    struct channel channel;
    double power_w;
    int64_t since_ns;
};

static int read_capacity(const struct meter_setup *setup, double *gib, struct error *error)
{
    AUTO_FREE char *path = file_join(meter_procfs(setup), "meminfo");
    if (!path)
        return error_memory(error, "meminfo");
    AUTO_FREE char *text = file_read(path, MEMINFO_BYTES_MOST, NULL, error);
    uint64_t bytes;
    if (!text || meminfo_parse(text, "MemTotal", &bytes, error) < 0)
        return -1;
    *gib = (double)bytes / GIB;
    return 0;
}

static void dram_model_close(void *state)
{
    struct dram_model *model = state;
    channel_free(&model->channel);
    free(model);
}

static int describe(struct dram_model *model, double gib, struct error *error)
{
    model->power_w = gib * DRAM_MODEL_W_PER_GIB;
    model->since_ns = clock_boot_ns();
    model->channel =
        (struct channel){.scope = SCOPE_DRAM,
                         .kind = KIND_MODEL,
                         .resolution = 1e-9,
                         .accuracy = DRAM_MODEL_ACCURACY,
                         .meter = strdup("dram-model"),
                         .name = strdup("dram"),
                         .accuracy_source = text_format("estimate from %.3g GiB of memory at %g W/GiB", gib,
                                                        DRAM_MODEL_W_PER_GIB)};
    if (!model->channel.meter || !model->channel.name || !model->channel.accuracy_source)
        return error_memory(error, "dram-model");
    return 0;
}

static void *dram_model_open(const struct meter_setup *setup, const struct channel **channels, size_t *count,
                             struct error *error)
{
    double gib;
    if (read_capacity(setup, &gib, error) < 0) {
        error_prefix(error, "dram-model");
        return NULL;
    }
    struct dram_model *model = calloc(1, sizeof *model);
    if (!model) {
        error_memory(error, "dram-model");
        return NULL;
    }
    if (describe(model, gib, error) < 0) {
        dram_model_close(model);
        return NULL;
    }
    *channels = &model->channel;
    *count = 1;
    return model;
}

static void dram_model_probe(const struct meter_setup *setup, struct meter_probe *probe)
{
    struct error error = ERROR_INIT;
    double gib;
    *probe = (struct meter_probe){.usable = read_capacity(setup, &gib, &error) == 0};
    if (!probe->usable)
        driver_unusable(probe, strdup(error_text(&error)), strdup("it needs /proc mounted"));
    error_clear(&error);
}

static int dram_model_read(void *state, double *values, struct error *error)
{
    (void)error;
    const struct dram_model *model = state;
    values[0] = model->power_w * (double)(clock_boot_ns() - model->since_ns) / NS_PER_S;
    return 0;
}

const struct meter_driver dram_model_driver = {
    .name = "dram-model",
    .purpose = "estimate of the memory's energy from its capacity",
    .model = true,
    .probe = dram_model_probe,
    .open = dram_model_open,
    .read = dram_model_read,
    .close = dram_model_close,
};
