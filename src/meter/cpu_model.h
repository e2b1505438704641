/* cpu_model.h: the model of a processor's power from its thermal design power, load and clock:
 *
 *     P = TDP (idle + (peak - idle) s(load) pace),    s(u) = 3u / (1 + 2u)
 *
 * docs/method.md says where it comes from; bench/cpu_model_fit.py fits it and compares it with others. */
#ifndef JOULERY_METER_CPU_MODEL_H
#define JOULERY_METER_CPU_MODEL_H

#define CPU_MODEL_IDLE 0.0045 /* of the TDP, by the package at rest */
#define CPU_MODEL_PEAK 0.6917 /* of the TDP, with all logical CPUs busy */

/* Relative standard uncertainty of an estimate on a processor of known TDP: errors on the machine that was
 * left out of the fit, root mean square. */
#define CPU_MODEL_ACCURACY 0.37
/* For processors that the table doesn't have, and virtual machines: mean TDP a logical CPU of the measured
 * machines, W. */
#define CPU_MODEL_TDP_PER_CPU_W  7.1
#define CPU_MODEL_GUESS_ACCURACY 0.7

/* s: how the power grows from rest (0) to all logical CPUs busy (1) with the load, 0 to 1; loads outside are
 * held at the ends. Half of the CPUs busy draw three quarters of it. */
double cpu_model_shape(double load);

/* What slowed clocks leave of the power above idle, 0 to 1. From the clock itself, as a share of the nominal
 * one; or, where that can't be read, from the mean load of a CPU that is at work (of all CPUs, weighted by
 * their load): governors that follow the load slow down CPUs with little to do, others don't. */
double cpu_model_pace_of_clock(double clock_share);
double cpu_model_pace_of_load(double working_load);

/* P / TDP. */
double cpu_model_share(double load, double pace);

#endif
