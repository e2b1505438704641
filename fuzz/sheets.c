/* Data sheets from a file: understood or refused, and what is understood can be written and applied. */
#include "record/sheets.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sheets sheets;
    struct error error = ERROR_INIT;
    if (sheets_parse((const char *)data, size, &sheets, &error) == 0) {
        struct channel channel = {
            .meter = (char[]){"rapl"}, .name = (char[]){"package-0"}, .kind = KIND_POWER, .update_s = 1};
        sheets_apply(&sheets, &channel, 1);
        if (!(channel.update_s > 0) || !(channel.averaging_s >= 0) || !(channel.resolution >= 0))
            abort();
        json_t *json = sheets_to_json(&sheets);
        if (!json)
            abort();
        json_decref(json);
    }
    sheets_free(&sheets);
    error_clear(&error);
    return 0;
}
