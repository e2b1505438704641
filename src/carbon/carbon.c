#include "carbon/carbon.h"

#include "base/units.h"

double carbon_emissions_kg(double energy_j, double pue, double intensity_g_per_kwh)
{
    return energy_j / J_PER_KWH * pue * intensity_g_per_kwh / 1000;
}
