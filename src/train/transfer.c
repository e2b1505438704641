/* The options of transfer learning: a head of one's own, a frozen base. */
#include "base/text.h"
#include "train/program.h"

#include <stdlib.h>
#include <string.h>

size_t *head_parse(const char *text, size_t *count, struct error *error)
{
    *count = 1;
    for (const char *c = text; *c; c++)
        *count += *c == ',';
    AUTO_FREE char *copy = strdup(text);
    size_t *units = calloc(*count, sizeof *units);
    if (!copy || !units) {
        free(units);
        error_memory(error, "head");
        return NULL;
    }
    char *rest = copy;
    for (size_t i = 0; i < *count; i++) {
        uint64_t value;
        const char *part = strsep(&rest, ",");
        if (text_to_u64(part, &value) < 0 || value == 0 || value > 1000000) {
            error_set(error,
                      "expected the units of its dense layers, 1 to 1000000 each, with commas between them, "
                      "such as 4096,4096; found '%s'",
                      text);
            free(units);
            return NULL;
        }
        units[i] = (size_t)value;
    }
    return units;
}

int training_set_head(struct training *training, const char *text, struct error *error)
{
    size_t count;
    training->head = head_parse(text, &count, error);
    if (!training->head)
        return error_prefix(error, "--head");
    training->zoo.head = training->head;
    training->zoo.head_count = count;
    return 0;
}

int transfer_apply(const struct transfer *transfer, struct training *training, struct error *error)
{
    bool base = transfer->freeze && strcmp(transfer->freeze, "base") == 0;
    if (transfer->freeze && !base && strcmp(transfer->freeze, "none") != 0)
        return error_set(error, "--freeze: expected base or none, found '%s'", transfer->freeze);
    if (transfer->head && training_set_head(training, transfer->head, error) < 0)
        return -1;
    if (transfer->dropout > 0 && !transfer->head)
        return error_set(error, "--dropout is of the head that --head makes: give both");
    if (transfer->cache_features && !base)
        return error_set(error, "--cache-features needs --freeze base: what learns gives other features each "
                                "time");
    if (transfer->cache_features && augmentation_any(&training->train.augment))
        return error_set(error, "--cache-features: --augment changes the images each epoch: remove one");
    training->zoo.dropout = transfer->dropout;
    training->zoo.freeze_base = base;
    training->train.cache_features = transfer->cache_features;
    return 0;
}
