#include "calibrate/given.h"

#include "base/text.h"

#include <string.h>

struct adding {
    struct evidence *evidence;
    struct store *store;
    const struct given_options *options;
    struct error *error;
    bool failed;
};

static int add_windows(struct adding *adding, const struct record *record, const char *group, const char *run)
{
    bool epochs = adding->options->epochs;
    for (size_t i = 0; i < record->window_count; i++) {
        bool wanted = epochs ? strcmp(record->windows[i].name, "epoch") == 0 : i == 0;
        if (wanted && evidence_add(adding->evidence, record, i, group, run, adding->error) < 0)
            return error_prefix(adding->error, "%s", run);
    }
    return 0;
}

static int add_run(void *context, const struct run_line *line)
{
    struct adding *adding = context;
    struct record record = {0};
    if (strcmp(line->state, "done") != 0)
        return 0;
    AUTO_FREE char *run = text_format("%s, run %lld", adding->options->name, (long long)line->run);
    int result = run ? store_read_record(adding->store, line->run, &record, adding->error)
                     : error_memory(adding->error, "calibration");
    const char *host = adding->options->host;
    if (result == 0 && (!host || strcmp(record.host.name, host) == 0))
        result = add_windows(adding, &record, line->factors, run);
    record_free(&record);
    adding->failed = result < 0;
    return result;
}

int given_add(struct evidence *evidence, struct store *store, const struct given_options *options,
              struct error *error)
{
    struct adding adding = {evidence, store, options, error, false};
    int result = store_list_runs(store, add_run, &adding, error);
    return adding.failed ? -1 : result;
}
