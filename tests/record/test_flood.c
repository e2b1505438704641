/* A workload that sends marks and garbage as fast as it can never stops a measurement, and takes no more of
 * the record than its limits. The program is also its own workload: `test_flood child WHAT`. */
#include "record/account.h"
#include "record/recorder.h"
#include "record/windows.h"

#include "base/clock.h"
#include "mark/mark.h"
#include "rapl_tree.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#define ROUNDS    1000
#else
#define SANITIZED 0
#define ROUNDS    10000
#endif

#define DATAGRAM_BYTES 9000
#define MEBIBYTE       (1u << 20)
#define NESTED         1000

static char self[] = "/proc/self/exe";

/* ---- workloads ---- */

/* What one round of the flood sends; # is the round. */
static const struct {
    const char *text;
    size_t size;   /* 0: strlen(text); more is filled up with the last character */
    bool is_mark;  /* it can be parsed */
    bool is_taken; /* and makes sense */
} kinds[] = {
    {"{\"mark\":\"begin\",\"window\":\"w\",\"index\":#,\"t\":999999999999999999}", 0, true, true},
    {"{", 1, false, false},
    {"{", 8000, false, false},
    {"[", 8000, false, false},
    {" ", 9000, false, false}, /* more than a mark may have */
    {"", 1, false, false},     /* a zero byte */
    {"{\"mark\":\"metric\",\"window\":\"w\",\"index\":#,\"metrics\":{\"loss\":0.5}}", 0, true, true},
    {"{\"mark\":\"metric\",\"metrics\":{\"loss\":1e999}}", 0, false, false},
    {"{\"mark\":\"metric\",\"metrics\":{\"loss\":NaN}}", 0, false, false},
    {"{\"mark\":\"end\",\"window\":\"nobody's\",\"index\":#}", 0, true, false},
    {"{\"mark\":\"metric\",\"window\":\"nobody's\",\"metrics\":{\"a\":1}}", 0, true, false},
    {"{\"mark\":\"begin\",\"window\":\"\"}", 0, false, false},
    {"{\"mark\":\"begin\",\"window\":\"w\",\"index\":1.5}", 0, false, false},
    {"{\"mark\":\"begin\",\"window\":\"w\",\"t\":-1}", 0, false, false},
    {"{\"mark\":\"stop\",\"window\":\"run\"}", 0, false, false},
    {"{\"mark\":\"end\",\"window\":\"run\"}", 0, true, false}, /* the run is not the workload's to end */
    {"{\"mark\":\"begin\",\"mark\":\"end\",\"window\":\"w\"}", 0, false, false},
    {"{\"mark\":\"note\",\"text\":\"\xff\"}", 0, false, false},
    {"null", 0, false, false},
    {"{\"mark\":\"end\",\"window\":\"w\",\"index\":#}", 0, true, true},
};

#define KINDS (sizeof kinds / sizeof *kinds)

static int connect_to_recorder(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv(MARK_SOCKET_VARIABLE);
    if (!path || strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int raw = socket(AF_UNIX, SOCK_DGRAM, 0);
    return connect(raw, (struct sockaddr *)&address, sizeof address) == 0 ? raw : -1;
}

/* `text` with its first # replaced by a number. */
static size_t put_text(char *bytes, size_t room, const char *text, int number)
{
    const char *hash = strchr(text, '#');
    if (!hash)
        return (size_t)snprintf(bytes, room, "%s", text);
    return (size_t)snprintf(bytes, room, "%.*s%d%s", (int)(hash - text), text, number, hash + 1);
}

static int send_kind(int raw, size_t kind, int round)
{
    char bytes[DATAGRAM_BYTES];
    size_t size = kinds[kind].size;
    if (size)
        memset(bytes, kinds[kind].text[0], size);
    else
        size = put_text(bytes, sizeof bytes, kinds[kind].text, round);
    return send(raw, bytes, size, 0) == (ssize_t)size ? 0 : -1;
}

static int child_flood(int raw)
{
    for (int round = 0; round < ROUNDS; round++)
        for (size_t kind = 0; kind < KINDS; kind++)
            if (send_kind(raw, kind, round) < 0)
                return 8;
    return 0;
}

static int send_text(int raw, const char *text, int number)
{
    char bytes[200];
    size_t size = put_text(bytes, sizeof bytes, text, number);
    return send(raw, bytes, size, 0) == (ssize_t)size ? 0 : -1;
}

/* More windows, notes and nesting than there is room for. */
static int child_greedy(int raw)
{
    for (int i = 0; i < NESTED; i++)
        if (send_text(raw, "{\"mark\":\"begin\",\"window\":\"deep\",\"index\":#}", i) < 0 ||
            send_text(raw, "{\"mark\":\"note\",\"text\":\"note #\"}", i) < 0)
            return 8;
    send_text(raw, "{\"mark\":\"end\",\"window\":\"deep\",\"index\":#}", 0);
    for (int i = 0; i < ACCOUNT_WINDOWS_MOST + 1000; i++)
        if (send_text(raw, "{\"mark\":\"begin\",\"window\":\"step\",\"index\":#}", i) < 0 ||
            send_text(raw, "{\"mark\":\"end\",\"window\":\"step\",\"index\":#}", i) < 0)
            return 8;
    return 0;
}

/* Metrics of 8 KB a mark, in ever new windows. */
static int child_wordy(int raw)
{
    char bytes[MARK_BYTES_MOST];
    for (int i = 0; i < 20000; i++) {
        int size = snprintf(bytes, sizeof bytes,
                            "{\"mark\":\"begin\",\"window\":\"w\",\"index\":%d,\"metrics\":{", i);
        for (int metric = 0; metric < 30; metric++)
            size += snprintf(bytes + size, sizeof bytes - (size_t)size, "%s\"%0200d\":1", metric ? "," : "",
                             metric);
        size += snprintf(bytes + size, sizeof bytes - (size_t)size, "}}");
        if (send(raw, bytes, (size_t)size, 0) != size ||
            send_text(raw, "{\"mark\":\"end\",\"window\":\"w\",\"index\":#}", i) < 0)
            return 8;
    }
    return 0;
}

static int run_child(const char *what)
{
    int raw = connect_to_recorder();
    if (raw < 0)
        return 9;
    if (strcmp(what, "flood") == 0)
        return child_flood(raw);
    return strcmp(what, "greedy") == 0 ? child_greedy(raw) : child_wordy(raw);
}

/* ---- promises ---- */

static struct rapl_tree *run_flood(char *what, struct record *record)
{
    const struct rapl_zone zones[] = {
        {"intel-rapl:0", "package-0", 262143.328850, 262143.328850 - 20, 100, 40},
        {"intel-rapl:0:0", "dram", 65712.999613, 5, 8, 3},
    };
    struct rapl_tree *tree = rapl_tree_make(zones, 2);
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    const struct recorder_options options = {
        .command = (char *[]){self, "child", what, NULL}, .setup = &setup, .rate_hz = 1000};
    struct error error = ERROR_INIT;
    if (recorder_run(&options, record, &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_int_equal(record->end, END_EXITED);
    assert_int_equal(record->exit_status, 0);
    print_message("%s: %llu marks, %llu rejected, %zu windows in %.2f s; recorder: %.2f s CPU, %.1f MiB\n",
                  what, (unsigned long long)record->marks_received,
                  (unsigned long long)record->marks_rejected, record->window_count, record->wall_s,
                  record->recorder_cpu_s, (double)record->recorder_peak_rss_bytes / MEBIBYTE);
    return tree;
}

/* The record's start is known to a clock's reading, so a ms of the mean power is allowed besides. */
static void is_right(const struct record *record, const struct rapl_tree *tree)
{
    int64_t from = record->started_wall_ns - (clock_wall_ns() - clock_boot_ns());
    for (size_t i = 0; i < 2; i++) {
        const struct channel_energy *energy = &record->windows[0].energies[i];
        double truth_j = rapl_tree_truth_j(tree, i, from, from + (int64_t)(record->wall_s * NS_PER_S));
        print_message("%s: %.4f J, truth %.4f J, ± %.4f J\n", record->channels[i].name, energy->energy_j,
                      truth_j, energy->uncertainty_j);
        assert_true(energy->known);
        assert_true(energy->uncertainty_j < 0.2 * truth_j);
        assert_true(fabs(energy->energy_j - truth_j) <=
                    2 * energy->uncertainty_j + 0.001 * truth_j / record->wall_s);
    }
}

static void a_flood_stops_nothing_and_every_datagram_is_counted(void **state)
{
    (void)state;
    struct record record;
    struct rapl_tree *tree = run_flood("flood", &record);
    uint64_t marks = 0, refused = 0, windows = 0;
    for (size_t i = 0; i < KINDS; i++) {
        marks += kinds[i].is_mark;
        refused += !kinds[i].is_taken;
        windows += kinds[i].is_taken && strstr(kinds[i].text, "begin");
    }
    assert_int_equal(record.marks_received, marks * ROUNDS);
    assert_int_equal(record.marks_rejected, refused * ROUNDS);
    assert_int_equal(record.window_count, 1 + windows * ROUNDS);
    for (size_t i = 1; i < record.window_count; i++) {
        assert_true(record.windows[i].complete);
        assert_int_equal(record.windows[i].parent, 0);
        assert_int_equal(record.windows[i].metric_count, 1);
    }
    is_right(&record, tree);
    if (!SANITIZED)
        assert_true(record.recorder_peak_rss_bytes <= 16 * MEBIBYTE);
    record_free(&record);
    rapl_tree_free(tree);
}

static void what_a_record_takes_has_limits(void **state)
{
    (void)state;
    struct record record;
    struct rapl_tree *tree = run_flood("greedy", &record);
    const uint64_t begun = NESTED + ACCOUNT_WINDOWS_MOST + 1000;
    const uint64_t too_deep = NESTED - WINDOWS_DEPTH_MOST;
    const uint64_t too_many = begun - too_deep - (ACCOUNT_WINDOWS_MOST - 1);
    assert_int_equal(record.window_count, ACCOUNT_WINDOWS_MOST);
    assert_int_equal(record.marks_rejected, too_deep + 2 * too_many + NESTED - WINDOWS_NOTES_MOST);
    assert_int_equal(record.windows[WINDOWS_DEPTH_MOST].parent, WINDOWS_DEPTH_MOST - 1);
    assert_true(record.note_count < RECORD_NOTES_MOST);
    is_right(&record, tree);
    if (!SANITIZED)
        assert_true(record.recorder_peak_rss_bytes <= 96 * MEBIBYTE);
    record_free(&record);
    rapl_tree_free(tree);
}

static void names_and_metrics_have_a_limit_in_bytes(void **state)
{
    (void)state;
    if (SANITIZED)
        skip(); /* its memory would not be comparable */
    struct record record;
    struct rapl_tree *tree = run_flood("wordy", &record);
    assert_true(record.marks_text_bytes <= WINDOWS_TEXT_MOST);
    assert_true(record.marks_text_bytes > WINDOWS_TEXT_MOST - 10000);
    assert_true(record.marks_rejected > 5000);
    is_right(&record, tree);
    assert_true(record.recorder_peak_rss_bytes <= 112 * MEBIBYTE);
    record_free(&record);
    rapl_tree_free(tree);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "child") == 0)
        return run_child(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_stops_nothing_and_every_datagram_is_counted),
        cmocka_unit_test(what_a_record_takes_has_limits),
        cmocka_unit_test(names_and_metrics_have_a_limit_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
