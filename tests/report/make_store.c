/* make_store PATH KIND [REPETITIONS]: a synthetic study for the tests of the page, and for looking at. */
#include "synthetic.h"

#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *kind;
    struct synthetic synthetic;
} kinds[] = {
    {"plain", {.repetitions = 3, .troubles = true, .traced = 12, .location = "SWE"}},
    {"hostile", {.repetitions = 3, .hostile = true, .troubles = true, .traced = 6}},
    {"silent", {.repetitions = 3, .silent = true, .estimated = true, .traced = 4}},
    {"factors", {.repetitions = 2, .batches = 2, .estimated = true, .traced = 8}},
    {"single", {.repetitions = 1, .traced = 1}},
    {"walled", {.repetitions = 3, .walled = true}},
    {"unfinished", {.repetitions = 2, .unfinished = true}},
};

int main(int argc, char **argv)
{
    uint64_t repetitions = 0;
    if (argc < 3 || argc > 4 || (argc == 4 && text_to_u64(argv[3], &repetitions) < 0)) {
        fprintf(stderr, "usage: make_store PATH KIND [REPETITIONS]\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[2], kinds[i].kind) != 0)
            continue;
        struct synthetic synthetic = kinds[i].synthetic;
        if (repetitions)
            synthetic.repetitions = repetitions;
        struct error error = ERROR_INIT;
        if (synthetic_store(argv[1], &synthetic, &error) == 0)
            return 0;
        fprintf(stderr, "make_store: %s\n", error_text(&error));
        return 1;
    }
    fprintf(stderr, "make_store: no kind '%s'\n", argv[2]);
    return 2;
}
