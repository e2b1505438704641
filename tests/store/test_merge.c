#include "sample.h"

#include "base/file.h"
#include "base/text.h"
#include "store/merge.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PLANNED 3

struct place {
    char *folder, *a, *b, *out;
};

static struct place make_place(void)
{
    struct place place = {.folder = strdup("/tmp/joulery-merge-XXXXXX")};
    assert_non_null(mkdtemp(place.folder));
    place.a = file_join(place.folder, "a.db");
    place.b = file_join(place.folder, "b.db");
    place.out = file_join(place.folder, "out.db");
    return place;
}

static void remove_place(struct place *place)
{
    AUTO_FREE char *command = text_format("rm -rf '%s'", place->folder);
    assert_int_equal(system(command), 0);
    free(place->folder);
    free(place->a);
    free(place->b);
    free(place->out);
}

#define AUTO_PLACE __attribute__((cleanup(remove_place)))

static void must(int result, struct error *error)
{
    if (result != 0)
        fail_msg("%s", error_text(error));
}

static void add_run(struct store *store, int64_t position, const char *host, size_t epochs, int exit_status)
{
    struct error error = ERROR_INIT;
    struct record record;
    int64_t run;
    sample_record(&record, epochs, exit_status);
    free(record.host.name);
    record.host.name = strdup(host);
    record.started_wall_ns += 1000000000LL * (position + 60 * (int64_t)strlen(host));
    must(store_begin_run(store, position, &run, &error), &error);
    const struct trace_sample trace[] = {{0, 0, 0.1, 5}, {0, 0.1, 0.1, 6}};
    must(store_add_trace(store, run, trace, 2, &error), &error);
    must(store_end_run(store, run, &record, &error), &error);
    record_free(&record);
}

/* Two runs done, one failed, and with `cut` one that was under way when its study was killed. */
static void write_part(const char *path, int64_t seed, const char *host, bool cut)
{
    struct error error = ERROR_INIT;
    struct store *store = store_open(path, STORE_WRITE, &error);
    if (!store)
        fail_msg("%s", error_text(&error));
    struct study_identity study = sample_study(seed);
    struct planned_run *plan = sample_plan(PLANNED + 1);
    size_t ignored;
    int64_t run;
    must(store_claim(store, &ignored, &error), &error);
    must(store_put_study(store, &study, plan, PLANNED + 1, &error), &error);
    sample_plan_free(plan, PLANNED + 1);
    for (int64_t i = 0; i < PLANNED; i++)
        add_run(store, i, host, (size_t)i + 1, i == 1);
    if (cut)
        must(store_begin_run(store, PLANNED, &run, &error), &error);
    store_close(store);
}

static char *ask(const char *path, const char *sql)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(database));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const char *found = (const char *)sqlite3_column_text(statement, 0);
    char *text = strdup(found ? found : "nothing");
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return text;
}

static void expect(const char *path, const char *sql, const char *expected)
{
    AUTO_FREE char *found = ask(path, sql);
    if (strcmp(found, expected) != 0)
        fail_msg("%s: expected %s, found %s", sql, expected, found);
}

static void merge(const struct place *place, const struct merge_part *parts, size_t count)
{
    struct error error = ERROR_INIT;
    struct merge_result result;
    must(store_merge(place->out, "site", parts, count, &result, &error), &error);
    assert_int_equal(result.count, count);
    merge_result_free(&result);
}

/* All columns of a table but those that number rows, as one text. */
static void compare_table(const struct place *place, const char *columns, const char *table)
{
    AUTO_FREE char *merged = text_format(
        "SELECT group_concat(r, char(10)) FROM (SELECT json_array(%s) AS r FROM %s ORDER BY rowid_of)",
        columns, table);
    AUTO_FREE char *a = ask(place->a, merged);
    AUTO_FREE char *b = ask(place->b, merged);
    AUTO_FREE char *both = text_format("%s\n%s", a, b);
    assert_true(strlen(a) > 10);
    expect(place->out, merged, both);
}

static void all_that_was_measured_is_in_the_merged_database(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    write_part(place.a, 1, "oregon", false);
    write_part(place.b, 1, "paris", true);
    merge(&place, (const struct merge_part[]){{place.a, NULL}, {place.b, NULL}}, 2);
    static const struct {
        const char *columns, *table;
    } tables[] = {
        {"started, command, ended, exit_status, wall_s, rate_hz, recorder_cpu_s, output_tail",
         "(SELECT *, id AS rowid_of FROM run WHERE wall_s IS NOT NULL)"},
        {"channel, energy_j, uncertainty_j, gap_s, wall_s, \"index\"",
         "(SELECT *, run * 1000000 + row_number() OVER () AS rowid_of FROM energies)"},
        {"name, value", "(SELECT *, run * 1000000 + window * 100 + (name = 'loss') AS rowid_of FROM metric)"},
        {"start_s, wall_s, reason, channel", "(SELECT *, rowid AS rowid_of FROM gap)"},
        {"text", "(SELECT *, rowid AS rowid_of FROM note)"},
        {"samples, hex(block)", "(SELECT *, rowid AS rowid_of FROM trace)"},
        {"software_j, hardware_j, start_s, complete, parent",
         "(SELECT *, run * 1000000 + ordinal AS rowid_of FROM window)"},
        {"repetition", "(SELECT *, position AS rowid_of FROM plan)"},
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        compare_table(&place, tables[i].columns, tables[i].table);
    expect(place.out, "PRAGMA integrity_check", "ok");
    expect(place.out, "SELECT count(*) FROM pragma_foreign_key_check", "0");
    expect(place.out, "SELECT group_concat(state) FROM run", "done,failed,done,done,failed,done,cut");
}

static void where_a_run_comes_from_is_a_factor(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    write_part(place.a, 1, "oregon", false);
    write_part(place.b, 1, "paris", false);
    merge(&place, (const struct merge_part[]){{place.a, NULL}, {place.b, "France"}}, 2);
    expect(place.out,
           "SELECT group_concat(DISTINCT json_extract(factors, '$.site') || ':' || host) FROM runs",
           "oregon:oregon,France:paris");
    expect(place.out,
           "SELECT group_concat(factors, '') FROM (SELECT DISTINCT factors FROM runs WHERE host = 'oregon')",
           "{\"arch\":\"a0\",\"site\":\"oregon\"}{\"arch\":\"a1\",\"site\":\"oregon\"}{\"arch\":\"a2\","
           "\"site\":\"oregon\"}");
    expect(place.out, "SELECT count(*) FROM plan_factor WHERE factor = 'site'", "8");
    expect(place.out, "SELECT json_extract(fingerprint, '$.merged.factor', '$.merged.levels[1]') FROM study",
           "[\"site\",\"France\"]");
}

/* As a study on the same machine has it that was run twice. */
static void the_same_host_stands_once(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    struct error error = ERROR_INIT;
    write_part(place.a, 1, "oregon", false);
    write_part(place.b, 1, "oregon", false);
    sqlite3 *database;
    assert_int_equal(sqlite3_open(place.b, &database), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(database, "UPDATE run SET started = '2030-01-01T00:00:00Z'", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(database);
    const struct merge_part parts[] = {{place.a, "spring"}, {place.b, "autumn"}};
    struct merge_result result;
    must(store_merge(place.out, "season", parts, 2, &result, &error), &error);
    merge_result_free(&result);
    expect(place.out, "SELECT count(*) || ':' || (SELECT count(DISTINCT host) FROM run) FROM host", "1:1");
}

static void refuse(const struct place *place, const char *factor, const struct merge_part *parts,
                   const char *words)
{
    struct error error = ERROR_INIT;
    struct merge_result result;
    bool there = file_exists(place->out);
    assert_int_equal(store_merge(place->out, factor, parts, 2, &result, &error), -1);
    if (!strstr(error_text(&error), words))
        fail_msg("expected '%s', found '%s'", words, error_text(&error));
    error_clear(&error);
    assert_int_equal(file_exists(place->out), there);
}

static void what_does_not_belong_together_is_refused(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    struct error error = ERROR_INIT;
    write_part(place.a, 1, "oregon", false);
    write_part(place.b, 2, "paris", false);
    const struct merge_part parts[] = {{place.a, NULL}, {place.b, NULL}};
    refuse(&place, "site", parts, "holds another study than");
    refuse(&place, "site", parts, "what differs: seed)");
    refuse(&place, "arch", parts, "has a factor 'arch' already");
    refuse(&place, "site", (const struct merge_part[]){{place.a, NULL}, {place.a, "other"}},
           "holds the same runs as");
    unlink(place.b);
    refuse(&place, "site", parts, "No such file");
    write_part(place.b, 1, "oregon2", false);
    refuse(&place, "site", (const struct merge_part[]){{place.a, "x"}, {place.b, "x"}}, "are both of 'x'");
    struct store *store = store_open(place.b, STORE_WRITE, &error);
    size_t cut;
    must(store_claim(store, &cut, &error), &error);
    refuse(&place, "site", parts, "is running the study on it");
    store_close(store);
    merge(&place, parts, 2);
    refuse(&place, "site", parts, "is there already");
    expect(place.out, "SELECT count(*) FROM run", "6");
}

static void a_database_without_runs_is_refused(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    struct error error = ERROR_INIT;
    write_part(place.a, 1, "oregon", false);
    struct store *store = store_open(place.b, STORE_WRITE, &error);
    struct study_identity study = sample_study(1);
    struct planned_run *plan = sample_plan(1);
    must(store_put_study(store, &study, plan, 1, &error), &error);
    sample_plan_free(plan, 1);
    store_close(store);
    refuse(&place, "site", (const struct merge_part[]){{place.a, NULL}, {place.b, NULL}},
           "holds no runs that have ended");
}

/* tests/data/store_v2.sql twice, the second as if it had been run later elsewhere. */
static void databases_of_earlier_versions_are_merged_as_they_are(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    struct error error = ERROR_INIT;
    AUTO_FREE char *dump = file_join(getenv("JOULERY_TEST_DATA"), "store_v2.sql");
    AUTO_FREE char *sql = file_read(dump, 1u << 20, NULL, &error);
    assert_non_null(sql);
    const char *const paths[] = {place.a, place.b};
    for (size_t i = 0; i < 2; i++) {
        sqlite3 *database;
        assert_int_equal(sqlite3_open(paths[i], &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
        if (i == 1)
            sqlite3_exec(database, "UPDATE run SET started = '2030-01-01T00:00:00Z'", NULL, NULL, NULL);
        sqlite3_close(database);
    }
    merge(&place, (const struct merge_part[]){{place.a, "before"}, {place.b, "after"}}, 2);
    AUTO_FREE char *before = ask(place.a, "SELECT sum(energy_j) FROM energy");
    AUTO_FREE char *after = ask(place.out, "SELECT sum(energy_j) / 2 FROM energy");
    assert_string_equal(before, after);
    expect(place.a, "PRAGMA user_version", "2");
    expect(place.out, "SELECT count(*) FROM runs WHERE state = 'done'", "4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_was_measured_is_in_the_merged_database),
        cmocka_unit_test(where_a_run_comes_from_is_a_factor),
        cmocka_unit_test(the_same_host_stands_once),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
        cmocka_unit_test(a_database_without_runs_is_refused),
        cmocka_unit_test(databases_of_earlier_versions_are_merged_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
