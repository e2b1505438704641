/* The answer in sentences: what bought the most accuracy for its energy, by how much, and how sure that is.
 */
#include "report/analysis.h"

#include "base/text.h"
#include "base/units.h"
#include "carbon/where.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SENTENCES_MOST = 12 };

static int say(struct report *report, struct text *sentence, struct error *error)
{
    char *text = report_keep(report, text_take(sentence), error);
    if (!text)
        return -1;
    report->sentences[report->sentence_count++] = text;
    return 0;
}

static void append_energy(struct text *text, double energy_j)
{
    AUTO_FREE char *energy = units_energy(energy_j);
    text_append(text, energy ? energy : "");
}

static void append_accuracy(struct text *text, const struct report *report, double accuracy)
{
    if (report->accuracy_is_fraction)
        text_printf(text, "%.1f %%", accuracy * 100);
    else
        text_printf(text, "%.4g", accuracy);
}

/* " (95 % interval 1.2 kJ to 1.4 kJ)", or nothing where there is none. */
static void append_interval(struct text *text, const struct report *report, const struct summary *summary,
                            void (*append)(struct text *, const struct report *, double))
{
    if (!isfinite(summary->low))
        return;
    text_append(text, " (95 % interval ");
    append(text, report, summary->low);
    text_append(text, " to ");
    append(text, report, summary->high);
    text_append(text, ")");
}

static void append_energy_of(struct text *text, const struct report *report, double energy_j)
{
    (void)report;
    append_energy(text, energy_j);
}

/* What the reader compares: "architecture", or the main factor's name. */
static const char *noun(const struct report *report)
{
    if (report->main_factor == SIZE_MAX)
        return "setting";
    return strncmp(report->factors[report->main_factor].name, "arch", 4) == 0 ? "network" : "setting";
}

static bool apart(const struct summary *a, const struct summary *b)
{
    return a->low > b->high || b->low > a->high;
}

/* "; the 95 % intervals of their accuracies do not overlap", or why that can't be said. */
static void append_overlap(struct text *text, const char *figures, const struct summary *a,
                           const struct summary *b)
{
    if (!isfinite(a->low) || !isfinite(b->low))
        text_append(text, "; one of the two was run once only, so nothing is known of chance");
    else
        text_printf(text, "; the 95 %% intervals of their %s %s", figures,
                    apart(a, b) ? "do not overlap" : "overlap");
}

static void append_judgement(struct text *text, const struct ratio *ratio)
{
    if (!isfinite(ratio->low)) {
        text_append(text, " (no interval: too few repetitions)");
        return;
    }
    text_printf(text, " (95 %% interval %.2f to %.2f): ", ratio->low, ratio->high);
    bool differs = ratio->low > 1 || ratio->high < 1;
    text_append(text, differs ? "more than repetitions scatter" : "no more than repetitions scatter");
}

/* The ratio of a figure between two groups; where logarithms don't exist (an accuracy of 0), that of the
 * means. */
static int compare(struct report *report, enum run_figure figure, size_t a, size_t b, double plain,
                   struct ratio *ratio, struct error *error)
{
    double *of_a = report_alloc(report, report->run_count, sizeof *of_a, error);
    double *of_b = report_alloc(report, report->run_count, sizeof *of_b, error);
    if (!of_a || !of_b)
        return -1;
    size_t a_count = report_values(report, a, figure, of_a), b_count = report_values(report, b, figure, of_b);
    if (!stats_ratio(of_a, a_count, of_b, b_count, ratio))
        *ratio = (struct ratio){plain, NAN, NAN};
    return 0;
}

static int say_by_how_much(struct report *report, size_t scored, struct error *error)
{
    const struct group *best = &report->groups[0], *second = &report->groups[1];
    struct text text = TEXT_INIT;
    if (scored < 2)
        return 0;
    struct ratio ratio;
    const struct summary *s = &best->score_per_kwh, *t = &second->score_per_kwh;
    if (compare(report, FIGURE_SCORE, 0, 1, s->mean / t->mean, &ratio, error) < 0)
        return -1;
    if (fabs(ratio.ratio - 1) < 0.005)
        text_printf(&text, "%s, the next, gave as much accuracy per joule", second->label);
    else if (isfinite(ratio.ratio))
        text_printf(&text, "Per joule that is %.2f times the accuracy of %s, the next", ratio.ratio,
                    second->label);
    else
        text_printf(&text, "Next is %s", second->label);
    append_judgement(&text, &ratio);
    append_overlap(&text, "scores", s, t);
    text_append(&text, ".");
    return say(report, &text, error);
}

static int say_most_accurate(struct report *report, struct error *error)
{
    const struct group *best = &report->groups[0], *top = best;
    for (size_t i = 1; i < report->group_count; i++)
        if (report->groups[i].score_per_kwh.count && report->groups[i].accuracy.mean > top->accuracy.mean)
            top = &report->groups[i];
    struct text text = TEXT_INIT;
    if (top == best) {
        text_printf(&text, "%s was also the most accurate.", best->label);
        return say(report, &text, error);
    }
    text_printf(&text, "The most accurate was %s: ", top->label);
    append_accuracy(&text, report, top->accuracy.mean);
    append_interval(&text, report, &top->accuracy, append_accuracy);
    text_append(&text, " for ");
    append_energy(&text, top->energy_j.mean);
    text_printf(&text, ", %.2f times the energy of %s", top->energy_j.mean / best->energy_j.mean,
                best->label);
    append_overlap(&text, "accuracies", &top->accuracy, &best->accuracy);
    text_append(&text, ".");
    return say(report, &text, error);
}

/* The groups that have a score and are (not) on the front, "a, b, c and 4 more". Returns how many. */
static size_t list_groups(struct text *text, const struct report *report, bool front)
{
    enum { NAMED_MOST = 6 };
    size_t count = 0;
    for (size_t i = 0; i < report->group_count; i++) {
        const struct group *group = &report->groups[i];
        if (group->score_per_kwh.count && group->front == front && count++ < NAMED_MOST)
            text_printf(text, "%s%s", count > 1 ? ", " : "", group->label);
    }
    if (count > NAMED_MOST)
        text_printf(text, " and %zu more", count - NAMED_MOST);
    return count;
}

static int say_front(struct report *report, struct error *error)
{
    struct text text = TEXT_INIT, beaten = TEXT_INIT;
    text_append(&text, "On the Pareto front: ");
    list_groups(&text, report, true);
    size_t off = list_groups(&beaten, report, false);
    AUTO_FREE char *names = text_take(&beaten);
    if (off)
        text_printf(&text, ". Not on it: %s; some other %s was at least as accurate for no more energy.",
                    names ? names : "", noun(report));
    else
        text_append(&text, ": more accuracy always cost more energy.");
    return say(report, &text, error);
}

static int answer_with_accuracy(struct report *report, size_t scored, struct error *error)
{
    const struct group *best = &report->groups[0];
    struct text headline = TEXT_INIT;
    text_append(&headline, best->label);
    text_append(&headline, scored > 1 ? " bought the most accuracy per joule: " : " reached ");
    append_accuracy(&headline, report, best->accuracy.mean);
    text_append(&headline, " for ");
    append_energy(&headline, best->energy_j.mean);
    text_append(&headline, best->estimated ? " (estimated)." : ".");
    report->headline = report_keep(report, text_take(&headline), error);
    if (!report->headline || say_by_how_much(report, scored, error) < 0)
        return -1;
    if (scored < 2)
        return 0;
    return say_most_accurate(report, error) < 0 ? -1 : say_front(report, error);
}

static int answer_with_energy(struct report *report, size_t measured, struct error *error)
{
    const struct group *best = &report->groups[0];
    struct text headline = TEXT_INIT;
    text_append(&headline, best->label);
    text_append(&headline, measured > 1 ? " used the least energy: " : " used ");
    append_energy(&headline, best->energy_j.mean);
    text_append(&headline, best->estimated ? " a run, estimated" : " a run");
    append_interval(&headline, report, &best->energy_j, append_energy_of);
    text_append(&headline, ".");
    report->headline = report_keep(report, text_take(&headline), error);
    if (!report->headline)
        return -1;
    if (measured < 2)
        return 0;
    const struct group *second = &report->groups[1];
    struct ratio ratio;
    if (compare(report, FIGURE_ENERGY, 1, 0, second->energy_j.mean / best->energy_j.mean, &ratio, error) < 0)
        return -1;
    struct text text = TEXT_INIT;
    text_printf(&text, "%s, the next, used %.2f times as much", second->label, ratio.ratio);
    append_judgement(&text, &ratio);
    append_overlap(&text, "energies", &best->energy_j, &second->energy_j);
    text_append(&text, ".");
    return say(report, &text, error);
}

static int say_how_sure(struct report *report, struct error *error)
{
    double most = NAN;
    size_t estimated = 0, measured = 0;
    for (size_t i = 0; i < report->group_count; i++) {
        const struct group *group = &report->groups[i];
        most = fmax(most, group->instrument_uncertainty);
        estimated += group->estimated;
        measured += group->energy_j.count > 0;
    }
    struct text text = TEXT_INIT;
    if (estimated && estimated == measured)
        text_append(&text, report->imported ? "All energies hold a model's estimates"
                                            : "All energies are estimates from a model, not measurements");
    else if (estimated)
        text_printf(&text, "The energies of %zu of %zu %ss are estimates from a model, not measurements",
                    estimated, measured, noun(report));
    else
        text_append(&text, "The intervals show how repetitions scatter");
    if (isfinite(most))
        text_printf(
            &text,
            "; beyond that, a single run's energy is uncertain by %s%.2g %% (standard uncertainty), much of "
            "which all runs share",
            measured > 1 ? "up to " : "", most * 100);
    text_append(&text, ".");
    return say(report, &text, error);
}

static int say_view(struct report *report, struct error *error)
{
    struct text text = TEXT_INIT;
    text_printf(&text,
                report->repaired
                    ? "Repaired: the energies of %zu runs are reconstructed by the audit, not measured; of "
                      "their epochs "
                      "nothing is told."
                    : "Without the energies of %zu runs, which the audit does not hold for sound.",
                report->replaced);
    return say(report, &text, error);
}

static int say_imported(struct report *report, struct error *error)
{
    struct text text = TEXT_INIT;
    text_printf(&text, "Energies of %zu runs are from elsewhere and as published", report->imported);
    if (report->impossible + report->doubtful > 0)
        text_printf(&text,
                    "; the audit holds %zu of them, totals included, impossible and %zu doubtful: `joulery "
                    "audit` says why",
                    report->impossible, report->doubtful);
    text_append(&text, ".");
    return say(report, &text, error);
}

/* An answer that rests on figures that can't be must not stand there as if it didn't. */
static int doubt_headline(struct report *report, struct error *error)
{
    report->headline =
        report_keep(report, text_format("By energies that can't be: %s", report->headline), error);
    return report->headline ? 0 : -1;
}

static int say_progress(struct report *report, struct error *error)
{
    size_t left = report->planned - report->states[RUN_DONE] - report->states[RUN_FAILED];
    if (left == 0 && report->states[RUN_FAILED] == 0)
        return 0;
    struct text text = TEXT_INIT;
    text_printf(&text, "%zu of %zu planned runs are done", report->states[RUN_DONE], report->planned);
    if (report->states[RUN_FAILED])
        text_printf(&text, ", %zu failed", report->states[RUN_FAILED]);
    if (left)
        text_printf(&text, ", %zu %s still to come", left, left == 1 ? "is" : "are");
    text_append(&text, ".");
    return say(report, &text, error);
}

/* Without masses: a page may be asked for another PUE, which leaves the factor as it is. */
static int say_where(struct report *report, struct error *error)
{
    const struct where_request request = {
        .energy_j = J_PER_KWH, .here = report->location, .pue = report->pue};
    const struct place_list list = {report->among, report->among_count};
    struct where where;
    if (where_rank(&request, &list, &where, error) < 0)
        return -1;
    char *sentence = where_sentence(&where, false);
    where_free(&where);
    if (!sentence)
        return 0;
    struct text text = TEXT_INIT;
    text_append(&text, sentence);
    free(sentence);
    return say(report, &text, error);
}

int report_conclude(struct report *report, struct error *error)
{
    report->sentences = report_alloc(report, SENTENCES_MOST, sizeof *report->sentences, error);
    if (!report->sentences)
        return -1;
    size_t scored = 0, measured = 0;
    for (size_t i = 0; i < report->group_count; i++) {
        scored += report->groups[i].score_per_kwh.count > 0;
        measured += report->groups[i].energy_j.count > 0;
    }
    if ((report->repaired || report->sound) && say_view(report, error) < 0)
        return -1;
    int result = report->imported && report->impossible && !report->repaired && !report->sound
                     ? say_imported(report, error)
                     : 0;
    if (result < 0)
        return -1;
    if (scored)
        result = answer_with_accuracy(report, scored, error);
    else if (measured)
        result = answer_with_energy(report, measured, error);
    else {
        report->headline = report->sound && report->replaced
                               ? "No energy is left that the audit holds for sound."
                               : "No instrument gave an energy.";
        result = 0;
    }
    if (result < 0 || (measured && say_how_sure(report, error) < 0))
        return -1;
    if (report->imported && !report->repaired && !report->sound &&
        (report->impossible ? doubt_headline(report, error) : say_imported(report, error)) < 0)
        return -1;
    if (measured && report->among_count > 0 && say_where(report, error) < 0)
        return -1;
    return say_progress(report, error);
}

/* Ranges of runs add up: they are of the same sources. Nothing is said where there is none, or of a run not.
 */
static void append_range(struct text *lines, const struct report *report, double energy_j)
{
    double low_kg = 0, high_kg = 0, kg_per_g = carbon_emissions_kg(energy_j, report->pue, 1);
    for (size_t i = 0; i < report->run_count; i++) {
        const struct run *run = &report->runs[i];
        if (run->state != RUN_DONE || !isfinite(run->energy_j))
            continue;
        low_kg += carbon_emissions_kg(run->energy_j, report->pue, run->low_g_per_kwh);
        high_kg += carbon_emissions_kg(run->energy_j, report->pue, run->high_g_per_kwh);
    }
    if (!(high_kg > low_kg))
        return;
    AUTO_FREE char *low = units_mass(low_kg), *high = units_mass(high_kg);
    text_printf(lines, "; %s to %s by the range of its intensity, %.0f to %.0f g/kWh", low ? low : "",
                high ? high : "", low_kg / kg_per_g, high_kg / kg_per_g);
}

static void append_embodied(struct text *lines, const struct report *report)
{
    if (!(report->embodied.machine_kg_co2e > 0))
        return;
    AUTO_FREE char *text = embodied_text(&report->embodied, report_done_s(report));
    text_printf(lines, "Beside that: %s.\n", text ? text : "");
}

static void append_emissions(struct text *lines, const struct report *report)
{
    double energy_j = 0, kg = 0;
    for (size_t i = 0; i < report->run_count; i++)
        if (report->runs[i].state == RUN_DONE && isfinite(report->runs[i].energy_j)) {
            energy_j += report->runs[i].energy_j;
            kg += report_run_kg(report, &report->runs[i]);
        }
    if (energy_j == 0)
        return;
    AUTO_FREE char *energy = units_energy(energy_j);
    text_printf(lines, "All %zu runs together: %s", report->states[RUN_DONE], energy ? energy : "");
    if (!report->place) {
        text_append(lines, "; --location PLACE says what that emits.\n");
        append_embodied(lines, report);
        return;
    }
    AUTO_FREE char *mass = units_mass(kg);
    text_printf(lines, ", %s CO2e in %s; PUE %.2f%s%s", mass ? mass : "", report->place, report->pue,
                report->pue_own ? " of " : "", report->pue_own ? report->location->pue_source : "");
    append_range(lines, report, energy_j);
    text_append(lines, ".\n");
    if (report->hourly_trouble)
        text_printf(lines, "By the hour: %s\n", report->hourly_trouble);
    append_embodied(lines, report);
}

/* Names from a study must not steer the reader's terminal. */
static void disarm(char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' && *text != '\n') || *text == 0x7f)
            *text = '?';
}

/* What no wattmeter measured stands apart from what the sentences are about. */
static void append_calibrated(struct text *lines, const struct report *report)
{
    if (!report->calibration)
        return;
    text_printf(lines, "At the wall, predicted where no wattmeter measured (calibration of %s%s):\n",
                report->calibration, report->calibration_estimated ? "; estimated" : "");
    for (size_t i = 0; i < report->group_count; i++) {
        const struct group *group = &report->groups[i];
        if (group->calibrated == 0)
            continue;
        text_printf(lines, "  %s: ", group->label);
        append_energy(lines, group->calibrated_j);
        text_append(lines, " (95 % interval ");
        append_energy(lines, group->calibrated_low_j);
        text_append(lines, " to ");
        append_energy(lines, group->calibrated_high_j);
        text_printf(lines, "), mean of %zu %s\n", group->calibrated, group->calibrated == 1 ? "run" : "runs");
    }
    for (size_t i = 0; i < report->calibration_note_count; i++)
        text_printf(lines, "  %lld runs: %s\n", (long long)report->calibration_notes[i].runs,
                    report->calibration_notes[i].text);
}

char *report_answer(const struct report *report)
{
    struct text lines = TEXT_INIT;
    text_printf(&lines, "%s\n", report->headline);
    for (size_t i = 0; i < report->sentence_count; i++)
        text_printf(&lines, "%s\n", report->sentences[i]);
    append_emissions(&lines, report);
    append_calibrated(&lines, report);
    char *answer = text_take(&lines);
    if (answer)
        disarm(answer);
    return answer;
}
