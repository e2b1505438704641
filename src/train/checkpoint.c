#include "train/checkpoint.h"

#include "base/text.h"
#include "weights/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char key_version[] = "joulery.checkpoint", key_options[] = "joulery.options",
                  key_progress[] = "joulery.progress", key_scalars[] = "joulery.scalars", version[] = "1";

/* The parts of a tensor, and after them the best epoch's weights. */
enum { PART_BEST = NETWORK_PARTS, PARTS };
static const char *const part_names[PARTS] = {[PART_VALUES] = "value",
                                              [PART_FIRST] = "first",
                                              [PART_SECOND] = "second",
                                              [PART_REST] = "rest",
                                              [PART_BEST] = "best"};

struct item {
    size_t tensor, part, count;
    char *name;
};

struct items {
    struct item *list;
    size_t count;
};

static size_t part_count(const struct network *network, const struct parameters_copy *best, size_t tensor,
                         size_t part)
{
    if (part != PART_BEST)
        return network_part_count(network, tensor, (enum network_part)part);
    return best && parameters_copy_tensor(best, tensor) ? network_tensor(network, tensor).count : 0;
}

static void items_free(struct items *items)
{
    for (size_t i = 0; i < items->count; i++)
        free(items->list[i].name);
    free(items->list);
}

static int items_list(struct items *items, const struct network *network, const struct parameters_copy *best,
                      struct error *error)
{
    size_t tensors = network_tensor_count(network);
    *items = (struct items){calloc(tensors * PARTS + 1, sizeof *items->list), 0};
    for (size_t i = 0; items->list && i < tensors * PARTS; i++) {
        size_t tensor = i / PARTS, part = i % PARTS, count = part_count(network, best, tensor, part);
        if (!count)
            continue;
        struct item *item = &items->list[items->count++];
        *item = (struct item){tensor, part, count,
                              text_format("%s:%s", network_tensor(network, tensor).name, part_names[part])};
        if (!item->name)
            return error_memory(error, "checkpoint");
    }
    return items->list ? 0 : error_memory(error, "checkpoint");
}

/* ---- progress as JSON: numbers come back to the bit ---- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count_json(uint64_t value)
{
    return json_integer((json_int_t)value);
}

enum { EPOCH_NUMBERS = 10, EPOCH_COUNTS = 2 };

static void epoch_fields(struct train_epoch *epoch, double *numbers[EPOCH_NUMBERS],
                         uint64_t *counts[EPOCH_COUNTS])
{
    double *const all[EPOCH_NUMBERS] = {
        &epoch->loss,   &epoch->accuracy,      &epoch->val_loss, &epoch->val_accuracy, &epoch->val_top5,
        &epoch->val_f1, &epoch->learning_rate, &epoch->train_s,  &epoch->val_s,        &epoch->waited_s};
    memcpy(numbers, all, sizeof all);
    counts[0] = &epoch->epoch;
    counts[1] = &epoch->images;
}

static json_t *epoch_json(const struct train_epoch *epoch)
{
    struct train_epoch copy = *epoch;
    double *numbers[EPOCH_NUMBERS];
    uint64_t *counts[EPOCH_COUNTS];
    json_t *list = json_array();
    epoch_fields(&copy, numbers, counts);
    for (size_t i = 0; i < EPOCH_COUNTS; i++)
        json_array_append_new(list, count_json(*counts[i]));
    for (size_t i = 0; i < EPOCH_NUMBERS; i++)
        json_array_append_new(list, number(*numbers[i]));
    return list;
}

static char *dump(json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

struct field {
    const char *name;
    double *number; /* or */
    uint64_t *count;
};
enum { FIELDS = 13 };

static void checkpoint_fields(struct checkpoint *c, struct field fields[FIELDS])
{
    const struct field all[FIELDS] = {{"epoch", NULL, &c->epoch},
                                      {"batches", NULL, &c->batches},
                                      {"steps_done", NULL, &c->steps_done},
                                      {"correct", NULL, &c->correct},
                                      {"images", NULL, &c->images},
                                      {"best_epoch", NULL, &c->best_epoch},
                                      {"without_better", NULL, &c->without_better},
                                      {"loss_sum", &c->loss_sum, NULL},
                                      {"train_s", &c->train_s, NULL},
                                      {"waited_s", &c->waited_s, NULL},
                                      {"rate", &c->rate, NULL},
                                      {"last_loss", &c->last_loss, NULL},
                                      {"best", &c->best, NULL}};
    memcpy(fields, all, sizeof all);
}

static char *progress_text(const struct checkpoint *checkpoint)
{
    struct checkpoint copy = *checkpoint;
    struct field fields[FIELDS];
    json_t *root = json_object(), *epochs = json_array();
    checkpoint_fields(&copy, fields);
    for (size_t i = 0; i < FIELDS; i++)
        json_object_set_new(root, fields[i].name,
                            fields[i].count ? count_json(*fields[i].count) : number(*fields[i].number));
    for (size_t i = 0; i + 1 < checkpoint->epoch; i++)
        json_array_append_new(epochs, epoch_json(&checkpoint->epochs[i]));
    json_object_set_new(root, "epochs", epochs);
    return dump(root);
}

static char *scalars_text(const struct network *network)
{
    size_t count = network_scalar_count(network);
    double *scalars = calloc(count + 1, sizeof *scalars);
    json_t *list = scalars ? json_array() : NULL;
    if (scalars)
        network_get_scalars(network, scalars);
    for (size_t i = 0; scalars && i < count; i++)
        json_array_append_new(list, number(scalars[i]));
    free(scalars);
    return dump(list);
}

/* ---- writing ---- */

struct source {
    const struct network *network;
    const struct parameters_copy *best;
    const struct items *items;
};

static int fill(void *context, size_t entry, float *data, struct error *error)
{
    const struct source *source = context;
    const struct item *item = &source->items->list[entry];
    int status = 0;
    if (item->part == PART_BEST)
        memcpy(data, parameters_copy_tensor(source->best, item->tensor), item->count * sizeof *data);
    else
        status = network_get_part(source->network, item->tensor, (enum network_part)item->part, data, error);
    return status < 0 ? -1 : parameters_check(item->name, data, item->count, error);
}

int checkpoint_write(const char *path, const char *options, const struct network *network,
                     const struct parameters_copy *best, const struct checkpoint *checkpoint,
                     struct error *error)
{
    AUTO_FREE char *progress = progress_text(checkpoint);
    AUTO_FREE char *scalars = scalars_text(network);
    struct items items;
    int status = items_list(&items, network, checkpoint->best_epoch ? best : NULL, error);
    struct safetensors_entry *entries = calloc(items.count + 1, sizeof *entries);
    if (status == 0 && (!progress || !scalars || !entries))
        status = error_memory(error, path);
    for (size_t i = 0; status == 0 && i < items.count; i++)
        entries[i] = (struct safetensors_entry){items.list[i].name, &items.list[i].count, 1};
    const char *const metadata[] = {key_version, version,     key_options, options, key_progress,
                                    progress,    key_scalars, scalars,     NULL};
    struct source source = {network, best, &items};
    const struct safetensors_contents contents = {entries, items.count, metadata, fill, &source};
    if (status == 0)
        status = safetensors_write(path, &contents, error);
    free(entries);
    items_free(&items);
    return status;
}

/* ---- reading ---- */

static json_t *metadata_json(const struct safetensors *file, const char *key)
{
    const char *text = safetensors_metadata(file, key);
    return text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

static int error_broken(const struct safetensors *file, const char *what, struct error *error)
{
    return error_set(error, "%s: %s: a broken checkpoint: start anew without --resume",
                     safetensors_path(file), what);
}

static int compare_options(const struct safetensors *file, const char *options, struct error *error)
{
    json_t *here = json_loads(options, 0, NULL), *there = metadata_json(file, key_options), *value;
    const char *name;
    int status = json_is_object(there) ? 0 : error_broken(file, key_options, error);
    json_object_foreach(here, name, value)
    {
        const char *was = json_string_value(json_object_get(there, name)), *is = json_string_value(value);
        if (status == 0 && (!was || strcmp(was, is) != 0)) {
            AUTO_FREE char *shown = text_printable(was ? was : "nothing");
            status =
                error_set(error,
                          "%s: %s was '%s' when it was written, and is '%s' now: give the same, or start "
                          "anew without --resume",
                          safetensors_path(file), name, shown ? shown : "?", is);
        }
    }
    json_decref(here);
    json_decref(there);
    return status;
}

static bool take_number(json_t *json, double *value)
{
    *value = json_is_null(json) ? NAN : json_number_value(json);
    return json_is_number(json) || json_is_null(json);
}

static bool take_count(json_t *json, uint64_t *value)
{
    json_int_t found = json_integer_value(json);
    *value = found > 0 ? (uint64_t)found : 0;
    return json_is_integer(json) && found >= 0;
}

static bool take_epoch(json_t *json, struct train_epoch *epoch)
{
    double *numbers[EPOCH_NUMBERS];
    uint64_t *counts[EPOCH_COUNTS];
    bool good = json_array_size(json) == EPOCH_NUMBERS + EPOCH_COUNTS;
    epoch_fields(epoch, numbers, counts);
    for (size_t i = 0; i < EPOCH_COUNTS; i++)
        good = take_count(json_array_get(json, i), counts[i]) && good;
    for (size_t i = 0; i < EPOCH_NUMBERS; i++)
        good = take_number(json_array_get(json, EPOCH_COUNTS + i), numbers[i]) && good;
    epoch->wall_s = epoch->train_s + epoch->val_s;
    return good;
}

static int take_progress(const struct safetensors *file, json_t *root, struct checkpoint *checkpoint,
                         struct error *error)
{
    struct field fields[FIELDS];
    bool good = json_is_object(root);
    checkpoint_fields(checkpoint, fields);
    for (size_t i = 0; i < FIELDS; i++) {
        json_t *found = json_object_get(root, fields[i].name);
        good =
            (fields[i].count ? take_count(found, fields[i].count) : take_number(found, fields[i].number)) &&
            good;
    }
    json_t *epochs = json_object_get(root, "epochs");
    size_t count = json_array_size(epochs);
    if (!good || checkpoint->epoch != count + 1 || checkpoint->best_epoch > count)
        return error_broken(file, key_progress, error);
    checkpoint->epochs = calloc(count + 1, sizeof *checkpoint->epochs);
    if (!checkpoint->epochs)
        return error_memory(error, "epochs");
    for (size_t i = 0; i < count; i++)
        if (!take_epoch(json_array_get(epochs, i), &checkpoint->epochs[i]) ||
            checkpoint->epochs[i].epoch != i + 1)
            return error_broken(file, key_progress, error);
    return 0;
}

static int read_scalars(const struct safetensors *file, struct network *network, struct error *error)
{
    json_t *list = metadata_json(file, key_scalars);
    size_t count = network_scalar_count(network);
    double *scalars = calloc(count + 1, sizeof *scalars);
    bool good = scalars && json_array_size(list) == count;
    for (size_t i = 0; good && i < count; i++)
        good = take_number(json_array_get(list, i), &scalars[i]) && scalars[i] >= -1e15 && scalars[i] <= 1e15;
    if (good)
        network_set_scalars(network, scalars);
    json_decref(list);
    free(scalars);
    return good ? 0 : error_broken(file, key_scalars, error);
}

static int read_item(const struct safetensors *file, const struct item *item, struct network *network,
                     struct parameters_copy *best, struct error *error)
{
    const struct safetensor *found = safetensors_find(file, item->name);
    if (!found || found->count != item->count)
        return error_broken(file, item->name, error);
    bool is_best = item->part == PART_BEST;
    float *data = is_best ? parameters_copy_tensor(best, item->tensor) : malloc(item->count * sizeof *data);
    if (!data)
        return error_memory(error, item->name);
    int status = safetensors_read(file, found, data, error);
    if (status == 0)
        status = parameters_check(item->name, data, item->count, error);
    if (status == 0 && !is_best)
        status = network_set_part(network, item->tensor, (enum network_part)item->part, data, error);
    if (!is_best)
        free(data);
    return status;
}

/* The names of resnet18 are among those of resnet34: too many are as wrong as too few. */
static int read_items(const struct safetensors *file, struct network *network, struct parameters_copy *best,
                      struct error *error)
{
    struct items items;
    int status = items_list(&items, network, best, error);
    if (status == 0 && safetensors_count(file) != items.count)
        status = error_set(error,
                           "%s: expected %zu tensors, found %zu: a checkpoint of another network, or of a "
                           "run %s --save",
                           safetensors_path(file), items.count, safetensors_count(file),
                           best ? "without" : "with");
    for (size_t i = 0; status == 0 && i < items.count; i++)
        status = read_item(file, &items.list[i], network, best, error);
    items_free(&items);
    return status;
}

static int read_file(const struct safetensors *file, const char *options, struct network *network,
                     struct parameters_copy *best, struct checkpoint *checkpoint, struct error *error)
{
    const char *found = safetensors_metadata(file, key_version);
    if (!found)
        return error_set(error, "%s: no checkpoint, but weights: start from them with --weights",
                         safetensors_path(file));
    if (strcmp(found, version) != 0)
        return error_set(error, "%s: a checkpoint of another version of joulery (format %s, expected %s)",
                         safetensors_path(file), found, version);
    if (compare_options(file, options, error) < 0)
        return -1;
    json_t *progress = metadata_json(file, key_progress);
    int status = take_progress(file, progress, checkpoint, error);
    json_decref(progress);
    if (status == 0)
        status = read_items(file, network, checkpoint->best_epoch ? best : NULL, error);
    return status < 0 ? -1 : read_scalars(file, network, error);
}

int checkpoint_read(const char *path, const char *options, struct network *network,
                    struct parameters_copy *best, struct checkpoint *checkpoint, struct error *error)
{
    *checkpoint = (struct checkpoint){0};
    struct safetensors *file = safetensors_open(path, error);
    if (!file)
        return -1;
    int status = read_file(file, options, network, best, checkpoint, error);
    safetensors_close(file);
    if (status == 0)
        return 0;
    free(checkpoint->epochs);
    checkpoint->epochs = NULL;
    return -1;
}
