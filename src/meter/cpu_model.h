/* cpu_model.h: the formula of the CPU model, apart so that it can be checked: docs/method.md. */
#ifndef JOULERY_METER_CPU_MODEL_H
#define JOULERY_METER_CPU_MODEL_H

/* Package power as a fraction of the thermal design power at a load from 0 to 1 of all logical CPUs. */
double cpu_model_fraction(double load);

/* Thermal design power a logical CPU where the processor isn't known, W. */
#define CPU_MODEL_TDP_PER_CPU_W 7.1

/* Relative standard uncertainties, for a known thermal design power and for the guess a logical CPU. */
#define CPU_MODEL_ACCURACY       0.38
#define CPU_MODEL_GUESS_ACCURACY 0.7

#endif
