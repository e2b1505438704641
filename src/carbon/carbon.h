/* carbon.h: joules to CO2e: kg = kWh x PUE x intensity / 1000. Worked out when asked, never stored. */
#ifndef JOULERY_CARBON_CARBON_H
#define JOULERY_CARBON_CARBON_H

/* kg CO2e. The energy is what the machine drew; `pue` (power usage effectiveness, ISO/IEC 30134-2, at least
 * 1) is what its building draws for each joule of it. */
double carbon_emissions_kg(double energy_j, double pue, double intensity_g_per_kwh);

/* More than any grid or generator: a figure beyond it is a mistake of units. */
#define INTENSITY_MOST_G_PER_KWH 3000.0

#endif
