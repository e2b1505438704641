#include "record/measurement.h"

#include "base/clock.h"
#include "record/instruments.h"
#include "record/sampler.h"

#include <stdlib.h>

#define USUAL_RATE_HZ 10

struct measurement {
    struct record *record;
    struct instruments instruments;
    struct account *account;
    struct sampler **samplers;
    size_t sampler_count;
    struct trace_sink sink;
};

struct measurement *measurement_open(const struct measurement_options *options, struct record *record,
                                     struct error *error)
{
    struct measurement *measurement = calloc(1, sizeof *measurement);
    if (!measurement) {
        error_memory(error, "measurement");
        return NULL;
    }
    measurement->record = record;
    measurement->sink.trace = options->trace;
    measurement->sink.context = options->context;
    measurement->sink.own_process = options->setup && options->setup->own_process;
    measurement->sink.patience_ns = (int64_t)(options->trace_patience_s * NS_PER_S);
    pthread_mutex_init(&measurement->sink.lock, NULL);
    record->rate_hz = options->rate_hz > 0 ? options->rate_hz : USUAL_RATE_HZ;
    if (instruments_open(options->setup, options->meters, options->meter_count, &measurement->instruments,
                         record, error) == 0)
        return measurement;
    measurement_close(measurement);
    return NULL;
}

int measurement_start(struct measurement *measurement, struct error *error)
{
    const struct record *record = measurement->record;
    const struct instruments *instruments = &measurement->instruments;
    measurement->account = account_open(record->channels, record->channel_count, record->rate_hz);
    measurement->samplers = calloc(instruments->count + 1, sizeof *measurement->samplers);
    if (!measurement->account || !measurement->samplers)
        return error_memory(error, "measurement");
    for (size_t i = 0; i < instruments->count; i++) {
        struct sampler *sampler =
            sampler_start(instruments->meters[i], measurement->account, instruments->first[i],
                          record->rate_hz, &measurement->sink, error);
        if (!sampler)
            return -1;
        measurement->samplers[measurement->sampler_count++] = sampler;
    }
    return 0;
}

struct account *measurement_account(struct measurement *measurement)
{
    return measurement->account;
}

void measurement_wake(struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->sampler_count; i++)
        sampler_wake(measurement->samplers[i]);
}

void measurement_read(struct measurement *measurement, bool all)
{
    for (size_t i = 0; i < measurement->sampler_count; i++)
        if (!sampler_read(measurement->samplers[i], all))
            sampler_wake(measurement->samplers[i]);
}

void measurement_stop(struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->sampler_count; i++)
        sampler_finish(measurement->samplers[i]);
    for (size_t i = 0; i < measurement->sampler_count; i++)
        sampler_join(measurement->samplers[i]);
    if (measurement->sampler_count)
        instruments_note_late(&measurement->instruments, measurement->record);
    measurement->sampler_count = 0;
}

void measurement_close(struct measurement *measurement)
{
    if (!measurement)
        return;
    measurement_stop(measurement);
    account_close(measurement->account);
    instruments_close(&measurement->instruments);
    free(measurement->samplers);
    pthread_mutex_destroy(&measurement->sink.lock);
    free(measurement);
}
