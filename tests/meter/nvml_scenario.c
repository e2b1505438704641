#include "nvml_scenario.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "NVML_STANDIN"

static void require(int holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    abort();
}

static char *shutdowns_of(const char *path)
{
    char *name = text_format("%s.shutdowns", path);
    require(name != NULL, "scenario");
    return name;
}

int64_t nvml_scenario_play(const char *lines)
{
    static const char *const variables[] = {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "SLURM_STEP_GPUS",
                                            "SLURM_JOB_GPUS"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    nvml_scenario_end();
    char path[] = "/tmp/joulery-nvml-XXXXXX";
    int descriptor = mkstemp(path);
    require(descriptor >= 0, path);
    int64_t zero_ns = clock_boot_ns();
    AUTO_FREE char *shutdowns = shutdowns_of(path);
    require(dprintf(descriptor, "t0 %lld\nshutdowns %s\n%s", (long long)zero_ns, shutdowns, lines) > 0, path);
    require(close(descriptor) == 0 && setenv(VARIABLE, path, 1) == 0, path);
    return zero_ns;
}

void nvml_scenario_end(void)
{
    const char *path = getenv(VARIABLE);
    if (!path)
        return;
    AUTO_FREE char *shutdowns = shutdowns_of(path);
    unlink(shutdowns);
    unlink(path);
    unsetenv(VARIABLE);
}

size_t nvml_scenario_shutdowns(void)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = shutdowns_of(getenv(VARIABLE));
    AUTO_FREE char *text = file_read(path, 1u << 16, NULL, &error);
    error_clear(&error);
    size_t count = 0;
    for (const char *at = text; at && (at = strchr(at, '\n')); at++)
        count++;
    return count;
}

double nvml_scenario_truth_j(double mean_w, double swing_w, int64_t zero_ns, int64_t from_ns, int64_t to_ns)
{
    double turn = 2 * M_PI / 1.7;
    double from_s = (double)(from_ns - zero_ns) / NS_PER_S, to_s = (double)(to_ns - zero_ns) / NS_PER_S;
    return mean_w * (to_s - from_s) + swing_w / turn * (cos(turn * from_s) - cos(turn * to_s));
}
