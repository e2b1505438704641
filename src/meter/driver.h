/* driver.h: what drivers share: where their machine is, and small files read again and again. */
#ifndef JOULERY_METER_DRIVER_H
#define JOULERY_METER_DRIVER_H

#include "meter/meter.h"

extern const struct meter_driver rapl_driver;
extern const struct meter_driver rapl_perf_driver;
extern const struct meter_driver rapl_msr_driver;
extern const struct meter_driver hwmon_driver;
extern const struct meter_driver battery_driver;
extern const struct meter_driver nvml_driver;
extern const struct meter_driver wattmeter_driver;
extern const struct meter_driver cpu_model_driver;
extern const struct meter_driver dram_model_driver;

/* Marks the probe as not usable; takes over both strings (text_format's). */
void driver_unusable(struct meter_probe *probe, char *reason, char *remedy);

/* Reads a file that holds one whole number and a newline at most, from an open descriptor. */
int driver_read_u64(int descriptor, uint64_t *value);
/* The same by path; the error names it. */
int driver_read_u64_at(const char *path, uint64_t *value, struct error *error);

#endif
