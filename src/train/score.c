#include "train/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int confusion_init(struct confusion *confusion, size_t labels, size_t outputs, struct error *error)
{
    *confusion = (struct confusion){.labels = labels, .outputs = outputs};
    confusion->counts = calloc(labels * outputs, sizeof *confusion->counts);
    return confusion->counts ? 0 : error_memory(error, "confusion matrix");
}

void confusion_free(struct confusion *confusion)
{
    free(confusion->counts);
    *confusion = (struct confusion){0};
}

void confusion_clear(struct confusion *confusion)
{
    memset(confusion->counts, 0, confusion->labels * confusion->outputs * sizeof *confusion->counts);
}

void confusion_add(struct confusion *confusion, const int32_t *labels, const int32_t *predictions,
                   size_t count)
{
    for (size_t i = 0; i < count; i++)
        confusion->counts[(size_t)labels[i] * confusion->outputs + (size_t)predictions[i]]++;
}

static uint64_t row_sum(const struct confusion *confusion, size_t label)
{
    uint64_t sum = 0;
    for (size_t k = 0; label < confusion->labels && k < confusion->outputs; k++)
        sum += confusion->counts[label * confusion->outputs + k];
    return sum;
}

static uint64_t column_sum(const struct confusion *confusion, size_t output)
{
    uint64_t sum = 0;
    for (size_t k = 0; k < confusion->labels; k++)
        sum += confusion->counts[k * confusion->outputs + output];
    return sum;
}

double confusion_macro_f1(const struct confusion *confusion)
{
    double sum = 0;
    size_t classes = 0;
    for (size_t k = 0; k < confusion->outputs; k++) {
        uint64_t both = row_sum(confusion, k) + column_sum(confusion, k); /* 2 TP + FP + FN */
        if (both == 0)
            continue;
        uint64_t right = k < confusion->labels ? confusion->counts[k * confusion->outputs + k] : 0;
        sum += 2 * (double)right / (double)both;
        classes++;
    }
    return classes ? sum / (double)classes : NAN;
}
