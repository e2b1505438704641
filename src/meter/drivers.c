/* The only list of instruments, in order of preference. */
#include "meter/driver.h"

static const struct meter_driver *const drivers[] = {
    &rapl_driver, &rapl_perf_driver, &rapl_msr_driver,  &hwmon_driver,      &battery_driver,
    &nvml_driver, &wattmeter_driver, &cpu_model_driver, &dram_model_driver,
};

const struct meter_driver *const *meter_drivers(size_t *count)
{
    *count = sizeof drivers / sizeof *drivers;
    return drivers;
}
