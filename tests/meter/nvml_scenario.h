/* nvml_scenario.h: scenarios for the stand-in of NVIDIA's library (nvml_standin.c), and what is true in them.
 */
#ifndef JOULERY_TESTS_METER_NVML_SCENARIO_H
#define JOULERY_TESTS_METER_NVML_SCENARIO_H

#include <stddef.h>
#include <stdint.h>

/* From now on a stand-in that is loaded plays these lines, whose zero of time is now; returns that zero. Any
 * CUDA and Slurm variables are taken away. Aborts the test program when that fails. */
int64_t nvml_scenario_play(const char *lines);
/* Takes the scenario away again. */
void nvml_scenario_end(void);
/* How often a stand-in was initialised and then given up again in this scenario. */
size_t nvml_scenario_shutdowns(void);
/* Joules of a GPU that draws mean_w + swing_w sin(2 pi t / 1.7 s). */
double nvml_scenario_truth_j(double mean_w, double swing_w, int64_t zero_ns, int64_t from_ns, int64_t to_ns);

#endif
