#include "base/file.h"
#include "base/text.h"
#include "sample.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char *folder, *path;
};

static void remove_place(struct place *place)
{
    AUTO_FREE char *command = text_format("rm -rf '%s'", place->folder);
    assert_int_equal(system(command), 0);
    free(place->folder);
    free(place->path);
}

#define AUTO_PLACE __attribute__((cleanup(remove_place)))

static struct place make_place(void)
{
    struct place place = {strdup("/tmp/joulery-store-XXXXXX"), NULL};
    assert_non_null(mkdtemp(place.folder));
    place.path = file_join(place.folder, "a b?.db");
    return place;
}

static void clear(struct error *error)
{
    error_clear(error);
}

#define AUTO_ERROR __attribute__((cleanup(clear)))

/* A claimed store with a plan of `count` runs. */
static struct store *open_planned(const char *path, size_t count)
{
    AUTO_ERROR struct error error = ERROR_INIT;
    size_t cut;
    struct store *store = store_open(path, STORE_WRITE, &error);
    if (!store)
        fail_msg("%s", error_text(&error));
    struct study_identity study = sample_study(1);
    struct planned_run *plan = sample_plan(count);
    if (store_claim(store, &cut, &error) < 0 || store_put_study(store, &study, plan, count, &error) < 0)
        fail_msg("%s", error_text(&error));
    sample_plan_free(plan, count);
    return store;
}

static int64_t do_run(struct store *store, int64_t position, size_t epochs, int status)
{
    AUTO_ERROR struct error error = ERROR_INIT;
    int64_t run;
    struct record record;
    sample_record(&record, epochs, status);
    if (store_begin_run(store, position, &run, &error) < 0 || store_end_run(store, run, &record, &error) < 0)
        fail_msg("%s", error_text(&error));
    record_free(&record);
    return run;
}

/* The first column of the first row, as text. */
static char *ask(struct store *store, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(store_database(store), sql, -1, &statement, NULL), SQLITE_OK);
    char *answer = NULL;
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0))
        answer = strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return answer;
}

static void expect(struct store *store, const char *sql, const char *expected)
{
    AUTO_FREE char *answer = ask(store, sql);
    if (!answer || strcmp(answer, expected) != 0)
        fail_msg("%s: expected %s, found %s", sql, expected, answer ? answer : "nothing");
}

static void same_text(const char *a, const char *b)
{
    if (a && b)
        assert_string_equal(a, b);
    else
        assert_true(a == b);
}

static void same_channels(const struct record *a, const struct record *b)
{
    assert_int_equal(a->channel_count, b->channel_count);
    for (size_t i = 0; i < a->channel_count; i++) {
        const struct channel *x = &a->channels[i], *y = &b->channels[i];
        same_text(x->meter, y->meter);
        same_text(x->name, y->name);
        same_text(x->part_of, y->part_of);
        same_text(x->accuracy_source, y->accuracy_source);
        same_text(x->label, y->label);
        assert_true(x->still_most_s == y->still_most_s && x->averaging_s == y->averaging_s &&
                    x->apart == y->apart && x->twin == y->twin);
        assert_true(x->scope == y->scope && x->kind == y->kind && x->resolution == y->resolution &&
                    x->range_j == y->range_j && x->update_s == y->update_s &&
                    x->max_power_w == y->max_power_w && x->accuracy == y->accuracy);
    }
}

static void same_rest_and_share(const struct record *a, const struct record *b)
{
    same_text(a->baseline, b->baseline);
    assert_true(!a->idle == !b->idle);
    for (size_t i = 0; a->idle && i < a->channel_count; i++) {
        const struct idle_power *x = &a->idle[i], *y = &b->idle[i];
        assert_true(isnan(x->power_w) ? isnan(y->power_w) && isnan(y->uncertainty_w)
                                      : x->power_w == y->power_w && x->uncertainty_w == y->uncertainty_w);
    }
    const struct attribution *x = &a->attribution, *y = &b->attribution;
    same_text(x->basis, y->basis);
    assert_true(x->known == y->known && x->command_cpu_s == y->command_cpu_s &&
                x->machine_cpu_s == y->machine_cpu_s && x->energy_j == y->energy_j &&
                x->uncertainty_j == y->uncertainty_j);
}

static void same_windows(const struct record *a, const struct record *b)
{
    assert_int_equal(a->window_count, b->window_count);
    for (size_t i = 0; i < a->window_count; i++) {
        const struct window *x = &a->windows[i], *y = &b->windows[i];
        same_text(x->name, y->name);
        assert_true(x->index == y->index && x->parent == y->parent && x->start_s == y->start_s &&
                    x->wall_s == y->wall_s && x->complete == y->complete &&
                    x->metric_count == y->metric_count);
        for (size_t k = 0; k < a->channel_count; k++)
            assert_memory_equal(&x->energies[k].energy_j, &y->energies[k].energy_j, 3 * sizeof(double));
        for (size_t k = 0; k < a->channel_count; k++)
            assert_int_equal(x->energies[k].known, y->energies[k].known);
        for (size_t k = 0; k < x->metric_count; k++) {
            same_text(x->metrics[k].name, y->metrics[k].name);
            assert_true(x->metrics[k].value == y->metrics[k].value);
        }
    }
}

static void same_record(const struct record *a, const struct record *b)
{
    assert_int_equal(a->command_count, b->command_count);
    for (size_t i = 0; i < a->command_count; i++)
        same_text(a->command[i], b->command[i]);
    assert_true(a->end == b->end && a->exit_status == b->exit_status && a->term_signal == b->term_signal &&
                a->started_wall_ns == b->started_wall_ns && a->wall_s == b->wall_s &&
                a->rate_hz == b->rate_hz && a->recorder_cpu_s == b->recorder_cpu_s &&
                a->recorder_peak_rss_bytes == b->recorder_peak_rss_bytes &&
                a->marks_received == b->marks_received && a->marks_rejected == b->marks_rejected);
    same_channels(a, b);
    same_rest_and_share(a, b);
    same_windows(a, b);
    assert_int_equal(a->gap_count, b->gap_count);
    for (size_t i = 0; i < a->gap_count; i++) {
        same_text(a->gaps[i].reason, b->gaps[i].reason);
        assert_true(a->gaps[i].channel == b->gaps[i].channel && a->gaps[i].start_s == b->gaps[i].start_s &&
                    a->gaps[i].wall_s == b->gaps[i].wall_s);
    }
    assert_int_equal(a->note_count, b->note_count);
    for (size_t i = 0; i < a->note_count; i++)
        same_text(a->notes[i], b->notes[i]);
    same_text(a->host.name, b->host.name);
    same_text(a->host.cpu_model, b->host.cpu_model);
    same_text(a->host.version, b->host.version);
    assert_true(a->host.sockets == b->host.sockets && a->host.logical_cpus == b->host.logical_cpus &&
                a->host.memory_bytes == b->host.memory_bytes);
    same_text(a->output_tail, b->output_tail);
}

static void a_record_comes_back_as_it_went(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    AUTO_ERROR struct error error = ERROR_INIT;
    struct store *store = open_planned(place.path, 3);
    struct record kinds[3];
    for (int i = 0; i < 3; i++) {
        int64_t run;
        sample_record(&kinds[i], (size_t)i * 5, i);
        if (i == 1) {
            kinds[i].end = END_SIGNALLED;
            kinds[i].term_signal = 9;
            kinds[i].exit_status = 137;
        }
        if (i == 2)
            kinds[i].end = END_NOT_STARTED;
        assert_int_equal(store_begin_run(store, i, &run, &error), 0);
        assert_int_equal(store_end_run(store, run, &kinds[i], &error), 0);
    }
    store_close(store);
    store = store_open(place.path, STORE_READ, &error);
    for (int i = 0; i < 3; i++) {
        struct record back;
        assert_int_equal(store_read_record(store, i + 1, &back, &error), 0);
        same_record(&kinds[i], &back);
        record_free(&back);
        record_free(&kinds[i]);
    }
    expect(store, "SELECT group_concat(state) FROM run", "done,failed,failed");
    expect(store, "SELECT count(*) FROM host", "1");
    struct record none;
    assert_int_equal(store_read_record(store, 99, &none, &error), -1);
    record_free(&none);
    store_close(store);
}

static void any_bytes_of_a_workload_become_text(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    AUTO_ERROR struct error error = ERROR_INIT;
    struct store *store = open_planned(place.path, 1);
    struct record record, back;
    int64_t run;
    sample_record(&record, 1, 0);
    free(record.output_tail);
    free(record.command[1]);
    record.output_tail = strdup("\x9c\xff ok");
    record.command[1] = strdup("\xff");
    record.windows[1].metrics[0].value = (double)NAN;
    assert_int_equal(store_begin_run(store, 0, &run, &error), 0);
    assert_int_equal(store_end_run(store, run, &record, &error), 0);
    assert_int_equal(store_read_record(store, run, &back, &error), 0);
    assert_string_equal(back.output_tail, "\xef\xbf\xbd\xef\xbf\xbd ok");
    assert_string_equal(back.command[1], "\xef\xbf\xbd");
    assert_int_equal(back.windows[1].metric_count, 1);
    record_free(&record);
    record_free(&back);
    store_close(store);
}

static void views_say_what_they_promise(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    struct store *store = open_planned(place.path, 3);
    do_run(store, 0, 4, 0);
    do_run(store, 1, 0, 3);
    expect(store, "SELECT factors FROM runs WHERE run = 1", "{\"arch\":\"a0\"}");
    expect(store, "SELECT json_extract(command, '$[2]') FROM runs WHERE run = 1", "日本 🌱");
    expect(store, "SELECT val_accuracy FROM runs WHERE run = 1", "0.875");
    expect(store, "SELECT accuracy IS NULL FROM runs WHERE run = 1", "1");
    /* package-0 of window 0, the core being inside it; the wall stands beside */
    expect(store, "SELECT software_j || ' ' || hardware_j || ' ' || estimated FROM runs WHERE run = 1",
           "10.5 12.5 0");
    expect(store, "SELECT state || exit_status FROM runs WHERE run = 2", "failed3");
    expect(store, "SELECT count(*) FROM energies WHERE run = 1 AND window = 'epoch' AND channel = 'wall'",
           "2");
    expect(store, "SELECT group_concat(epoch || ':' || loss || ':' || complete) FROM epochs WHERE run = 1",
           "1:2.0:1,2:1.0:0,3:0.666666666666667:1,4:0.5:1");
    expect(store, "SELECT location || pue FROM study", "SWE1.2");
    store_close(store);
}

static void runs_are_done_in_the_order_of_the_plan(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    AUTO_ERROR struct error error = ERROR_INIT;
    struct store *store = open_planned(place.path, 4);
    struct planned_run next;
    struct store_counts counts;
    int64_t run;
    size_t redone;
    do_run(store, 0, 1, 0);
    do_run(store, 1, 1, 7);
    assert_int_equal(store_next(store, &next, &error), 1);
    assert_int_equal(next.position, 2);
    assert_string_equal(next.factors[0].level, "a2");
    planned_run_free(&next);
    assert_int_equal(store_begin_run(store, 2, &run, &error), 0);
    assert_int_equal(store_cut_run(store, run, &error), 0);
    assert_int_equal(store_begin_run(store, 1, &run, &error), -1);
    assert_non_null(strstr(error_text(&error), "done already"));
    assert_int_equal(store_begin_run(store, 77, &run, &error), -1);
    assert_int_equal(store_count(store, &counts, &error), 0);
    assert_true(counts.planned == 4 && counts.done == 1 && counts.failed == 1 && counts.cut == 1 &&
                counts.running == 0);
    assert_true(fabs(counts.expected_s - 2 * 12.3456789) < 1e-9);
    assert_int_equal(store_redo_failed(store, &redone, &error), 0);
    assert_int_equal(redone, 1);
    do_run(store, 1, 1, 0);
    do_run(store, 2, 1, 0);
    do_run(store, 3, 1, 0);
    assert_int_equal(store_next(store, &next, &error), 0);
    assert_int_equal(store_count(store, &counts, &error), 0);
    assert_true(counts.done == 4 && counts.expected_s == 0);
    store_close(store);
}

static void another_study_is_refused_and_more_repetitions_are_not(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    AUTO_ERROR struct error error = ERROR_INIT;
    struct store *store = open_planned(place.path, 3);
    struct planned_run *plan = sample_plan(6);
    struct study_identity other = sample_study(2), same = sample_study(1), stored;
    assert_int_equal(store_put_study(store, &other, plan, 3, &error), -1);
    assert_non_null(strstr(error_text(&error), "what differs: seed)"));
    assert_non_null(strstr(error_text(&error), "--db"));
    same.name = (char *)"renamed";
    same.location = NULL;
    same.pue = 0;
    assert_int_equal(store_put_study(store, &same, plan, 6, &error), 0);
    assert_int_equal(store_get_study(store, &stored, &error), 0);
    assert_string_equal(stored.name, "renamed");
    assert_string_equal(stored.question, "Which?");
    assert_true(!stored.location && stored.pue == 0 && stored.seed == 1);
    study_identity_free(&stored);
    expect(store, "SELECT count(*) || max(repetition) FROM plan", "62");
    assert_int_equal(store_put_study(store, &same, plan, 3, &error), -1);
    assert_non_null(strstr(error_text(&error), "plans 6 runs, the study file only 3"));
    sample_plan_free(plan, 6);
    store_close(store);
}

/* ---- files that are no store ---- */

static void refuses(const char *path, enum store_mode mode, const char *why)
{
    AUTO_ERROR struct error error = ERROR_INIT;
    struct store *store = store_open(path, mode, &error);
    assert_null(store);
    if (!strstr(error_text(&error), why) || strncmp(error_text(&error), path, strlen(path)) != 0)
        fail_msg("expected '%s', found '%s'", why, error_text(&error));
}

static void write_with_sqlite(const char *path, const char *sql)
{
    sqlite3 *database;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

static void other_files_are_refused_and_left_alone(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    AUTO_ERROR struct error error = ERROR_INIT;
    refuses(place.path, STORE_READ, "No such file");
    refuses(place.folder, STORE_WRITE, "not a file");
    AUTO_FREE char *foreign = file_join(place.folder, "foreign.db");
    write_with_sqlite(foreign, "CREATE TABLE t (x)");
    refuses(foreign, STORE_WRITE, "not one of Joulery's");
    refuses(foreign, STORE_READ, "not one of Joulery's");
    AUTO_FREE char *prose = file_join(place.folder, "prose.db");
    AUTO_FREE char *text = text_format("%02000d", 7);
    assert_int_equal(file_write(prose, text, strlen(text), &error), 0);
    refuses(prose, STORE_WRITE, "not a database");
    refuses(prose, STORE_READ, "not a database");
    AUTO_FREE char *content = file_read(prose, 4000, NULL, &error);
    assert_string_equal(content, text);
    AUTO_FREE char *empty = file_join(place.folder, "empty.db");
    assert_int_equal(file_write(empty, "", 0, &error), 0);
    refuses(empty, STORE_READ, "an empty database");
    AUTO_FREE char *nowhere = file_join(place.folder, "no/such.db");
    assert_null(store_open(nowhere, STORE_WRITE, &error));
    assert_non_null(strstr(error_text(&error), "must exist"));
    AUTO_FREE char *pipe_path = file_join(place.folder, "pipe");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    refuses(pipe_path, STORE_READ, "not a file");
}

static void another_schema_version_is_refused(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    store_close(open_planned(place.path, 1));
    write_with_sqlite(place.path, "PRAGMA user_version = 99");
    refuses(place.path, STORE_READ, "schema version 99");
    refuses(place.path, STORE_WRITE, "use the newer Joulery");
    write_with_sqlite(place.path, "PRAGMA user_version = 0");
    refuses(place.path, STORE_WRITE, "use the Joulery that wrote it");
}

/* The first value that a statement gives. */
static char *text_of(const char *path, const char *sql)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    char *text = strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return text;
}

/* From tests/data/store_vN.sql. */
static void write_version(const char *path, int version)
{
    AUTO_ERROR struct error error = ERROR_INIT;
    AUTO_FREE char *name = text_format("store_v%d.sql", version);
    AUTO_FREE char *dump = file_join(getenv("JOULERY_TEST_DATA"), name);
    AUTO_FREE char *sql = file_read(dump, 1u << 20, NULL, &error);
    assert_non_null(sql);
    write_with_sqlite(path, sql);
}

static void a_store_of_version_1_is_read_without_changing_it(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    AUTO_ERROR struct error error = ERROR_INIT;
    write_version(place.path, 1);
    size_t before_size, after_size;
    AUTO_FREE char *before = file_read(place.path, 1u << 20, &before_size, &error);
    struct store *store = store_open(place.path, STORE_READ, &error);
    assert_non_null(store);
    struct record record;
    assert_int_equal(store_read_record(store, 1, &record, &error), 0);
    assert_string_equal(record.channels[0].meter, "cpu-model");
    assert_true(!record.channels[0].label && !record.idle && !record.attribution.known && !record.source);
    record_free(&record);
    expect(store, "SELECT count(*) || '/' || count(software_above_idle_j) FROM runs", "4/0");
    store_close(store);
    AUTO_FREE char *after = file_read(place.path, 1u << 20, &after_size, &error);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, before_size);
    store = store_open(place.path, STORE_READ, &error);
    assert_non_null(store);
    store_close(store);
}

static void a_store_of_version_2_keeps_every_row(void **state)
{
    (void)state;
    static const enum store_mode modes[] = {STORE_READ, STORE_WRITE};
    for (size_t i = 0; i < 2; i++) {
        AUTO_PLACE struct place place = make_place();
        AUTO_ERROR struct error error = ERROR_INIT;
        write_version(place.path, 2);
        struct store *store = store_open(place.path, modes[i], &error);
        if (!store)
            fail_msg("%s", error_text(&error));
        expect(store,
               "SELECT (SELECT count(*) FROM channel) || ' ' || (SELECT count(*) FROM window) || ' ' || "
               "(SELECT count(*) FROM energy) || ' ' || (SELECT count(*) FROM metric)",
               "6 8 16 12");
        expect(store, "SELECT round(software_j, 6) || ' ' || (source IS NULL) FROM runs WHERE run = 1",
               "14.443818 1");
        expect(store, "SELECT round(sum(energy_j), 6) FROM energies WHERE run = 1 AND window = 'run'",
               "14.443818");
        expect(store, "SELECT count(*) FROM pragma_foreign_key_check", "0");
        store_close(store);
    }
}

static void stores_of_old_versions_are_upgraded_when_they_are_written(void **state)
{
    (void)state;
    static const char *const first_j[] = {NULL, "1.723", "14.444"};
    for (int version = 1; version < STORE_VERSION; version++) {
        AUTO_PLACE struct place place = make_place();
        AUTO_ERROR struct error error = ERROR_INIT;
        write_version(place.path, version);
        struct store *store = store_open(place.path, STORE_WRITE, &error);
        if (!store)
            fail_msg("%s", error_text(&error));
        expect(store, "PRAGMA user_version", "3");
        expect(store, "PRAGMA foreign_keys", "1");
        expect(store, "SELECT round(software_j, 3) FROM runs WHERE run = 1", first_j[version]);
        store_close(store);
        /* what grew up is what is made anew */
        AUTO_FREE char *other = file_join(place.folder, "new.db");
        store_close(open_planned(other, 1));
        static const char columns[] =
            "SELECT group_concat(m.name || '.' || c.name || ' ' || c.type || c.\"notnull\", ',') FROM "
            "(SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name) m, "
            "pragma_table_info(m.name) c";
        AUTO_FREE char *grown = text_of(place.path, columns);
        AUTO_FREE char *made = text_of(other, columns);
        assert_string_equal(grown, made);
    }
}

static void damage_is_named(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    AUTO_ERROR struct error error = ERROR_INIT;
    struct store *store = open_planned(place.path, 30);
    for (int i = 0; i < 30; i++)
        do_run(store, i, 20, 0);
    store_close(store);
    int file = open(place.path, O_RDWR | O_CLOEXEC);
    for (off_t at = 8192; at < 200000; at += 997)
        assert_int_equal(pwrite(file, "damage!", 7, at), 7);
    close(file);
    store = store_open(place.path, STORE_READ, &error);
    bool found = false;
    for (int64_t i = 1; store && i <= 30; i++) {
        struct record record;
        bool failed = store_read_record(store, i, &record, &error) < 0;
        found = found || (failed && strstr(error_text(&error), "damaged"));
        record_free(&record);
    }
    assert_true(found || (!store && strstr(error_text(&error), "damaged")));
    store_close(store);
}

/* Runs `check` in a process without root's rights, which no permission would stop. */
static void without_rights(void (*check)(const struct place *), const struct place *place)
{
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && seteuid(65534) < 0)
            _exit(77);
        check(place);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void check_file_only_read(const struct place *place)
{
    struct error error = ERROR_INIT;
    if (store_open(place->path, STORE_WRITE, &error) || !strstr(error_text(&error), "must be writable"))
        _exit(1);
    struct store *store = store_open(place->path, STORE_READ, &error);
    struct record record;
    if (!store || store_read_record(store, 1, &record, &error) < 0)
        _exit(2);
    record_free(&record);
    store_close(store);
    error_clear(&error);
}

static void check_folder_only_read(const struct place *place)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *fresh = file_join(place->folder, "new.db");
    if (store_open(fresh, STORE_WRITE, &error) || !strstr(error_text(&error), "must exist and be writable"))
        _exit(1);
    error_clear(&error);
}

static void what_is_only_readable_is_read(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    struct store *store = open_planned(place.path, 1);
    do_run(store, 0, 2, 0);
    store_close(store);
    assert_int_equal(chmod(place.path, 0444), 0);
    assert_int_equal(chmod(place.folder, 0555), 0);
    without_rights(check_file_only_read, &place);
    without_rights(check_folder_only_read, &place);
    assert_int_equal(chmod(place.folder, 0755), 0);
}

/* ---- several processes ---- */

static void a_second_study_is_told_who_has_the_database(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    AUTO_ERROR struct error error = ERROR_INIT;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store *store = open_planned(place.path, 2);
        int64_t run;
        store_begin_run(store, 0, &run, &error);
        write(ready[1], "x", 1);
        pause();
        _exit(0);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct store *store = store_open(place.path, STORE_WRITE, &error);
    size_t cut;
    int64_t pid;
    assert_int_equal(store_owner(store, &pid, &error), 0);
    assert_int_equal(pid, child);
    assert_int_equal(store_claim(store, &cut, &error), -1);
    AUTO_FREE char *named = text_format("process %d is running a study", (int)child);
    assert_non_null(strstr(error_text(&error), named));
    struct store *reader = store_open(place.path, STORE_READ, &error);
    expect(reader, "SELECT count(*) FROM runs WHERE state = 'running'", "1");
    store_close(reader);

    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(store_owner(store, &pid, &error), 0);
    assert_int_equal(pid, 0);
    assert_int_equal(store_claim(store, &cut, &error), 0);
    assert_int_equal(cut, 1);
    expect(store, "SELECT state FROM run", "cut");
    store_close(store);
    close(ready[0]);
    close(ready[1]);
}

static void a_pid_that_is_used_again_is_not_the_owner(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    AUTO_ERROR struct error error = ERROR_INIT;
    size_t cut;
    static const char *const changes[] = {"UPDATE owner SET pid = 1, start = start + 5",
                                          "UPDATE owner SET boot = 'another', pid = 1"};
    for (size_t i = 0; i < 2; i++) {
        struct store *store = open_planned(place.path, 1);
        assert_int_equal(sqlite3_exec(store_database(store), changes[i], NULL, NULL, NULL), SQLITE_OK);
        store_close(store);
        store = store_open(place.path, STORE_WRITE, &error);
        assert_int_equal(store_claim(store, &cut, &error), 0);
        store_close(store);
    }
}

/* Writes runs until it is killed. */
static void write_for_ever(const char *path)
{
    struct error error = ERROR_INIT;
    size_t cut;
    struct store *store = store_open(path, STORE_WRITE, &error);
    if (!store || store_claim(store, &cut, &error) < 0)
        _exit(1);
    struct planned_run next;
    struct trace_sample samples[100];
    for (uint32_t i = 0; i < 100; i++)
        samples[i] = (struct trace_sample){i % 3, i * 0.1, 0.1, 40 + i % 7};
    while (store_next(store, &next, &error) == 1) {
        struct record record;
        int64_t run;
        sample_record(&record, 3, 0);
        if (store_begin_run(store, next.position, &run, &error) < 0 ||
            store_add_trace(store, run, samples, 100, &error) < 0 ||
            store_end_run(store, run, &record, &error) < 0)
            _exit(1);
        record_free(&record);
        planned_run_free(&next);
    }
    _exit(0);
}

static void killed_at_any_moment_it_opens_and_goes_on(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    AUTO_ERROR struct error error = ERROR_INIT;
    store_close(open_planned(place.path, 4000));
    int killed = 0;
    for (int i = 0; i < 25; i++) {
        pid_t child = fork();
        if (child == 0)
            write_for_ever(place.path);
        usleep((useconds_t)(5000 + 3777 * (i * 7 % 11)));
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        killed += WIFSIGNALED(status);
        struct store *store = store_open(place.path, STORE_READ, &error);
        assert_non_null(store);
        expect(store, "PRAGMA integrity_check", "ok");
        expect(store, "SELECT count(*) FROM run WHERE state = 'done' AND id NOT IN (SELECT run FROM trace)",
               "0");
        expect(store, "SELECT count(*) = 4 * (SELECT count(*) FROM run WHERE state = 'done') FROM window",
               "1");
        store_close(store);
    }
    assert_true(killed > 20);
    struct store *store = store_open(place.path, STORE_WRITE, &error);
    size_t cut;
    assert_int_equal(store_claim(store, &cut, &error), 0);
    expect(store, "SELECT count(*) FROM run WHERE state = 'running'", "0");
    expect(store, "SELECT count(*) > 5 FROM run WHERE state = 'done'", "1");
    store_close(store);
}

/* ---- a full disk ---- */

static void a_full_database_loses_nothing(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    AUTO_ERROR struct error error = ERROR_INIT;
    struct store *store = open_planned(place.path, 50);
    do_run(store, 0, 5, 0);
    AUTO_FREE char *pages = ask(store, "PRAGMA page_count");
    AUTO_FREE char *limit = text_format("PRAGMA max_page_count = %s", pages);
    free(ask(store, limit));
    int64_t run;
    struct record record;
    sample_record(&record, 3000, 0);
    assert_int_equal(store_begin_run(store, 1, &run, &error), 0);
    assert_int_equal(store_end_run(store, run, &record, &error), -1);
    assert_non_null(strstr(error_text(&error), "the disk is full; what is in the database is safe"));
    expect(store, "SELECT count(*) FROM window", "6");
    free(ask(store, "PRAGMA max_page_count = 1073741823"));
    assert_int_equal(store_end_run(store, run, &record, &error), 0);
    expect(store, "SELECT count(*) FROM run WHERE state = 'done'", "2");
    record_free(&record);
    store_close(store);
}

/* Fills the file system of `folder`; the file stays. */
static void fill_disk(const char *folder)
{
    AUTO_FREE char *path = file_join(folder, "ballast");
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    static const char zeros[4096];
    while (write(file, zeros, sizeof zeros) > 0)
        ;
    close(file);
}

static void check_small_disk(const struct place *place)
{
    struct error error = ERROR_INIT;
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", place->folder, "tmpfs", 0, "size=6m") < 0)
        _exit(77);
    struct store *store = open_planned(place->path, 50);
    int64_t run;
    struct record record;
    sample_record(&record, 2000, 0); /* takes some 800 KiB: more than the log has grown to so far */
    if (store_begin_run(store, 0, &run, &error) < 0)
        _exit(1);
    fill_disk(place->folder);
    if (store_end_run(store, run, &record, &error) < 0 || !store_reserve_used(store))
        _exit(2);
    record_free(&record);
    expect(store, "SELECT count(*) FROM window", "2001");
    fill_disk(place->folder);
    sample_record(&record, 20000, 0);
    if (store_begin_run(store, 1, &run, &error) == 0 && store_end_run(store, run, &record, &error) == 0)
        _exit(3);
    if (!strstr(error_text(&error), "free some space"))
        _exit(4);
    expect(store, "SELECT count(*) FROM run WHERE state = 'done'", "1");
    store_close(store);
    error_clear(&error);
    if (store_open(place->path, STORE_READ, &error) == NULL)
        _exit(5);
    _exit(0);
}

static void a_measured_run_is_stored_even_on_a_full_disk(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place();
    pid_t child = fork();
    if (child == 0)
        check_small_disk(&place);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        remove_place(&place); /* skip() jumps out of here */
        skip();               /* mounting a small disk takes root's rights */
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_went),
        cmocka_unit_test(any_bytes_of_a_workload_become_text),
        cmocka_unit_test(views_say_what_they_promise),
        cmocka_unit_test(runs_are_done_in_the_order_of_the_plan),
        cmocka_unit_test(another_study_is_refused_and_more_repetitions_are_not),
        cmocka_unit_test(other_files_are_refused_and_left_alone),
        cmocka_unit_test(another_schema_version_is_refused),
        cmocka_unit_test(a_store_of_version_1_is_read_without_changing_it),
        cmocka_unit_test(a_store_of_version_2_keeps_every_row),
        cmocka_unit_test(stores_of_old_versions_are_upgraded_when_they_are_written),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(what_is_only_readable_is_read),
        cmocka_unit_test(a_second_study_is_told_who_has_the_database),
        cmocka_unit_test(a_pid_that_is_used_again_is_not_the_owner),
        cmocka_unit_test(killed_at_any_moment_it_opens_and_goes_on),
        cmocka_unit_test(a_full_database_loses_nothing),
        cmocka_unit_test(a_measured_run_is_stored_even_on_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
