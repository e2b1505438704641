/* What a file of weights says, beside the tensors, of the network they are of. */
#include "base/text.h"
#include "train/parameters.h"
#include "train/program.h"
#include "weights/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char key_version[] = "joulery.version", key_architecture[] = PARAMETERS_ARCHITECTURE,
                  key_size[] = "joulery.size", key_classes[] = "joulery.classes",
                  key_width[] = "joulery.width", key_head[] = "joulery.head",
                  key_normalisation[] = "joulery.normalization", key_names[] = "joulery.class_names";

/* ---- writing ---- */

/* As --head takes it, "" where there is none. */
static char *head_text(const struct zoo_options *zoo)
{
    struct text text = TEXT_INIT;
    text_append(&text, "");
    for (size_t i = 0; i < zoo->head_count; i++)
        text_printf(&text, "%s%zu", i ? "," : "", zoo->head[i]);
    return text_take(&text);
}

/* As --normalize takes it; the figures come back to the bit. */
static char *normalisation_text(const struct dataset *data)
{
    struct text text = TEXT_INIT;
    for (size_t c = 0; c < DATASET_CHANNELS; c++)
        text_printf(&text, "%s%.9g", c ? "," : "", (double)data->mean[c]);
    for (size_t c = 0; c < DATASET_CHANNELS; c++)
        text_printf(&text, "%s%.9g", c ? "," : "/", (double)data->deviation[c]);
    return text_take(&text);
}

/* A JSON list; "" where a name is not UTF-8. */
static char *names_text(const struct dataset *data)
{
    json_t *names = json_array();
    bool complete = true;
    for (size_t i = 0; i < data->classes; i++)
        complete = json_array_append_new(names, json_string(data->class_names[i])) == 0 && complete;
    char *text = complete ? json_dumps(names, JSON_COMPACT) : strdup("");
    json_decref(names);
    return text;
}

int training_save(const struct training *training, const struct network *network, struct error *error)
{
    const struct zoo_options *zoo = &training->zoo;
    AUTO_FREE char *size = text_format("%zu", zoo->size);
    AUTO_FREE char *classes = text_format("%zu", zoo->classes);
    AUTO_FREE char *width = text_format("%.17g", zoo->width);
    AUTO_FREE char *head = head_text(zoo);
    AUTO_FREE char *normalisation = normalisation_text(training->dataset);
    AUTO_FREE char *names = names_text(training->dataset);
    if (!size || !classes || !width || !head || !normalisation || !names)
        return error_memory(error, training->save);
    const char *const metadata[] = {"format",
                                    "pt", /* other programs look for it */
                                    key_version,
                                    JOULERY_VERSION,
                                    key_architecture,
                                    training->architecture,
                                    key_size,
                                    size,
                                    key_classes,
                                    classes,
                                    key_width,
                                    width,
                                    key_head,
                                    head,
                                    key_normalisation,
                                    normalisation,
                                    key_names,
                                    names,
                                    NULL};
    return parameters_save(network, training->save, metadata, error);
}

/* ---- reading ---- */

static int take_text(const struct safetensors *file, const char *key, char **value, struct error *error)
{
    const char *found = safetensors_metadata(file, key);
    if (!found || !*found)
        return 0;
    *value = strdup(found);
    return *value ? 0 : error_memory(error, key);
}

static int error_value(const struct safetensors *file, const char *key, const char *expected,
                       struct error *error)
{
    AUTO_FREE char *shown = text_printable(safetensors_metadata(file, key));
    return error_set(error, "%s: metadata %s: expected %s, found '%s'", safetensors_path(file), key, expected,
                     shown ? shown : "?");
}

static int take_count(const struct safetensors *file, const char *key, uint64_t most, uint64_t *value,
                      struct error *error)
{
    const char *found = safetensors_metadata(file, key);
    if (!found)
        return 0;
    if (text_to_u64(found, value) < 0 || *value == 0 || *value > most)
        return error_value(file, key, "a whole number above 0 and not absurdly large", error);
    return 0;
}

static int take_width(const struct safetensors *file, double *width, struct error *error)
{
    const char *found = safetensors_metadata(file, key_width);
    if (!found)
        return 0;
    if (text_to_double(found, width) < 0 || !(*width >= 0.001 && *width <= 64))
        return error_value(file, key_width, "0.001 to 64", error);
    return 0;
}

static int take_names(const struct safetensors *file, json_t **names, struct error *error)
{
    const char *found = safetensors_metadata(file, key_names);
    if (!found || !*found)
        return 0;
    *names = json_loads(found, JSON_REJECT_DUPLICATES, NULL);
    return json_is_array(*names) ? 0 : error_value(file, key_names, "a list of names in JSON", error);
}

int saved_read(const char *path, struct saved *saved, struct error *error)
{
    *saved = (struct saved){0};
    struct safetensors *file = safetensors_open(path, error);
    if (!file)
        return -1;
    bool fails = take_text(file, key_architecture, &saved->architecture, error) < 0 ||
                 take_text(file, key_head, &saved->head, error) < 0 ||
                 take_text(file, key_normalisation, &saved->normalisation, error) < 0 ||
                 take_count(file, key_size, 4096, &saved->size, error) < 0 ||
                 take_count(file, key_classes, 1 << 20, &saved->classes, error) < 0 ||
                 take_width(file, &saved->width, error) < 0 ||
                 take_names(file, &saved->class_names, error) < 0;
    safetensors_close(file);
    return fails ? -1 : 0;
}

void saved_free(struct saved *saved)
{
    free(saved->architecture);
    free(saved->head);
    free(saved->normalisation);
    json_decref(saved->class_names);
    *saved = (struct saved){0};
}
