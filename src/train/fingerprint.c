/* What makes a training the one it is. How long it lasts is not of it, unless the learning rate goes by it.
 */
#include "base/text.h"
#include "train/program.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct fingerprint {
    json_t *object;
    bool failed;
};

static void put(struct fingerprint *fingerprint, const char *name, char *text)
{
    /* a path need not be UTF-8, and JSON must be */
    AUTO_FREE char *clean = text ? text_utf8(text, strlen(text)) : NULL;
    if (!clean || json_object_set_new(fingerprint->object, name, json_string(clean)) < 0)
        fingerprint->failed = true;
    free(text);
}

static void put_count(struct fingerprint *fingerprint, const char *name, uint64_t value)
{
    put(fingerprint, name, text_format("%" PRIu64, value));
}

static void put_number(struct fingerprint *fingerprint, const char *name, double value)
{
    put(fingerprint, name, text_format("%.17g", value));
}

static void put_name(struct fingerprint *fingerprint, const char *name, const char *value)
{
    put(fingerprint, name, text_format("%s", value));
}

static void put_network(struct fingerprint *fingerprint, const struct training *training)
{
    const struct zoo_options *zoo = &training->zoo;
    put_name(fingerprint, "--arch", training->architecture);
    put_count(fingerprint, "--size", zoo->size);
    put_number(fingerprint, "--width", zoo->width);
    put_count(fingerprint, "--classes", zoo->classes);
    json_t *head = head_json(zoo);
    put(fingerprint, "--head", json_dumps(head, JSON_COMPACT | JSON_ENCODE_ANY));
    json_decref(head);
    put_number(fingerprint, "--dropout", zoo->dropout);
    put_name(fingerprint, "--freeze", zoo->freeze_base ? "base" : "none");
}

static void put_data(struct fingerprint *fingerprint, const struct training *training)
{
    const struct dataset *data = training->dataset;
    bool augment = augmentation_any(&training->train.augment);
    put_name(fingerprint, "--data", data->name);
    put_count(fingerprint, "the number of training images", data->train.count);
    put_count(fingerprint, "--batch", training->train.batch);
    put_count(fingerprint, "--seed", training->train.seed);
    put(fingerprint, "--augment",
        augment ? augmentation_text(&training->train.augment) : text_format("%s", "none"));
    struct text normalisation = TEXT_INIT;
    for (size_t c = 0; c < DATASET_CHANNELS; c++)
        text_printf(&normalisation, "%s%.9g/%.9g", c ? "," : "", (double)data->mean[c],
                    (double)data->deviation[c]);
    put(fingerprint, "--normalize", text_take(&normalisation));
}

static void put_schedule(struct fingerprint *fingerprint, const struct training *training)
{
    const struct schedule *schedule = &training->train.schedule;
    size_t count;
    put_name(fingerprint, "--lr-scheduler", schedule_names(&count)[schedule->kind]);
    put_name(fingerprint, "--lr-per", schedule->per_step ? "step" : "epoch");
    put_count(fingerprint, "--lr-step", schedule->step);
    put_number(fingerprint, "--lr-gamma", schedule->gamma);
    put_number(fingerprint, "--lr-min", schedule->least);
    put_count(fingerprint, "--lr-warmup", schedule->warmup);
    put_number(fingerprint, "--lr-warmup-start", schedule->warmup_start);
    bool to_the_end = schedule->kind == SCHEDULE_COSINE;
    put_count(fingerprint, "--epochs (the cosine ends with it)", to_the_end ? training->train.epochs : 0);
    put_count(fingerprint, "--steps (the cosine ends with it)", to_the_end ? training->train.steps : 0);
}

char *training_fingerprint(const struct training *training, struct error *error)
{
    const struct optimizer_options *optimizer = &training->optimizer;
    struct fingerprint fingerprint = {.object = json_object()};
    put_network(&fingerprint, training);
    put_data(&fingerprint, training);
    put_name(&fingerprint, "--precision", precision_name(training->precision));
    put_name(&fingerprint, "--optimizer", optimizer_name(optimizer->kind));
    put_number(&fingerprint, "--lr", optimizer->learning_rate);
    put_number(&fingerprint, "--momentum", optimizer->momentum);
    put_name(&fingerprint, "--nesterov", optimizer->nesterov ? "on" : "off");
    put_number(&fingerprint, "--weight-decay", optimizer->weight_decay);
    put_number(&fingerprint, "--label-smoothing", training->label_smoothing);
    put_number(&fingerprint, "--clip-grad-norm", training->clip_norm);
    put_name(&fingerprint, "--monitor", monitor_name(training->train.monitor));
    put_schedule(&fingerprint, training);
    char *text = fingerprint.failed ? NULL : json_dumps(fingerprint.object, JSON_COMPACT);
    json_decref(fingerprint.object);
    if (!text)
        error_memory(error, "options of the checkpoint");
    return text;
}
