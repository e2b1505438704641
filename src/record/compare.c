#include "record/compare.h"

#include "base/text.h"
#include "record/windows.h"

#include <math.h>
#include <string.h>

/* Two standard uncertainties: 95 % of what is merely uncertain stays within. */
#define COVERAGE 2

struct mean_power {
    bool known;
    double power_w, uncertainty_w;
};

static struct mean_power mean_of(const struct record *record, size_t channel)
{
    const struct channel_energy *energy = &record->windows[0].energies[channel];
    double covered_s = record->windows[0].wall_s - energy->gap_s;
    if (!energy->known || covered_s <= 0)
        return (struct mean_power){.known = false};
    return (struct mean_power){true, energy->energy_j / covered_s, energy->uncertainty_j / covered_s};
}

static size_t find_whole(const struct record *record, const struct channel *twin)
{
    size_t i = 0;
    while (i < record->channel_count &&
           (strcmp(record->channels[i].meter, twin->meter) != 0 ||
            strcmp(record->channels[i].name, twin->part_of ? twin->part_of : "") != 0))
        i++;
    return i;
}

/* A reading that looks back tells at both ends of the run of half that time outside it, in which there may
 * have been nothing, or twice the mean. */
static double averaging_w(const struct record *record, const struct channel *twin, double power_w)
{
    return power_w * fmin(twin->averaging_s / record->windows[0].wall_s, 1);
}

static void compare(struct record *record, size_t whole, size_t twin)
{
    const struct channel *channel = &record->channels[whole], *other = &record->channels[twin];
    struct mean_power a = mean_of(record, whole), b = mean_of(record, twin);
    if (!b.known)
        return;
    if (!a.known) {
        record_note(record,
                    text_format("%s/%s gave no energy, while %s shows %.4g W: it is not taken in its place",
                                channel->meter, channel->name, other->name, b.power_w));
        return;
    }
    double explained_w = COVERAGE * hypot(a.uncertainty_w, b.uncertainty_w) +
                         averaging_w(record, other, fmax(a.power_w, b.power_w));
    if (fabs(a.power_w - b.power_w) <= explained_w)
        return;
    record_note(
        record,
        text_format("%s/%s and %s disagree: %.4g W and %.4g W on average, where %.3g W of difference "
                    "can be explained: one of them is wrong, and only another instrument can tell which",
                    channel->meter, channel->name, other->name, a.power_w, b.power_w, explained_w));
}

void compare_twins(struct record *record)
{
    if (record->window_count == 0 || record->windows[0].wall_s <= 0)
        return;
    for (size_t i = 0; i < record->channel_count; i++) {
        size_t whole = record->channels[i].twin ? find_whole(record, &record->channels[i]) : i;
        if (whole != i && whole < record->channel_count)
            compare(record, whole, i);
    }
}
