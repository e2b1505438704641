#include "study/practice.h"

#include "base/text.h"
#include "record/share.h"
#include "record/windows.h"
#include "study/state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DRIFT_SHARE 0.05 /* of the power at rest over a study: more is told */

/* Takes over `line`; without memory it is left out, as notes are. */
static void append_line(char ***lines, size_t *count, char *line)
{
    char **grown = line ? reallocarray(*lines, *count + 1, sizeof *grown) : NULL;
    if (!grown) {
        free(line);
        return;
    }
    *lines = grown;
    grown[(*count)++] = line;
}

static void free_lines(char ***lines, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        free((*lines)[i]);
    free(*lines);
    *lines = NULL;
    *count = 0;
}

void practice_note(struct practice *practice, char *note)
{
    append_line(&practice->notes, &practice->note_count, note);
}

/* To the user once, to each run it is true of. */
static void warn(void *context, char *warning)
{
    struct practice *practice = context;
    if (!warning)
        return;
    size_t i = 0;
    while (i < practice->told_count && strcmp(practice->told[i], warning) != 0)
        i++;
    if (i == practice->told_count) {
        AUTO_FREE char *line = text_format("warning: %s", warning);
        practice->tell(practice->options.context, line ? line : warning);
        append_line(&practice->told, &practice->told_count, strdup(warning));
    }
    practice_note(practice, warning);
}

int practice_begin(struct practice *practice, const struct study *study, const struct rest_options *options,
                   void (*tell)(void *context, const char *line), struct error *error)
{
    *practice = (struct practice){.study = study, .options = *options, .tell = tell, .last_run = -1};
    struct machine_state state;
    state_read(options->setup, &state);
    state_warn(&state, true, warn, practice);
    state_free(&state);
    practice->revision = state_revision(study->directory);
    practice->environment = state_environment();
    if (rest_measure(study, options, &practice->rest, error) < 0)
        return -1;
    if (practice->rest.disturbed)
        warn(practice,
             strdup("the machine was not at rest when it was measured at rest: energies above idle are too "
                    "small; top lists what runs"));
    return 0;
}

int practice_before(struct practice *practice, bool cool_down, struct error *error)
{
    char *late = NULL;
    if (cool_down && rest_await(practice->study, &practice->options, &practice->rest, &late, error) < 0)
        return -1;
    if (late)
        practice_note(practice, late);
    struct machine_state state;
    state_read(practice->options.setup, &state);
    AUTO_FREE char *found = state_describe(&state);
    practice_note(practice, found ? text_format(STORE_BEFORE_RUN "%s", found) : NULL);
    state_warn(&state, false, warn, practice);
    state_free(&state);
    return 0;
}

/* In steps, so that notes of many runs can be counted together. */
static void note_disturbance(struct record *record)
{
    double share = state_disturbance(record);
    if (share > SHARE_DISTURBED)
        record_note(record, text_format(STORE_DISTURBED_SHARE "%.0f %% of the processors' busy time",
                                        10 * round(10 * share)));
}

int practice_after(struct practice *practice, struct record *record, struct error *error)
{
    for (size_t i = 0; i < practice->note_count; i++)
        record_note(record, strdup(practice->notes[i]));
    free_lines(&practice->notes, &practice->note_count);
    if (practice->revision)
        record_note(record, text_format("workload: git revision %s", practice->revision));
    if (practice->environment)
        record_note(record, text_format(STORE_ENVIRONMENT "%s", practice->environment));
    note_disturbance(record);
    if (practice->rest.baseline.channel_count == 0 || record->channel_count == 0)
        return 0;
    if (baseline_apply(&practice->rest.baseline, practice->options.setup, record, error) < 0)
        return -1;
    share_attribute(record);
    return 0;
}

static char *describe_drift(const struct rest *before, const struct rest *after, bool *drifted)
{
    double change_w = after->power_w - before->power_w;
    double noise_w = 2 * hypot(before->uncertainty_w, after->uncertainty_w);
    *drifted = fabs(change_w) > fmax(noise_w, DRIFT_SHARE * before->power_w);
    if (!isfinite(change_w))
        return strdup("at rest before and after the study: not known");
    return text_format("at rest before the study %.3g W, after it %.3g W%s", before->power_w, after->power_w,
                       *drifted ? ": the machine changed meanwhile, and energies above idle with it" : "");
}

int practice_conclude(struct practice *practice, struct store *store, struct error *error)
{
    struct rest after = {0};
    bool drifted = false;
    if (practice->last_run < 0 || practice->rest.baseline.channel_count == 0)
        return 0;
    int result = rest_measure(practice->study, &practice->options, &after, error);
    AUTO_FREE char *note = result == 0 ? describe_drift(&practice->rest, &after, &drifted) : NULL;
    if (note) {
        practice->tell(practice->options.context, note);
        result = store_add_note(store, practice->last_run, note, error);
    }
    rest_free(&after);
    return result;
}

void practice_end(struct practice *practice)
{
    rest_free(&practice->rest);
    free_lines(&practice->notes, &practice->note_count);
    free_lines(&practice->told, &practice->told_count);
    free(practice->revision);
    free(practice->environment);
    *practice = (struct practice){0};
}
