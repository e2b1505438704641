#include "record/share.h"

#include "base/file.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OTHER_CPUS 0.1 /* less is what any system does by itself, and the ticks of its clock */

#define STAT_BYTES_MOST (16u << 20)

static bool read_ticks(const struct meter_setup *setup, struct cpu_ticks *ticks)
{
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *path = file_join(meter_procfs(setup), "stat");
    AUTO_FREE char *text = path ? file_read(path, STAT_BYTES_MOST, NULL, &ignored) : NULL;
    bool read = text && cpu_ticks_parse(text, ticks, &ignored) == 0;
    error_clear(&ignored);
    return read;
}

void share_begin(struct share *share, const struct meter_setup *setup)
{
    *share = (struct share){0};
    share->known = read_ticks(setup, &share->ticks);
}

void share_end(const struct share *share, const struct meter_setup *setup, double ended_s,
               struct orphans *orphans, struct attribution *attribution)
{
    struct cpu_ticks now;
    double ticks_per_s = (double)sysconf(_SC_CLK_TCK);
    bool whole = orphans_count(orphans) == 0;
    if (!share->known || !read_ticks(setup, &now) || now.busy < share->ticks.busy)
        return;
    attribution->command_cpu_s = ended_s + orphans->ended_s + orphans->running_s;
    attribution->machine_cpu_s = (double)(now.busy - share->ticks.busy) / ticks_per_s;
    free(attribution->basis);
    attribution->basis = strdup(whole ? SHARE_WHOLE : SHARE_ENDED);
}

/* The processors' energy above idle in the run, by the rule of the totals. */
static double cpu_above_idle_j(const struct record *record, double *uncertainty_j)
{
    const struct window *run = &record->windows[0];
    struct channel *channels = calloc(record->channel_count + 1, sizeof *channels);
    struct channel_energy *above = calloc(record->channel_count + 1, sizeof *above);
    double energy_j = NAN;
    for (size_t i = 0; channels && above && i < record->channel_count; i++) {
        double covered_s = run->wall_s - run->energies[i].gap_s;
        const struct idle_power *idle = &record->idle[i];
        channels[i] = record->channels[i]; /* names are borrowed */
        channels[i].apart = channels[i].apart || channels[i].scope != SCOPE_CPU;
        above[i] = run->energies[i];
        above[i].known = above[i].known && isfinite(idle->power_w);
        above[i].energy_j -= idle->power_w * covered_s;
        above[i].uncertainty_j = hypot(above[i].uncertainty_j, idle->uncertainty_w * covered_s);
    }
    if (channels && above) {
        struct energy_totals totals = energy_totals(channels, above, record->channel_count);
        energy_j = totals.software_j;
        *uncertainty_j = totals.software_uncertainty_j;
    }
    free(channels);
    free(above);
    return energy_j;
}

void share_attribute(struct record *record)
{
    struct attribution *attribution = &record->attribution;
    attribution->known = false;
    double machine_s = fmax(attribution->machine_cpu_s, attribution->command_cpu_s);
    if (!record->idle || record->window_count == 0 || machine_s <= 0 || !attribution->basis)
        return;
    double above_uncertainty_j;
    double above_j = cpu_above_idle_j(record, &above_uncertainty_j);
    if (!isfinite(above_j))
        return;
    /* each CPU's time is cut to whole ticks at both ends of the run */
    double tick_s = 1 / (double)sysconf(_SC_CLK_TCK);
    double blur_s = tick_s * sqrt(fmax(record->host.logical_cpus, 1) / 6);
    double share = attribution->command_cpu_s / machine_s;
    attribution->energy_j = share * fmax(above_j, 0);
    attribution->uncertainty_j =
        hypot(share * above_uncertainty_j, fabs(above_j) * fmin(share * blur_s / machine_s, 1));
    attribution->known = true;
}

double share_of_others(const struct cpu_times *times)
{
    if (!(times->machine_s > 0) || !(times->wall_s > 0))
        return 0;
    double other_s = times->machine_s - times->command_s - times->recorder_s;
    double ticks_s = (1 + times->logical_cpus) / (double)sysconf(_SC_CLK_TCK);
    if (!(other_s >= ticks_s) || other_s / times->wall_s < OTHER_CPUS)
        return 0;
    return other_s / times->machine_s;
}
