/* cpu_tdp.h: thermal design powers by processor, from data/cpu_tdp.csv. */
#ifndef JOULERY_METER_CPU_TDP_H
#define JOULERY_METER_CPU_TDP_H

#include <stdbool.h>

/* Watts of one processor (socket) by the kernel's model name ("Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz");
 * 0: not in the table. */
double cpu_tdp_find(const char *model_name);

/* A name without what differs between the kernel's and the vendor's writing: lower case, without (R), (TM),
 * "cpu", "processor", "8-core", "@ 3.40GHz", "with … graphics". A new string; NULL if memory ran out. */
char *cpu_tdp_normalise(const char *name);

/* Whether a power is no measurement but what CodeCarbon takes for processors that it can't measure: half the
 * thermal design power (`tdp_w`; 0: not known), or half of 85 W where it doesn't know the model
 * (codecarbon/external/hardware.py), times one to eight processors. */
bool cpu_tdp_is_default(double power_w, double tdp_w);

#endif
