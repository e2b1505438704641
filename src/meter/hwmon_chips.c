/* Sources: Linux Documentation/hwmon (sysfs-interface, amd_energy, acpi_power_meter, ina3221), Documentation/
 * ABI/testing/sysfs-driver-intel-{i915,xe}-hwmon, Documentation/gpu/amdgpu (power is the socket's; "on APUs
 * this includes the CPU"), NVIDIA Grace Performance Tuning Guide ("Power Telemetry": a Grace socket's power
 * holds its CPU rail, SoC rail and memory, a module's also the GPU), NVIDIA Jetson documentation (VDD_IN is
 * the whole module), jetson-stats' documentation of `jtop` (POM_5V_IN is a Nano's whole; boards without such
 * a rail draw the sum of their rails); rail names of TX2, Nano and Xavier from tegrastats' output. */
#include "meter/hwmon_chips.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct grade {
    double resolution, update_s, still_most_s, max_power_w, accuracy;
    const char *source;
};

static const struct grade amd_socket = {
    15.3e-6, 1e-3, 3,
    2000,    0.1,  "taken as 10 %: AMD's counters are modelled, not measured (Schoene et al., CLUSTER 2021)"};
static const struct grade grace = {
    1e-3, 0.05, 0, 5000, 0.05, "taken as 5 %: the firmware claims 100 %; no published validation"};
static const struct grade acpi = {1e-3,  1,   0,
                                  20000, 0.1, "taken as 10 %: depends on the board; no published validation"};
static const struct grade jetson = {8e-3,
                                    0,
                                    0,
                                    500,
                                    0.05,
                                    "taken as 5 %: INA3221 data sheet (gain 0.25 to 1 %, offset 80 uV of the "
                                    "shunt) and the shunt's tolerance"};
static const struct grade intel_gpu = {
    61.04e-6, 1e-3, 0, 3000, 0.05, "taken as 5 %: the card's own counter; no published validation"};
static const struct grade amd_gpu = {
    1e-3, 0, 0, 3000, 0.1, "taken as 10 %: the firmware's figure; no published validation"};
static const struct grade unknown = {1e-6, 0, 0, 0, 0.2, "taken as 20 %: nothing is known of this chip"};

/* In names "#" is the number behind the label's prefix, "@" the instance. */
struct rule {
    const char *chip;
    const char *label; /* the label's beginning; NULL: any, and none */
    bool is_energy;
    const char *name; /* NULL: left out */
    const char *whole;
    enum channel_scope scope;
    const struct grade *grade;
    double averaging_s;
    bool apart, twin, has_memory;
};

static const struct rule rules[] = {
    {"amd_energy", "Esocket", true, "package-#", NULL, SCOPE_CPU, .grade = &amd_socket},
    {"amd_energy", "Ecore", true, NULL, NULL, SCOPE_CPU, .grade = &amd_socket},
    {"power_meter", "Module Power Socket ", false, "module-#", NULL, SCOPE_PLATFORM, .grade = &grace},
    {"power_meter", "Grace Power Socket ", false, "grace-#", "module-#", SCOPE_CPU, .grade = &grace,
     .has_memory = true},
    {"power_meter", "CPU Power Socket ", false, "grace-#/cpu", "grace-#", SCOPE_CPU, .grade = &grace},
    {"power_meter", "SysIO Power Socket ", false, "grace-#/sysio", "grace-#", SCOPE_CPU, .grade = &grace},
    {"power_meter", NULL, false, "power-meter-@", NULL, SCOPE_PLATFORM, .grade = &acpi},
    {"jetson", "VDD_IN", false, "module", NULL, SCOPE_CPU, .grade = &jetson, .has_memory = true},
    {"jetson", "VDD_CPU_GPU_CV", false, "module/cpu-gpu-cv", "module", SCOPE_CPU, .grade = &jetson},
    {"jetson", "VDD_SOC", false, "module/soc", "module", SCOPE_CPU, .grade = &jetson},
    {"jetson", "VDD_GPU_SOC", false, "gpu-soc", "module", SCOPE_GPU, .grade = &jetson},
    {"jetson", "VDD_CPU_CV", false, "cpu-cv", "module", SCOPE_CPU, .grade = &jetson},
    {"jetson", "VIN_SYS_5V0", false, "system-5v", "module", SCOPE_CPU, .grade = &jetson, .has_memory = true},
    /* fed from 5 V, but whether VIN_SYS_5V0 is measured before or behind its branch is not published */
    {"jetson", "VDDQ_VDD2_1V8AO", false, "memory", NULL, SCOPE_DRAM, .grade = &jetson, .apart = true},
    /* TX2, then Nano; then Xavier AGX, which has no rail for its whole module */
    {"jetson", "VDD_SYS_CPU", false, "module/cpu", "module", SCOPE_CPU, .grade = &jetson},
    {"jetson", "VDD_SYS_GPU", false, "module/gpu", "module", SCOPE_GPU, .grade = &jetson},
    {"jetson", "VDD_SYS_SOC", false, "module/soc", "module", SCOPE_CPU, .grade = &jetson},
    {"jetson", "VDD_SYS_DDR", false, "module/memory", "module", SCOPE_DRAM, .grade = &jetson},
    {"jetson", "POM_5V_IN", false, "module", NULL, SCOPE_CPU, .grade = &jetson, .has_memory = true},
    {"jetson", "POM_5V_CPU", false, "module/cpu", "module", SCOPE_CPU, .grade = &jetson},
    {"jetson", "POM_5V_GPU", false, "module/gpu", "module", SCOPE_GPU, .grade = &jetson},
    {"jetson", "CPU", false, "module/cpu", "module", SCOPE_CPU, .grade = &jetson},
    {"jetson", "GPU", false, "module/gpu", "module", SCOPE_GPU, .grade = &jetson},
    {"jetson", "SOC", false, "module/soc", "module", SCOPE_CPU, .grade = &jetson},
    {"jetson", "CV", false, "module/cv", "module", SCOPE_CPU, .grade = &jetson},
    {"jetson", "VDDRQ", false, "module/memory", "module", SCOPE_DRAM, .grade = &jetson},
    {"jetson", "SYS5V", false, "module/system-5v", "module", SCOPE_CPU, .grade = &jetson},
    {"i915", NULL, true, "gpu-intel-@", NULL, SCOPE_GPU, .grade = &intel_gpu},
    {"i915_gt", "gt", true, "gpu-intel-@/gt-#", "gpu-intel-@", SCOPE_GPU, .grade = &intel_gpu},
    {"xe", "pkg", true, "gpu-intel-@/package", "gpu-intel-@", SCOPE_GPU, .grade = &intel_gpu},
    {"xe", NULL, true, "gpu-intel-@", NULL, SCOPE_GPU, .grade = &intel_gpu},
    {"amdgpu apu", "fastPPT", false, "apu-amd-@/fast", "apu-amd-@", SCOPE_CPU, .grade = &amd_gpu,
     .averaging_s = 0.01, .apart = true, .twin = true},
    {"amdgpu apu", "slowPPT", false, "apu-amd-@", NULL, SCOPE_CPU, .grade = &amd_gpu, .averaging_s = 5},
    {"amdgpu apu", NULL, false, "apu-amd-@", NULL, SCOPE_CPU, .grade = &amd_gpu},
    {"amdgpu", NULL, false, "gpu-amd-@", NULL, SCOPE_GPU, .grade = &amd_gpu},
};

/* What follows the prefix: digits if the rule wants a number, else nothing. */
static bool label_fits(const struct rule *rule, const char *label, uint64_t *number)
{
    *number = 0;
    if (!rule->label)
        return true;
    size_t length = strlen(rule->label);
    if (!label || strncmp(label, rule->label, length) != 0)
        return false;
    if (!rule->name || strchr(rule->name, '#'))
        return text_to_u64(label + length, number) == 0 && *number < 65536;
    return label[length] == '\0';
}

static const struct rule *find_rule(const struct hwmon_input *input, uint64_t *number)
{
    for (size_t i = 0; i < COUNT(rules); i++)
        if (strcmp(rules[i].chip, input->chip) == 0 && rules[i].is_energy == input->is_energy &&
            label_fits(&rules[i], input->label, number))
            return &rules[i];
    return NULL;
}

static char *fill_in(const char *pattern, uint64_t number, unsigned instance)
{
    struct text text = TEXT_INIT;
    text_append(&text, "");
    for (const char *at = pattern; *at; at++) {
        if (*at == '#' || *at == '@')
            text_printf(&text, "%llu", *at == '#' ? (unsigned long long)number : instance);
        else
            text_append_bytes(&text, at, 1);
    }
    return text_take(&text);
}

/* Beside everything, under its own names: what it covers would be a guess. */
static int stay_unknown(const struct hwmon_input *input, struct hwmon_meaning *meaning)
{
    AUTO_FREE char *chip = text_printable(input->chip);
    meaning->name = chip ? text_format("%s-%u/%s%u", chip, input->instance,
                                       input->is_energy ? "energy" : "power", input->number)
                         : NULL;
    meaning->channel.scope = SCOPE_PLATFORM;
    meaning->channel.apart = true;
    return meaning->name ? 1 : -1;
}

int hwmon_understand(const struct hwmon_input *input, struct hwmon_meaning *meaning)
{
    uint64_t number;
    const struct rule *rule = find_rule(input, &number);
    const struct grade *grade = rule ? rule->grade : &unknown;
    *meaning = (struct hwmon_meaning){
        .known = rule != NULL,
        .source = grade->source,
        .channel = {.kind = input->is_energy ? KIND_COUNTER : KIND_POWER,
                    .resolution = grade->resolution,
                    .update_s = grade->update_s,
                    .still_most_s = input->is_energy ? grade->still_most_s : 0,
                    .max_power_w = grade->max_power_w,
                    .accuracy = grade->accuracy},
    };
    if (!rule)
        return stay_unknown(input, meaning);
    if (!rule->name)
        return 0;
    meaning->channel.scope = rule->scope;
    meaning->channel.averaging_s = rule->averaging_s;
    meaning->channel.apart = rule->apart;
    meaning->channel.twin = rule->twin;
    meaning->channel.has_memory = rule->has_memory;
    meaning->name = fill_in(rule->name, number, input->instance);
    meaning->part_of = rule->whole ? fill_in(rule->whole, number, input->instance) : NULL;
    if (meaning->name && (meaning->part_of || !rule->whole))
        return 1;
    free(meaning->name);
    free(meaning->part_of);
    return -1;
}

const char *hwmon_group(const char *chip)
{
    static const char *const intel[] = {"i915", "i915_gt", "xe"};
    for (size_t i = 0; i < COUNT(intel); i++)
        if (strcmp(chip, intel[i]) == 0)
            return "intel gpu";
    return chip;
}

bool hwmon_parse_name(const char *name, const char *prefix, const char *suffix, unsigned *number)
{
    size_t start = strlen(prefix), end = strlen(suffix), length = strlen(name);
    if (length <= start + end || strncmp(name, prefix, start) != 0 ||
        strcmp(name + length - end, suffix) != 0)
        return false;
    AUTO_FREE char *digits = strndup(name + start, length - start - end);
    uint64_t value;
    if (!digits || text_to_u64(digits, &value) < 0 || value > 65535)
        return false;
    *number = (unsigned)value;
    return true;
}
