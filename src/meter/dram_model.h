/* dram_model.h: the model of the memory's power: its capacity times a constant. docs/method.md has the
 * sources. */
#ifndef JOULERY_METER_DRAM_MODEL_H
#define JOULERY_METER_DRAM_MODEL_H

/* Measured on DDR4 modules at work: 11.85 W for 32 GB (Tom's Hardware, 29 August 2014, "Measuring DDR4 Power
 * Consumption"). Lannelongue, Grealey, Inouye (Advanced Science 8, 2021) use 0.3725 W/GB for that reason. */
#define DRAM_MODEL_W_PER_GIB 0.37

/* Relative standard uncertainty: idle and large modules draw a tenth to a third of that a GiB. */
#define DRAM_MODEL_ACCURACY 0.6

#endif
