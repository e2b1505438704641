/* Text from outside that tells of containers, chips and GPUs: any is understood or passed over. */
#include "meter/surroundings.h"
#include "meter/amd_visible.h"
#include "meter/hwmon_chips.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void understand(const char *label, bool is_energy)
{
    static const char *const chips[] = {"amd_energy", "power_meter", "jetson", "i915_gt",
                                        "xe",         "amdgpu apu",  "amdgpu"};
    for (size_t i = 0; i <= sizeof chips / sizeof *chips; i++) {
        bool table = i < sizeof chips / sizeof *chips;
        const struct hwmon_input input = {
            .chip = table ? chips[i] : label, .label = label, .is_energy = is_energy, .number = 1};
        struct hwmon_meaning meaning;
        if (hwmon_understand(&input, &meaning) != 1)
            continue;
        require(meaning.name && *meaning.name && meaning.source);
        require(meaning.known || meaning.channel.apart); /* what is not known is in no total */
        free(meaning.name);
        free(meaning.part_of);
    }
}

static void choose(const char *list)
{
    const struct kfd_node nodes[3] = {{.unique_id = 1}, {.unique_id = 0xabcdef}, {0}};
    size_t chosen[3] = {0, 1, 2}, count = 3;
    amd_visible_filter(list, nodes, chosen, &count);
    require(count <= 3);
    for (size_t i = 0; i < count; i++)
        require(chosen[i] < 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    (void)surroundings_of_cgroups(text);
    (void)surroundings_of_mounts(text);
    understand(text, true);
    understand(text, false);
    choose(text);
    struct kfd_node node;
    kfd_node_parse(text, &node);
    unsigned number;
    if (hwmon_parse_name(text, "power", "_input", &number))
        require(number <= 65535);
    free(text);
    return 0;
}
