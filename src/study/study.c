/* A study in memory: from its file (yaml.c reads the text), its messages, its end, its fingerprint. */
#include "study/study.h"

#include "base/file.h"
#include "base/text.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MOST (1 << 20)

int study_error(const struct study *study, size_t line, struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message = NULL;
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    va_end(arguments);
    if (message)
        error_set(error, "%s:%zu: %s", study->path, line, message);
    else
        error_memory(error, study->path);
    free(message);
    return -1;
}

struct study *study_load(const char *path, struct error *error)
{
    size_t size;
    AUTO_FREE char *text = file_read(path, FILE_BYTES_MOST, &size, error);
    return text ? study_parse(path, text, size, error) : NULL;
}

void study_free(struct study *study)
{
    if (!study)
        return;
    for (size_t i = 0; i < study->factor_count; i++) {
        for (size_t k = 0; k < study->factors[i].level_count; k++)
            free(study->factors[i].levels[k].text);
        free(study->factors[i].levels);
        free(study->factors[i].name.text);
    }
    for (size_t i = 0; i < study->option_count; i++) {
        free(study->options[i].name.text);
        free(study->options[i].value.text);
    }
    for (size_t i = 0; i < study->command_count; i++)
        free(study->command[i].text);
    free(study->factors);
    free(study->options);
    free(study->command);
    free(study->location.text);
    free(study->path);
    free(study->directory);
    free(study->definition);
    free(study->name);
    free(study->question);
    free(study);
}

/* ---- the fingerprint ---- */

/* As JSON; libyaml has seen to it that all text is UTF-8, and split words may have cut no character. */
static json_t *text_list(const struct study_text *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(texts[i].text));
    return list;
}

static json_t *factors_json(const struct study *study)
{
    json_t *list = json_array();
    for (size_t i = 0; i < study->factor_count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:o}", "factor", study->factors[i].name.text, "levels",
                                        text_list(study->factors[i].levels, study->factors[i].level_count)));
    return list;
}

static json_t *options_json(const struct study *study)
{
    json_t *object = json_object();
    for (size_t i = 0; i < study->option_count; i++)
        json_object_set_new(object, study->options[i].name.text, json_string(study->options[i].value.text));
    return object;
}

char *study_fingerprint(const struct study *study)
{
    bool train = study->command_count == 0;
    json_t *json =
        json_pack("{s:I, s:s, s:s, s:f, s:f, s:o, s:o}", "seed", (json_int_t)study->seed, "order",
                  study->order == ORDER_SHUFFLED ? "shuffled" : "listed", "directory",
                  study->folder == FOLDER_STUDY ? "study" : "scratch", "cooldown", study->cooldown_s,
                  "timeout", study->timeout_s, "factors", factors_json(study), train ? "train" : "command",
                  train ? options_json(study) : text_list(study->command, study->command_count));
    char *text = json ? json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}
