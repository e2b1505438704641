#include "exchange/software_power.h"

#include <math.h>
#include <stdlib.h>

/* A sample begins or ends. */
struct event {
    double at_s, power_w;
    int samples; /* 1 or -1 */
};

struct events {
    const struct record *record;
    struct event *items;
    size_t count, capacity;
    bool failed;
};

static int take_sample(void *context, const struct trace_sample *sample)
{
    struct events *events = context;
    const struct record *record = events->record;
    if (sample->channel >= record->channel_count || !(sample->wall_s > 0) ||
        !channel_in_software(record->channels, record->channel_count, sample->channel))
        return 0;
    if (events->count + 2 > events->capacity) {
        size_t capacity = events->capacity ? 2 * events->capacity : 4096;
        struct event *grown = reallocarray(events->items, capacity, sizeof *grown);
        events->failed = !grown;
        if (!grown)
            return -1;
        events->items = grown;
        events->capacity = capacity;
    }
    events->items[events->count++] = (struct event){sample->start_s, sample->power_w, 1};
    events->items[events->count++] = (struct event){sample->start_s + sample->wall_s, -sample->power_w, -1};
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->at_s != y->at_s)
        return x->at_s < y->at_s ? -1 : 1;
    return x->samples - y->samples;
}

/* What is closer together than the trace's own rounding is one instant. */
static void sweep(const struct events *events, int channels, struct software_power *power)
{
    double power_w = 0;
    int samples = 0;
    for (size_t i = 0; i < events->count; i++) {
        const struct event *event = &events->items[i];
        size_t last = power->count - 1;
        double wide_s = power->count ? event->at_s - power->at_s[last] : 0;
        if (power->count == 0) {
            power->at_s[power->count++] = event->at_s;
        } else if (wide_s > 2e-6) {
            bool known = samples == channels;
            power->at_s[power->count] = event->at_s;
            power->energy_j[power->count] = power->energy_j[last] + (known ? power_w * wide_s : 0);
            power->covered_s[power->count++] = power->covered_s[last] + (known ? wide_s : 0);
        }
        samples += event->samples;
        power_w = samples ? power_w + event->power_w : 0;
    }
}

int software_power_read(struct store *store, int64_t run, const struct record *record,
                        struct software_power *power, struct error *error)
{
    *power = (struct software_power){0};
    int channels = 0;
    for (size_t i = 0; i < record->channel_count; i++)
        if (channel_in_software(record->channels, record->channel_count, i)) {
            channels++;
            power->estimated = power->estimated || record->channels[i].kind == KIND_MODEL;
        }
    struct events events = {.record = record};
    int result = store_read_trace(store, run, take_sample, &events, error);
    if (result == 0 && events.failed)
        result = error_memory(error, "power trace");
    if (result == 0) {
        qsort(events.items, events.count, events.items ? sizeof *events.items : 1, by_time);
        power->at_s = calloc(events.count + 1, sizeof *power->at_s);
        power->energy_j = calloc(events.count + 1, sizeof *power->energy_j);
        power->covered_s = calloc(events.count + 1, sizeof *power->covered_s);
        if (power->at_s && power->energy_j && power->covered_s)
            sweep(&events, channels, power);
        else
            result = error_memory(error, "power trace");
    }
    free(events.items);
    return result;
}

void software_power_free(struct software_power *power)
{
    free(power->at_s);
    free(power->energy_j);
    free(power->covered_s);
    *power = (struct software_power){0};
}
