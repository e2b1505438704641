/* What the wall drew in runs without a wattmeter, by a calibration: worked out when asked, like emissions. */
#include "report/analysis.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

enum { NOTES_MOST = 20 }; /* that differ; many hold a figure of their run */

/* Counts a warning once more. Takes over `text`. */
static int note(struct report *report, char *text, struct error *error)
{
    char *kept = report_keep(report, text, error);
    size_t i = 0;
    if (!kept)
        return -1;
    while (i < report->calibration_note_count && strcmp(report->calibration_notes[i].text, kept) != 0)
        i++;
    if (i >= NOTES_MOST) {
        i = NOTES_MOST - 1;
        report->calibration_notes[i].text = "further warnings of the kinds above, or others";
    } else if (i == report->calibration_note_count)
        report->calibration_notes[report->calibration_note_count++].text = kept;
    report->calibration_notes[i].runs++;
    return 0;
}

static int note_warnings(struct report *report, const struct calibrated *calibrated, struct error *error)
{
    for (size_t i = 0; i < calibrated->warning_count; i++)
        if (note(report, strdup(calibrated->warnings[i]), error) < 0)
            return -1;
    return 0;
}

static int predict(struct report *report, struct store *store, const struct calibration *calibration,
                   struct run *run, struct error *error)
{
    struct record record;
    struct error why = ERROR_INIT;
    struct calibrated predicted = {0};
    int result = store_read_record(store, run->id, &record, error);
    if (result == 0 && calibration_predict(calibration, &record, 0, &predicted, &why) < 0)
        result = note(report, text_format("not predicted: %s", error_text(&why)), error);
    else if (result == 0)
        result = note_warnings(report, &predicted, error);
    run->calibrated = predicted;
    run->calibrated.calibration = NULL;
    run->calibrated.warnings = NULL;
    run->calibrated.warning_count = 0;
    calibrated_free(&predicted);
    error_clear(&why);
    record_free(&record);
    return result;
}

/* All runs share the calibration's error, so that the bounds of a mean are the means of bounds. */
static void add_to_group(struct report *report, const struct run *run)
{
    if (run->group == NO_GROUP)
        return;
    struct group *group = &report->groups[run->group];
    double n = (double)++group->calibrated;
    group->calibrated_j += (run->calibrated.wall_j - group->calibrated_j) / n;
    group->calibrated_low_j += (run->calibrated.low_j - group->calibrated_low_j) / n;
    group->calibrated_high_j += (run->calibrated.high_j - group->calibrated_high_j) / n;
}

int report_calibrate(struct report *report, struct store *store, const struct calibration *calibration,
                     struct error *error)
{
    size_t predicted = 0, wanting = 0;
    report->calibration = report_keep(report, calibration_describe(calibration), error);
    report->calibration_estimated = calibration_is_estimated(calibration);
    report->calibration_notes = report_alloc(report, NOTES_MOST, sizeof *report->calibration_notes, error);
    if (!report->calibration || !report->calibration_notes)
        return -1;
    for (size_t i = 0; i < report->run_count; i++) {
        struct run *run = &report->runs[i];
        if (run->state != RUN_DONE || isfinite(run->hardware_j))
            continue;
        wanting++;
        if (predict(report, store, calibration, run, error) < 0)
            return -1;
        predicted += run->calibrated.known;
        if (run->calibrated.known)
            add_to_group(report, run);
    }
    if (wanting && !predicted)
        return error_set(error, "the calibration fits no run: %s", report->calibration_notes[0].text);
    return 0;
}
