/* /proc/PID/stat: whatever a process calls itself, its fields are found or the text is refused. */
#include "base/process.h"

#include <ctype.h>
#include <stdbool.h>
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
    struct process process;
    if (process_parse(text, &process, &error) == 0)
        require(process.pid > 0 && process.parent >= 0 && process.group >= 0 &&
                isalpha((unsigned char)process.state));
    else
        require(error_text(&error)[0] != '\0');
    error_clear(&error);
    free(text);
    return 0;
}
