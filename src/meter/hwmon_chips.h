/* hwmon_chips.h: what is known of the chips below /sys/class/hwmon that tell energy or power. */
#ifndef JOULERY_METER_HWMON_CHIPS_H
#define JOULERY_METER_HWMON_CHIPS_H

#include "meter/meter.h"

/* One energyN_input, powerN_average or powerN_input, or a voltage with its current (INA3221). */
struct hwmon_input {
    const char *chip;  /* the driver's word in `name`; "amdgpu apu" for amdgpu on a processor with graphics,
                          "jetson" for an ina3221 on one of NVIDIA's boards, "i915_gt" with label "gtN" */
    const char *label; /* NULL: none */
    bool is_energy;
    unsigned number;   /* N */
    unsigned instance; /* of several cards or boards of a kind */
};

/* What is known of it. The name and `part_of` are new strings; the rest is as `struct channel` has it. */
struct hwmon_meaning {
    char *name;
    char *part_of;
    bool known;             /* false: listed, but its meaning is not in the table; then it is apart */
    struct channel channel; /* without any string of its own */
    const char *source;     /* of channel.accuracy */
};

/* 1: to be read; 0: to be left out (a core, when its socket is there too); -1: memory ran out. */
int hwmon_understand(const struct hwmon_input *input, struct hwmon_meaning *meaning);

/* Chips of a group are counted together: "i915" and its "i915_gt" are one card. */
const char *hwmon_group(const char *chip);

/* "energy12_input": true, with kind and number; false for any other name. */
bool hwmon_parse_name(const char *name, const char *prefix, const char *suffix, unsigned *number);

#endif
