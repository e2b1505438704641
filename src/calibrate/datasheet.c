#include "calibrate/datasheet.h"

#include "base/clock.h"
#include "base/text.h"
#include "calibrate/characterise.h"
#include "record/host.h"
#include "record/instruments.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Shares of the time: readings as fast as they come, at rest, under the load. */
#define FAST_SHARE    0.1
#define REST_SHARE    0.25
#define FAST_MOST_S   6.0
#define FAST_NS       (NS_PER_S / 10000)
#define REST_NS       (NS_PER_S / 100)
#define LOADED_NS     (NS_PER_S / 1000)
#define READINGS_MOST 2000000

/* ---- the readings ---- */

/* One instrument, read in a thread of its own for one phase. */
struct reader {
    struct meter *meter;
    size_t channels;
    int64_t period_ns, until_ns;
    int64_t *boot_ns;
    double *spans_s; /* how long each read took */
    double *values;  /* of channel c: values[c * capacity …] */
    double *latest;
    size_t count, capacity;
    pthread_t thread;
    bool running;
};

static void *read_phase(void *argument)
{
    struct reader *reader = argument;
    struct meter_reading reading = {.values = reader->latest};
    for (int64_t next_ns = clock_boot_ns(); reader->count < reader->capacity;) {
        struct error ignored = ERROR_INIT;
        bool got = meter_read(reader->meter, &reading, &ignored) == 0;
        error_clear(&ignored);
        reader->boot_ns[reader->count] = reading.boot_ns;
        reader->spans_s[reader->count] = (double)reading.span_ns / NS_PER_S;
        for (size_t c = 0; c < reader->channels; c++)
            reader->values[c * reader->capacity + reader->count] = got ? reading.values[c] : NAN;
        reader->count++;
        int64_t now_ns = clock_boot_ns();
        if (now_ns >= reader->until_ns)
            break;
        next_ns = now_ns > next_ns + reader->period_ns ? now_ns : next_ns + reader->period_ns;
        clock_sleep_until(next_ns);
    }
    return NULL;
}

static void forget_readings(struct reader *reader)
{
    free(reader->boot_ns);
    free(reader->spans_s);
    free(reader->values);
    free(reader->latest);
    *reader = (struct reader){.meter = reader->meter, .channels = reader->channels};
}

static int start_reader(struct reader *reader, int64_t period_ns, int64_t until_ns, struct error *error)
{
    int64_t left_ns = until_ns - clock_boot_ns();
    forget_readings(reader);
    reader->period_ns = period_ns;
    reader->until_ns = until_ns;
    reader->capacity = (size_t)fmin((double)(left_ns / period_ns) + 16, READINGS_MOST);
    reader->boot_ns = calloc(reader->capacity, sizeof *reader->boot_ns);
    reader->spans_s = calloc(reader->capacity, sizeof *reader->spans_s);
    reader->values = calloc(reader->capacity, (reader->channels + 1) * sizeof *reader->values);
    reader->latest = calloc(reader->channels + 1, sizeof *reader->latest);
    if (!reader->boot_ns || !reader->spans_s || !reader->values || !reader->latest)
        return error_memory(error, "readings");
    int number = pthread_create(&reader->thread, NULL, read_phase, reader);
    reader->running = number == 0;
    return number ? error_errno(error, number, "reader") : 0;
}

/* ---- a sheet ---- */

struct making {
    const struct datasheet_options *options;
    struct record record;
    struct instruments instruments;
    struct reader *readers; /* one an instrument that is no model */
    size_t *first;          /* its first channel in the record, and in `found` */
    size_t count;
    struct characteristics *found; /* one a channel of the record */
    int64_t start_ns;
    struct load_wave wave;
};

static void tell(void *context, const char *phase)
{
    const struct making *making = context;
    if (making->options->progress)
        making->options->progress(making->options->context,
                                  (double)(clock_boot_ns() - making->start_ns) / NS_PER_S,
                                  making->options->wall_s, phase);
}

typedef void judge(struct making *making, size_t channel, const struct series *series);

static void judge_updates(struct making *making, size_t channel, const struct series *series)
{
    characterise_updates(&making->record.channels[channel], series, &making->found[channel]);
}

static void judge_rest(struct making *making, size_t channel, const struct series *series)
{
    characterise_rest(&making->record.channels[channel], series, &making->found[channel]);
}

static void judge_response(struct making *making, size_t channel, const struct series *series)
{
    characterise_response(&making->record.channels[channel], series, &making->wave, &making->found[channel]);
}

static void end_phase(struct making *making, judge *judge_channel, bool costs)
{
    for (size_t i = 0; i < making->count; i++) {
        struct reader *reader = &making->readers[i];
        if (reader->running)
            pthread_join(reader->thread, NULL);
        reader->running = false;
        for (size_t c = 0; c < reader->channels && judge_channel; c++) {
            const struct series series = {reader->boot_ns, reader->values + c * reader->capacity,
                                          reader->count};
            judge_channel(making, making->first[i] + c, &series);
        }
        double read_s = costs ? median_of(reader->spans_s, reader->count) : NAN;
        for (size_t c = 0; c < reader->channels && costs; c++)
            making->found[making->first[i] + c].read_s = read_s;
        forget_readings(reader);
    }
}

static int start_phase(struct making *making, int64_t period_ns, int64_t until_ns, struct error *error)
{
    for (size_t i = 0; i < making->count; i++)
        if (start_reader(&making->readers[i], period_ns, until_ns, error) < 0) {
            end_phase(making, NULL, false);
            return -1;
        }
    return 0;
}

static int measure_phases(struct making *making, struct error *error)
{
    double total_s = making->options->wall_s, fast_s = fmin(total_s * FAST_SHARE, FAST_MOST_S);
    double rest_s = fmax(total_s * REST_SHARE, 3.2);
    making->start_ns = clock_boot_ns();
    int64_t fast_ns = making->start_ns + (int64_t)(fast_s * NS_PER_S);
    int64_t rest_ns = fast_ns + (int64_t)(rest_s * NS_PER_S);
    int64_t end_ns = making->start_ns + (int64_t)(total_s * NS_PER_S);
    if (start_phase(making, FAST_NS, fast_ns, error) < 0)
        return -1;
    wave_wait(fast_ns, tell, making, "updates");
    end_phase(making, judge_updates, true);
    if (start_phase(making, REST_NS, rest_ns, error) < 0)
        return -1;
    wave_wait(rest_ns, tell, making, "at rest");
    end_phase(making, judge_rest, false);
    if (start_phase(making, LOADED_NS, end_ns, error) < 0)
        return -1;
    int result = wave_make(&making->wave, end_ns, tell, making, error);
    end_phase(making, result == 0 ? judge_response : NULL, false);
    return result;
}

static int open_making(struct making *making, struct error *error)
{
    const struct datasheet_options *options = making->options;
    if (instruments_open(options->setup, options->meters, options->meter_count, &making->instruments,
                         &making->record, error) < 0)
        return -1;
    making->readers = calloc(making->instruments.count + 1, sizeof *making->readers);
    making->first = calloc(making->instruments.count + 1, sizeof *making->first);
    making->found = calloc(making->record.channel_count + 1, sizeof *making->found);
    if (!making->readers || !making->first || !making->found)
        return error_memory(error, "data sheets");
    for (size_t i = 0; i < making->record.channel_count; i++)
        making->found[i] = characteristics_unknown();
    for (size_t i = 0; i < making->instruments.count; i++) {
        struct meter *meter = making->instruments.meters[i];
        if (meter_driver_of(meter)->model)
            continue;
        making->first[making->count] = making->instruments.first[i];
        making->readers[making->count].meter = meter;
        meter_channels(meter, &making->readers[making->count++].channels);
    }
    if (making->count == 0)
        return error_set(error, "nothing measures here, only models do, and of a model there is nothing to "
                                "characterise: `joulery meters` says what to do");
    return 0;
}

static int fill_sheets(const struct making *making, struct sheets *sheets, struct error *error)
{
    struct host host = {0};
    int result = host_describe(making->options->setup, &host, error);
    *sheets = (struct sheets){.host = host.name,
                              .cpu_model = host.cpu_model,
                              .made = clock_iso8601(clock_wall_ns()),
                              .wall_s = making->options->wall_s,
                              .sheets = calloc(making->record.channel_count + 1, sizeof *sheets->sheets)};
    host.name = host.cpu_model = NULL;
    host_free(&host);
    if (result < 0)
        return -1;
    bool failed = !sheets->made || !sheets->sheets;
    for (size_t i = 0; i < making->record.channel_count && !failed; i++) {
        const struct channel *channel = &making->record.channels[i];
        if (channel->kind == KIND_MODEL)
            continue;
        struct sheet *sheet = &sheets->sheets[sheets->count++];
        *sheet =
            (struct sheet){strdup(channel->meter), strdup(channel->name), channel->kind, making->found[i]};
        failed = !sheet->meter || !sheet->name;
    }
    return failed ? error_memory(error, "data sheets") : 0;
}

int datasheet_make(const struct datasheet_options *options, struct sheets *sheets, struct error *error)
{
    struct making making = {.options = options, .wave = {.least_s = LOAD_SPAN_LEAST_S}};
    *sheets = (struct sheets){0};
    int result = options->wall_s >= DATASHEET_LEAST_S
                     ? open_making(&making, error)
                     : error_set(error, "expected at least %d s", DATASHEET_LEAST_S);
    if (result == 0)
        result = measure_phases(&making, error);
    if (result == 0)
        result = fill_sheets(&making, sheets, error);
    if (result < 0)
        sheets_free(sheets);
    instruments_close(&making.instruments);
    record_free(&making.record);
    free(making.readers);
    free(making.first);
    free(making.found);
    free(making.wave.edges_ns);
    return result;
}
