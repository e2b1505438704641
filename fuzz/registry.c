/* Answers of whoever holds a recorder's name: what is accepted keeps the promises of registry.h. */
#include "record/registry.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct registry_answer answer;
    struct error error = ERROR_INIT;
    if (registry_parse_answer((const char *)data, size, &answer, &error) == 0) {
        require(size <= REGISTRY_ANSWER_MOST && (!answer.job || answer.job[0]));
        require(!answer.marks || answer.marks[0] == '/');
        registry_answer_free(&answer);
    } else {
        require(!answer.job && !answer.marks && error.message);
    }
    error_clear(&error);
    return 0;
}
