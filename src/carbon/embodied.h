/* embodied.h: what making a machine emitted, shared out by the time of its life that is used: the machine's
 * mass of CO2e times time over lifetime, as in the Software Carbon Intensity specification (ISO/IEC
 * 21031:2024), with the whole machine reserved. Given by the user, never assumed, and never added to the
 * emissions of the electricity. */
#ifndef JOULERY_CARBON_EMBODIED_H
#define JOULERY_CARBON_EMBODIED_H

#include "base/error.h"

struct embodied {
    double machine_kg_co2e; /* 0: not given */
    double lifetime_s;
};

/* "1200kg", "1.2 t", "800 g" and "4y" (of 365.25 days), "48 months" (a twelfth of one), "900 days". Both
 * NULL: not given. -1 and `error`, which names the option `--embodied` or `--lifetime`: one without the
 * other, or no such quantity above 0. */
int embodied_parse(const char *mass, const char *lifetime, struct embodied *embodied, struct error *error);

/* kg CO2e of that time; NAN where no embodied emissions are given. */
double embodied_share_kg(const struct embodied *embodied, double wall_s);

/* "16.4 g CO2e of the 1.20 kg that making the machine emitted, by its share of 4 years; not in the figures
 * above" without a full stop; the caller frees it. NULL: memory ran out. */
char *embodied_text(const struct embodied *embodied, double wall_s);

#endif
