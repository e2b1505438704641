/* Any file as CodeCarbon's: refused, or runs whose figures can be stored. */
#include "exchange/emissions.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_row(const struct emissions *file, const struct emissions_row *row)
{
    struct error error = ERROR_INIT;
    struct imported_run run;
    require(row->duration_s > 0 && row->pue >= 1 && row->since_line < row->line && row->line > 1);
    require(emissions_to_run(file, row, 2, &run, &error) == 0);
    require(run.record.window_count == 1 && run.record.channel_count >= 1 && run.record.source);
    require(run.record.started_wall_ns >= 0 && isnan(run.record.windows[0].energies[0].uncertainty_j));
    imported_run_free(&run);
    error_clear(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct emissions file;
    if (emissions_parse("f", size ? (const char *)data : "", size, &file, &error) == 0) {
        require(file.row_count > 0);
        for (size_t i = 0; i < file.row_count; i++)
            try_row(&file, &file.rows[i]);
        emissions_free(&file);
    }
    error_clear(&error);
    return 0;
}
