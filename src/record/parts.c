#include "record/parts.h"

#include "base/text.h"
#include "base/units.h"
#include "record/windows.h"

#include <math.h>
#include <string.h>

#define SIGMAS          2
#define GAP_SHARE_APART 0.05

struct claim {
    size_t parts, last;
    double power_w, variance_w2;
};

static bool is_part(const struct channel *part, const struct channel *whole)
{
    return part->part_of && strcmp(part->part_of, whole->name) == 0 && strcmp(part->meter, whole->meter) == 0;
}

/* Adds the mean power of a channel over the run, with the variance that reading it brought. */
static void add_power(struct claim *claim, const struct record *record, size_t channel)
{
    const struct channel_energy *energy = &record->windows[0].energies[channel];
    double covered_s = record->windows[0].wall_s - energy->gap_s;
    double scale_j = record->channels[channel].accuracy * energy->energy_j;
    double reading_j2 = energy->uncertainty_j * energy->uncertainty_j - scale_j * scale_j;
    claim->parts++;
    claim->last = channel;
    claim->power_w += energy->energy_j / covered_s;
    claim->variance_w2 += fmax(reading_j2, 0) / (covered_s * covered_s);
}

static bool comparable(const struct record *record, size_t part, size_t whole)
{
    const struct window *run = &record->windows[0];
    const struct channel_energy *a = &run->energies[part], *b = &run->energies[whole];
    return a->known && b->known && a->gap_s < run->wall_s && b->gap_s < run->wall_s &&
           fabs(a->gap_s - b->gap_s) <= GAP_SHARE_APART * run->wall_s;
}

static void note_claim(struct record *record, const struct claim *parts, size_t whole, double whole_w)
{
    const struct channel *channel = &record->channels[whole];
    AUTO_FREE char *who =
        parts->parts == 1 ? text_format("%s/%s claims", channel->meter, record->channels[parts->last].name)
                          : text_format("the parts of %s/%s together claim", channel->meter, channel->name);
    AUTO_FREE char *more = units_power(parts->power_w), *less = units_power(whole_w);
    if (who && more && less)
        record_note(record, text_format("%s more than the whole, %s: %s against %s: one of these counters "
                                        "is wrong",
                                        who, channel->name, more, less));
}

static void check_whole(struct record *record, size_t whole)
{
    struct claim parts = {0}, own = {0};
    for (size_t i = 0; i < record->channel_count; i++) {
        if (!is_part(&record->channels[i], &record->channels[whole]) || !comparable(record, i, whole))
            continue;
        struct claim one = {0};
        add_power(&one, record, i);
        add_power(&parts, record, i);
        own = (struct claim){0};
        add_power(&own, record, whole);
        if (one.power_w - own.power_w > SIGMAS * sqrt(one.variance_w2 + own.variance_w2)) {
            note_claim(record, &one, whole, own.power_w);
            return;
        }
    }
    if (parts.parts > 1 && parts.power_w - own.power_w > SIGMAS * sqrt(parts.variance_w2 + own.variance_w2))
        note_claim(record, &parts, whole, own.power_w);
}

void parts_check(struct record *record)
{
    for (size_t i = 0; record->window_count && i < record->channel_count; i++)
        check_whole(record, i);
}
