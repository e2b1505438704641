/* joulery.train/1: docs/json.md. */
#include "base/file.h"
#include "base/text.h"
#include "train/program.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* Names of files need not be UTF-8, and JSON must be. */
static json_t *name(const char *string)
{
    json_t *json = string ? json_string(string) : NULL;
    return json ? json : json_null();
}

static json_t *epochs_json(const struct train_result *result)
{
    json_t *epochs = json_array();
    for (size_t i = 0; i < result->epoch_count; i++) {
        const struct train_epoch *e = &result->epochs[i];
        json_array_append_new(
            epochs,
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "epoch",
                      count(e->epoch), "loss", number(e->loss), "accuracy", number(e->accuracy), "val_loss",
                      number(e->val_loss), "val_accuracy", number(e->val_accuracy), "val_top5",
                      number(e->val_top5), "val_f1", number(e->val_f1), "learning_rate",
                      number(e->learning_rate), "wall_s", number(e->wall_s), "train_s", number(e->train_s),
                      "validation_s", number(e->val_s), "loader_wait_s", number(e->waited_s), "images",
                      count(e->images), "cut", e->cut));
    }
    return epochs;
}

static json_t *steps_json(const struct train_result *result)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < result->step_count; i++)
        json_array_append_new(steps, json_pack("{s:o, s:o, s:o}", "step", count(result->steps[i].step),
                                               "loss", number(result->steps[i].loss), "learning_rate",
                                               number(result->steps[i].learning_rate)));
    return steps;
}

static json_t *data_json(const struct dataset *dataset, const struct normalisation *normalisation)
{
    json_t *names = json_array(), *skipped = json_array(), *mean = json_array(), *deviation = json_array();
    for (size_t i = 0; i < dataset->classes; i++)
        json_array_append_new(names, name(dataset->class_names[i]));
    for (size_t i = 0; i < dataset->skipped_reason_count; i++)
        json_array_append_new(skipped, name(dataset->skipped_reasons[i]));
    for (size_t c = 0; c < dataset->channels; c++) {
        json_array_append_new(mean, json_real((double)dataset->mean[c]));
        json_array_append_new(deviation, json_real((double)dataset->deviation[c]));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "spec",
                     name(dataset->name), "size", count(dataset->size), "channels", count(dataset->channels),
                     "classes", count(dataset->classes), "class_names", names, "train_images",
                     count(dataset->train.count), "test_images", count(dataset->test.count), "normalization",
                     normalisation->name, "mean", mean, "deviation", deviation, "note", name(dataset->note),
                     "skipped", count(dataset->skipped), "skipped_files", skipped);
}

static json_t *optimizer_json(const struct optimizer_options *optimizer)
{
    bool sgd = optimizer->kind == OPTIMIZER_SGD;
    return json_pack("{s:s, s:f, s:o, s:b, s:f}", "name", optimizer_name(optimizer->kind), "learning_rate",
                     optimizer->learning_rate, "momentum", sgd ? json_real(optimizer->momentum) : json_null(),
                     "nesterov", optimizer->nesterov, "weight_decay", optimizer->weight_decay);
}

static json_t *schedule_json(const struct schedule *schedule)
{
    size_t names;
    bool step = schedule->kind == SCHEDULE_STEP, cosine = schedule->kind == SCHEDULE_COSINE;
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "name", schedule_names(&names)[schedule->kind],
                     "per", schedule->per_step ? "step" : "epoch", "step",
                     step ? count(schedule->step) : json_null(), "gamma",
                     step ? json_real(schedule->gamma) : json_null(), "min",
                     cosine ? json_real(schedule->least) : json_null(), "warmup", count(schedule->warmup),
                     "warmup_start", schedule->warmup ? json_real(schedule->warmup_start) : json_null());
}

static json_t *counts_json(const struct confusion *confusion)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < confusion->labels; i++) {
        json_t *row = json_array();
        for (size_t k = 0; k < confusion->outputs; k++)
            json_array_append_new(row, count(confusion->counts[i * confusion->outputs + k]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *confusion_json(const struct train_result *result)
{
    return json_pack("{s:o, s:o}", "epoch", count(result->confusion_epoch), "counts",
                     counts_json(&result->confusion));
}

static json_t *options_json(const struct training *training)
{
    const struct train_options *options = &training->train;
    bool augment = augmentation_any(&options->augment);
    AUTO_FREE char *augmentation = augment ? augmentation_text(&options->augment) : NULL;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:f, s:b, s:o, s:b, s:f, s:o, s:o, s:s, s:o}", "precision",
                     precision_name(training->precision), "epochs",
                     options->epochs ? count(options->epochs) : json_null(), "steps",
                     options->steps ? count(options->steps) : json_null(), "size", count(training->zoo.size),
                     "outputs", count(training->zoo.classes), "width", training->zoo.width, "augment",
                     augment, "augmentation", name(augmentation), "validate", options->validate,
                     "label_smoothing", training->label_smoothing, "clip_grad_norm",
                     training->clip_norm > 0 ? json_real(training->clip_norm) : json_null(), "patience",
                     options->patience ? count(options->patience) : json_null(), "monitor",
                     monitor_name(options->monitor), "lr_scheduler", schedule_json(&options->schedule));
}

json_t *head_json(const struct zoo_options *zoo)
{
    if (!zoo->head_count)
        return json_null();
    json_t *units = json_array();
    for (size_t i = 0; i < zoo->head_count; i++)
        json_array_append_new(units, count(zoo->head[i]));
    return units;
}

static json_t *transfer_json(const struct training *training)
{
    const struct zoo_options *zoo = &training->zoo;
    return json_pack("{s:o, s:f, s:b, s:b, s:o}", "head", head_json(zoo), "dropout", zoo->dropout,
                     "freeze_base", zoo->freeze_base, "cache_features", training->train.cache_features,
                     "features_s", number(training->result.features_s));
}

static json_t *weights_json(const struct training *training)
{
    bool saved = training->saved_epoch > 0;
    return json_pack("{s:o, s:o, s:o, s:o}", "loaded", name(training->weights), "head_loaded",
                     training->weights ? json_boolean(training->head_loaded) : json_null(), "saved",
                     name(saved ? training->save : NULL), "saved_epoch",
                     saved ? count(training->saved_epoch) : json_null());
}

static const char *end_name(const struct training *training)
{
    if (training->signal)
        return training->signal == SIGINT ? "SIGINT" : "SIGTERM";
    if (training->result.end == TRAIN_EARLY)
        return "early";
    return training->result.end == TRAIN_DIVERGED ? "diverged" : "finished";
}

static json_t *document(const struct training *training)
{
    const struct train_result *result = &training->result;
    json_t *root = json_pack("{s:s, s:s, s:s}", "schema", "joulery.train/1", "version", JOULERY_VERSION,
                             "architecture", training->architecture);
    json_object_set_new(root, "parameters", count(training->parameters));
    json_object_set_new(root, "trainable_parameters", count(training->trainable_parameters));
    json_object_set_new(root, "flops", count(training->flops));
    json_object_set_new(root, "seed", count(training->train.seed));
    json_object_set_new(root, "batch", count(training->train.batch));
    json_object_set_new(root, "threads", count(training->threads));
    json_object_set_new(root, "optimizer", optimizer_json(&training->optimizer));
    json_object_set_new(root, "options", options_json(training));
    json_object_set_new(root, "transfer", transfer_json(training));
    json_object_set_new(root, "weights", weights_json(training));
    json_object_set_new(root, "data", data_json(training->dataset, &training->normalisation));
    json_object_set_new(root, "ended", json_string(end_name(training)));
    json_object_set_new(root, "steps_done", count(result->steps_done));
    json_object_set_new(root, "resumed_at_step",
                        training->train.resume ? count(result->resumed_steps) : json_null());
    if (training->train.log_steps)
        json_object_set_new(root, "steps", steps_json(result));
    json_object_set_new(root, "epochs", epochs_json(result));
    json_object_set_new(root, "best_epoch", result->best_epoch ? count(result->best_epoch) : json_null());
    json_object_set_new(root, "confusion", result->confusion_epoch ? confusion_json(result) : json_null());
    json_object_set_new(root, "images_per_s", number(result->images_per_s));
    json_object_set_new(root, "wall_s", number(result->wall_s));
    json_object_set_new(root, "loader_wait_s", number(result->waited_s));
    json_object_set_new(root, "loader_wait_share",
                        result->train_s > 0 ? number(result->waited_s / result->train_s) : json_null());
    json_object_set_new(root, "loader_cpu_s", number(result->loader_busy_s));
    json_object_set_new(root, "network_memory_bytes", count(training->memory_bytes));
    json_object_set_new(root, "peak_rss_bytes", count(program_peak_rss_bytes()));
    return root;
}

static json_t *evaluation_document(const struct evaluation *evaluation)
{
    const struct training *training = evaluation->training;
    const struct scores *scores = &evaluation->scores;
    json_t *root = json_pack("{s:s, s:s, s:s}", "schema", "joulery.eval/1", "version", JOULERY_VERSION,
                             "architecture", training->architecture);
    json_object_set_new(root, "weights", name(training->weights));
    json_object_set_new(root, "parameters", count(training->parameters));
    json_object_set_new(root, "flops", count(training->flops));
    json_object_set_new(root, "head", head_json(&training->zoo));
    json_object_set_new(root, "width", json_real(training->zoo.width));
    json_object_set_new(root, "outputs", count(training->zoo.classes));
    json_object_set_new(root, "batch", count(training->train.batch));
    json_object_set_new(root, "precision", json_string(precision_name(training->precision)));
    json_object_set_new(root, "threads", count(training->threads));
    json_object_set_new(root, "data", data_json(training->dataset, &training->normalisation));
    json_object_set_new(root, "split", json_string(evaluation->train_split ? "train" : "test"));
    json_object_set_new(root, "images", count(scores->images));
    json_object_set_new(root, "loss", number(scores->loss));
    json_object_set_new(root, "accuracy", number(scores->accuracy));
    json_object_set_new(root, "top5", number(scores->top5));
    json_object_set_new(root, "macro_f1", number(scores->macro_f1));
    json_object_set_new(root, "confusion", counts_json(&evaluation->confusion));
    json_object_set_new(root, "images_per_s", number(evaluation->images_per_s));
    json_object_set_new(root, "wall_s", number(evaluation->wall_s));
    json_object_set_new(root, "network_memory_bytes", count(training->memory_bytes));
    json_object_set_new(root, "peak_rss_bytes", count(program_peak_rss_bytes()));
    return root;
}

/* Takes `root`. */
static int write_document(json_t *root, const char *path, struct error *error)
{
    AUTO_FREE char *dump = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    AUTO_FREE char *line = dump ? text_format("%s\n", dump) : NULL;
    if (!line)
        return error_memory(error, path);
    return file_write(path, line, strlen(line), error);
}

int training_write_json(const struct training *training, const char *path, struct error *error)
{
    return write_document(document(training), path, error);
}

int evaluation_write_json(const struct evaluation *evaluation, const char *path, struct error *error)
{
    return write_document(evaluation_document(evaluation), path, error);
}
