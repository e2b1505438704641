/* Recorders that meet: ranks of one job, strangers on one machine; and what befalls a recorder while it
 * measures. All of them are real `joulery run`s over a simulated machine. They wait for each other by files,
 * never by time. */
#include "base/file.h"
#include "base/text.h"
#include "shop.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static const struct rapl_zone zones[] = {
    {.entry = "intel-rapl:0", .name = "package-0", .range_j = 262143, .mean_w = 20},
    {.entry = "intel-rapl:0:0", .name = "dram", .range_j = 65712, .mean_w = 4},
};

static int open_shop(void **state)
{
    *state = shop_open(zones, 2);
    return *state ? 0 : -1;
}

static int close_shop(void **state)
{
    return shop_close(*state);
}

/* await FILE: until it is there, for a minute at most. */
#define AWAIT                                                                                                \
    "await() { n=0; until test -e $1; do n=$((n+1)); test $n -lt 3000 || exit 99; sleep 0.02; done; }\n"
#define RANKS AWAIT "export SLURM_JOB_ID=7 SLURM_STEP_ID=0\n"

static size_t count_windows(const json_t *json, const char *name)
{
    size_t i, count = 0;
    json_t *window;
    json_array_foreach(json_object_get(json, "windows"), i, window)
    {
        bool complete = json_is_true(json_object_get(window, "complete"));
        count += complete && strcmp(json_string_value(json_object_get(window, "name")), name) == 0;
    }
    return count;
}

static bool has_note(const json_t *json, const char *words)
{
    size_t i;
    json_t *note;
    json_array_foreach(json_object_get(json, "notes"), i, note)
    {
        if (strstr(json_string_value(note), words))
            return true;
    }
    return false;
}

static void ranks_of_a_job_count_the_node_once(void **state)
{
    struct shop *shop = *state;
    static const char script[] = RANKS
        "SLURM_PROCID=0 $J run --json first.json -- sh -c 'touch up; until test -e done; do sleep 0.02; "
        "done; python3 " EXAMPLES "/mark.py; exit 4' &\nfirst=$!\nawait up\n"
        "SLURM_PROCID=1 $J run --json second.json -- sh -c 'python3 " EXAMPLES "/mark.py; exit 5'\n"
        "test $? = 5 || exit 98\ntouch done\nwait $first";
    assert_int_equal(shop_script(shop, script), 4);
    json_t *first = load(shop, "first.json"), *second = load(shop, "second.json");
    assert_true(json_is_null(json_object_get(first, "joined")));
    assert_true(json_is_object(json_object_get(second, "joined")));
    assert_int_equal(json_array_size(json_object_get(first, "channels")), 2);
    assert_int_equal(json_array_size(json_object_get(second, "channels")), 0);
    assert_int_equal(count_windows(first, "epoch"), 6); /* three of each */
    assert_true(has_note(second, "joined recorder pid "));
    assert_false(has_note(first, "another recorder"));
    json_decref(first);
    json_decref(second);
}

static void a_rank_outlives_the_recorder_that_it_joined(void **state)
{
    struct shop *shop = *state;
    static const char script[] = RANKS
        "SLURM_PROCID=0 $J run --json gone.json -- sh -c 'touch up2; until test -e up3; do sleep 0.02; "
        "done' &\nfirst=$!\nawait up2\n"
        "SLURM_PROCID=1 $J run --json last.json -- sh -c 'touch up3; until test -e over; do sleep 0.02; "
        "done; python3 " EXAMPLES "/mark.py && exit 6' &\nsecond=$!\n"
        "wait $first || exit 98\ntouch over\nwait $second";
    assert_int_equal(shop_script(shop, script), 6);
    json_t *gone = load(shop, "gone.json"), *last = load(shop, "last.json");
    assert_true(has_note(last, "the recorder that was joined ended before this command did"));
    assert_true(json_number_value(json_object_get(json_object_get(gone, "totals"), "software_j")) > 0);
    json_decref(gone);
    json_decref(last);
}

static void strangers_on_one_machine_both_say_so(void **state)
{
    struct shop *shop = *state;
    static const char script[] =
        AWAIT "$J run --json early.json -- sh -c 'touch up4; until test -e done4; do sleep 0.02; done' &\n"
              "first=$!\nawait up4\n$J run --json late.json -- true || exit 98\ntouch done4\nwait $first";
    assert_int_equal(shop_script(shop, script), 0);
    json_t *early = load(shop, "early.json"), *late = load(shop, "late.json");
    assert_true(has_note(early, "began to measure this machine meanwhile: don't add its energy"));
    assert_true(has_note(late, "measures this machine at the same time: don't add its energy"));
    assert_int_equal(json_array_size(json_object_get(late, "channels")), 2);
    json_decref(early);
    json_decref(late);
}

/* The limit holds for this joulery's files; what it says goes through a pipe, which has none. */
static void a_trace_that_may_not_grow_ends_and_the_run_goes_on(void **state)
{
    struct shop *shop = *state;
    static const char script[] =
        "(ulimit -f 1; $J run --rate 1000 --trace grown.csv%s -- sh -c 'sleep 2.3; touch ended; exit %d'; "
        "echo status $? >&2) 2>&1 | cat >&2\ntest -e ended && rm ended";
    AUTO_FREE char *plain = text_format(script, "", 5), *packed = text_format(script, ".gz", 0);
    assert_int_equal(shop_script(shop, plain), 0);
    says(shop, "grown.csv: File too large: the trace ends there");
    says(shop, "rapl package-0");
    says(shop, "exit status was 5");
    says(shop, "status 5");
    AUTO_FREE char *left = slurp(shop, "grown.csv");
    assert_string_equal(left, "time_s,meter,channel,power_w,wall_s,run\n"); /* no half a block */
    assert_int_equal(shop_script(shop, packed), 0);
    says(shop, "grown.csv.gz: File too large: the trace ends there");
    says(shop, "status 1");
}

static void a_killed_recorders_trace_can_be_read(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop,
                             "run --rate 1000 --trace killed.csv.gz -- sh -c 'until test $(wc -c "
                             "<killed.csv.gz) -gt 400; do sleep 0.05; done; kill -9 $JOULERY_RECORDER'"),
                     137);
    AUTO_FREE char *path = file_join(shop->folder, "killed.csv.gz");
    gzFile file = gzopen(path, "r");
    char line[256];
    size_t rows = 0;
    assert_non_null(gzgets(file, line, sizeof line));
    while (gzgets(file, line, sizeof line)) {
        double time_s, power_w, wall_s;
        rows++;
        assert_int_equal(sscanf(line, "%lf,rapl,%*[^,],%lf,%lf,1\n", &time_s, &power_w, &wall_s), 3);
    }
    int number;
    assert_true(rows > 10 && gzerror(file, &number) && number == Z_OK);
    assert_int_equal(gzclose(file), Z_OK);
}

static void a_parent_that_ignores_its_children_loses_no_exit_status(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(shop_script(shop, "exec env --ignore-signal=CHLD $J run -- sh -c 'exit 6'"), 6);
    says(shop, "exit status was 6");
    assert_int_equal(shop_script(shop, "exec env --ignore-signal=CHLD $J run -- sh -c 'kill -9 $$'"), 137);
}

static void what_is_no_text_is_not_echoed(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(shop_script(shop, "$J run \"$(printf -- '--\\377\\033[31m')\" -- true"), 2);
    says(shop, "unknown option");
    assert_null(strchr(shop->error, '\033'));
    assert_null(strchr(shop->error, '\377'));
    assert_int_equal(shop_script(shop, "$J \"$(printf '\\377\\033[31m')\""), 2);
    assert_null(strchr(shop->error, '\033'));
    assert_null(strchr(shop->error, '\377'));
}

static void long_notes_are_broken_into_lines(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(shop_script(shop, "JOULERY_SYSFS=/nonexistent $J run --tdp 100 -- true"), 0);
    const char *note = strstr(shop->error, "  note: ");
    assert_non_null(note);
    for (size_t length; *note == ' '; note += length + 1) {
        length = strcspn(note, "\n");
        bool one_word = !memchr(note + 8, ' ', length > 8 ? length - 8 : 0);
        assert_true(length <= 90 || one_word); /* bytes: some characters are of two */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_of_a_job_count_the_node_once),
        cmocka_unit_test(a_rank_outlives_the_recorder_that_it_joined),
        cmocka_unit_test(strangers_on_one_machine_both_say_so),
        cmocka_unit_test(a_trace_that_may_not_grow_ends_and_the_run_goes_on),
        cmocka_unit_test(a_killed_recorders_trace_can_be_read),
        cmocka_unit_test(a_parent_that_ignores_its_children_loses_no_exit_status),
        cmocka_unit_test(what_is_no_text_is_not_echoed),
        cmocka_unit_test(long_notes_are_broken_into_lines),
    };
    return cmocka_run_group_tests(tests, open_shop, close_shop);
}
