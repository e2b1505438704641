#include "record/instruments.h"

#include "base/text.h"
#include "record/windows.h"

#include <stdlib.h>
#include <string.h>

static bool has_family(const struct instruments *instruments, const struct meter_driver *driver)
{
    for (size_t i = 0; i < instruments->count; i++) {
        const char *family = meter_driver_of(instruments->meters[i])->family;
        if (family && driver->family && strcmp(family, driver->family) == 0)
            return true;
    }
    return false;
}

static int add_channels(struct record *record, const struct meter *meter, bool apart, struct error *error)
{
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    struct channel *all = realloc(record->channels, (record->channel_count + count + 1) * sizeof *all);
    if (!all)
        return error_memory(error, "channels");
    record->channels = all;
    for (size_t i = 0; i < count; i++) {
        if (channel_copy(&all[record->channel_count], &channels[i], error) < 0)
            return -1;
        all[record->channel_count].apart = all[record->channel_count].apart || apart;
        record->channel_count++;
    }
    return 0;
}

static void add_notes(struct record *record, const struct meter *meter)
{
    size_t count;
    const char *const *notes = meter_notes(meter, &count);
    for (size_t i = 0; i < count; i++)
        record_note(record, text_format("%s: %s", meter_driver_of(meter)->name, notes[i]));
}

static int add_meter(struct instruments *instruments, struct meter *meter, struct record *record,
                     struct error *error)
{
    size_t first = record->channel_count;
    bool apart = has_family(instruments, meter_driver_of(meter));
    instruments->meters[instruments->count] = meter;
    instruments->first[instruments->count++] = first;
    if (add_channels(record, meter, apart, error) < 0)
        return -1;
    add_notes(record, meter);
    for (size_t i = first; i < record->channel_count; i++) {
        const struct channel *channel = &record->channels[i];
        if (channel->kind == KIND_MODEL)
            record_note(record,
                        text_format("%s/%s: %s", channel->meter, channel->name, channel->accuracy_source));
    }
    return 0;
}

static bool is_measured(const struct record *record, enum channel_scope scope)
{
    for (size_t i = 0; i < record->channel_count; i++)
        if (record->channels[i].scope == scope && record->channels[i].kind != KIND_MODEL &&
            !record->channels[i].apart)
            return true;
    return false;
}

/* A model is wanted if it has a channel whose scope nothing measures. */
static bool is_wanted(const struct record *record, const struct meter *meter)
{
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    for (size_t i = 0; i < count; i++)
        if (!is_measured(record, channels[i].scope))
            return true;
    return false;
}

/* Why drivers could not be opened (a driver's reason or NULL, in their order), but for those whose family is
 * measured another way. The caller frees it. */
static char *list_reasons(const struct instruments *instruments, const struct error *reasons)
{
    size_t count;
    const struct meter_driver *const *drivers = meter_drivers(&count);
    struct text list = TEXT_INIT;
    text_append(&list, "");
    for (size_t i = 0; i < count; i++)
        if (reasons[i].message && !has_family(instruments, drivers[i]))
            text_printf(&list, "%s%s", list.length ? "; " : "", reasons[i].message);
    return text_take(&list);
}

static int open_driver(const struct meter_driver *driver, const struct meter_setup *setup,
                       struct instruments *instruments, struct record *record, struct error *reasons,
                       struct error *reason, struct error *error)
{
    struct meter *meter = meter_open(driver, setup, reason);
    int result = 0;
    if (meter && driver->model && !is_wanted(record, meter))
        meter_close(meter);
    else if (meter)
        result = add_meter(instruments, meter, record, error);
    AUTO_FREE char *list =
        meter && driver->model && instruments->count ? list_reasons(instruments, reasons) : NULL;
    if (result == 0 && list && *list)
        record_note(record, text_format("not measured: %s", list));
    return result;
}

static int open_best(const struct meter_setup *setup, struct instruments *instruments, struct record *record,
                     struct error *error)
{
    size_t count;
    const struct meter_driver *const *drivers = meter_drivers(&count);
    struct error *reasons = calloc(count + 1, sizeof *reasons);
    int result = reasons ? 0 : error_memory(error, "instruments");
    /* models last: whether they are wanted depends on what measures */
    for (size_t i = 0; i < 2 * count && result == 0; i++) {
        const struct meter_driver *driver = drivers[i % count];
        if (driver->model != (i >= count) || has_family(instruments, driver))
            continue;
        result = open_driver(driver, setup, instruments, record, reasons, &reasons[i % count], error);
    }
    if (result == 0 && instruments->count == 0) {
        AUTO_FREE char *list = list_reasons(instruments, reasons);
        result = error_set(error, "no instrument can be used: %s: `joulery meters` says more",
                           list ? list : "out of memory");
    }
    for (size_t i = 0; reasons && i < count; i++)
        error_clear(&reasons[i]);
    free(reasons);
    return result;
}

static const struct meter_driver *find_driver(const char *name, struct error *error)
{
    size_t count;
    const struct meter_driver *const *drivers = meter_drivers(&count);
    const char **names = calloc(count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++) {
        if (names)
            names[i] = drivers[i]->name;
        if (strcmp(drivers[i]->name, name) == 0) {
            free(names);
            return drivers[i];
        }
    }
    const char *nearest = names ? text_nearest(name, names, count) : NULL;
    if (nearest)
        error_set(error, "unknown instrument '%s' (did you mean %s?)", name, nearest);
    else
        error_set(error, "unknown instrument '%s': `joulery meters` lists them", name);
    free(names);
    return NULL;
}

static int open_named(const struct meter_setup *setup, const char *name, struct instruments *instruments,
                      struct record *record, struct error *error)
{
    const struct meter_driver *driver = find_driver(name, error);
    if (!driver)
        return -1;
    for (size_t i = 0; i < instruments->count; i++)
        if (meter_driver_of(instruments->meters[i]) == driver)
            return 0;
    struct error reason = ERROR_INIT;
    struct meter *meter = meter_open(driver, setup, &reason);
    if (meter)
        return add_meter(instruments, meter, record, error);
    error_set(error, "%s: `joulery meters` says what to do", error_text(&reason));
    error_clear(&reason);
    return -1;
}

int instruments_open(const struct meter_setup *setup, const char *const *names, size_t name_count,
                     struct instruments *instruments, struct record *record, struct error *error)
{
    size_t driver_count;
    meter_drivers(&driver_count);
    *instruments = (struct instruments){.meters = calloc(driver_count + 1, sizeof *instruments->meters),
                                        .first = calloc(driver_count + 1, sizeof *instruments->first)};
    int result = instruments->meters && instruments->first ? 0 : error_memory(error, "instruments");
    if (result == 0 && name_count == 0)
        result = open_best(setup, instruments, record, error);
    for (size_t i = 0; i < name_count && result == 0; i++)
        result = open_named(setup, names[i], instruments, record, error);
    if (result < 0)
        instruments_close(instruments);
    return result;
}

void instruments_close(struct instruments *instruments)
{
    for (size_t i = 0; i < instruments->count; i++)
        meter_close(instruments->meters[i]);
    free(instruments->meters);
    free(instruments->first);
    *instruments = (struct instruments){0};
}
