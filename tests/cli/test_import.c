/* joulery import, audit and compare on published runs, as a user would. */
#include "base/text.h"
#include "shop.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int open_shop(void **state)
{
    *state = shop_open(NULL, 0);
    return *state ? 0 : -1;
}

static int close_shop(void **state)
{
    return shop_close(*state);
}

#define FILES "D=$JOULERY_TEST_DATA/imported\n"

static void import_published(struct shop *shop)
{
    static const char script[] =
        FILES "set -e\n"
              "for a in vgg16 resnet50; do\n"
              "  $J import codecarbon $D/${a}_emissions.csv --db p.db --name xu2023 -f architecture=$a -f "
              "data=cifar10 "
              "--sockets 2\n"
              "  $J import wattmeter $D/${a}_wattmeter.json --db p.db -f architecture=$a --repetition 1\n"
              "  $J import accuracy $D/${a}_accuracy.txt --db p.db -f architecture=$a\n"
              "done";
    assert_int_equal(shop_script(shop, script), 0);
}

static void published_runs_are_imported_audited_and_compared(void **state)
{
    struct shop *shop = *state;
    import_published(shop);
    says(shop, "the audit of all energies: 6 sound, 2 doubtful, 4 impossible: `joulery audit p.db` says why");
    assert_int_equal(joulery(shop, "audit p.db --json audit.json"), 0);
    assert_non_null(strstr(shop->output, "where the closing power of the same row is 208 W"));
    assert_non_null(strstr(shop->output, "where the closing power of the same row is 159 W"));
    json_t *audit = load(shop, "audit.json");
    assert_int_equal(json_integer_value(json_object_get(audit, "reconstructions")), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(audit, "verdicts"), "impossible")),
                     4);
    json_decref(audit);
    assert_int_equal(joulery(shop, "compare p.db"), 0);
    assert_non_null(strstr(shop->output, "as published"));
    assert_non_null(
        strstr(shop->output, "software sees 54.9 % of what hardware sees (50.1 to 59.2 % by run)"));
    assert_int_equal(joulery(shop, "compare p.db --repaired --json repaired.json"), 0);
    assert_non_null(
        strstr(shop->output, "software sees 75.0 % of what hardware sees (73.9 to 76.0 % by run)"));
    json_t *repaired = load(shop, "repaired.json");
    assert_true(json_is_true(json_object_get(repaired, "repaired")));
    assert_int_equal(json_integer_value(json_object_get(repaired, "reconstructed")), 2);
    json_decref(repaired);
    assert_int_equal(joulery(shop, "analyse p.db --response energy"), 0);
    assert_non_null(strstr(shop->output, "2 runs are from elsewhere, as published"));
    assert_int_equal(joulery(shop, "analyse p.db --repaired --json analysis.json"), 0);
    assert_non_null(strstr(shop->output, "repaired: the energies of 2 runs are reconstructed by the audit"));
    json_t *analysis = load(shop, "analysis.json");
    assert_int_equal(json_integer_value(json_object_get(analysis, "replaced")), 2);
    json_decref(analysis);
    assert_int_equal(joulery(shop, "analyse p.db --sound --response energy"), 1);
    says(shop, "energy: no finished run has one with an energy that the audit holds for sound");
    assert_int_equal(joulery(shop, "analyse p.db --sound --repaired"), 2);
    assert_int_equal(joulery(shop, "report p.db -o report.html --location FRA"), 0);
    assert_non_null(strstr(shop->output, "By energies that can't be: "));
    assert_non_null(strstr(shop->output, "from elsewhere and as published; the audit holds 4 of them"));
    assert_int_equal(joulery(shop, "study status p.db"), 0);
}

static void what_was_imported_is_said_as_json(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(
        shop_script(shop, FILES "$J import codecarbon $D/vgg16_emissions.csv --db p.db -f a=b --json i.json"),
        0);
    json_t *json = load(shop, "i.json");
    assert_string_equal(json_string_value(json_object_get(json, "schema")), "joulery.import/1");
    const json_t *run = json_array_get(json_object_get(json, "runs"), 0);
    assert_int_equal(json_integer_value(json_object_get(run, "repetition")), 1);
    assert_true(json_is_false(json_object_get(run, "differenced")));
    assert_true(fabs(json_number_value(json_object_get(run, "energy_j")) - 2761482.257) < 0.01);
    json_decref(json);
}

static void wrong_usage_and_wrong_files_are_told_apart(void **state)
{
    struct shop *shop = *state;
    static const struct {
        const char *script;
        int status;
        const char *words;
    } cases[] = {
        {"$J import", 2, "usage: joulery import SUBCOMMAND FILE"},
        {"$J import emisions x", 2, "unknown subcommand 'emisions': `joulery import --help` lists them"},
        {"$J import codecarbn x", 2, "did you mean codecarbon?"},
        {"$J import codecarbon e.csv -f a=b", 2, "expected --db FILE and at least one --factor"},
        {"$J import codecarbon e.csv --db p.db -f a", 2, "--factor: expected FACTOR=LEVEL, found 'a'"},
        {"$J import codecarbon e.csv --db p.db -f a=b -f a=c", 2, "--factor: 'a' is given twice"},
        {"$J import codecarbon none.csv --db p.db -f a=b", 1, "none.csv: No such file"},
        {"echo x > e.csv; $J import codecarbon e.csv --db p.db -f a=b", 1, "e.csv:1: no column 'timestamp'"},
        {"test ! -e p.db && echo no database >&2", 0, "no database"},
        {"$J import wattmeter e.csv --db p.db -f a=b", 1,
         "p.db: no such database: import the energies of runs first"},
        {"$J audit none.db", 1, "none.db: No such file"},
        {"$J audit", 2, "audit"},
        {"printf 'name: s\\nfactors:\\n  a: [b]\\ncommand: [echo, \"{a}\"]\\n' > s.yaml; $J study run s.yaml "
         "--db "
         "s.db >/dev/null "
         "2>&1\n" FILES "$J import codecarbon $D/vgg16_emissions.csv --db s.db -f a=b",
         1, "the database holds the study 's', which was run here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(shop_script(shop, cases[i].script), cases[i].status);
        says(shop, cases[i].words);
    }
}

#define TOOLS                                                                                                \
    "printf "                                                                                                \
    "'run,net,E,min,when\\na1,vgg,0.5,10,2022-01-01T10:00:00Z\\na2,vgg,0.6,11,2022-01-01T11:00:00Z\\n"       \
    "a3,res,0.3,9,\\n' > t.csv\n"                                                                            \
    "M=energy=E:kWh,duration=min:min,id=run,factor.net=net,started=when\n"

static void a_table_comes_in_with_its_factors_and_once(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(shop_script(shop, TOOLS "$J import csv t.csv --map $M --db t.db --json i.json"), 0);
    json_t *json = load(shop, "i.json");
    const json_t *runs = json_object_get(json, "runs");
    assert_int_equal(json_array_size(runs), 3);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(runs, 1), "repetition")), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(runs, 2), "repetition")), 1);
    json_decref(json);
    assert_int_equal(shop_script(shop, TOOLS "$J import csv t.csv --map $M --db t.db"), 1);
    says(shop, "t.csv:2: csv's run 'a1' is in the database already, as run 1: nothing was imported");
    assert_int_equal(
        shop_script(shop, TOOLS "$J import csv t.csv --map energy=E,duration=min --db t.db -f a=b"), 2);
    says(shop, "in which unit is 'E'?");
    assert_int_equal(shop_script(shop, TOOLS "sed -i s/a/b/ t.csv; $J import csv t.csv --map $M --db t.db"),
                     0);
    assert_int_equal(joulery(shop, "export t.db --jsonl -"), 0);
    assert_non_null(strstr(shop->output,
                           "\"run\":6,\"state\":\"done\",\"position\":5,\"repetition\":2,\"factor_net\":"
                           "\"res\",\"started\":null"));
}

static void a_table_is_held_against_physics(void **state)
{
    struct shop *shop = *state;
    /* two processors of 205 W each */
    static const char script[] =
        "printf 'net,E,t,cpu\\nx,100000,100,Intel Xeon Gold 6338\\ny,60000,100,Intel Xeon Gold "
        "6338\\n' > t.csv\n"
        "$J import csv t.csv --map cpu_energy=E:J,duration=t,factor.net=net,cpu_model=cpu "
        "--sockets 2 --db t.db";
    assert_int_equal(shop_script(shop, script), 0);
    says(shop, "the audit of all energies: 2 sound, 0 doubtful, 2 impossible");
}

static void a_wattmeter_finds_its_runs_by_time_and_by_name(void **state)
{
    struct shop *shop = *state;
    /* 100 W at 9:50, and 1 W more each minute; the same an hour early */
    static const char readings[] = TOOLS
        "$J import csv t.csv --map $M --db t.db >/dev/null\n"
        "readings() { awk -v t=$1 'BEGIN { print \"time,w\"; for (i = 0; i < 160; i++) printf \"%d,%d\\n\", "
        "t + 60 * i, 100 + i }'; }\n"
        "readings 1641030600 > w.csv; readings 1641027000 > early.csv\n"
        "$J import wattmeter w.csv --db t.db --by-time --json w.json";
    assert_int_equal(shop_script(shop, readings), 0);
    json_t *json = load(shop, "w.json");
    const json_t *runs = json_object_get(json, "runs");
    assert_int_equal(json_array_size(runs), 2);
    /* a mean of 115 W over 600 s, of 175.5 W over 660 s */
    assert_true(fabs(json_number_value(json_object_get(json_array_get(runs, 0), "energy_j")) - 69000) < 1e-3);
    assert_true(fabs(json_number_value(json_object_get(json_array_get(runs, 1), "energy_j")) - 115830) <
                1e-3);
    json_decref(json);
    assert_int_equal(
        joulery(shop, "import wattmeter early.csv --db t.db --by-time --shift 3600 --channel two"), 0);
    assert_int_equal(
        joulery(shop, "import wattmeter early.csv --db t.db --by-time --shift 90000 --channel x"), 1);
    says(shop,
         "cover no run from begin to end; 2 have times, the first began at 2022-01-01T10:00:00Z: --shift S");
    assert_int_equal(
        shop_script(shop, "echo '{\"Wh\": 90}' > j.json; $J import wattmeter j.json --db t.db --run a3"), 0);
    assert_int_equal(joulery(shop, "import wattmeter j.json --db t.db --run 3"), 1);
    says(shop, "the run has an energy of wattmeter/wall already");
    assert_int_equal(joulery(shop, "import wattmeter j.json --db t.db --run a9"), 1);
    says(shop, "no imported run has the number or the identifier 'a9'");
    assert_int_equal(joulery(shop, "import wattmeter j.json --db t.db --run 3 -f net=res"), 2);
    assert_int_equal(joulery(shop, "import wattmeter j.json j.json --db t.db --run 3"), 2);
    assert_int_equal(joulery(shop, "import wattmeter j.json --db t.db --run 3 --shift 4"), 2);
    assert_int_equal(joulery(shop, "export t.db --csv data"), 0);
    AUTO_FREE char *table = slurp(shop, "data/runs.csv");
    assert_non_null(strstr(table, ",138000,")); /* the first run's two wattmeters */
}

static void published_runs_go_out_again(void **state)
{
    struct shop *shop = *state;
    import_published(shop);
    assert_int_equal(joulery(shop, "export p.db --csv data --location FRA --json e.json"), 0);
    json_t *json = load(shop, "e.json");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "rows"), "runs")), 2);
    assert_true(json_is_null(json_object_get(json, "boamps")));
    json_decref(json);
    AUTO_FREE char *runs = slurp(shop, "data/runs.csv");
    assert_non_null(strstr(runs, ",vgg16,cifar10,2022-06-05T23:17:43Z,"));
    assert_int_equal(joulery(shop, "export p.db --jsonl -"), 0);
    assert_non_null(strstr(shop->output, "{\"schema\":\"joulery.rows/1\",\"study\":\"xu2023\""));
    assert_int_equal(joulery(shop, "export p.db --boamps b --data-type image --task-family x"), 1);
    says(shop, "BoAmps requires the kind of infrastructure, which the database does not know: give "
               "--infrastructure");
    assert_int_equal(
        joulery(shop, "export p.db --boamps b --data-type image --task-family x --infrastructure onPremise"),
        0);
    says(shop, "the audit holds 4 of the energies for impossible, and they are in the reports");
    json = load(shop, "b/boamps-run-2.json");
    assert_non_null(json_object_get(json, "measures"));
    json_decref(json);
    assert_int_equal(joulery(shop, "export p.db"), 2);
    assert_int_equal(joulery(shop, "export p.db --boamps b --data-type picture"), 2);
    assert_int_equal(joulery(shop, "export none.db --csv out"), 1);
}

static void a_study_cannot_be_run_into_imported_runs(void **state)
{
    struct shop *shop = *state;
    import_published(shop);
    assert_int_equal(
        shop_script(
            shop,
            "printf 'name: s\\nfactors:\\n  a: [b]\\ncommand: [echo, \"{a}\"]\\n' > s.yaml; $J study run "
            "s.yaml --db p.db"),
        1);
    says(shop, "p.db: the database belongs to another study ('xu2023'");
}

#define IN_SHOP(test) cmocka_unit_test_setup_teardown(test, open_shop, close_shop)

static void an_analysis_goes_into_files_or_to_standard_output(void **state)
{
    struct shop *shop = *state;
    static const char script[] =
        "for i in 100 101.5 99 140 150 143 ; do\n"
        "  a=small; [ $i -gt 120 ] 2>/dev/null && a=large\n"
        "  printf 'timestamp,duration,energy_consumed\\n2026-01-01T00:00:0%s,10,0.%s\\n' "
        "$((n += 1)) ${i%.*} > e.csv\n"
        "  $J import codecarbon e.csv --db a.db --name made -f arch=$a || exit 1\n"
        "done";
    assert_int_equal(shop_script(shop, script), 0);
    assert_int_equal(joulery(shop, "analyse a.db --json a.json --csv a.csv --latex a.tex"), 0);
    assert_non_null(strstr(shop->output, "Energy by arch"));
    AUTO_FREE char *latex = slurp(shop, "a.tex");
    AUTO_FREE char *csv = slurp(shop, "a.csv");
    assert_true(strstr(latex, "\\toprule") && strstr(csv, "energy,J,arch,small,,mean,"));
    json_t *json = load(shop, "a.json");
    assert_int_equal(json_integer_value(json_object_get(json, "done")), 6);
    json_decref(json);
    assert_int_equal(joulery(shop, "analyse a.db --csv -"), 0);
    assert_true(strncmp(shop->output, "response,unit,", 14) == 0 && !strstr(shop->output, "Energy by arch"));
    assert_int_equal(joulery(shop, "analyse a.db --csv - --json -"), 2);
    assert_int_equal(joulery(shop, "analyse a.db --resolve 5"), 2);
    assert_int_equal(joulery(shop, "analyse a.db --zoo a.csv"), 1);
    assert_int_equal(joulery(shop, "analyse a.db --by none"), 1);
    assert_int_equal(joulery(shop, "analyse"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SHOP(published_runs_are_imported_audited_and_compared),
        IN_SHOP(what_was_imported_is_said_as_json),
        IN_SHOP(wrong_usage_and_wrong_files_are_told_apart),
        IN_SHOP(published_runs_go_out_again),
        IN_SHOP(a_table_comes_in_with_its_factors_and_once),
        IN_SHOP(a_wattmeter_finds_its_runs_by_time_and_by_name),
        IN_SHOP(a_table_is_held_against_physics),
        IN_SHOP(a_study_cannot_be_run_into_imported_runs),
        IN_SHOP(an_analysis_goes_into_files_or_to_standard_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
