/* Prints the public structures as C lays them out: "joulery_energy 32", "joulery_energy.energy_j 0", … */
#include "joulery.h"

#include <stdio.h>

#define SIZE(type)          printf(#type " %zu\n", sizeof(struct type))
#define MEMBER(type, named) printf(#type "." #named " %zu\n", offsetof(struct type, named))

static void print_options(void)
{
    SIZE(joulery_options);
    MEMBER(joulery_options, size);
    MEMBER(joulery_options, meters);
    MEMBER(joulery_options, meter_count);
    MEMBER(joulery_options, rate_hz);
    MEMBER(joulery_options, tdp_w);
    MEMBER(joulery_options, json_path);
    MEMBER(joulery_options, measure_anyway);
}

static void print_channel(void)
{
    SIZE(joulery_channel);
    MEMBER(joulery_channel, meter);
    MEMBER(joulery_channel, name);
    MEMBER(joulery_channel, scope);
    MEMBER(joulery_channel, kind);
    MEMBER(joulery_channel, part_of);
    MEMBER(joulery_channel, apart);
    MEMBER(joulery_channel, resolution);
    MEMBER(joulery_channel, update_s);
    MEMBER(joulery_channel, accuracy);
    MEMBER(joulery_channel, accuracy_source);
}

static void print_energies(void)
{
    SIZE(joulery_energy);
    MEMBER(joulery_energy, energy_j);
    MEMBER(joulery_energy, uncertainty_j);
    MEMBER(joulery_energy, mean_w);
    MEMBER(joulery_energy, gap_s);
    SIZE(joulery_totals);
    MEMBER(joulery_totals, wall_s);
    MEMBER(joulery_totals, software_j);
    MEMBER(joulery_totals, software_uncertainty_j);
    MEMBER(joulery_totals, hardware_j);
    MEMBER(joulery_totals, hardware_uncertainty_j);
    MEMBER(joulery_totals, estimated);
    MEMBER(joulery_totals, recorded_elsewhere);
}

int main(void)
{
    print_options();
    print_channel();
    print_energies();
    return 0;
}
