/* The texts in which Linux describes RAPL: any is understood or refused; what is understood is in bounds. */
#include "meter/rapl_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_cpus(const char *text, struct error *error)
{
    struct rapl_cpus cpus;
    if (rapl_parse_cpus(text, &cpus, error) < 0) {
        require(!cpus.items && cpus.count == 0);
        return;
    }
    for (size_t i = 0; i < cpus.count; i++)
        require(cpus.items[i] <= RAPL_CPU_MOST && (i == 0 || cpus.items[i] > cpus.items[i - 1]));
    free(cpus.items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct error error = ERROR_INIT;
    try_cpus(text, &error);
    uint64_t config;
    if (rapl_parse_event(text, &config, &error) == 0)
        require(config <= 0xff);
    double scale_j;
    if (rapl_parse_scale(text, &scale_j, &error) == 0)
        require(scale_j > 0 && scale_j <= 1000);
    struct rapl_entry entry;
    if (rapl_parse_entry(text, &entry))
        require(entry.zone < 65535 && entry.sub <= 65535);
    uint32_t package, die;
    bool dies;
    if (rapl_parse_package(text, &package, &die, &dies))
        require(package < 65535 && die < 65535 && (dies || die == 0));
    error_clear(&error);
    free(text);
    return 0;
}
