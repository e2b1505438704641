/* Each check on rows that it is for, and the reconstructions: golden_repair.py made their values. */
#include "audit/audit.h"

#include "base/file.h"
#include "base/text.h"
#include "exchange/import.h"
#include "known_places.h"
#include "report/compare.h"
#include "report/report.h"
#include "synthetic.h"

#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER                                                                                               \
    "timestamp,run_id,duration,cpu_power,gpu_power,ram_power,cpu_energy,gpu_energy,ram_energy,energy_"       \
    "consumed,"                                                                                              \
    "cpu_model,gpu_count,ram_total_size\n"
/* 135 W of design power */
#define XEON "Intel(R) Xeon(R) CPU E5-2698 v4 @ 2.20GHz"

struct shop {
    char *folder, *database;
    struct store *store;
};

static int open_shop(void **state)
{
    struct error error = ERROR_INIT;
    struct shop *shop = calloc(1, sizeof *shop);
    char folder[] = "/tmp/joulery-audit-XXXXXX";
    shop->folder = strdup(mkdtemp(folder));
    shop->database = file_join(shop->folder, "p.db");
    shop->store = store_open(shop->database, STORE_WRITE, &error);
    *state = shop;
    return shop->store ? 0 : -1;
}

static int close_shop(void **state)
{
    struct shop *shop = *state;
    store_close(shop->store);
    AUTO_FREE char *command = text_format("rm -rf '%s'", shop->folder);
    int result = system(command);
    free(shop->folder);
    free(shop->database);
    free(shop);
    return result;
}

typedef int import_function(struct store *store, const struct import_request *request,
                            struct import_outcome *outcome, struct error *error);

static void import(struct shop *shop, import_function *function, const char *path, const char *level,
                   uint32_t sockets)
{
    struct error error = ERROR_INIT;
    struct import_outcome outcome;
    const struct plan_factor factor = {(char *)"arch", (char *)level};
    const struct import_request request = {.files = &path,
                                           .file_count = 1,
                                           .study = "published",
                                           .factors = &factor,
                                           .factor_count = 1,
                                           .repetition = 1,
                                           .sockets = sockets,
                                           .channel = "wall"};
    if (function(shop->store, &request, &outcome, &error) < 0)
        fail_msg("%s", error_text(&error));
    import_outcome_free(&outcome);
}

static void import_text(struct shop *shop, import_function *function, const char *text, const char *level,
                        uint32_t sockets)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = file_join(shop->folder, "file");
    assert_int_equal(file_write(path, text, strlen(text), &error), 0);
    import(shop, function, path, level, sockets);
}

/* The two published runs. */
static void import_published(struct shop *shop, uint32_t sockets)
{
    static const char *const networks[] = {"vgg16", "resnet50"};
    for (size_t i = 0; i < 2; i++) {
        AUTO_FREE char *emissions =
            text_format("%s/imported/%s_emissions.csv", getenv("JOULERY_TEST_DATA"), networks[i]);
        AUTO_FREE char *wattmeter =
            text_format("%s/imported/%s_wattmeter.json", getenv("JOULERY_TEST_DATA"), networks[i]);
        AUTO_FREE char *accuracy =
            text_format("%s/imported/%s_accuracy.txt", getenv("JOULERY_TEST_DATA"), networks[i]);
        import(shop, import_codecarbon, emissions, networks[i], sockets);
        import(shop, import_wattmeter, wattmeter, networks[i], 0);
        import(shop, import_accuracy, accuracy, networks[i], 0);
    }
}

static struct audit audit(struct shop *shop)
{
    struct audit audit;
    struct error error = ERROR_INIT;
    if (audit_build(shop->store, &audit, &error) < 0)
        fail_msg("%s", error_text(&error));
    return audit;
}

static const struct figure *figure_of(const struct audited_run *run, const char *name)
{
    const struct figure *whole[] = {&run->whole, &run->epochs, &run->software, &run->hardware};
    for (size_t i = 0; i < 4; i++)
        if (strcmp(whole[i]->name, name) == 0)
            return whole[i];
    for (size_t i = 0; i < run->channel_count; i++)
        if (strcmp(run->channels[i].name, name) == 0)
            return &run->channels[i];
    fail_msg("no figure %s", name);
    return NULL;
}

static const struct finding *finding_of(const struct figure *figure, const char *check)
{
    for (size_t i = 0; i < figure->finding_count; i++)
        if (strcmp(figure->findings[i].check, check) == 0)
            return &figure->findings[i];
    return NULL;
}

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * (1 + fabs(expected))))
        fail_msg("expected %.15g, found %.15g", expected, value);
}

static void both_published_processors_are_impossible(void **state)
{
    struct shop *shop = *state;
    import_published(shop, 2);
    struct audit a = audit(shop);
    assert_int_equal(a.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct audited_run *run = &a.runs[i];
        assert_int_equal(figure_of(run, "cpu")->verdict, VERDICT_IMPOSSIBLE);
        assert_int_equal(figure_of(run, "gpu")->verdict, VERDICT_SOUND);
        assert_int_equal(figure_of(run, "ram")->verdict, VERDICT_DOUBTFUL);
        assert_int_equal(figure_of(run, "wall")->verdict, VERDICT_SOUND);
        assert_int_equal(run->software.verdict, VERDICT_IMPOSSIBLE);
        assert_int_equal(run->hardware.verdict, VERDICT_SOUND);
        assert_int_equal(run->whole.finding_count, 0);
        assert_non_null(finding_of(figure_of(run, "ram"), "constant"));
    }
    const struct figure *first = figure_of(&a.runs[0], "cpu"), *second = figure_of(&a.runs[1], "cpu");
    assert_non_null(finding_of(first, "negative"));
    assert_string_equal(finding_of(first, "closing power")->reason,
                        "a mean power of -39.8 W, where the closing power of the same row is 208 W");
    assert_string_equal(finding_of(second, "closing power")->reason,
                        "a mean power of 15 W, where the closing power of the same row is 159 W");
    assert_int_equal(a.figures[VERDICT_IMPOSSIBLE], 4);
    assert_int_equal(a.reconstructions, 2);
    AUTO_FREE char *text = audit_text(&a);
    assert_non_null(strstr(text, "1.09 MJ ± 214 kJ, a mean power of 199.7 W, if 5 counter ranges of"));
    assert_non_null(strstr(text, "2 runs, 2 with findings; energies: 6 sound, 2 doubtful, 4 impossible\n"));
    json_t *json = audit_to_json(&a);
    assert_string_equal(json_string_value(json_object_get(json, "schema")), "joulery.audit/1");
    json_t *cpu =
        json_array_get(json_object_get(json_array_get(json_object_get(json, "runs"), 0), "figures"), 0);
    assert_string_equal(json_string_value(json_object_get(cpu, "verdict")), "impossible");
    near(json_number_value(json_object_get(json_object_get(cpu, "reconstruction"), "wraps")), 5);
    json_decref(json);
    audit_free(&a);
}

/* ---- reconstructions ---- */

struct golden {
    const char *name;
    double wraps, least, most, energy_j, uncertainty_j;
};

static void same_reconstruction(const struct figure *figure, const struct golden *golden)
{
    const struct reconstruction *r = &figure->reconstruction;
    if (!r->possible || r->wraps != golden->wraps || r->least_wraps != golden->least ||
        r->most_wraps != golden->most)
        fail_msg("%s: expected %g (%g to %g), found %g (%g to %g)", golden->name, golden->wraps,
                 golden->least, golden->most, r->wraps, r->least_wraps, r->most_wraps);
    near(r->energy_j, golden->energy_j);
    near(r->uncertainty_j, golden->uncertainty_j);
}

static void published_ranges(struct shop *shop, uint32_t sockets, const struct golden golden[2])
{
    import_published(shop, sockets);
    struct audit a = audit(shop);
    for (size_t i = 0; i < 2; i++) {
        same_reconstruction(figure_of(&a.runs[i], "cpu"), &golden[i]);
        near(a.runs[i].repaired_j - a.runs[i].software.energy_j,
             golden[i].energy_j - figure_of(&a.runs[i], "cpu")->energy_j);
    }
    audit_free(&a);
}

static void lost_ranges_are_put_back(void **state)
{
    static const struct golden golden[] = {
        {"vgg16, 2 sockets", 5, 4, 6, 1093058.1997543836, 214039.1317190375},
        {"resnet50, 2 sockets", 4, 2, 6, 1147623.7293262675, 370726.65094530024},
    };
    published_ranges(*state, 2, golden);
}

static void without_sockets_more_would_fit(void **state)
{
    static const struct golden golden[] = {
        {"vgg16, 0 sockets", 5, 4, 9, 1093058.1997543836, 595859.724918169},
        {"resnet50, 0 sockets", 4, 2, 7, 1147623.7293262675, 466487.4725632378},
    };
    published_ranges(*state, 0, golden);
}

static void the_wall_bounds_a_reconstruction(void **state)
{
    struct shop *shop = *state;
    static const struct golden near_wall = {"near the wall", 3, 2, 3, 822429.98655, 185363.32547265012};
    static const struct golden alone = {"one alone", 1, 1, 1, 82143.32884999999, 75674.26073890604};
    import_text(shop, import_codecarbon, HEADER "2022-01-01T05:00:00,a,10000,100,,,0.01,0,0.01,0.02,,,\n",
                "x", 0);
    import_text(shop, import_wattmeter, "{\"joules\": 900000}", "x", 0);
    import_text(shop, import_codecarbon, HEADER "2022-01-02T05:00:00,b,2000,50,,,-0.05,0,0.01,-0.04,,,\n",
                "y", 0);
    /* between 49 and 51 W nothing is a whole number of ranges away */
    import_text(shop, import_codecarbon, HEADER "2022-01-03T05:00:00,c,100,50,,,-0.05,0,0.01,-0.04,,,\n", "z",
                0);
    struct audit a = audit(shop);
    same_reconstruction(figure_of(&a.runs[0], "cpu"), &near_wall);
    same_reconstruction(figure_of(&a.runs[1], "cpu"), &alone);
    const struct figure *none = figure_of(&a.runs[2], "cpu");
    assert_true(!none->reconstruction.possible && none->verdict == VERDICT_IMPOSSIBLE);
    assert_non_null(finding_of(none, "lost ranges"));
    assert_true(isnan(a.runs[2].repaired_j));
    audit_free(&a);
}

/* ---- each check, and the same row without its reason ---- */

static void each_check_finds_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *row, *figure, *check;
        uint32_t sockets;
        int verdict; /* -1: no such finding */
    } cases[] = {
        {"2022-01-01T05:00:00,a,100,50,,,-0.001,0,0.001,0,,,", "cpu", "negative", 0, VERDICT_IMPOSSIBLE},
        {"2022-01-01T05:00:00,a,100,50,,,0.001,0,0.001,0.002,,,", "cpu", "negative", 0, -1},
        /* 36 W against 50, 80, 200 W and 5 W */
        {"2022-01-01T05:00:00,a,100,50,,,0.001,0,0.001,0.002,,,", "cpu", "closing power", 0, -1},
        {"2022-01-01T05:00:00,a,100,80,,,0.001,0,0.001,0.002,,,", "cpu", "closing power", 0,
         VERDICT_DOUBTFUL},
        {"2022-01-01T05:00:00,a,100,200,,,0.001,0,0.001,0.002,,,", "cpu", "closing power", 0,
         VERDICT_IMPOSSIBLE},
        {"2022-01-01T05:00:00,a,100,5,,,0.001,0,0.001,0.002,,,", "cpu", "closing power", 0,
         VERDICT_IMPOSSIBLE},
        {"2022-01-01T05:00:00,a,100,0,,,0.001,0,0.001,0.002,,,", "cpu", "closing power", 0, -1},
        {"2022-01-01T05:00:00,a,100,,80,,0.001,0.001,0,0.002,,1,", "gpu", "closing power", 0,
         VERDICT_DOUBTFUL},
        /* 7.2 W for one processor or two */
        {"2022-01-01T05:00:00,a,100,8,,,0.0002,0,0,0.0002," XEON ",,", "cpu", "power floor", 1, -1},
        {"2022-01-01T05:00:00,a,100,8,,,0.0002,0,0,0.0002," XEON ",,", "cpu", "power floor", 2,
         VERDICT_DOUBTFUL},
        /* 144 W, for two minutes and more; 216 W */
        {"2022-01-01T05:00:00,a,1000,144,,,0.04,0,0,0.04," XEON ",,", "cpu", "power ceiling", 1,
         VERDICT_DOUBTFUL},
        {"2022-01-01T05:00:00,a,1000,144,,,0.04,0,0,0.04," XEON ",,", "cpu", "power ceiling", 2, -1},
        {"2022-01-01T05:00:00,a,1000,144,,,0.04,0,0,0.04," XEON ",,", "cpu", "power ceiling", 0, -1},
        {"2022-01-01T05:00:00,a,100,144,,,0.004,0,0,0.004," XEON ",,", "cpu", "power ceiling", 1, -1},
        {"2022-01-01T05:00:00,a,100,216,,,0.006,0,0,0.006," XEON ",,", "cpu", "power ceiling", 1,
         VERDICT_IMPOSSIBLE},
        {"2022-01-01T05:00:00,a,100,42.5,,,0.00118,0,0,0.00118,,,", "cpu", "constant", 0, VERDICT_DOUBTFUL},
        {"2022-01-01T05:00:00,a,100,67.5,,,0.00187,0,0,0.00187," XEON ",,", "cpu", "constant", 0,
         VERDICT_DOUBTFUL},
        {"2022-01-01T05:00:00,a,100,67.6,,,0.00187,0,0,0.00187," XEON ",,", "cpu", "constant", 0, -1},
        {"2022-01-01T05:00:00,a,100,50,,24,0.001,0,0.0006,0.0016,,,64", "ram", "constant", 0,
         VERDICT_DOUBTFUL},
        {"2022-01-01T05:00:00,a,100,50,,20,0.001,0,0.0006,0.0016,,,64", "ram", "constant", 0, -1},
        {"2022-01-01T05:00:00,a,100,50,,,0.001,0,0.001,0.0021,,,", "software total", "sum", 0,
         VERDICT_DOUBTFUL},
        {"2022-01-01T05:00:00,a,100,50,,,0.001,0,0.001,0.0009,,,", "software total", "sum", 0,
         VERDICT_IMPOSSIBLE},
        {"2022-01-01T05:00:00,a,100,50,,,0.001,0,0.001,0.002,,,", "software total", "sum", 0, -1},
        {"2022-01-01T05:00:00,a,100,50,,,-0.001,0,0.002,0.001,,,", "software total", "parts", 0,
         VERDICT_IMPOSSIBLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *opened;
        assert_int_equal(open_shop(&opened), 0);
        struct shop *shop = opened;
        AUTO_FREE char *text = text_format(HEADER "%s\n", cases[i].row);
        import_text(shop, import_codecarbon, text, "x", cases[i].sockets);
        struct audit a = audit(shop);
        const struct finding *found = finding_of(figure_of(&a.runs[0], cases[i].figure), cases[i].check);
        int verdict = found ? (int)found->verdict : -1;
        if (verdict != cases[i].verdict)
            fail_msg("case %zu, %s: expected %d, found %d", i, cases[i].check, cases[i].verdict, verdict);
        audit_free(&a);
        assert_int_equal(close_shop(&opened), 0);
    }
}

static void software_above_the_wall_is_impossible(void **state)
{
    struct shop *shop = *state;
    import_text(shop, import_codecarbon, HEADER "2022-01-01T05:00:00,a,100,40,,,0.001,0,0.001,0.002,,,\n",
                "x", 0);
    import_text(shop, import_wattmeter, "{\"joules\": 7000, \"timeExecution\": 104}", "x", 0);
    struct audit a = audit(shop);
    assert_int_equal(finding_of(&a.runs[0].software, "above the wall")->verdict, VERDICT_IMPOSSIBLE);
    assert_null(finding_of(figure_of(&a.runs[0], "cpu"), "above the wall"));
    assert_string_equal(finding_of(&a.runs[0].hardware, "time")->reason,
                        "the wattmeter measured over 104.0 s, the run took 100.0 s");
    audit_free(&a);
}

static void rows_are_held_against_each_other(void **state)
{
    struct shop *shop = *state;
    import_text(shop, import_codecarbon,
                HEADER "2022-01-01T05:00:00,a,100,50,,,0.001,0,0.001,0.002,,,\n"
                       "2022-01-01T05:01:00,b,90,50,,,0.001,0,0.001,0.002,,,\n"
                       "2022-01-01T05:10:00,c,100,50,,,0.001,0,0.001,0.002,,,\n"
                       "2022-01-01T05:20:00,c,700,50,,,0.006,0,0.002,0.008,,,\n",
                "x", 0);
    import_text(shop, import_wattmeter, "{\"joules\": 9000}", "x", 0);
    struct audit a = audit(shop);
    assert_int_equal(a.runs[0].whole.finding_count, 0);
    const struct finding *overlap = finding_of(&a.runs[1].whole, "overlap");
    assert_int_equal(strncmp(overlap->reason, "30 s of it lie within run 1", 27), 0);
    assert_string_equal(finding_of(&a.runs[2].whole, "duplicate")->reason,
                        "duration and energies are those of run 1, to the last digit");
    assert_string_equal(finding_of(&a.runs[3].whole, "cumulative rows")->reason,
                        "its row went on counting from line 4: the energies are differences of the two");
    audit_free(&a);
}

/* ---- who reads it ---- */

static void comparisons_say_whether_they_are_as_published_or_repaired(void **state)
{
    struct shop *shop = *state;
    struct error error = ERROR_INIT;
    struct comparison c;
    import_published(shop, 2);
    assert_int_equal(compare_build(shop->store, &(struct compare_options){0}, &c, &error), 0);
    near(c.rows[0].software_j, 0.7670784047056007 * 3.6e6);
    near(c.rows[0].hardware_j, 5511969.694178497);
    assert_true(isnan(c.rows[0].software_uncertainty_j) && !c.repaired && c.imported);
    AUTO_FREE char *published = compare_text(&c);
    assert_non_null(strstr(published, "as published: `joulery audit` says which energies can't be"));
    compare_free(&c);
    assert_int_equal(compare_build(shop->store, &(struct compare_options){.repaired = true}, &c, &error), 0);
    near(c.rows[0].software_j, 0.7670784047056007 * 3.6e6 + 5 * 262143.328850);
    near(c.rows[1].software_j, 1.0278920174311055 * 3.6e6 + 4 * 262143.328850);
    near(c.rows[1].reconstruction_uncertainty_j, 370726.65094530024);
    assert_int_equal(c.reconstructed, 2);
    AUTO_FREE char *repaired = compare_text(&c);
    assert_non_null(strstr(repaired, "repaired: the energies of 2 of 2 runs are reconstructed by the audit"));
    json_t *json = compare_to_json(&c);
    assert_true(json_is_true(json_object_get(json, "repaired")));
    json_decref(json);
    compare_free(&c);
    const char *const gpu[] = {"codecarbon/gpu"};
    const struct compare_options untouched = {.software = gpu, .software_count = 1, .repaired = true};
    assert_int_equal(compare_build(shop->store, &untouched, &c, &error), 0);
    assert_true(c.reconstructed == 0 && isnan(c.rows[0].software_uncertainty_j));
    compare_free(&c);
    const struct compare_options epochs = {.repaired = true, .epochs = true};
    assert_int_equal(compare_build(shop->store, &epochs, &c, &error), -1);
    assert_non_null(strstr(error_text(&error), "--repaired goes with whole runs"));
    error_clear(&error);
}

static void a_report_says_what_the_audit_holds(void **state)
{
    struct shop *shop = *state;
    struct error error = ERROR_INIT;
    import_published(shop, 2);
    struct report *report =
        report_build(shop->store, &(struct report_options){.places = known_places()}, &error);
    if (!report)
        fail_msg("%s", error_text(&error));
    AUTO_FREE char *answer = report_answer(report);
    assert_non_null(
        strstr(answer, "Energies of 2 runs are from elsewhere and as published; the audit holds 4 of them, "
                       "totals included, impossible and 2 doubtful"));
    size_t size;
    AUTO_FREE char *page = report_page(report, &size, &error);
    assert_non_null(page);
    report_free(report);
}

static struct report *report_in_view(struct shop *shop, bool repaired, bool sound)
{
    struct error error = ERROR_INIT;
    struct report *report =
        report_build(shop->store,
                     &(struct report_options){
                         .places = known_places(), .location = "FRA", .repaired = repaired, .sound = sound},
                     &error);
    if (!report)
        fail_msg("%s", error_text(&error));
    return report;
}

/* Everything a report says of energies is of one view, and it says which. */
static void a_report_can_be_had_repaired_or_sound(void **state)
{
    struct shop *shop = *state;
    import_published(shop, 2);
    static const char *const views[] = {"published", "repaired", "sound"};
    double means[3] = {NAN, NAN, NAN};
    for (size_t i = 0; i < 3; i++) {
        struct report *report = report_in_view(shop, i == 1, i == 2);
        json_t *json = report_to_json(report);
        assert_string_equal(json_string_value(json_object_get(json, "view")), views[i]);
        assert_int_equal(json_integer_value(json_object_get(json, "replaced")), i ? 2 : 0);
        json_t *group = json_array_get(json_object_get(json, "groups"), 0),
               *energy = json_object_get(group, "energy_j");
        means[i] = json_number_value(json_object_get(energy, "mean"));
        assert_int_equal(json_is_null(energy), i == 2);
        json_t *comparison = json_object_get(json, "comparison");
        assert_int_equal(json_is_object(comparison), i != 2);
        assert_int_equal(json_is_true(json_object_get(comparison, "repaired")), i == 1);
        AUTO_FREE char *answer = report_answer(report);
        assert_int_equal(strstr(answer, "Repaired: the energies of 2 runs") != NULL, i == 1);
        assert_int_equal(strstr(answer, "Without the energies of 2 runs") != NULL, i == 2);
        json_decref(json);
        report_free(report);
    }
    assert_true(means[1] > 1.2 * means[0]);
}

static void the_database_keeps_what_was_published(void **state)
{
    struct shop *shop = *state;
    import_published(shop, 2);
    struct audit a = audit(shop);
    audit_free(&a);
    sqlite3_stmt *row;
    assert_int_equal(sqlite3_prepare_v2(store_database(shop->store),
                                        "SELECT energy_j FROM energies WHERE run = 1 AND channel = 'cpu'", -1,
                                        &row, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    near(sqlite3_column_double(row, 0), -0.06046067902656009 * 3.6e6);
    sqlite3_finalize(row);
}

/* ---- what a store keeps of channels and runs: on a synthetic study, and the same without its reason ---- */

static void make_study(struct shop *shop, const struct synthetic *synthetic)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = file_join(shop->folder, "study.db");
    if (synthetic_store(path, synthetic, &error) < 0)
        fail_msg("%s", error_text(&error));
    store_close(shop->store);
    shop->store = store_open(path, STORE_WRITE, &error);
    assert_non_null(shop->store);
}

static void change(struct shop *shop, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(store_database(shop->store), sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
}

static void sound_studies_have_no_findings(void **state)
{
    (void)state;
    static const struct synthetic studies[] = {
        {.repetitions = 3, .troubles = true}, {.repetitions = 3, .walled = true},
        {.repetitions = 3, .apart = true},    {.repetitions = 3, .silent = true, .estimated = true},
        {.repetitions = 2, .batches = 2},
    };
    for (size_t i = 0; i < sizeof studies / sizeof *studies; i++) {
        void *opened;
        assert_int_equal(open_shop(&opened), 0);
        make_study(opened, &studies[i]);
        struct audit a = audit(opened);
        AUTO_FREE char *text = audit_text(&a);
        assert_non_null(strstr(text, ", 0 with findings;"));
        audit_free(&a);
        assert_int_equal(close_shop(&opened), 0);
    }
}

/* Run 1 took 25.67 s, its epochs 4.62 s; package-0 (channel 0) has 27.125 W and 696.29 J, its cores (1), in
 * 6.1e-5 J steps, three quarters of that. */
#define MIRROR                                                                                               \
    "UPDATE energy SET energy_j = (SELECT energy_j FROM energy e WHERE e.run = energy.run AND e.window = "   \
    "energy.window AND e.channel = 0) WHERE channel = 1;"
#define IDLE(power, uncertainty)                                                                             \
    "UPDATE channel SET idle_w = " power ", idle_uncertainty_w = " uncertainty " WHERE ordinal = 0;"
#define TWIN(factor, uncertainty)                                                                            \
    MIRROR "UPDATE channel SET twin = 1, apart = 1, kind = 'power' WHERE ordinal = 1;"                       \
           "UPDATE energy SET energy_j = energy_j * " factor " WHERE channel = 1;"                           \
           "UPDATE energy SET uncertainty_j = energy_j * " uncertainty ";"
#define PART(factor, uncertainty)                                                                            \
    MIRROR "UPDATE energy SET energy_j = energy_j * " factor " WHERE channel = 1;"                           \
           "UPDATE energy SET uncertainty_j = energy_j * " uncertainty ";"
/* a package is in the total though it is part of psys, and psys is not */
#define PSYS                                                                                                 \
    "UPDATE channel SET scope = 'platform' WHERE ordinal = 2;"                                               \
    "UPDATE channel SET part_of = 'dram-0' WHERE ordinal = 0;"
#define LOAD(machine, command) "UPDATE run SET machine_cpu_s = " machine ", command_cpu_s = " command ";"
#define NOTE(percent)                                                                                        \
    "INSERT INTO note VALUES (1, 'disturbed: other programs took about " percent                             \
    " % of the processors'' busy "                                                                           \
    "time');"

static const struct {
    const char *sql, *figure, *check;
    int verdict; /* -1: no such finding */
    struct synthetic synthetic;
} stored[] = {
    {MIRROR, "package-0/core", "mirrored", VERDICT_DOUBTFUL, {0}},
    {MIRROR, "package-0", "mirrored", VERDICT_DOUBTFUL, {0}},
    {MIRROR, "software total", "parts", VERDICT_DOUBTFUL, {0}},
    {MIRROR, "dram-0", "mirrored", -1, {0}},
    {MIRROR, "package-0", "mirrored", -1, {.silent = true}},
    {MIRROR "UPDATE energy SET energy_j = energy_j + 1e-4 WHERE channel = 1 AND window = 2",
     "package-0",
     "mirrored",
     -1,
     {0}},
    {MIRROR "UPDATE channel SET resolution = 1", "package-0", "mirrored", -1, {0}},
    {MIRROR "UPDATE channel SET resolution = 0.6", "package-0", "mirrored", VERDICT_DOUBTFUL, {0}},
    {IDLE("28.6", "0.1"), "package-0", "below idle", VERDICT_DOUBTFUL, {0}},
    {IDLE("28.5", "0.1"), "package-0", "below idle", -1, {0}},
    {IDLE("30", "1"), "package-0", "below idle", -1, {0}},
    {IDLE("30", "0.9"), "package-0", "below idle", VERDICT_DOUBTFUL, {0}},
    {IDLE("54", "0.1"), "package-0", "below idle", VERDICT_DOUBTFUL, {0}},
    {IDLE("54.5", "0.1"), "package-0", "below idle", VERDICT_IMPOSSIBLE, {0}},
    {IDLE("28.6", "0.1") "UPDATE energy SET gap_s = 2.5 WHERE channel = 0",
     "package-0",
     "below idle",
     -1,
     {0}},
    {IDLE("60", "0.1"), "cpu", "below idle", -1, {.estimated = true}},
    {"UPDATE channel SET update_s = 5 WHERE ordinal = 0", "epochs", "update period", VERDICT_DOUBTFUL, {0}},
    {"UPDATE channel SET update_s = 5 WHERE ordinal = 0", "package-0", "update period", -1, {0}},
    {"UPDATE channel SET update_s = 4.5 WHERE ordinal = 0", "epochs", "update period", -1, {0}},
    {"UPDATE channel SET update_s = 26 WHERE ordinal = 0",
     "package-0",
     "update period",
     VERDICT_DOUBTFUL,
     {0}},
    {"UPDATE channel SET update_s = 26 WHERE ordinal = 1", "package-0/core", "update period", -1, {0}},
    {"UPDATE channel SET update_s = 26 WHERE ordinal = 1", "epochs", "update period", -1, {0}},
    {"UPDATE channel SET resolution = 70 WHERE ordinal < 2",
     "package-0",
     "resolution",
     VERDICT_DOUBTFUL,
     {0}},
    {"UPDATE channel SET resolution = 70 WHERE ordinal < 2", "package-0/core", "resolution", -1, {0}},
    {"UPDATE channel SET resolution = 69 WHERE ordinal < 2", "package-0", "resolution", -1, {0}},
    {"UPDATE channel SET resolution = 2.8, kind = 'power' WHERE ordinal = 0",
     "package-0",
     "resolution",
     VERDICT_DOUBTFUL,
     {0}},
    {"UPDATE channel SET resolution = 2.7, kind = 'power' WHERE ordinal = 0",
     "package-0",
     "resolution",
     -1,
     {0}},
    {TWIN("0.9", "0.02"), "package-0", "twin", VERDICT_DOUBTFUL, {0}},
    {TWIN("0.9", "0.02"), "package-0/core", "twin", VERDICT_DOUBTFUL, {0}},
    {TWIN("0.93", "0.02"), "package-0", "twin", -1, {0}},
    {TWIN("0.94", "0.001"), "package-0", "twin", VERDICT_DOUBTFUL, {0}},
    {TWIN("0.96", "0.001"), "package-0", "twin", -1, {0}},
    {TWIN("0.9", "0.02") "UPDATE channel SET averaging_s = 1 WHERE ordinal = 1",
     "package-0",
     "twin",
     -1,
     {0}},
    {TWIN("1", "0.02"), "package-0", "mirrored", -1, {0}},
    {PART("1.1", "0.02"), "package-0", "part above whole", VERDICT_DOUBTFUL, {0}},
    {PART("1.1", "0.02"), "package-0/core", "part above whole", VERDICT_DOUBTFUL, {0}},
    {PART("1.08", "0.02"), "package-0/core", "part above whole", -1, {0}},
    {PART("1.04", "0.001"), "package-0/core", "part above whole", -1, {0}},
    {PART("0.9", "0.001"), "package-0/core", "part above whole", -1, {0}},
    {PSYS "UPDATE channel SET resolution = 70 WHERE ordinal = 0",
     "software total",
     "parts",
     VERDICT_DOUBTFUL,
     {0}},
    {PSYS, "dram-0", "part above whole", VERDICT_DOUBTFUL, {0}},
    {PSYS, "package-0", "part above whole", -1, {0}},
    {PSYS "UPDATE channel SET resolution = 70 WHERE ordinal = 2", "dram-0", "resolution", -1, {0}},
    {TWIN("1.1", "0.02"), "package-0", "part above whole", -1, {0}},
    {LOAD("30", "20"), "run", "other load", VERDICT_DOUBTFUL, {0}},
    {LOAD("30", "27.5"), "run", "other load", -1, {0}},
    {NOTE("30"), "run", "other load", VERDICT_DOUBTFUL, {0}},
    {NOTE("10"), "run", "other load", VERDICT_DOUBTFUL, {0}},
    {NOTE("30") LOAD("30", "27.5"), "run", "other load", -1, {0}},
};

static void each_check_of_a_store_finds_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
        void *opened;
        struct synthetic synthetic = stored[i].synthetic;
        synthetic.repetitions = 3;
        assert_int_equal(open_shop(&opened), 0);
        make_study(opened, &synthetic);
        change(opened, stored[i].sql);
        struct audit a = audit(opened);
        const struct finding *found = finding_of(figure_of(&a.runs[0], stored[i].figure), stored[i].check);
        int verdict = found ? (int)found->verdict : -1;
        if (verdict != stored[i].verdict)
            fail_msg("case %zu, %s: expected %d, found %d", i, stored[i].check, stored[i].verdict, verdict);
        audit_free(&a);
        assert_int_equal(close_shop(&opened), 0);
    }
}

static void findings_of_epochs_and_runs_say_how_much(void **state)
{
    struct shop *shop = *state;
    make_study(shop, &(struct synthetic){.repetitions = 3});
    change(shop, LOAD("30", "20") "UPDATE channel SET update_s = 5 WHERE ordinal = 0");
    struct audit a = audit(shop);
    assert_string_equal(finding_of(&a.runs[0].whole, "other load")->reason,
                        "other programs took 33 % of the processors' busy time");
    assert_string_equal(finding_of(&a.runs[0].epochs, "update period")->reason,
                        "5 of 5 are shorter than the 5 s in which rapl/package-0 has a new "
                        "reading: their energies are shares of what came in between");
    assert_int_equal(a.runs[0].software.verdict, VERDICT_SOUND);
    json_t *json = audit_to_json(&a);
    json_t *epochs = json_object_get(json_array_get(json_object_get(json, "runs"), 0), "epochs");
    assert_string_equal(json_string_value(json_object_get(epochs, "verdict")), "doubtful");
    assert_int_equal(json_array_size(json_object_get(epochs, "findings")), 1);
    json_decref(json);
    audit_free(&a);
}

/* 72 W in the row's energies: its closing power says whether a PUE of 1.5 is in them. */
static void a_divided_pue_is_said_and_doubted_where_powers_contradict(void **state)
{
    struct shop *shop = *state;
    import_text(
        shop, import_codecarbon,
        "timestamp,run_id,duration,cpu_power,ram_power,cpu_energy,gpu_energy,ram_energy,energy_consumed,"
        "pue\n"
        "2022-01-01T05:00:00,a,100,24,24,0.001,0,0.001,0.002,1.5\n"
        "2022-01-01T06:00:00,b,101,36,36,0.001,0,0.001,0.002,1.5\n"
        "2022-01-01T07:00:00,c,100,36,36,0.001,0,0.001,0.002,1\n"
        "2022-01-01T08:00:00,d,102,,,0.001,0,0.001,0.002,1.5\n",
        "x", 0);
    struct audit a = audit(shop);
    const int verdicts[] = {VERDICT_SOUND, VERDICT_DOUBTFUL, -1, VERDICT_SOUND};
    for (size_t i = 0; i < 4; i++) {
        const struct finding *found = finding_of(&a.runs[i].software, "PUE");
        assert_int_equal(found ? (int)found->verdict : -1, verdicts[i]);
    }
    assert_int_equal(a.runs[0].software.verdict, VERDICT_SOUND);
    near(a.runs[0].software.energy_j, 0.002 * 3.6e6 / 1.5);
    audit_free(&a);
}

#define IN_SHOP(test) cmocka_unit_test_setup_teardown(test, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SHOP(both_published_processors_are_impossible),
        IN_SHOP(lost_ranges_are_put_back),
        IN_SHOP(without_sockets_more_would_fit),
        IN_SHOP(the_wall_bounds_a_reconstruction),
        cmocka_unit_test(each_check_finds_its_own),
        IN_SHOP(software_above_the_wall_is_impossible),
        IN_SHOP(rows_are_held_against_each_other),
        cmocka_unit_test(sound_studies_have_no_findings),
        cmocka_unit_test(each_check_of_a_store_finds_its_own),
        IN_SHOP(findings_of_epochs_and_runs_say_how_much),
        IN_SHOP(a_divided_pue_is_said_and_doubted_where_powers_contradict),
        IN_SHOP(comparisons_say_whether_they_are_as_published_or_repaired),
        IN_SHOP(a_report_says_what_the_audit_holds),
        IN_SHOP(a_report_can_be_had_repaired_or_sound),
        IN_SHOP(the_database_keeps_what_was_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
