/* Any bytes as a file of another tool, which the first byte chooses, or as the map of a table, with the table
 * behind its first line: refused, or runs whose times and energies are numbers. */
#include "exchange/tool_runs.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check(const struct tool_run *run)
{
    const struct record *record = &run->run.record;
    require(run->where && record->source && record->started_wall_ns >= 0);
    require(record->wall_s > 0 && record->channel_count > 0 && record->window_count > 0);
    for (size_t w = 0; w < record->window_count; w++)
        for (size_t c = 0; c < record->channel_count; c++)
            require(isfinite(record->windows[w].energies[c].energy_j) &&
                    record->windows[w].energies[c].gap_s >= 0);
}

static int read_table(const char *text, size_t size, struct tool_runs *runs, struct error *error)
{
    const char *end = memchr(text, '\n', size);
    char *map = strndup(text, end ? (size_t)(end - text) : size);
    size_t skip = end ? (size_t)(end - text) + 1 : size;
    const struct option_list list = {(const char **)&map, 1};
    const struct tool_options options = {.map = &list};
    int result = map ? csv_runs("f", text + skip, size - skip, &options, runs, error) : -1;
    free(map);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const readers[])(const char *name, const char *text, size_t text_size,
                                  const struct tool_options *options, struct tool_runs *runs,
                                  struct error *error) = {carbontracker_runs, zeus_runs, energibridge_runs};
    static const struct tool_options options[] = {{.sockets = 0}, {.window = "training"}};
    if (size == 0)
        return 0;
    struct error error = ERROR_INIT;
    struct tool_runs runs = {0};
    const char *text = (const char *)data + 1;
    unsigned kind = data[0] % 4, option = data[0] / 4 % 2;
    int result = kind == 3 ? read_table(text, size - 1, &runs, &error)
                           : readers[kind]("f", text, size - 1, &options[option], &runs, &error);
    require((result == 0 && runs.count > 0) || (result < 0 && error.message != NULL));
    for (size_t i = 0; result == 0 && i < runs.count; i++)
        check(&runs.items[i]);
    tool_runs_free(&runs);
    error_clear(&error);
    return 0;
}
