#include "record/instruments.h"

#include "base/text.h"
#include "meter/machine.h"
#include "record/privileges.h"
#include "record/sheets.h"
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

/* A processor's power may hold its memory's. */
static bool is_measured(const struct record *record, enum channel_scope scope)
{
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct channel *channel = &record->channels[i];
        bool covers = channel->scope == scope || (scope == SCOPE_DRAM && channel->has_memory);
        if (covers && channel->kind != KIND_MODEL && !channel->apart)
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
    /* a second instrument for the same processors: amd_energy beside RAPL, an APU's graphics beside either */
    bool cpu_measured = is_measured(record, SCOPE_CPU);
    for (size_t i = 0; i < count; i++) {
        bool again = cpu_measured && channels[i].scope == SCOPE_CPU && channels[i].kind != KIND_MODEL;
        if (channel_copy(&all[record->channel_count], &channels[i], error) < 0)
            return -1;
        all[record->channel_count].apart = channels[i].apart || apart || again;
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
    if (!meter_driver_of(meter)->late) /* those have nothing to say before they are asked */
        add_notes(record, meter);
    for (size_t i = first; i < record->channel_count; i++) {
        const struct channel *channel = &record->channels[i];
        if (channel->kind == KIND_MODEL)
            record_note(record, text_format("%s: %s", channel->meter, channel->accuracy_source));
    }
    return 0;
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

static bool has_model(const struct record *record)
{
    for (size_t i = 0; i < record->channel_count; i++)
        if (record->channels[i].kind == KIND_MODEL)
            return true;
    return false;
}

/* Why drivers could not be opened, but for those whose family is measured another way: the preferred one's
 * reason, and how many more there are. The caller frees it; NULL: none, or no memory. */
static char *first_reason(const struct instruments *instruments, const struct error *reasons)
{
    size_t count, found = 0;
    const struct meter_driver *const *drivers = meter_drivers(&count);
    const char *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!reasons[i].message || has_family(instruments, drivers[i]))
            continue;
        first = found++ ? first : reasons[i].message;
    }
    if (found > 1)
        return text_format("%s (%zu more can't be used: `joulery meters` says why)", first, found - 1);
    return first ? strdup(first) : NULL;
}

/* Nothing else is done with rights that the caller lacks. */
static struct meter *open_meter(const struct meter_driver *driver, const struct meter_setup *setup,
                                struct error *error)
{
    bool own = setup && setup->own_process, borrow = own && !driver->unprivileged;
    struct meter_setup with_threads = setup ? *setup : (struct meter_setup){0};
    if (own)
        with_threads.thread_begins = privileges_drop_thread;
    if (borrow)
        privileges_borrow();
    struct meter *meter = meter_open(driver, &with_threads, error);
    if (borrow)
        privileges_return();
    return meter;
}

static int open_driver(const struct meter_driver *driver, const struct meter_setup *setup,
                       struct instruments *instruments, struct record *record, struct error *reason,
                       struct error *error)
{
    struct meter *meter = open_meter(driver, setup, reason);
    if (!meter && driver->asked_for && driver->asked_for(setup))
        return error_set(error, "%s", error_text(reason));
    if (!meter)
        return 0;
    if (!driver->model || is_wanted(record, meter))
        return add_meter(instruments, meter, record, error);
    meter_close(meter);
    return 0;
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
        if (driver->model == (i >= count) && !has_family(instruments, driver))
            result = open_driver(driver, setup, instruments, record, &reasons[i % count], error);
    }
    AUTO_FREE char *why = reasons ? first_reason(instruments, reasons) : NULL;
    if (result == 0 && instruments->count == 0)
        result = error_set(error, "no instrument can be used: %s: `joulery meters` says more",
                           why ? why : "none is built in");
    else if (result == 0 && why && has_model(record))
        record_note(record, text_format("not measured: %s", why));
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
    struct meter *meter = open_meter(driver, setup, &reason);
    if (meter)
        return add_meter(instruments, meter, record, error);
    error_set(error, "%s: `joulery meters` says what to do", error_text(&reason));
    error_clear(&reason);
    return -1;
}

/* A model of memory that is within a measured processor is not to be added to it. */
static void set_models_apart(struct record *record)
{
    bool memory = is_measured(record, SCOPE_DRAM);
    for (size_t i = 0; i < record->channel_count; i++) {
        struct channel *channel = &record->channels[i];
        if (memory && channel->scope == SCOPE_DRAM && channel->kind == KIND_MODEL)
            channel->apart = true;
    }
}

/* Why nothing measures the processors, where the reason is that they are somebody else's. */
static int note_surroundings(const struct meter_setup *setup, struct record *record, struct error *error)
{
    struct machine own = {0};
    if (is_measured(record, SCOPE_CPU))
        return 0;
    const struct surroundings *around = machine_around(setup, &own, error);
    if (!around)
        return -1;
    if (around->kind != SURROUNDINGS_BARE)
        record_note(record, text_format("this is a %s (%s), and the processors' counters are its host's: "
                                        "`joulery meters` says what that would have to share",
                                        surroundings_kind_name(around->kind), around->name));
    machine_free(&own);
    return 0;
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
    if (result == 0)
        result = note_surroundings(setup, record, error);
    set_models_apart(record);
    if (result < 0)
        instruments_close(instruments);
    else
        sheets_apply_stored(setup, record);
    return result;
}

void instruments_note_late(const struct instruments *instruments, struct record *record)
{
    for (size_t i = 0; i < instruments->count; i++)
        if (meter_driver_of(instruments->meters[i])->late)
            add_notes(record, instruments->meters[i]);
}

void instruments_close(struct instruments *instruments)
{
    for (size_t i = 0; i < instruments->count; i++)
        meter_close(instruments->meters[i]);
    free(instruments->meters);
    free(instruments->first);
    *instruments = (struct instruments){0};
}
