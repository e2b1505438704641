/* NVIDIA GPUs through NVML: nvmlDeviceGetTotalEnergyConsumption where a GPU has that counter, and beside it,
 * or alone, its power. docs/instruments.md says what the figures are worth.
 *
 * A GPU of this job has gpu-N, the counter, and gpu-N/power as its twin; without a counter gpu-N is the
 * power. Of a neighbour one channel is read, apart. N is NVML's index, the number that nvidia-smi shows;
 * which board it is the label tells. */
#include "base/clock.h"
#include "base/text.h"
#include "meter/driver.h"
#include "meter/gpu_choice.h"
#include "meter/nvml_api.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* NVML does not say how often its figures are renewed: every 20 to 100 ms on the GPUs of Yang, Adamek,
 * Armour, "Accurate and Convenient Energy Measurements for GPUs" (SC24). The slower is taken. */
#define UPDATE_S 0.1
/* Even an idle GPU draws watts: thousands of steps a second. */
#define STILL_MOST_S 5
/* Limits are kept on average; for moments a GPU draws more. */
#define LIMIT_MARGIN 2
/* Where no limit is told: well above any GPU sold, only to tell nonsense. */
#define MAX_POWER_W       5000
#define COUNTER_ACCURACY  0.05
#define INTEGRAL_ACCURACY 0.1

#define NO_CHANNEL SIZE_MAX

struct gpu {
    unsigned index;
    struct nvml_device *device;
    size_t energy, power; /* positions of its channels */
    bool instant;         /* power comes from the field, not from nvmlDeviceGetPowerUsage */
    bool lost;            /* is not asked any more */
};

struct meter_state {
    struct nvml nvml;
    struct gpu *gpus; /* those that can be opened */
    struct gpu_identity *identities;
    size_t count;
    size_t closed; /* how many may not be opened */
    struct channel *channels;
    size_t channel_count;
    char **notes;
    size_t note_count;
    const char *remedy; /* for what went wrong last */
};

/* What a GPU can tell, found by asking it. */
struct ability {
    int energy, power; /* nvml_result; NVML_SUCCESS: it can */
    bool instant;
    bool still; /* the counter is 0 and stays there */
    double max_power_w;
    double averaging_s;
};

/* Takes `note`. */
static int add_note(struct meter_state *state, char *note)
{
    char **notes = note ? realloc(state->notes, (state->note_count + 1) * sizeof *notes) : NULL;
    if (!notes) {
        free(note);
        return -1;
    }
    state->notes = notes;
    notes[state->note_count++] = note;
    return 0;
}

/* ---- readings ---- */

static bool is_gone(int result)
{
    return result == NVML_ERROR_GPU_IS_LOST || result == NVML_ERROR_RESET_REQUIRED;
}

static int read_energy(const struct nvml *nvml, struct nvml_device *device, double *energy_j)
{
    unsigned long long energy_mj = 0;
    int result = nvml->energy ? nvml->energy(device, &energy_mj) : NVML_ERROR_FUNCTION_NOT_FOUND;
    *energy_j = result == NVML_SUCCESS ? (double)energy_mj * 1e-3 : NAN;
    return result;
}

/* 0 W is what some drivers say when they know nothing: a GPU that answers draws power. */
static double watts(double power_mw)
{
    return power_mw > 0 ? power_mw * 1e-3 : NAN;
}

static int read_instant(const struct nvml *nvml, struct nvml_device *device, double *power_w)
{
    struct nvml_field field = {.field = NVML_FI_DEV_POWER_INSTANT, .result = NVML_ERROR_NOT_SUPPORTED};
    *power_w = NAN;
    int result = nvml->fields ? nvml->fields(device, 1, &field) : NVML_ERROR_FUNCTION_NOT_FOUND;
    if (result != NVML_SUCCESS || field.result != NVML_SUCCESS)
        return result != NVML_SUCCESS ? result : field.result;
    switch (field.type) {
    case NVML_VALUE_TYPE_UNSIGNED_INT:
        *power_w = watts(field.value.ui);
        return NVML_SUCCESS;
    case NVML_VALUE_TYPE_UNSIGNED_LONG:
        *power_w = watts((double)field.value.ul);
        return NVML_SUCCESS;
    case NVML_VALUE_TYPE_UNSIGNED_LONG_LONG:
        *power_w = watts((double)field.value.ull);
        return NVML_SUCCESS;
    default:
        return NVML_ERROR_NOT_SUPPORTED;
    }
}

static int read_usage(const struct nvml *nvml, struct nvml_device *device, double *power_w)
{
    unsigned power_mw = 0;
    int result = nvml->power ? nvml->power(device, &power_mw) : NVML_ERROR_FUNCTION_NOT_FOUND;
    *power_w = result == NVML_SUCCESS ? watts(power_mw) : NAN;
    return result;
}

static void read_gpu(const struct nvml *nvml, struct gpu *gpu, double *values)
{
    int energy = NVML_SUCCESS, power = NVML_SUCCESS;
    if (gpu->energy != NO_CHANNEL)
        values[gpu->energy] = NAN;
    if (gpu->power != NO_CHANNEL)
        values[gpu->power] = NAN;
    if (gpu->energy != NO_CHANNEL && !gpu->lost)
        energy = read_energy(nvml, gpu->device, &values[gpu->energy]);
    gpu->lost = gpu->lost || is_gone(energy);
    if (gpu->power != NO_CHANNEL && !gpu->lost)
        power = (gpu->instant ? read_instant : read_usage)(nvml, gpu->device, &values[gpu->power]);
    gpu->lost = gpu->lost || is_gone(power);
}

static int nvml_read(void *opened, double *values, struct error *error)
{
    struct meter_state *state = opened;
    for (size_t i = 0; i < state->count; i++)
        read_gpu(&state->nvml, &state->gpus[i], values);
    for (size_t i = 0; i < state->channel_count; i++)
        if (!isnan(values[i]))
            return 0;
    return error_set(error, "nvml: no GPU gave a reading");
}

/* ---- what there is ---- */

static char *read_text(int (*get)(struct nvml_device *, char *, unsigned), struct nvml_device *device)
{
    char text[NVML_TEXT_BYTES] = "";
    if (get(device, text, sizeof text) != NVML_SUCCESS || !memchr(text, '\0', sizeof text) || !text[0])
        return NULL;
    return text_printable(text);
}

static int list_instances(const struct nvml *nvml, struct nvml_device *device, struct gpu_identity *identity)
{
    unsigned most = 0;
    if (!nvml->mig_count || !nvml->mig_handle || nvml->mig_count(device, &most) != NVML_SUCCESS)
        return 0;
    identity->instances = calloc((size_t)most + 1, sizeof *identity->instances);
    if (!identity->instances)
        return -1;
    for (unsigned i = 0; i < most; i++) {
        struct nvml_device *instance;
        char *uuid =
            nvml->mig_handle(device, i, &instance) == NVML_SUCCESS ? read_text(nvml->uuid, instance) : NULL;
        if (uuid)
            identity->instances[identity->instance_count++] = uuid;
    }
    return 0;
}

static int identify(const struct nvml *nvml, struct nvml_device *device, struct gpu_identity *identity)
{
    unsigned minor = 0, mode = 0, pending = 0;
    bool has_minor = nvml->minor && nvml->minor(device, &minor) == NVML_SUCCESS;
    *identity = (struct gpu_identity){.uuid = read_text(nvml->uuid, device),
                                      .name = read_text(nvml->name, device),
                                      .minor = has_minor ? (int64_t)minor : -1};
    identity->mig = nvml->mig_mode && nvml->mig_mode(device, &mode, &pending) == NVML_SUCCESS &&
                    mode == NVML_DEVICE_MIG_ENABLE;
    return identity->mig ? list_instances(nvml, device, identity) : 0;
}

static int add_gpu(struct meter_state *state, unsigned index)
{
    struct gpu *gpu = &state->gpus[state->count];
    *gpu = (struct gpu){.index = index, .energy = NO_CHANNEL, .power = NO_CHANNEL};
    int result = state->nvml.handle(index, &gpu->device);
    if (result == NVML_SUCCESS)
        return identify(&state->nvml, gpu->device, &state->identities[state->count++]);
    state->remedy = nvml_remedy(result);
    if (result == NVML_ERROR_NO_PERMISSION || result == NVML_ERROR_OPERATING_SYSTEM) {
        state->closed++;
        return 0;
    }
    return add_note(state, text_format("gpu-%u gives no reading: %s: %s", index,
                                       nvml_words(&state->nvml, result), nvml_remedy(result)));
}

static int list_gpus(struct meter_state *state, struct error *error)
{
    unsigned count = 0;
    int result = state->nvml.count(&count);
    if (result != NVML_SUCCESS) {
        state->remedy = nvml_remedy(result);
        return error_set(error, "the GPUs can't be counted: %s", nvml_words(&state->nvml, result));
    }
    if (count == 0) {
        state->remedy =
            "see whether `nvidia-smi -L` lists one; a container or job sees only those it was given";
        return error_set(error, "the driver is loaded, but shows no GPU");
    }
    state->gpus = calloc(count, sizeof *state->gpus);
    state->identities = calloc(count, sizeof *state->identities);
    if (!state->gpus || !state->identities)
        return error_memory(error, "GPUs");
    for (unsigned i = 0; i < count; i++)
        if (add_gpu(state, i) < 0)
            return error_memory(error, "GPUs");
    return 0;
}

/* Some drivers answer a counter they lack with 0. One that has just begun moves within an update. */
static bool stands_at_zero(const struct nvml *nvml, struct nvml_device *device)
{
    double energy_j;
    if (read_energy(nvml, device, &energy_j) != NVML_SUCCESS || energy_j > 0)
        return false;
    clock_sleep_until(clock_boot_ns() + (int64_t)(1.2 * UPDATE_S * NS_PER_S));
    return read_energy(nvml, device, &energy_j) == NVML_SUCCESS && energy_j <= 0;
}

static double find_max_power_w(const struct nvml *nvml, struct nvml_device *device)
{
    unsigned least_mw = 0, most_mw = 0;
    if (nvml->limits && nvml->limits(device, &least_mw, &most_mw) == NVML_SUCCESS && most_mw > 0)
        return LIMIT_MARGIN * most_mw * 1e-3;
    if (nvml->enforced_limit && nvml->enforced_limit(device, &most_mw) == NVML_SUCCESS && most_mw > 0)
        return LIMIT_MARGIN * most_mw * 1e-3;
    return MAX_POWER_W;
}

static struct ability try_out(const struct nvml *nvml, struct nvml_device *device)
{
    double energy_j, power_w;
    struct ability ability = {.energy = read_energy(nvml, device, &energy_j),
                              .max_power_w = find_max_power_w(nvml, device),
                              .averaging_s = UPDATE_S};
    ability.still = ability.energy == NVML_SUCCESS && stands_at_zero(nvml, device);
    if (ability.still)
        ability.energy = NVML_ERROR_NOT_SUPPORTED;
    ability.instant = read_instant(nvml, device, &power_w) == NVML_SUCCESS && power_w > 0;
    if (ability.instant)
        return ability;
    ability.power = read_usage(nvml, device, &power_w);
    if (ability.power == NVML_SUCCESS && isnan(power_w))
        ability.power = NVML_ERROR_NOT_SUPPORTED;
    /* nvmlDeviceGetPowerUsage averages over 1 s from Ampere on; GA100 doesn't, which only makes it better */
    unsigned architecture = NVML_DEVICE_ARCH_UNKNOWN;
    if (nvml->architecture)
        nvml->architecture(device, &architecture);
    if (architecture >= NVML_DEVICE_ARCH_AMPERE)
        ability.averaging_s = 1;
    return ability;
}

/* ---- channels ---- */

static const char counter_source[] =
    "taken as 5 %: NVIDIA states nothing for the counter, and ± 5 % for the power of older GPUs (NVML API "
    "reference, nvmlDeviceGetPowerUsage)";
static const char twin_source[] =
    "taken as 5 %, as the counter's: beside it to compare. On A100 and H100 a power reading sees a quarter "
    "of the time (Yang, Adamek, Armour, SC24)";
static const char integral_source[] =
    "integrated from power readings, for want of an energy counter. Taken as 10 %: NVIDIA states ± 5 % for "
    "older GPUs, and readings can miss part of the time (Yang, Adamek, Armour, SC24)";

static char *make_label(const struct gpu_identity *identity)
{
    return text_format("%s, %s%s", identity->name ? identity->name : "a GPU without a name",
                       identity->uuid ? identity->uuid : "no UUID",
                       identity->mig ? ", in MIG mode: the whole GPU, with all its instances" : "");
}

/* Returns the position of the new channel, whose meter, name, label and accuracy_source are set here. */
static size_t add_channel(struct meter_state *state, const struct gpu *gpu, const struct channel *channel,
                          const char *source)
{
    struct channel *added = &state->channels[state->channel_count];
    *added = *channel;
    added->scope = SCOPE_GPU;
    added->meter = strdup("nvml");
    added->name = text_format(channel->twin ? "gpu-%u/power" : "gpu-%u", gpu->index);
    added->part_of = channel->twin ? text_format("gpu-%u", gpu->index) : NULL;
    added->label = make_label(&state->identities[gpu - state->gpus]);
    added->accuracy_source = strdup(source);
    if (added->meter && added->name && added->label && added->accuracy_source &&
        (added->part_of || !channel->twin))
        return state->channel_count++;
    channel_free(added);
    return NO_CHANNEL;
}

static int add_counter(struct meter_state *state, struct gpu *gpu, const struct ability *ability, bool ours)
{
    const struct channel counter = {.kind = KIND_COUNTER,
                                    .resolution = 1e-3,
                                    .update_s = UPDATE_S,
                                    .still_most_s = STILL_MOST_S,
                                    .max_power_w = ability->max_power_w,
                                    .accuracy = COUNTER_ACCURACY,
                                    .apart = !ours};
    gpu->energy = add_channel(state, gpu, &counter, counter_source);
    return gpu->energy == NO_CHANNEL ? -1 : 0;
}

static int add_power(struct meter_state *state, struct gpu *gpu, const struct ability *ability, bool twin,
                     bool apart)
{
    const struct channel power = {.kind = KIND_POWER,
                                  .resolution = 1e-3,
                                  .update_s = UPDATE_S,
                                  .max_power_w = ability->max_power_w,
                                  .averaging_s = ability->averaging_s,
                                  .accuracy = twin ? COUNTER_ACCURACY : INTEGRAL_ACCURACY,
                                  .apart = apart,
                                  .twin = twin};
    gpu->instant = ability->instant;
    gpu->power = add_channel(state, gpu, &power, twin ? twin_source : integral_source);
    return gpu->power == NO_CHANNEL ? -1 : 0;
}

static int note_no_reading(struct meter_state *state, const struct gpu *gpu, const struct ability *ability)
{
    const struct nvml *nvml = &state->nvml;
    const char *energy = ability->still ? "stands at 0" : nvml_words(nvml, ability->energy);
    AUTO_FREE char *label = make_label(&state->identities[gpu - state->gpus]);
    state->remedy = nvml_remedy(ability->power);
    return add_note(state, text_format("gpu-%u (%s) gives no reading: energy counter: %s; power: %s: %s",
                                       gpu->index, label ? label : "?", energy,
                                       nvml_words(nvml, ability->power), state->remedy));
}

/* Power is all that the GPU has. */
static int add_power_alone(struct meter_state *state, struct gpu *gpu, const struct ability *ability,
                           bool ours)
{
    if (add_power(state, gpu, ability, false, !ours) < 0)
        return -1;
    const char *why = ability->still ? "it stands at 0" : nvml_words(&state->nvml, ability->energy);
    if (!ours)
        return 0;
    return add_note(
        state,
        text_format("gpu-%u is integrated from power readings, for its energy counter gives nothing: %s",
                    gpu->index, why));
}

static int note_mig(struct meter_state *state, const struct gpu *gpu)
{
    return add_note(state,
                    text_format("gpu-%u is in MIG mode: its figures are the whole GPU's, with what others do "
                                "on its other instances; no instrument measures an instance",
                                gpu->index));
}

static int add_channels(struct meter_state *state, size_t i, bool ours)
{
    struct gpu *gpu = &state->gpus[i];
    const struct ability ability = try_out(&state->nvml, gpu->device);
    bool counts = ability.energy == NVML_SUCCESS, has_power = ability.power == NVML_SUCCESS;
    if (!counts && !has_power)
        return note_no_reading(state, gpu, &ability);
    if (ours && state->identities[i].mig && note_mig(state, gpu) < 0)
        return -1;
    if (!counts)
        return add_power_alone(state, gpu, &ability, ours);
    if (add_counter(state, gpu, &ability, ours) < 0)
        return -1;
    return ours && has_power ? add_power(state, gpu, &ability, true, true) : 0;
}

/* ---- whose they are ---- */

static int note_doubts(struct meter_state *state, const struct gpu_choice *choice)
{
    int result = 0;
    for (size_t i = 0; i < GPU_DOUBTS_MOST && choice->doubts[i] && result == 0; i++)
        result = add_note(state, text_format("%s: %s", choice->basis, choice->doubts[i]));
    return result;
}

static int note_choice(struct meter_state *state, const struct gpu_choice *choice)
{
    struct text ours = TEXT_INIT, others = TEXT_INIT;
    for (size_t i = 0; i < state->count; i++) {
        struct text *list = choice->ours[i] ? &ours : &others;
        text_printf(list, "%sgpu-%u", list->length ? ", " : "", state->gpus[i].index);
    }
    int result = 0;
    if (others.length)
        result = add_note(state, text_format("counted by %s: %s; others', beside the totals: %s",
                                             choice->basis, ours.length ? ours.data : "none", others.data));
    if (ours.failed || others.failed)
        result = -1;
    text_free(&ours);
    text_free(&others);
    if (result == 0 && state->closed)
        result = add_note(state, text_format("%zu of the machine's GPUs can't be opened and are not reported",
                                             state->closed));
    return result < 0 ? -1 : note_doubts(state, choice);
}

static int describe(struct meter_state *state, struct error *error)
{
    const struct gpu_environment environment = {.cuda_devices = getenv("CUDA_VISIBLE_DEVICES"),
                                                .cuda_order = getenv("CUDA_DEVICE_ORDER"),
                                                .slurm_step = getenv("SLURM_STEP_GPUS"),
                                                .slurm_job = getenv("SLURM_JOB_GPUS")};
    struct gpu_choice choice;
    state->channels = calloc(2 * state->count + 1, sizeof *state->channels);
    if (!state->channels || gpu_choose(&environment, state->identities, state->count, &choice, error) < 0)
        return error_memory(error, "GPUs");
    int result = note_choice(state, &choice);
    for (size_t i = 0; i < state->count && result == 0; i++)
        result = add_channels(state, i, choice.ours[i]);
    free(choice.ours);
    return result < 0 ? error_memory(error, "GPUs") : 0;
}

/* ---- life ---- */

static void free_identity(struct gpu_identity *identity)
{
    for (size_t i = 0; i < identity->instance_count; i++)
        free(identity->instances[i]);
    free(identity->instances);
    free(identity->uuid);
    free(identity->name);
}

static void nvml_close(void *opened)
{
    struct meter_state *state = opened;
    nvml_unload(&state->nvml);
    for (size_t i = 0; i < state->channel_count; i++)
        channel_free(&state->channels[i]);
    for (size_t i = 0; i < state->count; i++)
        free_identity(&state->identities[i]);
    for (size_t i = 0; i < state->note_count; i++)
        free(state->notes[i]);
    free(state->channels);
    free(state->identities);
    free(state->gpus);
    free(state->notes);
    free(state);
}

static int no_channels(const struct meter_state *state, struct error *error)
{
    if (state->count == 0 && state->closed)
        return error_set(error, "none of the GPUs can be opened (%zu)", state->closed);
    return error_set(error, "%s", state->note_count ? state->notes[state->note_count - 1] : "no GPU");
}

/* NULL: `*remedy` says what to do. */
static struct meter_state *open_all(const struct meter_setup *setup, struct error *error, const char **remedy)
{
    struct meter_state *state = calloc(1, sizeof *state);
    if (!state) {
        error_memory(error, "nvml");
        return NULL;
    }
    if (nvml_load(&state->nvml, meter_nvml(setup), error, remedy) < 0) {
        error_prefix(error, "nvml");
        free(state);
        return NULL;
    }
    int result = list_gpus(state, error);
    if (result == 0)
        result = describe(state, error);
    if (result == 0 && state->channel_count == 0)
        result = no_channels(state, error);
    if (result == 0)
        return state;
    error_prefix(error, "nvml");
    *remedy = state->remedy ? state->remedy : nvml_remedy(NVML_ERROR_UNKNOWN);
    nvml_close(state);
    return NULL;
}

static void *nvml_open(const struct meter_setup *setup, const struct channel **channels, size_t *count,
                       struct error *error)
{
    const char *remedy;
    struct meter_state *state = open_all(setup, error, &remedy);
    if (!state)
        return NULL;
    *channels = state->channels;
    *count = state->channel_count;
    return state;
}

static void nvml_probe(const struct meter_setup *setup, struct meter_probe *probe)
{
    struct error error = ERROR_INIT;
    const char *remedy;
    struct meter_state *state = open_all(setup, &error, &remedy);
    *probe = (struct meter_probe){.usable = state != NULL};
    if (state)
        nvml_close(state);
    else
        driver_unusable(probe, strdup(error_text(&error)), strdup(remedy));
    error_clear(&error);
}

static const char *const *nvml_notes(void *opened, size_t *count)
{
    const struct meter_state *state = opened;
    *count = state->note_count;
    return (const char *const *)state->notes;
}

const struct meter_driver nvml_driver = {
    .name = "nvml",
    .purpose = "energy counters and power of NVIDIA GPUs (NVML)",
    .probe = nvml_probe,
    .open = nvml_open,
    .notes = nvml_notes,
    .read = nvml_read,
    .close = nvml_close,
};
