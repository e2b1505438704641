/* Files of carbontracker, Zeus and EnergiBridge, and tables of one's own, as runs. The files are made by hand
 * in the forms that the tools' sources write (see exchange/tool_runs.h). */
#include "base/text.h"
#include "exchange/tool_runs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef int reader(const char *name, const char *text, size_t size, const struct tool_options *options,
                   struct tool_runs *runs, struct error *error);

static const struct tool_options none;

static struct tool_runs read_with(reader *read, const char *text, const struct tool_options *options)
{
    struct error error = ERROR_INIT;
    struct tool_runs runs;
    if (read("f", text, strlen(text), options, &runs, &error) < 0)
        fail_msg("%s", error_text(&error));
    return runs;
}

static void refused(reader *read, const char *text, const struct tool_options *options, const char *words)
{
    struct error error = ERROR_INIT;
    struct tool_runs runs;
    assert_int_equal(read("f", text, strlen(text), options, &runs, &error), -1);
    if (!strstr(error_text(&error), words))
        fail_msg("expected '%s' in '%s'", words, error_text(&error));
    tool_runs_free(&runs);
    error_clear(&error);
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * fmax(1, fabs(b));
}

static const struct channel_energy *energy(const struct tool_run *run, size_t window, const char *channel)
{
    const struct record *record = &run->run.record;
    for (size_t i = 0; i < record->channel_count; i++)
        if (strcmp(record->channels[i].name, channel) == 0)
            return &record->windows[window].energies[i];
    fail_msg("no channel %s", channel);
    return NULL;
}

static bool notes(const struct tool_run *run, const char *words)
{
    for (size_t i = 0; i < run->run.record.note_count; i++)
        if (strstr(run->run.record.notes[i], words))
            return true;
    return false;
}

/* ---- carbontracker ---- */

#define AT "2022-11-14 15:"
#define TWO_EPOCHS                                                                                           \
    AT "39:51 - carbontracker version 2.0.1\n" AT "39:52 - The following components were found: GPU with "   \
       "device(s) Tesla A, Tesla B. CPU with device(s) "                                                     \
       "cpu:0, cpu:1.\n" AT "42:14 - Epoch 1:\n" AT "42:14 - Duration: 0:02:21.90\n" AT                      \
       "42:14 - Average power usage (W) for gpu: [100.5\n  50.5]\n" AT                                       \
       "42:14 - Average power usage (W) for cpu: [13.5 20.0]\n" AT "43:54 - Epoch 2:\n" AT                   \
       "43:54 - Duration: 0:01:30.00\n" AT "43:54 - Average power usage (W) for gpu: None\n" AT              \
       "43:54 - Average power usage (W) for cpu: [14.0 20.0]\n"

static void epochs_of_carbontracker_are_power_by_duration(void **state)
{
    (void)state;
    struct tool_runs runs = read_with(carbontracker_runs, TWO_EPOCHS, &none);
    assert_int_equal(runs.count, 1);
    const struct tool_run *run = &runs.items[0];
    const struct record *record = &run->run.record;
    assert_string_equal(record->source, "carbontracker 2.0.1, f");
    assert_int_equal(record->window_count, 3);
    assert_int_equal(record->host.sockets, 2);
    assert_true(near(energy(run, 1, "cpu")->energy_j, 33.5 * 141.9));
    assert_true(near(energy(run, 2, "cpu")->energy_j, 34 * 90));
    assert_true(near(energy(run, 0, "cpu")->energy_j, 33.5 * 141.9 + 34 * 90));
    assert_true(near(energy(run, 1, "gpu")->energy_j, 151 * 141.9));
    /* 15:42:14 less 2:21.9 to 15:43:54, of which 10 s are in no epoch */
    assert_true(near(record->wall_s, 241.9) && near(record->windows[2].start_s, 151.9));
    assert_true(record->started_wall_ns == 1668440534000000000 - 141900000000);
    assert_true(near(energy(run, 0, "cpu")->gap_s, 10));
    assert_true(record->channels[0].kind == KIND_POWER && isnan(energy(run, 0, "cpu")->uncertainty_j));
    tool_runs_free(&runs);
}

static void an_epoch_without_a_power_is_a_gap(void **state)
{
    (void)state;
    struct tool_runs runs = read_with(carbontracker_runs, TWO_EPOCHS, &none);
    const struct tool_run *run = &runs.items[0];
    assert_false(energy(run, 2, "gpu")->known);
    assert_true(near(energy(run, 0, "gpu")->energy_j, 151 * 141.9) &&
                near(energy(run, 0, "gpu")->gap_s, 100));
    tool_runs_free(&runs);
}

static void half_a_design_power_is_a_model(void **state)
{
    (void)state;
    static const char text[] =
        AT "39:52 - The following components were found: CPU with device(s) Intel(R) Xeon(R) "
           "CPU E5-2698 v4 @ 2.20GHz.\r\n" AT "42:14 - Epoch 7:\r\n" AT "42:14 - Duration: 0:00:10.00\r\n" AT
           "42:14 - Average power usage (W) for cpu: [67.5]\r\n" AT "42:20 - Epoch 8:\r\n";
    struct tool_runs runs = read_with(carbontracker_runs, text, &none);
    const struct record *record = &runs.items[0].run.record;
    assert_true(record->channels[0].kind == KIND_MODEL && record->windows[1].index == 7);
    assert_string_equal(record->host.cpu_model, "Intel(R) Xeon(R) CPU E5-2698 v4 @ 2.20GHz");
    assert_true(notes(&runs.items[0], "half the thermal design power of 'Intel(R) Xeon(R) CPU E5"));
    assert_true(notes(&runs.items[0], "the log ends within epoch 8"));
    tool_runs_free(&runs);
}

static void logs_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "f: no epoch with a duration: expected a log that carbontracker wrote"},
        {AT "43:37 - CarbonTracker: \nActual consumption for 1 epoch(s):\n",
         "name ends with _carbontracker.log"},
        {AT "42:14 - Epoch x:\n", "f:1: expected the number of an epoch, found 'x:'"},
        {AT "42:14 - Epoch 1:\n" AT "42:14 - Duration: 1:61:00\n",
         "f:2: expected a duration like 0:02:21.90"},
        {AT "42:14 - Epoch 1:\n" AT "42:14 - Average power usage (W) for npu: [1]\n",
         "f:2: expected the power of cpu or gpu"},
        {AT "42:14 - Epoch 1:\n" AT "42:14 - Average power usage (W) for cpu: [-1]\n",
         "f:2: expected watts, found '-1'"},
        {AT "42:14 - Epoch 1:\n" AT "42:14 - Duration: 0:00:01.00\n", "f: no power of cpu or gpu"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(carbontracker_runs, cases[i].text, &none, cases[i].words);
}

/* ---- Zeus ---- */

#define ZEUS "start_time,window_name,elapsed_time,gpu0_energy,gpu1_energy\n"

static void outermost_windows_of_zeus_are_runs(void **state)
{
    (void)state;
    /* as logged: a window's row comes when it ends */
    struct tool_runs runs = read_with(zeus_runs,
                                      ZEUS "1650000001.5,epoch,10.25,1000.5,900\n"
                                           "1650000012.0,epoch,10.0,1001.0,910\n"
                                           "1650000000.25,training,30.0,3000.0,2800\n"
                                           "1650000100.0,training,31.0,3100.0,2900\n"
                                           "1650000101.0,epoch,10.0,1100.0,950\n",
                                      &none);
    assert_int_equal(runs.count, 2);
    const struct record *first = &runs.items[0].run.record, *second = &runs.items[1].run.record;
    assert_string_equal(runs.items[0].where, "f:4");
    assert_true(first->window_count == 3 && second->window_count == 2);
    assert_true(near(energy(&runs.items[0], 0, "gpu1")->energy_j, 2800) && near(first->wall_s, 30));
    assert_true(near(energy(&runs.items[0], 2, "gpu0")->energy_j, 1001));
    assert_true(first->windows[1].index == 1 && first->windows[2].index == 2 &&
                second->windows[1].index == 1);
    assert_true(near(first->windows[1].start_s, 1.25) && first->started_wall_ns == 1650000000250000000);
    assert_true(near(record_totals(second, 0).software_j, 6000));
    tool_runs_free(&runs);
}

static void a_window_of_zeus_can_be_named(void **state)
{
    (void)state;
    static const char text[] = ZEUS "10,load,5,1,1\n20,training,30,3,3\n21,epoch,5,1,1\n60,training,30,4,4\n";
    const struct tool_options training = {.window = "training"};
    refused(zeus_runs, text, &none,
            "the windows 'load' (line 2) and 'training' (line 3) lie in no other: say with "
            "--window");
    refused(zeus_runs, text, &(struct tool_options){.window = "x"}, "f: no window is called 'x'");
    struct tool_runs runs = read_with(zeus_runs, text, &training);
    assert_true(runs.count == 2 && runs.items[0].run.record.window_count == 2);
    tool_runs_free(&runs);
}

static void files_that_are_not_of_zeus_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "f: no windows"},
        {"a,b\n1,2\n", "f:1: expected the columns start_time, window_name and elapsed_time"},
        {"start_time,window_name,elapsed_time,\n1,w,1,\n", "Zeus measured no GPU"},
        {ZEUS "1,w,1,1\n", "f:2: expected 5 fields"},
        {ZEUS "1,w,1,1,x\n", "f:2: expected a number in field 5, found 'x'"},
        {ZEUS "1,w,0,1,1\n", "f:2: expected a start_time since 1970 and an elapsed_time above 0 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(zeus_runs, cases[i].text, &none, cases[i].words);
}

/* ---- EnergiBridge ---- */

static void energibridge_is_a_run_a_file(void **state)
{
    (void)state;
    struct tool_runs runs =
        read_with(energibridge_runs,
                  "Delta,Time,DRAM_ENERGY (J),PACKAGE_ENERGY (J)\n0,1697704464320,10,1000.5\n"
                  "200,1697704464520,11,1004.5\n200,1697704464720,12,1010.5\n",
                  &none);
    const struct record *record = &runs.items[0].run.record;
    assert_true(runs.count == 1 && near(energy(&runs.items[0], 0, "cpu")->energy_j, 10));
    assert_true(near(record->wall_s, 0.4) && record->started_wall_ns == 1697704464320000000);
    assert_true(notes(&runs.items[0], "its summary leaves DRAM_ENERGY out"));
    tool_runs_free(&runs);
    refused(energibridge_runs, "Delta,Time,PACKAGE_ENERGY (J)\n0,5,1\n0,5,2\n", &none,
            "rows over more than 0 s");
    refused(energibridge_runs, "Delta\n0\n", &none, "f: EnergiBridge: expected the columns Time");
}

/* ---- tables ---- */

static struct tool_options mapped(struct option_list *list, const char **map)
{
    *list = (struct option_list){map, 1};
    return (struct tool_options){.map = list, .sockets = 2};
}

static void a_table_is_read_by_its_map(void **state)
{
    (void)state;
    struct option_list list;
    const char *map =
        "cpu_energy=E (kWh),\"gpu_energy=g,pu:Wh\",duration=min:min,id=run,factor.net=net,started=when,"
        "metric.val_accuracy=acc,cpu_model=cpu";
    const struct tool_options options = mapped(&list, &map);
    struct tool_runs runs = read_with(csv_runs,
                                      "\xef\xbb\xbfrun;net;E (kWh);g,pu;min;when;acc;cpu\r\n"
                                      "a1;vgg16;0,5;100;10;2022-01-01 10:00:00;0,9;Xeon 1\r\n\r\n"
                                      "a2;\"res;net\";0,3;;9,5;;;\r\n",
                                      &options);
    assert_int_equal(runs.count, 2);
    const struct tool_run *first = &runs.items[0], *second = &runs.items[1];
    assert_true(near(energy(first, 0, "cpu")->energy_j, 1.8e6) &&
                near(energy(first, 0, "gpu")->energy_j, 3.6e5));
    assert_true(near(first->run.record.wall_s, 600) && near(second->run.record.wall_s, 570));
    assert_true(first->run.record.started_wall_ns == 1641031200000000000 &&
                second->run.record.started_wall_ns == 0);
    assert_string_equal(first->id, "a1");
    assert_string_equal(second->where, "f:4");
    assert_string_equal(first->factors[0].factor, "net");
    assert_string_equal(second->factors[0].level, "res;net");
    assert_true(first->run.record.windows[0].metric_count == 1 &&
                first->run.record.windows[0].metrics[0].value == 0.9);
    assert_true(second->run.record.channel_count == 1 && second->run.record.windows[0].metric_count == 0);
    assert_int_equal(first->run.record.host.sockets, 2);
    assert_string_equal(first->run.record.host.cpu_model, "Xeon 1");
    tool_runs_free(&runs);
}

static void a_unit_is_said_or_in_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *map;
        double energy_j;
    } cases[] = {
        {"energy=E:kWh,duration=t", 3.6e6},      {"energy=E:J,duration=t", 1},
        {"energy=energy_kwh,duration=t", 3.6e6}, {"energy=E [Wh],duration=t", 3600},
        {"energy=energy_J,duration=t", 1},       {"energy=E (kJ),duration=t", 1000},
        {"energy=a:b:MJ,duration=t", 1e6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct option_list list;
        const char *map = cases[i].map;
        const struct tool_options options = mapped(&list, &map);
        struct tool_runs runs =
            read_with(csv_runs, "E,energy_kwh,E [Wh],energy_J,E (kJ),a:b,t\n1,1,1,1,1,1,2\n", &options);
        assert_true(near(energy(&runs.items[0], 0, "total")->energy_j, cases[i].energy_j));
        tool_runs_free(&runs);
    }
}

static void maps_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *map, *words;
    } cases[] = {
        {"energy=E,duration=t", "in which unit is 'E'? Say energy=E:kWh"},
        {"energy=E_mj,duration=t", "in which unit is 'E_mj'?"},
        {"enrgy=E:J,duration=t", "unknown role 'enrgy' (did you mean energy?)"},
        {"energy=E:J", "expected the column of the runs' durations"},
        {"duration=t", "expected the column of an energy"},
        {"energy=E:J,cpu_energy=E:J,duration=t", "give either that, or cpu_energy"},
        {"energy=E:J,energy=F:J,duration=t", "'energy' is given twice"},
        {"energy=E:J,factor.=x,duration=t", "unknown role 'factor.'"},
        {"energy", "expected ROLE=COLUMN"},
        {"energy=E:J,duration=t,\"id", "a quote that never ends"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        const struct option_list list = {(const char **)&cases[i].map, 1};
        assert_int_equal(csv_check_map(&list, &error), -1);
        if (!strstr(error_text(&error), cases[i].words))
            fail_msg("expected '%s' in '%s'", cases[i].words, error_text(&error));
        error_clear(&error);
    }
}

static void wrong_cells_are_named_by_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "f:1: no line"},
        {"net,energy,t,w\nx,1,2,\n", "f:1: no column 'E' "},
        {"net,E,t,w\n", "f: no rows"},
        {"net,E,t,w\nx,1,2\n", "f:2: expected 4 fields"},
        {"net,E,t,w\nx,1,0,\n", "f:2: expected a duration above 0 in column 't', found '0'"},
        {"net,E,t,w\nx,1,,\n", "f:2: expected a duration above 0 in column 't', found ''"},
        {"net,E,t,w\nx,1,2,\n\"y\nz\",x,2,\n", "f:3: expected a number in column 'E', found 'x'"},
        {"net,E,t,w\nx,,2,\n", "f:2: no energy"},
        {"net,E,t,w\n,1,2,\n", "f:2: expected a level of the factor in column 'net'"},
        {"net,E,t,w\nx,1,2,noon\n", "f:2: expected a time in column 'w', found 'noon'"},
    };
    struct option_list list;
    const char *map = "energy=E:J,duration=t,factor.net=net,started=w";
    const struct tool_options options = mapped(&list, &map);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(csv_runs, cases[i].text, &options, cases[i].words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epochs_of_carbontracker_are_power_by_duration),
        cmocka_unit_test(an_epoch_without_a_power_is_a_gap),
        cmocka_unit_test(half_a_design_power_is_a_model),
        cmocka_unit_test(logs_that_are_none_are_refused),
        cmocka_unit_test(outermost_windows_of_zeus_are_runs),
        cmocka_unit_test(a_window_of_zeus_can_be_named),
        cmocka_unit_test(files_that_are_not_of_zeus_are_refused),
        cmocka_unit_test(energibridge_is_a_run_a_file),
        cmocka_unit_test(a_table_is_read_by_its_map),
        cmocka_unit_test(a_unit_is_said_or_in_the_name),
        cmocka_unit_test(maps_that_cannot_be_are_refused),
        cmocka_unit_test(wrong_cells_are_named_by_line_and_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
