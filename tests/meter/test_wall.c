/* Site files, credentials, and the figures in wattmeters' answers. */
#include "base/file.h"
#include "base/text.h"
#include "meter/wall/device.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct wall_site parse(const char *text)
{
    struct error error = ERROR_INIT;
    struct wall_site site;
    if (wall_site_parse(text, strlen(text), "site.yaml", &site, &error) < 0)
        fail_msg("%s", error_text(&error));
    return site;
}

/* Its address is a file of this machine. */
static bool is_local(const struct wall_preset *preset)
{
    return preset->scheme &&
           (strcmp(preset->scheme, "ipmi-local") == 0 || strcmp(preset->scheme, "wattsup") == 0);
}

static void presets_are_filled_in(void **state)
{
    (void)state;
    struct wall_site site =
        parse("wattmeters:\n"
              "  - name: plug\n    preset: shelly-gen1\n    address: 10.0.0.7:8080\n"
              "  - {name: pdu, preset: netio, address: pdu.lab, id: 3, delay: 0.5}\n"
              "  - {name: bmc, preset: redfish-power, address: bmc, id: Self}\n"
              "  - {name: ha, preset: home-assistant, address: ha, id: sensor.plug}\n"
              "  - {name: rack, preset: raritan-inlet, address: 'pdu.lab:1161', id: 1.2}\n"
              "  - {name: apc, preset: apc-rpdu2, address: apc}\n");
    assert_int_equal(site.count, 6);
    assert_string_equal(site.devices[0].url, "http://10.0.0.7:8080/status");
    assert_string_equal(site.devices[0].energy.at, "/meters/0/total");
    assert_true(site.devices[0].energy.factor == 60 && site.devices[0].energy.step == 60);
    assert_true(site.devices[0].interval_s == 1 && site.devices[0].update_s == 1);
    assert_string_equal(site.devices[1].power.at, "/Outputs/3/Load");
    assert_true(site.devices[1].interval_s == 2 && site.devices[1].delay_s == 0.5);
    assert_true(site.devices[1].energy.step == 3600);
    assert_string_equal(site.devices[2].url, "https://bmc/redfish/v1/Chassis/Self/Power");
    assert_string_equal(site.devices[3].url, "http://ha/api/states/sensor.plug");
    assert_null(site.devices[3].energy.at);
    assert_int_equal(site.devices[3].line, 7);
    assert_string_equal(site.devices[4].url, "snmp://pdu.lab:1161");
    assert_string_equal(site.devices[4].energy.at, ".1.3.6.1.4.1.13742.6.5.2.3.1.4.1.2.8");
    assert_string_equal(site.devices[4].energy.digits_at, ".1.3.6.1.4.1.13742.6.3.3.4.1.7.1.2.8");
    assert_string_equal(site.devices[4].power.digits_at, ".1.3.6.1.4.1.13742.6.3.3.4.1.7.1.2.5");
    assert_true(site.devices[5].power.factor == 10);
    assert_true(fabs(site.devices[5].energy.factor - 360000) < 1e-6 &&
                fabs(site.devices[5].energy.step - 360000) < 1e-6);
    wall_site_free(&site);
    site = parse("wattmeters:\n"
                 "  - {name: bmc, preset: ipmi-dcmi, address: 'bmc.lab:6230', credentials: s}\n"
                 "  - {name: own, preset: ipmi-dcmi-local, address: /dev/ipmi0}\n"
                 "  - {name: line, preset: wattsup, address: /dev/ttyUSB0, serial: 19200 8N1}\n");
    assert_string_equal(site.devices[0].url, "ipmi://bmc.lab:6230");
    assert_true(site.devices[0].power.factor == 1 && site.devices[0].power.step == 1);
    assert_string_equal(site.devices[1].url, "ipmi-local:///dev/ipmi0");
    assert_string_equal(site.devices[2].url, "wattsup:///dev/ttyUSB0");
    assert_string_equal(site.devices[2].serial, "19200 8N1");
    assert_true(site.devices[2].energy.factor == 3600 && fabs(site.devices[2].energy.step - 360) < 1e-9);
    wall_site_free(&site);
    size_t count;
    const struct wall_preset *presets = wall_presets(&count);
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *text =
            text_format("wattmeters:\n  - {name: a, preset: %s, address: %s, id: 1%s}\n", presets[i].name,
                        is_local(&presets[i]) ? "/dev/x0" : "host",
                        strcmp(presets[i].name, "ipmi-dcmi") == 0 ? ", credentials: s" : "");
        site = parse(text);
        wall_site_free(&site);
    }
}

static void a_device_of_ones_own_takes_a_few_lines(void **state)
{
    (void)state;
    struct wall_site site = parse("wattmeters:\n"
                                  "  - name: mine\n    url: https://meter/now?x=1\n"
                                  "    power: {at: /a~1b/0/~0w, unit: kW}\n"
                                  "    energy: {at: /e, unit: Wh, step: 0.1}\n"
                                  "    prefer_power: true\n    accuracy: 0.005\n    max_power: 3680\n");
    const struct wall_device *d = &site.devices[0];
    double power_w, energy_j;
    int64_t wall_ns;
    struct error error = ERROR_INIT;
    assert_true(d->prefer_power && d->accuracy_given && d->accuracy == 0.005 && d->max_power_w == 3680);
    assert_true(fabs(d->energy.step - 360) < 1e-9);
    const char *text = "{\"a/b\": [{\"~w\": 1.25}], \"e\": 10}";
    assert_int_equal(wall_answer(d, text, strlen(text), &power_w, &energy_j, &wall_ns, &error), 0);
    assert_true(power_w == 1250 && energy_j == 36000);
    wall_site_free(&site);
    site = parse("wattmeters:\n  - {name: bare, url: 'mqtt://b/p', power: {at: '', unit: kW}}\n");
    assert_int_equal(wall_answer(&site.devices[0], "0.5", 3, &power_w, &energy_j, &wall_ns, &error), 0);
    assert_true(power_w == 500);
    wall_site_free(&site);
}

static void wrong_site_files_are_explained_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "site.yaml:1: expected the key wattmeters"},
        {"a: [", "site.yaml:2: no YAML: "},
        {"meters: []", "site.yaml:1: unknown key 'meters': expected wattmeters"},
        {"wattmeters: []", "no wattmeter is listed"},
        {"wattmeters: plug", "expected a list, each with a dash before it"},
        {"wattmeters:\n  - name: a\n    prest: x\n",
         "site.yaml:3: unknown key 'prest' (did you mean preset?)"},
        {"wattmeters:\n  - {name: a, preset: shely-gen2, address: b}",
         "site.yaml:2: unknown preset 'shely-gen2' (did you mean shelly-gen2?)"},
        {"wattmeters:\n  - {name: a, preset: tasmota}", "preset tasmota: expected an address"},
        {"wattmeters:\n  - {name: a, preset: home-assistant, address: b}", "expected an id"},
        {"wattmeters:\n  - {preset: tasmota, address: b}", "expected a name for the wattmeter"},
        {"wattmeters:\n  - {name: a, address: b}", "address and id go with a preset"},
        {"wattmeters:\n  - {name: a}", "expected a preset with an address, or a url"},
        {"wattmeters:\n  - {name: a, url: 'ftp://b', power: {at: /p, unit: W}}",
         "expected an address of http, https, mqtt, mqtts, snmp, "},
        {"wattmeters:\n  - {name: a, url: 'http://me:secret@b', power: {at: /p, unit: W}}",
         "put it into a file and name that with credentials: FILE"},
        {"wattmeters:\n  - {name: a, url: 'http://b/c d', power: {at: /p, unit: W}}", "written as %20"},
        {"wattmeters:\n  - {name: a, url: 'http://b'}", "expected power: or energy:"},
        {"wattmeters:\n  - {name: a, url: 'http://b', power: {at: p, unit: W}}", "expected a JSON pointer"},
        {"wattmeters:\n  - {name: a, url: 'http://b', power: {at: /p}}", "power: expected a unit"},
        {"wattmeters:\n  - {name: a, url: 'http://b', power: {at: /p, unit: Wh}}",
         "power: unknown unit 'Wh'"},
        {"wattmeters:\n  - {name: a, url: 'http://b', energy: {at: /p, unit: Wh}}",
         "energy: expected its step"},
        {"wattmeters:\n  - {name: a, url: 'http://b', power: {unit: W}}", "power: expected at: with it"},
        {"wattmeters:\n  - {name: a, url: 'http://b', power: {at: /p, unit: W}, ok: {at: /x}}",
         "ok: expected both at: and is:"},
        {"wattmeters:\n  - {name: a, preset: tasmota, address: b, interval: 0}",
         "interval: expected seconds from 0.05 to 3600, found '0'"},
        {"wattmeters:\n  - {name: a, preset: tasmota, address: b, apart: maybe}",
         "apart: expected true or false, found 'maybe'"},
        {"wattmeters:\n  - {name: a, preset: tasmota, address: b}\n  - {name: a, preset: netio, address: c}",
         "site.yaml:3: a second wattmeter is called 'a': the first is in line 2"},
        {"wattmeters:\n  - {name: a, url: 'http://b', auth: SHA, power: {at: /p, unit: W}}",
         "digits_at, auth and cipher are for SNMP alone"},
        {"wattmeters:\n  - {name: a, url: 'snmp://b/c', power: {at: .1.3, unit: W}}",
         "a: expected a host and no more, as in snmp://pdu.lab, found 'snmp://b/c'"},
        {"wattmeters:\n  - {name: a, url: 'snmp://b', power: {at: /p, unit: W}}",
         "a: expected an OID in numbers, as in .1.3.6.1"},
        {"wattmeters:\n  - {name: a, url: 'snmp://b', power: {at: .1.3, unit: W, digits_at: x}}",
         "a: expected an OID in numbers"},
        {"wattmeters:\n  - {name: a, url: 'snmp://b', auth: SHA-1, power: {at: .1.3, unit: W}}",
         "auth: expected MD5, SHA, SHA-256 or SHA-512, found 'SHA-1'"},
        {"wattmeters:\n  - {name: a, url: 'snmp://b', cipher: DES, power: {at: .1.3, unit: W}}",
         "cipher: expected AES, found 'DES'"},
        {"wattmeters:\n  - {name: a, preset: eaton-epdu, address: b}",
         "preset eaton-epdu: expected an id: Eaton ePDU G3, an input; id is STRAP.INPUT.PHASE"},
        {"wattmeters:\n  - {name: a, preset: ipmi-dcmi, address: bmc}",
         "site.yaml:2: a: expected credentials: FILE, with the BMC's user and password"},
        {"wattmeters:\n  - {name: a, preset: ipmi-dcmi, address: bmc/dcmi, credentials: s}",
         "expected a host and nothing behind it, as in ipmi://bmc.lab"},
        {"wattmeters:\n  - {name: a, preset: ipmi-dcmi-local, address: bmc}",
         "expected the driver's file, as in ipmi-local:///dev/ipmi0"},
        {"wattmeters:\n  - {name: a, url: 'ipmi://b', power: {at: /p, unit: W}, credentials: s}",
         "power: at: expected dcmi or dcmi:big-endian, found '/p'"},
        {"wattmeters:\n  - {name: a, preset: ipmi-dcmi, address: bmc, credentials: s,\n"
         "     energy: {at: dcmi, unit: Wh, step: 1}}",
         "energy: a BMC's DCMI tells power alone: leave energy out"},
        {"wattmeters:\n  - {name: a, url: 'ipmi://b', energy: {at: dcmi, unit: Wh, step: 1}, credentials: s}",
         "energy: a BMC's DCMI tells power alone: leave energy out"},
        {"wattmeters:\n  - {name: a, preset: wattsup, address: ttyUSB0}",
         "site.yaml:2: a: expected the line's file, as in wattsup:///dev/ttyUSB0"},
        {"wattmeters:\n  - {name: a, preset: wattsup, address: /dev/ttyUSB0, serial: 9600}",
         "site.yaml:2: a: serial: expected bits a second"},
        {"wattmeters:\n  - {name: a, url: 'wattsup:///dev/x', power: {at: /W, unit: W}}",
         "power: at: expected W, as the meter calls it, found '/W'"},
        {"wattmeters:\n  - {name: a, url: 'wattsup:///dev/x', energy: {at: W, unit: Wh, step: 0.1}}",
         "energy: at: expected WH, as the meter calls it, found 'W'"},
        {"wattmeters:\n  - {name: a, name: b, preset: tasmota, address: b}", "name stands here twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct wall_site site;
        int result = wall_site_parse(cases[i].text, strlen(cases[i].text), "site.yaml", &site, &error);
        if (result == 0 || !strstr(error_text(&error), cases[i].message))
            fail_msg("%s\nexpected '%s', found '%s'", cases[i].text, cases[i].message,
                     result ? error_text(&error) : "no error");
        assert_null(strstr(error_text(&error), "secret"));
        error_clear(&error);
    }
}

/* Each quirk that recorded answers of real devices show: docs/instruments.md. */
static void quirks_of_answers_are_survived(void **state)
{
    (void)state;
    static const struct {
        const char *preset, *answer;
        double power_w, energy_j; /* NAN: no news */
        const char *message;      /* NULL: no error */
    } cases[] = {
        {"shelly-gen1", "{\"meters\":[{\"power\":0.0,\"is_valid\":true,\"total\":2632}]}", 0, 2632 * 60.0,
         NULL},
        {"shelly-gen1", "{\"meters\":[]}", NAN, NAN, NULL},
        {"shelly-gen2", "{\"apower\":2.7,\"aenergy\":{\"total\":1.234}}", 2.7, 4442.4, NULL},
        {"shelly-gen2", "{\"aenergy\":{\"total\":1.234}}", NAN, 4442.4, NULL},
        {"shelly-gen1-mqtt", "33.41", 33.41, NAN, NULL},
        {"shelly-gen1-mqtt", "on", NAN, NAN, "expected JSON"},
        {"shelly-gen2-mqtt", "{\"id\":0,\"apower\":2.7,\"aenergy\":{\"total\":1.234}}", 2.7, 4442.4, NULL},
        {"gude", "{\"sensor_values\":[{\"values\":[[0,1,2,3,{\"v\":17}]]}]}", 17, NAN, NULL},
        {"shelly-pro3em", "{\"total_act_power\":558.965,\"n_current\":null}", 558.965, NAN, NULL},
        {"tasmota", "{\"StatusSNS\":{\"ENERGY\":{\"Power\": 0,\"Total\":1.5}}}", 0, 5.4e6, NULL},
        {"tasmota", "{\"StatusSNS\":{\"ENERGY\":{\"Power\":[ 0,26],\"Total\":1.5}}}", NAN, NAN,
         "/StatusSNS/ENERGY/Power: expected a number, found a list of 2: the device has several channels: "
         "point "
         "at one, as in /StatusSNS/ENERGY/Power/0"},
        {"tasmota-channels", "{\"StatusSNS\":{\"ENERGY\":{\"Power\":[8.15,26]}}}", 8.15, NAN, NULL},
        {"home-assistant", "{\"state\":\"0.1215\",\"attributes\":{\"unit_of_measurement\":\"kW\"}}", 121.5,
         NAN, NULL},
        {"home-assistant", "{\"state\":\"unavailable\",\"attributes\":{}}", NAN, NAN, NULL},
        {"home-assistant", "{\"state\":\"below_horizon\",\"attributes\":{}}", NAN, NAN,
         "/state: expected a number, found 'below_horizon'"},
        {"home-assistant", "{\"state\":\"21.4\",\"attributes\":{\"unit_of_measurement\":\"\\u00b0C\"}}", NAN,
         NAN, "expected a unit such as W or kW"},
        {"fronius-meter",
         "{\"Head\":{\"Status\":{\"Code\":0}},\"Body\":{\"Data\":{\"PowerReal_P_Sum\":-12.5}}}", -12.5, NAN,
         NULL},
        {"fronius-meter", "{\"Head\":{\"Status\":{\"Code\":8}},\"Body\":{}}", NAN, NAN,
         "the device reports a failure: /Head/Status/Code is 8, expected 0"},
        {"fronius-meter",
         "{\"Head\":{\"Status\":{\"Code\":0}},\"Body\":{\"Data\":{\"PowerReal_P_Sum\":null}}}", NAN, NAN,
         NULL},
        {"mystrom", "{\"power\":0,\"energy_since_boot\":20043137.83}", 0, 20043137.83, NULL},
        {"homewizard", "{\"total_power_import_t1_kwh\":63.651,\"active_power_w\":1457.277}", 1457.277,
         63.651 * 3.6e6, NULL},
        {"redfish-environment", "{\"PowerWatts\":{\"Reading\":374},\"EnergykWh\":{\"Reading\":325675}}", 374,
         325675 * 3.6e6, NULL},
        {"tasmota-mqtt", "{\"ENERGY\":{\"Power\":52,\"Total\":2.813}}", 52, 2.813 * 3.6e6, NULL},
        {"tasmota-mqtt", "{\"ENERGY\":{\"Power\":[52,5],\"Total\":[2.813,0.254]}}", NAN, NAN,
         "found a list of 2"},
        {"zigbee2mqtt", "{\"energy\":1.92,\"power\":0,\"update_available\":null}", 0, NAN, NULL},
        {"zigbee2mqtt", "{\"linkquality\":102}", NAN, NAN, NULL},
        {"kwollect",
         "[{\"timestamp\":\"2026-03-01T10:00:02.5+01:00\",\"value\":101.5},"
         "{\"timestamp\":\"2026-03-01T10:00:01+01:00\",\"value\":99}]",
         101.5, NAN, NULL},
        {"kwollect", "[]", NAN, NAN, NULL},
        {"kwollect", "[{\"timestamp\":\"now\",\"value\":1}]", NAN, NAN,
         "/timestamp: expected a time, found 'now'"},
        {"netio", "<html>busy</html>", NAN, NAN, "expected JSON, found something else"},
        {"netio", "{\"Outputs\":[{\"Load\":true}]}", NAN, NAN,
         "/Outputs/0/Load: expected a number, found true"},
        {"netio", "", NAN, NAN, "expected JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *text =
            text_format("wattmeters:\n  - {name: plug, preset: %s, address: b%s}\n", cases[i].preset,
                        strstr(cases[i].preset, "home") || strstr(cases[i].preset, "mqtt") ||
                                strstr(cases[i].preset, "kwollect")
                            ? ", id: s"
                            : "");
        struct wall_site site = parse(text);
        struct error error = ERROR_INIT;
        double power_w, energy_j;
        int64_t wall_ns;
        const char *answer = cases[i].answer;
        int result =
            wall_answer(&site.devices[0], answer, strlen(answer), &power_w, &energy_j, &wall_ns, &error);
        assert_int_equal(result, cases[i].message ? -1 : 0);
        if (cases[i].message && !strstr(error_text(&error), cases[i].message))
            fail_msg("expected '%s', found '%s'", cases[i].message, error_text(&error));
        bool same_power = isnan(cases[i].power_w) ? isnan(power_w) : fabs(power_w - cases[i].power_w) < 1e-9;
        bool same_energy =
            isnan(cases[i].energy_j) ? isnan(energy_j) : fabs(energy_j - cases[i].energy_j) < 1e-3;
        if (result == 0 && !(same_power && same_energy))
            fail_msg("%s %s: %g W, %g J", cases[i].preset, answer, power_w, energy_j);
        error_clear(&error);
        wall_site_free(&site);
    }
}

static void answers_may_tell_their_time(void **state)
{
    (void)state;
    struct wall_site site = parse("wattmeters:\n  - {name: plug, preset: kwollect, address: b, id: n-1}\n");
    const char *text = "[{\"timestamp\":\"2026-03-01T10:00:02.5+01:00\",\"value\":101.5}]";
    struct error error = ERROR_INIT;
    double power_w, energy_j;
    int64_t wall_ns;
    assert_int_equal(wall_answer(&site.devices[0], text, strlen(text), &power_w, &energy_j, &wall_ns, &error),
                     0);
    assert_int_equal(wall_ns, 1772355602500000000);
    wall_site_free(&site);
}

static void credentials_are_read_from_a_file_of_ones_own_alone(void **state)
{
    (void)state;
    char folder[] = "/tmp/joulery-wall-XXXXXX";
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *path = file_join(folder, "plug.secret");
    struct error error = ERROR_INIT;
    struct wall_secret secret;
    static const char text[] = "# of the plug\nuser meter\npassword hunter 2\n";
    assert_int_equal(file_write(path, text, strlen(text), &error), 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(wall_secret_read(path, &secret, &error), -1);
    assert_non_null(strstr(error_text(&error), "others may read it (mode 0640): chmod 600"));
    error_clear(&error);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(wall_secret_read(path, &secret, &error), 0);
    assert_string_equal(secret.user, "meter");
    assert_string_equal(secret.password, "hunter 2");
    wall_secret_free(&secret);
    static const char v3[] = "user meter\npassword hunter 2\nprivacy Of My Own\n", open[] = "community lab\n";
    assert_int_equal(wall_secret_parse(v3, strlen(v3), path, &secret, &error), 0);
    assert_string_equal(secret.privacy, "Of My Own");
    wall_secret_free(&secret);
    assert_int_equal(wall_secret_parse(open, strlen(open), path, &secret, &error), 0);
    assert_string_equal(secret.community, "lab");
    wall_secret_free(&secret);
    static const char *const wrong[] = {"community hunter2\ntoken a\n",
                                        "community a\nprivacy hunter2\n",
                                        "password x\n",
                                        "user a\nuser b\n",
                                        "pass hunter2\n",
                                        "token a\nuser hunter2",
                                        "",
                                        "user\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(wall_secret_parse(wrong[i], strlen(wrong[i]), path, &secret, &error), -1);
        assert_non_null(strstr(error_text(&error), path));
        assert_null(strstr(error_text(&error), "hunter2"));
        error_clear(&error);
    }
    assert_int_equal(wall_secret_read(folder, &secret, &error), -1);
    assert_non_null(strstr(error_text(&error), "expected a regular file"));
    error_clear(&error);
    unlink(path);
    rmdir(folder);
}

static void meters_on_modbus_are_a_line_or_a_host_and_a_unit(void **state)
{
    (void)state;
    struct wall_site site = parse(
        "wattmeters:\n"
        "  - {name: a, preset: sdm630, address: '[::1]:1502', energy: {step: 0.016}}\n"
        "  - {name: b, preset: gavazzi-em340, address: 'modbus-rtu:///dev/serial/by-id/usb-1:2', id: 17,\n"
        "     serial: 19200 8E1}\n"
        "  - {name: c, url: 'modbus://meter/255', energy: {at: 'holding:1:uint64', unit: Wh, step: 1}}\n");
    assert_string_equal(site.devices[0].url, "modbus://[::1]:1502/1");
    assert_true(fabs(site.devices[0].energy.step - 57600) < 1e-6);
    assert_string_equal(site.devices[0].energy.at, "input:0x0048:float32");
    assert_string_equal(site.devices[1].url, "modbus-rtu:///dev/serial/by-id/usb-1:2/17");
    assert_true(fabs(site.devices[1].energy.step - 360e3) < 1e-6);
    assert_true(fabs(site.devices[1].power.factor - 0.1) < 1e-12);
    wall_site_free(&site);
    static const char *const cases[][2] = {
        {"preset: tasmota, address: b, serial: 9600 8N1",
         "serial is for a meter on a serial line, not for http"},
        {"preset: sdm120, address: b, serial: 9600 8N1", "not for modbus"},
        {"preset: sdm120, address: b, credentials: f", "credentials and ca are not for Modbus"},
        {"preset: sdm120, address: b, time_at: /t", "time_at are for answers in JSON, not for modbus"},
        {"preset: sdm120, address: b, power: {at: /power, unit: W}", "power: at: expected input or holding"},
        {"preset: sdm120, address: b, energy: {at: 'input:9', unit: Wh, step: 1}",
         "energy: at: expected input or"},
        {"preset: sdm120, address: b, id: 248",
         "expected a unit from 0 to 247, or 255, at the address's end"},
        {"preset: sdm120, address: b/c, id: 1", "found 'c/1'"},
        {"preset: sdm120, address: 'b:0'", "a: address: expected a port"},
        {"preset: sdm120, address: ':502'", "a: address: expected a host"},
        {"url: 'modbus://b', power: {at: 'input:1:int16', unit: W}", "found ''"},
        {"preset: sdm120, address: 'modbus-rtu://ttyUSB0'", "expected a serial line and a unit"},
        {"preset: sdm120, address: 'modbus-rtu://'", "expected a serial line and a unit"},
        {"preset: sdm120, address: 'modbus-rtu:///dev/ttyUSB0', id: 0", "expected a unit from 1 to 247"},
        {"preset: sdm120, address: 'modbus-rtu:///dev/ttyUSB0', serial: 9601 8N1",
         "serial: expected bits a second (300 to 921600"},
        {"preset: sdm120, address: 'modbus-rtu:///dev/ttyUSB0', serial: 9600 7E1",
         "serial: Modbus RTU has 8 data bits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        AUTO_FREE char *text = text_format("wattmeters:\n  - {name: a, %s}\n", cases[i][0]);
        int result = wall_site_parse(text, strlen(text), "site.yaml", &site, &error);
        if (result == 0 || !strstr(error_text(&error), cases[i][1]))
            fail_msg("%s\nexpected '%s', found '%s'", text, cases[i][1],
                     result ? error_text(&error) : "no error");
        error_clear(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_are_filled_in),
        cmocka_unit_test(a_device_of_ones_own_takes_a_few_lines),
        cmocka_unit_test(wrong_site_files_are_explained_by_line),
        cmocka_unit_test(meters_on_modbus_are_a_line_or_a_host_and_a_unit),
        cmocka_unit_test(quirks_of_answers_are_survived),
        cmocka_unit_test(answers_may_tell_their_time),
        cmocka_unit_test(credentials_are_read_from_a_file_of_ones_own_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
