#include "meter/cpu_clock.h"

#include "base/text.h"
#include "meter/driver.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

/* Where a nominal clock may stand, best first: intel_pstate's base clock, the firmware's (CPPC, in MHz), and
 * the highest, which drivers without turbo in their table give. */
static const struct nominal {
    const char *file;
    double khz;
} nominals[] = {
    {"cpufreq/base_frequency", 1},
    {"acpi_cppc/nominal_freq", 1000},
    {"cpufreq/cpuinfo_max_freq", 1},
};

static double nominal_khz(const char *sysfs, size_t cpu)
{
    for (size_t i = 0; i < sizeof nominals / sizeof *nominals; i++) {
        struct error ignored = ERROR_INIT;
        uint64_t value = 0;
        AUTO_FREE char *path = text_format("%s/devices/system/cpu/cpu%zu/%s", sysfs, cpu, nominals[i].file);
        int result = path ? driver_read_u64_at(path, &value, &ignored) : -1;
        error_clear(&ignored);
        if (result == 0 && value > 0)
            return (double)value * nominals[i].khz;
    }
    return 0;
}

static void open_clock(struct cpu_clocks *clocks, const char *sysfs, size_t cpu)
{
    double khz = nominal_khz(sysfs, cpu);
    AUTO_FREE char *path = text_format("%s/devices/system/cpu/cpu%zu/cpufreq/scaling_cur_freq", sysfs, cpu);
    int now = path && khz > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (now >= 0)
        clocks->clocks[clocks->count++] = (struct cpu_clock){cpu, now, khz};
}

void cpu_clocks_open(struct cpu_clocks *clocks, const char *sysfs, size_t cpus)
{
    clocks->count = 0;
    size_t wanted = cpus < CPU_CLOCKS_MOST ? cpus : CPU_CLOCKS_MOST;
    for (size_t i = 0; i < wanted; i++)
        open_clock(clocks, sysfs, i * cpus / wanted);
}

void cpu_clocks_close(struct cpu_clocks *clocks)
{
    for (size_t i = 0; i < clocks->count; i++)
        close(clocks->clocks[i].now);
    clocks->count = 0;
}

double cpu_clocks_share(const struct cpu_clocks *clocks, const uint64_t *busy, size_t cpus)
{
    double sum = 0, weight = 0;
    for (size_t i = 0; i < clocks->count; i++) {
        const struct cpu_clock *clock = &clocks->clocks[i];
        uint64_t khz;
        if (clock->cpu >= cpus || busy[clock->cpu] == 0 || driver_read_u64(clock->now, &khz) < 0 || khz == 0)
            continue;
        sum += (double)busy[clock->cpu] * fmin((double)khz / clock->nominal_khz, 1);
        weight += (double)busy[clock->cpu];
    }
    return weight > 0 ? sum / weight : NAN;
}
