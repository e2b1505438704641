#include "meter/wall/raw.h"

/* DCMI's own bytes: its group, then little-endian figures. */
#define DCMI_GROUP         0xdc
#define DCMI_ANSWER_BYTES  18
#define DCMI_STATE_AT      17
#define DCMI_STATE_ACTIVE  0x40
#define DCMI_POWER_MOST_W  20000 /* more than a server of any size: a full rack takes that */
#define DCMI_NOT_AVAILABLE 0xffff

int dcmi_power(const uint8_t *answer, size_t size, bool big_endian, double *power_w, struct error *error)
{
    if (size < DCMI_ANSWER_BYTES || answer[0] != DCMI_GROUP)
        return error_set(error, "the BMC's answer is none of DCMI's power readings");
    unsigned power = big_endian ? answer[1] << 8 | answer[2] : answer[2] << 8 | answer[1];
    if (!(answer[DCMI_STATE_AT] & DCMI_STATE_ACTIVE))
        return error_set(
            error, "the BMC has its power measurement switched off: switch it on in the BMC's settings");
    if (power == DCMI_NOT_AVAILABLE || power == 0)
        return error_set(error, "the BMC has no power reading (it says %u)", power);
    if (power > DCMI_POWER_MOST_W)
        return error_set(error,
                         "the BMC says %u W, which no server takes: if its bytes are the other way round, "
                         "write power: {at: dcmi:big-endian, unit: W}",
                         power);
    *power_w = power;
    return 0;
}
