#include "exchange/into_record.h"

#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One more zeroed element at the end of an array of `*count`; NULL if memory ran out. */
static void *append(void *array, size_t *count, size_t size, struct error *error)
{
    char **items = array;
    char *grown = reallocarray(*items, *count + 1, size);
    if (!grown) {
        error_memory(error, "import");
        return NULL;
    }
    *items = grown;
    return memset(grown + (*count)++ * size, 0, size);
}

int record_begin(struct record *record, double wall_s, struct error *error)
{
    record->wall_s = wall_s;
    struct window *run = append(&record->windows, &record->window_count, sizeof *run, error);
    if (!run)
        return -1;
    *run = (struct window){.name = strdup("run"), .parent = -1, .wall_s = wall_s, .complete = true};
    run->energies = calloc(record->channel_count + 1, sizeof *run->energies);
    return run->name && run->energies ? 0 : error_memory(error, "import");
}

static int make_room(struct record *record, struct error *error)
{
    for (size_t i = 0; i < record->window_count; i++) {
        struct window *window = &record->windows[i];
        struct channel_energy *grown =
            reallocarray(window->energies, record->channel_count + 1, sizeof *grown);
        if (!grown)
            return error_memory(error, "import");
        window->energies = grown;
        grown[record->channel_count] = (struct channel_energy){0};
    }
    return 0;
}

int record_add_channel(struct record *record, const struct channel *channel, double energy_j,
                       struct error *error)
{
    if (make_room(record, error) < 0)
        return -1;
    struct channel *place = append(&record->channels, &record->channel_count, sizeof *place, error);
    if (!place || channel_copy(place, channel, error) < 0)
        return -1;
    record->windows[0].energies[record->channel_count - 1] =
        (struct channel_energy){.known = true, .energy_j = energy_j, .uncertainty_j = NAN};
    return 0;
}

struct window *record_add_window(struct record *record, const char *name, int64_t index, struct error *error)
{
    struct window *window = append(&record->windows, &record->window_count, sizeof *window, error);
    if (!window)
        return NULL;
    *window = (struct window){
        .name = strdup(name), .index = index, .start_s = NAN, .wall_s = NAN, .complete = true};
    window->energies = calloc(record->channel_count + 1, sizeof *window->energies);
    if (window->name && window->energies)
        return window;
    error_memory(error, "import");
    return NULL;
}

int record_add_metric(struct window *window, const char *name, double value, struct error *error)
{
    struct metric *metric = append(&window->metrics, &window->metric_count, sizeof *metric, error);
    if (!metric)
        return -1;
    *metric = (struct metric){strdup(name), value};
    return metric->name ? 0 : error_memory(error, "import");
}

int record_add_note(struct record *record, struct error *error, const char *format, ...)
{
    char *note = NULL;
    va_list values;
    va_start(values, format);
    int length = vasprintf(&note, format, values);
    va_end(values);
    if (length < 0)
        return error_memory(error, "import");
    char **place = append(&record->notes, &record->note_count, sizeof *place, error);
    if (!place) {
        free(note);
        return -1;
    }
    *place = note;
    return 0;
}

int imported_add_value(struct imported_run *run, const char *name, const char *value, struct error *error)
{
    struct imported_value *place = append(&run->values, &run->value_count, sizeof *place, error);
    if (!place)
        return -1;
    *place = (struct imported_value){strdup(name), strdup(value)};
    return place->name && place->value ? 0 : error_memory(error, "import");
}
