/* The same bytes as each of the files that other energy measuring tools, and our scripts for them, leave. */
#include "exchange/tool_figure.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct tool_figure *figure)
{
    if (!isfinite(figure->energy_j) || !(figure->pue > 0) || figure->covered_s < 0 ||
        figure->part_count > TOOL_PARTS_MOST)
        abort();
    for (size_t i = 0; i < figure->part_count; i++) {
        const struct tool_part *part = &figure->parts[i];
        bool covers = false;
        for (size_t scope = 0; scope < CLAIMED_SCOPES; scope++)
            covers = covers || part->covers[scope];
        if (!covers || !isfinite(part->energy_j))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int (*const parsers[])(const char *, size_t, struct tool_figure *,
                           struct error *) = {tool_figure_parse, perf_stat_parse, energibridge_parse};
    for (size_t i = 0; i < sizeof parsers / sizeof *parsers; i++) {
        struct tool_figure figure;
        struct error error = ERROR_INIT;
        if (parsers[i](size ? (const char *)data : "", size, &figure, &error) == 0) {
            check(&figure);
            tool_figure_free(&figure);
        }
        error_clear(&error);
    }
    return 0;
}
