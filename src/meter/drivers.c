/* The only list of instruments, in order of preference. */
#include "meter/driver.h"

static const struct meter_driver *const drivers[] = {
    &rapl_driver,
    &hwmon_driver,
    &battery_driver,
    &cpu_model_driver,
};

const struct meter_driver *const *meter_drivers(size_t *count)
{
    *count = sizeof drivers / sizeof *drivers;
    return drivers;
}
