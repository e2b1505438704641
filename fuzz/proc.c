/* What /proc says: any text is understood or refused, and names from it are looked up without harm. */
#include "meter/cpu_tdp.h"
#include "meter/cpuinfo.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct error error = ERROR_INIT;
    struct cpuinfo info;
    if (cpuinfo_parse(text, &info, &error) == 0) {
        require(info.sockets >= 1);
        char *name = info.model ? cpu_tdp_normalise(info.model) : NULL;
        require(!name || strlen(name) <= strlen(info.model));
        free(name);
        cpuinfo_free(&info);
    }
    struct cpu_ticks ticks;
    if (cpu_ticks_parse(text, &ticks, &error) == 0)
        require(ticks.busy <= ticks.total && ticks.total > 0);
    struct cpu_ticks each[4];
    if (cpu_ticks_parse_each(text, each, 4, &error) == 0)
        for (size_t i = 0; i < 4; i++)
            require(each[i].busy <= each[i].total);
    uint64_t bytes;
    if (meminfo_parse(text, "MemTotal", &bytes, &error) == 0)
        require(bytes % 1024 == 0);
    error_clear(&error);
    free(text);
    return 0;
}
