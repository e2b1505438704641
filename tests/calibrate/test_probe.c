/* What a probe finds out of a wattmeter that follows this process's load: renewed every second, a mean over a
 * second that ended a second ago. */
#include "calibrate/probe.h"

#include "base/text.h"
#include "wall_play.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static char *write_site(const char *text)
{
    char path[] = "/tmp/joulery-site-XXXXXX";
    int descriptor = mkstemp(path);
    assert_int_equal(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
    close(descriptor);
    return strdup(path);
}

static void update_and_delay_are_found_and_who_does_not_answer_is_named(void **state)
{
    (void)state;
    struct server server = start_server("follower", "0", "1");
    AUTO_FREE char *text =
        text_format("wattmeters:\n  - {name: plug, preset: home-assistant, address: '127.0.0.1:%u', id: s}\n"
                    "  - {name: gone, preset: netio, address: '127.0.0.1:%u'}\n",
                    server.port, free_port(SOCK_STREAM));
    AUTO_FREE char *path = write_site(text);
    const struct meter_setup setup = {.site = path};
    const struct probe_options options = {.setup = &setup, .wall_s = PROBE_LEAST_S};
    struct probes probes;
    struct error error = ERROR_INIT;
    if (probe_make(&options, &probes, &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_int_equal(probes.count, 2);
    const struct probed *plug = &probes.devices[0], *gone = &probes.devices[1];
    print_message("update %.3g s, lag %.3g s, averaging %.3g s, response %.3g W, %.3g W at rest\n",
                  plug->update_s, plug->power.lag_s, plug->power.averaging_s, plug->power.response_w,
                  plug->power.idle_w);
    assert_true(plug->has_power && !plug->has_energy && !plug->pushes);
    assert_true(fabs(plug->update_s - 1) < 0.1);
    assert_true(plug->power.response_p <= RESPONSE_P_MOST && plug->power.response_w > 1);
    assert_true(plug->power.idle_w > 49 && plug->power.idle_w < 70);
    assert_true(fabs(plug->delay_s - 1.5) < 0.4);
    assert_true(plug->power.read_s > 0 && plug->slow_read_s >= plug->power.read_s);
    assert_true(gone->failed == gone->asked && gone->failed > 0 && isnan(gone->update_s) &&
                isnan(gone->delay_s));
    assert_non_null(strstr(gone->trouble, "gone: "));
    json_t *json = probe_to_json(&probes);
    const json_t *first = json_array_get(json_object_get(json, "wattmeters"), 0);
    assert_true(json_number_value(json_object_get(first, "delay_s")) == plug->delay_s);
    json_decref(json);
    probe_free(&probes);
    stop_server(&server);
    unlink(path);
}

static void a_probe_needs_a_site_file_without_mistakes(void **state)
{
    (void)state;
    AUTO_FREE char *path = write_site("wattmeters: [{name: plug, prest: netio}]\n");
    const struct meter_setup setup = {.site = path};
    const struct {
        double wall_s;
        const char *message;
    } cases[] = {{PROBE_LEAST_S, "unknown key 'prest'"},
                 {1, "expected at least 20 s"},
                 {NAN, "expected at least 20 s"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct probe_options options = {.setup = &setup, .wall_s = cases[i].wall_s};
        struct probes probes;
        struct error error = ERROR_INIT;
        assert_int_equal(probe_make(&options, &probes, &error), -1);
        assert_non_null(strstr(error_text(&error), cases[i].message));
        error_clear(&error);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(update_and_delay_are_found_and_who_does_not_answer_is_named),
        cmocka_unit_test(a_probe_needs_a_site_file_without_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
