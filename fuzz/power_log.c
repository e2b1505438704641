/* Any bytes as the log of a wattmeter: what comes out is in order and finite, and rows are counted once each.
 * The first byte chooses how the columns are named. */
#include "exchange/power_log.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check(const struct power_log *log)
{
    require(log->count >= 2 && log->rows == log->count + log->bad + log->back + log->repeated);
    require((log->bad > 0) == (log->first_bad != NULL));
    require(log->interval_s > 0 && (isnan(log->energy_step_j) || log->energy_step_j > 0));
    for (size_t i = 0; i < log->count; i++) {
        require(!isinf(log->power_w[i]) && !isinf(log->energy_j[i]));
        require(!isnan(log->power_w[i]) || !isnan(log->energy_j[i]));
        require(i == 0 || log->wall_ns[i] > log->wall_ns[i - 1]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct power_log_columns columns[] = {
        {.time = "time", .power = "power"},
        {.time = "1", .power = "2"},
        {.time = "time", .energy = "3", .energy_unit = "kWh"},
        {.time = "time", .power = "P (W)", .energy = "E", .power_unit = "mW", .energy_unit = "J"},
    };
    if (size == 0)
        return 0;
    struct power_log log;
    struct error error = ERROR_INIT;
    if (power_log_parse((const char *)data + 1, size - 1, &columns[data[0] % 4], &log, &error) == 0) {
        check(&log);
        power_log_free(&log);
    } else {
        require(error.message != NULL);
    }
    error_clear(&error);
    return 0;
}
