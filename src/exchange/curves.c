#include "exchange/curves.h"

#include "base/text.h"
#include "exchange/into_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EPOCHS_MOST 1000000

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct {
    const char *name, *metric;
} metrics[] = {
    {"accuracy", "accuracy"}, {"acc", "accuracy"},         {"val_accuracy", "val_accuracy"},
    {"acf", "val_accuracy"},  {"val_acc", "val_accuracy"}, {"loss", "loss"},
    {"val_loss", "val_loss"}, {"loss_val", "val_loss"},
};

static const char *find_metric(const char *name)
{
    for (size_t i = 0; i < COUNT(metrics); i++)
        if (strcmp(metrics[i].name, name) == 0)
            return metrics[i].metric;
    return NULL;
}

static int unknown_name(const char *name, struct error *error)
{
    const char *names[COUNT(metrics)];
    struct text all = TEXT_INIT;
    for (size_t i = 0; i < COUNT(metrics); i++) {
        names[i] = metrics[i].name;
        text_printf(&all, "%s%s", i ? ", " : "", names[i]);
    }
    const char *nearest = text_nearest(name, names, COUNT(names));
    if (nearest)
        error_set(error, "unknown curve '%s' (did you mean %s?)", name, nearest);
    else
        error_set(error, "unknown curve '%s': expected one of %s", name, all.data ? all.data : "");
    text_free(&all);
    return -1;
}

/* ---- one line ---- */

static int add_value(struct curve *curve, const char *word, struct error *error)
{
    double value = NAN;
    if (strcmp(word, "nan") != 0 && text_to_double(word, &value) < 0)
        return error_set(error, "expected a number as value %zu, found '%s'", curve->count + 1, word);
    if (curve->count == EPOCHS_MOST)
        return error_set(error, "more than %d epochs", EPOCHS_MOST);
    if ((curve->count & (curve->count - 1)) == 0) { /* a power of two: full */
        double *grown = reallocarray(curve->values, curve->count ? 2 * curve->count : 1, sizeof *grown);
        if (!grown)
            return error_memory(error, "curve");
        curve->values = grown;
    }
    curve->values[curve->count++] = value;
    return 0;
}

/* Cuts up the list, between its brackets. */
static int read_list(char *list, struct curve *curve, struct error *error)
{
    for (char *rest = list; rest;) {
        char *word = strsep(&rest, ",");
        word += strspn(word, " \t");
        word[strcspn(word, " \t")] = '\0';
        if (add_value(curve, word, error) < 0)
            return -1;
    }
    return 0;
}

static bool has_metric(const struct curves *curves, const char *metric)
{
    for (size_t i = 0; i < curves->count; i++)
        if (strcmp(curves->items[i].metric, metric) == 0)
            return true;
    return false;
}

static struct curve *add_curve(struct curves *curves, const char *metric, struct error *error)
{
    if (has_metric(curves, metric)) {
        error_set(error, "%s a second time", metric);
        return NULL;
    }
    struct curve *grown = reallocarray(curves->items, curves->count + 1, sizeof *grown);
    if (!grown) {
        error_memory(error, "curve");
        return NULL;
    }
    curves->items = grown;
    grown[curves->count] = (struct curve){.metric = metric};
    return &grown[curves->count++];
}

static int read_line(char *line, struct curves *curves, struct error *error)
{
    char *colon = strchr(line, ':');
    char *open = colon ? colon + 1 + strspn(colon + 1, " \t") : NULL;
    char *close = open && *open == '[' ? strchr(open, ']') : NULL;
    if (!close || close[1 + strspn(close + 1, " \t\r")] != '\0')
        return error_set(error, "expected a line like 'val_accuracy: [0.26, 0.29]'");
    *colon = *close = '\0';
    colon[-(int)(colon > line && colon[-1] == ' ')] = '\0';
    const char *metric = find_metric(line);
    if (!metric)
        return unknown_name(line, error);
    struct curve *curve = add_curve(curves, metric, error);
    if (!curve || read_list(open + 1, curve, error) < 0)
        return -1;
    if (curve->count != curves->items[0].count)
        return error_set(error, "expected %zu epochs, as the first curve has, found %zu",
                         curves->items[0].count, curve->count);
    return 0;
}

/* ---- the file ---- */

static int read_lines(const char *name, char *text, struct curves *curves, struct error *error)
{
    size_t number = 0;
    for (char *rest = text; rest;) {
        char *line = strsep(&rest, "\n");
        number++;
        line += strspn(line, " \t\r");
        if (*line && read_line(line, curves, error) < 0) {
            AUTO_FREE char *reason = strdup(error_text(error));
            return error_set(error, "%s:%zu: %s", name, number, reason ? reason : "not read");
        }
    }
    return curves->count ? 0
                         : error_set(error,
                                     "%s: expected a line like 'val_accuracy: [0.26, 0.29]', found "
                                     "none",
                                     name);
}

int curves_parse(const char *name, const char *text, size_t size, struct curves *curves, struct error *error)
{
    *curves = (struct curves){0};
    if (memchr(text, '\0', size))
        return error_set(error, "%s: a zero byte: not text", name);
    AUTO_FREE char *copy = strndup(text, size);
    int result = copy ? read_lines(name, copy, curves, error) : error_memory(error, name);
    if (result < 0)
        curves_free(curves);
    return result;
}

void curves_free(struct curves *curves)
{
    for (size_t i = 0; i < curves->count; i++)
        free(curves->items[i].values);
    free(curves->items);
    *curves = (struct curves){0};
}

/* ---- into a run ---- */

static int add_epoch(const struct curves *curves, size_t epoch, struct record *record, struct error *error)
{
    struct window *window = record_add_window(record, "epoch", (int64_t)epoch + 1, error);
    if (!window)
        return -1;
    for (size_t i = 0; i < curves->count; i++)
        if (isfinite(curves->items[i].values[epoch]) &&
            record_add_metric(window, curves->items[i].metric, curves->items[i].values[epoch], error) < 0)
            return -1;
    return 0;
}

int curves_attach(const struct curves *curves, const char *file, struct imported_run *run,
                  struct error *error)
{
    if (run->record.window_count > 1)
        return error_set(error, "the run has epochs already");
    for (size_t epoch = 0; epoch < curves->items[0].count; epoch++)
        if (add_epoch(curves, epoch, &run->record, error) < 0)
            return -1;
    run->tool = "curves";
    if (record_add_note(&run->record, error, "accuracy by epoch: imported from %s, without times or energies",
                        file) < 0)
        return -1;
    return imported_add_value(run, "file", file, error);
}
