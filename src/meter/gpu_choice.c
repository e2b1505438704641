#include "meter/gpu_choice.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

/* An entry of a list between commas, without blanks around it. */
struct entry {
    const char *text;
    size_t length;
};

/* The next entry from `*at` on; false at the end. "" holds no entry, "0," holds two. */
static bool next_entry(const char **at, struct entry *entry)
{
    if (!*at)
        return false;
    const char *comma = strchr(*at, ',');
    entry->text = *at + strspn(*at, " \t");
    const char *end = comma ? comma : *at + strlen(*at);
    *at = comma ? comma + 1 : NULL;
    if (entry->text > end)
        entry->text = end;
    while (end > entry->text && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    entry->length = (size_t)(end - entry->text);
    return true;
}

static bool begins(const struct entry *entry, const char *prefix)
{
    return entry->length > strlen(prefix) && strncmp(entry->text, prefix, strlen(prefix)) == 0;
}

static bool parse_number(const char *text, size_t length, uint64_t *number)
{
    AUTO_FREE char *digits = strndup(text, length);
    return digits && text_to_u64(digits, number) == 0;
}

static void add_doubt(struct gpu_choice *choice, const char *doubt)
{
    size_t i = 0;
    while (i < GPU_DOUBTS_MOST && choice->doubts[i])
        i++;
    if (i < GPU_DOUBTS_MOST)
        choice->doubts[i] = doubt;
}

/* ---- CUDA ---- */

/* The one GPU whose UUID begins so. */
static size_t find_gpu(const struct gpu_identity *gpus, size_t count, const char *text, size_t length)
{
    size_t found = NONE;
    for (size_t i = 0; i < count; i++) {
        if (!gpus[i].uuid || strncmp(gpus[i].uuid, text, length) != 0)
            continue;
        if (found != NONE)
            return NONE;
        found = i;
    }
    return found;
}

static bool has_instance(const struct gpu_identity *gpu, const struct entry *entry, size_t *matches)
{
    size_t before = *matches;
    for (size_t i = 0; i < gpu->instance_count; i++)
        *matches += strncmp(gpu->instances[i], entry->text, entry->length) == 0;
    return *matches > before;
}

/* The GPU that holds the one instance whose UUID begins so. */
static size_t find_instance(const struct gpu_identity *gpus, size_t count, const struct entry *entry)
{
    size_t found = NONE, matches = 0;
    for (size_t i = 0; i < count; i++)
        if (has_instance(&gpus[i], entry, &matches))
            found = i;
    return matches == 1 ? found : NONE;
}

/* MIG-GPU-<UUID of the GPU>/<GPU instance>/<compute instance>, as drivers before R470 write it. */
static size_t find_old_instance(const struct gpu_identity *gpus, size_t count, const struct entry *entry)
{
    static const size_t mig = sizeof "MIG-" - 1;
    const char *slash = memchr(entry->text, '/', entry->length);
    size_t length = slash ? (size_t)(slash - entry->text) : entry->length;
    return length > mig ? find_gpu(gpus, count, entry->text + mig, length - mig) : NONE;
}

static size_t find_entry(const struct gpu_identity *gpus, size_t count, const struct entry *entry,
                         bool *by_index)
{
    if (begins(entry, "MIG-GPU-"))
        return find_old_instance(gpus, count, entry);
    if (begins(entry, "MIG-"))
        return find_instance(gpus, count, entry);
    if (begins(entry, "GPU-"))
        return find_gpu(gpus, count, entry->text, entry->length);
    uint64_t index;
    if (!parse_number(entry->text, entry->length, &index) || index >= count)
        return NONE;
    *by_index = true;
    return (size_t)index;
}

static bool same_models(const struct gpu_identity *gpus, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (!gpus[0].name || !gpus[i].name || strcmp(gpus[0].name, gpus[i].name) != 0)
            return false;
    return true;
}

static bool any_mig(const struct gpu_identity *gpus, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (gpus[i].mig)
            return true;
    return false;
}

static const char *index_doubt(const struct gpu_environment *environment, const struct gpu_identity *gpus,
                               size_t count)
{
    bool by_bus = environment->cuda_order && strcmp(environment->cuda_order, "PCI_BUS_ID") == 0;
    if (any_mig(gpus, count))
        return "with a GPU in MIG mode, CUDA's numbers need not be those of the GPUs: name instances by "
               "their UUIDs";
    if (!by_bus && !same_models(gpus, count))
        return "the GPUs are of different models, and CUDA counts the fastest first: set "
               "CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by their UUIDs";
    return NULL;
}

static void choose_visible(const struct gpu_environment *environment, const struct gpu_identity *gpus,
                           size_t count, struct gpu_choice *choice)
{
    const char *at = environment->cuda_devices[0] ? environment->cuda_devices : NULL;
    bool by_index = false, stopped = false;
    struct entry entry;
    while (!stopped && next_entry(&at, &entry)) {
        size_t found = find_entry(gpus, count, &entry, &by_index);
        if (found == NONE) {
            stopped = true;
            /* -1 is how one ends the list on purpose */
            if (entry.length != 2 || strncmp(entry.text, "-1", 2) != 0)
                add_doubt(choice,
                          "it has an entry that names no GPU here, and CUDA shows none from there on");
        } else {
            choice->ours[found] = true;
        }
    }
    choice->basis = "CUDA_VISIBLE_DEVICES";
    if (by_index)
        add_doubt(choice, index_doubt(environment, gpus, count));
}

/* ---- Slurm ---- */

/* "3" or "0-3". */
static bool parse_range(const struct entry *entry, uint64_t *first, uint64_t *last)
{
    const char *dash = memchr(entry->text, '-', entry->length);
    if (!dash)
        return parse_number(entry->text, entry->length, first) &&
               parse_number(entry->text, entry->length, last);
    size_t before = (size_t)(dash - entry->text);
    return parse_number(entry->text, before, first) &&
           parse_number(dash + 1, entry->length - before - 1, last);
}

/* False: the list is not one, or none of its GPUs is here. */
static bool choose_allocated(const char *list, const struct gpu_identity *gpus, size_t count, bool *ours)
{
    const char *at = list;
    struct entry entry;
    bool found = false;
    while (next_entry(&at, &entry)) {
        uint64_t first, last;
        if (!parse_range(&entry, &first, &last))
            return false;
        for (size_t i = 0; i < count; i++) {
            uint64_t number = gpus[i].minor >= 0 ? (uint64_t)gpus[i].minor : i;
            bool in = number >= first && number <= last;
            ours[i] = ours[i] || in;
            found = found || in;
        }
    }
    return found;
}

static void choose_all(struct gpu_choice *choice, size_t count)
{
    for (size_t i = 0; i < count; i++)
        choice->ours[i] = true;
}

static void choose_by_slurm(const struct gpu_environment *environment, const struct gpu_identity *gpus,
                            size_t count, struct gpu_choice *choice)
{
    bool step = environment->slurm_step && environment->slurm_step[0];
    choice->basis = step ? "SLURM_STEP_GPUS" : "SLURM_JOB_GPUS";
    const char *list = step ? environment->slurm_step : environment->slurm_job;
    if (choose_allocated(list, gpus, count, choice->ours))
        return;
    add_doubt(choice, "it names no GPU that is here: all that can be opened are counted");
    choose_all(choice, count);
}

int gpu_choose(const struct gpu_environment *environment, const struct gpu_identity *gpus, size_t count,
               struct gpu_choice *choice, struct error *error)
{
    *choice = (struct gpu_choice){.ours = calloc(count + 1, sizeof *choice->ours)};
    if (!choice->ours)
        return error_memory(error, "GPUs");
    if (environment->cuda_devices)
        choose_visible(environment, gpus, count, choice);
    else if ((environment->slurm_step && environment->slurm_step[0]) ||
             (environment->slurm_job && environment->slurm_job[0]))
        choose_by_slurm(environment, gpus, count, choice);
    else
        choose_all(choice, count);
    return 0;
}
