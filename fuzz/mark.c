/* Datagrams from anybody: whatever is accepted keeps the promises of mark.h. */
#include "mark/mark.h"

#include <math.h>
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
    struct mark mark;
    struct mark_owner *owner;
    struct error error = ERROR_INIT;
    if (mark_parse((const char *)data, size, &mark, &owner, &error) == 0) {
        require(size <= MARK_BYTES_MOST && mark.metric_count <= MARK_METRICS_MOST && mark.boot_ns >= 0);
        require(mark.kind != MARK_NOTE || mark.text);
        require((mark.kind != MARK_BEGIN && mark.kind != MARK_END) || mark.window);
        require(!mark.window || (mark.window[0] && strlen(mark.window) < size));
        for (size_t i = 0; i < mark.metric_count; i++)
            require(mark.metrics[i].name[0] && isfinite(mark.metrics[i].value));
        mark_owner_free(owner);
    } else {
        require(owner == NULL && error.message);
    }
    error_clear(&error);
    return 0;
}
