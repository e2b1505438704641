/* Study files of any bytes: a message or a study, and from that its fingerprint, plan and commands. */
#include "study/design.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct study *study)
{
    struct error error = ERROR_INIT;
    struct planned_run *plan;
    size_t count;
    free(study_fingerprint(study));
    size_t treatments;
    if (design_treatments(study, NULL, &treatments, &error) < 0 ||
        treatments * (size_t)study->repetitions > 1000 ||
        design_plan(study, &plan, &count, &error) < 0) /* large plans are only slow */
        return;
    struct design_places places = {"trainer", "scratch"};
    char **command = design_command(study, &plan[count - 1], &places, &error);
    if (!command)
        abort(); /* study_parse has checked all placeholders */
    design_command_free(command);
    design_free(plan, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct study *study = study_parse("fuzz.yaml", (const char *)data, size, &error);
    if (study)
        use(study);
    else if (!error.message)
        abort(); /* a refusal says why */
    study_free(study);
    error_clear(&error);
    return 0;
}
