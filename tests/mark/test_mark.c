#include "mark/mark.h"

#include "base/clock.h"

#include <grp.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct mark_receiver *open_receiver(void)
{
    struct error error = ERROR_INIT;
    struct mark_receiver *receiver = mark_receiver_open(&error);
    assert_non_null(receiver);
    assert_int_equal(setenv(MARK_SOCKET_VARIABLE, mark_receiver_path(receiver), 1), 0);
    return receiver;
}

static void what_is_sent_is_received(void **state)
{
    (void)state;
    struct mark_receiver *receiver = open_receiver();
    struct mark_sender *sender = mark_sender_open();
    assert_non_null(sender);
    const struct mark_metric metrics[] = {{"loss", 0.1}, {"bad", NAN}, {"accuracy", 0.925}};
    const struct mark sent = {.kind = MARK_END,
                              .window = "epoch \"é\"",
                              .index = 41,
                              .boot_ns = 123456789012345,
                              .metrics = metrics,
                              .metric_count = 3};
    assert_true(mark_send(sender, &sent));
    struct mark mark;
    struct mark_owner *owner;
    struct error error = ERROR_INIT;
    assert_int_equal(mark_receive(receiver, &mark, &owner, &error), 1);
    assert_int_equal(mark.kind, MARK_END);
    assert_string_equal(mark.window, sent.window);
    assert_int_equal(mark.index, 41);
    assert_int_equal(mark.boot_ns, 123456789012345);
    assert_int_equal(mark.metric_count, 2); /* what isn't finite stays at home */
    assert_string_equal(mark.metrics[1].name, "accuracy");
    assert_true(mark.metrics[0].value == 0.1 && mark.metrics[1].value == 0.925);
    mark_owner_free(owner);
    assert_int_equal(mark_receive(receiver, &mark, &owner, &error), 0);
    mark_sender_close(sender);
    mark_receiver_close(receiver);
}

static void the_time_of_sending_is_filled_in(void **state)
{
    (void)state;
    struct mark_receiver *receiver = open_receiver();
    struct mark_sender *sender = mark_sender_open();
    int64_t before = clock_boot_ns();
    assert_true(mark_send(sender, &(struct mark){.kind = MARK_NOTE, .text = "hello"}));
    struct mark mark;
    struct mark_owner *owner;
    struct error error = ERROR_INIT;
    assert_int_equal(mark_receive(receiver, &mark, &owner, &error), 1);
    assert_true(mark.boot_ns >= before && mark.boot_ns <= clock_boot_ns());
    assert_string_equal(mark.text, "hello");
    assert_null(mark.window);
    mark_owner_free(owner);
    mark_sender_close(sender);
    mark_receiver_close(receiver);
}

static void without_a_recorder_nothing_happens(void **state)
{
    (void)state;
    unsetenv(MARK_SOCKET_VARIABLE);
    assert_null(mark_sender_open());
    assert_false(mark_send(NULL, &(struct mark){.kind = MARK_NOTE, .text = "x"}));
    mark_sender_close(NULL);
    setenv(MARK_SOCKET_VARIABLE, "/nonexistent/marks", 1);
    assert_null(mark_sender_open());
    struct mark_receiver *receiver = open_receiver();
    struct mark_sender *sender = mark_sender_open();
    mark_receiver_close(receiver);
    assert_false(mark_send(sender, &(struct mark){.kind = MARK_NOTE, .text = "gone"}));
    mark_sender_close(sender);
}

static void a_stuck_recorder_costs_one_short_wait(void **state)
{
    (void)state;
    struct mark_receiver *receiver = open_receiver();
    struct mark_sender *sender = mark_sender_open();
    int64_t before = clock_boot_ns();
    size_t delivered = 0;
    for (size_t i = 0; i < 1000; i++)
        delivered += mark_send(sender, &(struct mark){.kind = MARK_NOTE, .text = "x"});
    assert_in_range(delivered, 1, 999);
    assert_true(clock_boot_ns() - before < NS_PER_S / 2);
    struct mark mark;
    struct mark_owner *owner;
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < delivered; i++) {
        assert_int_equal(mark_receive(receiver, &mark, &owner, &error), 1);
        mark_owner_free(owner);
    }
    assert_true(mark_send(sender, &(struct mark){.kind = MARK_NOTE, .text = "again"}));
    mark_sender_close(sender);
    mark_receiver_close(receiver);
}

static void another_user_cannot_send(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("skipped: only root can become another user\n");
        skip();
    }
    struct mark_receiver *receiver = open_receiver();
    pid_t child = fork();
    if (child == 0) {
        if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
            setresuid(65534, 65534, 65534) < 0)
            _exit(2);
        _exit(mark_sender_open() ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct mark_sender *sender = mark_sender_open(); /* the same path, as its owner */
    assert_non_null(sender);
    mark_sender_close(sender);
    mark_receiver_close(receiver);
}

static void the_socket_is_private_and_goes_away(void **state)
{
    (void)state;
    char long_runtime[200] = "/tmp/";
    memset(long_runtime + 5, 'x', sizeof long_runtime - 6);
    setenv("XDG_RUNTIME_DIR", long_runtime, 1); /* too long for a socket's name: /tmp serves */
    struct mark_receiver *receiver = open_receiver();
    unsetenv("XDG_RUNTIME_DIR");
    char *directory = strdup(mark_receiver_path(receiver));
    *strrchr(directory, '/') = '\0';
    struct stat status;
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(status.st_uid, geteuid());
    mark_receiver_close(receiver);
    assert_int_equal(stat(directory, &status), -1);
    free(directory);
}

static void wrong_is(const char *expected, const char *bytes)
{
    struct mark mark;
    struct mark_owner *owner;
    struct error error = ERROR_INIT;
    assert_int_equal(mark_parse(bytes, strlen(bytes), &mark, &owner, &error), -1);
    assert_null(owner);
    if (!strstr(error_text(&error), expected))
        fail_msg("expected '%s' in '%s'", expected, error_text(&error));
    error_clear(&error);
}

static void garbage_is_refused_with_a_reason(void **state)
{
    (void)state;
    wrong_is("not JSON", "");
    wrong_is("not JSON", "hello");
    wrong_is("not JSON", "{\"mark\":\"note\",\"text\":\"a\"} x");
    wrong_is("not JSON", "{\"mark\":\"note\",\"mark\":\"note\",\"text\":\"\"}");
    wrong_is("not JSON", "{\"mark\":\"metric\",\"metrics\":{\"loss\":1e999}}");
    wrong_is("not JSON", "{\"mark\":\"metric\",\"metrics\":{\"loss\":NaN}}");
    wrong_is("expected a JSON object", "[1]");
    wrong_is("begin, end, metric or note", "{\"mark\":\"start\"}");
    wrong_is("begin, end, metric or note", "{\"window\":\"epoch\"}");
    wrong_is("need a \"window\"", "{\"mark\":\"begin\"}");
    wrong_is("\"window\" to be a string", "{\"mark\":\"begin\",\"window\":3}");
    wrong_is("name of a window", "{\"mark\":\"begin\",\"window\":\"\"}");
    wrong_is("\"index\" to be a whole number", "{\"mark\":\"begin\",\"window\":\"a\",\"index\":1.5}");
    wrong_is("\"t\" to be a whole number from 0", "{\"mark\":\"begin\",\"window\":\"a\",\"t\":-5}");
    wrong_is("needs \"metrics\"", "{\"mark\":\"metric\"}");
    wrong_is("object of at most 64", "{\"mark\":\"metric\",\"metrics\":[]}");
    wrong_is("metric \"a\": expected a number", "{\"mark\":\"metric\",\"metrics\":{\"a\":\"1\"}}");
    wrong_is("needs \"text\"", "{\"mark\":\"note\"}");
}

static void a_datagram_that_is_too_large_is_refused(void **state)
{
    (void)state;
    struct mark_receiver *receiver = open_receiver();
    struct mark_sender *sender = mark_sender_open();
    char *text = malloc(MARK_BYTES_MOST + 1);
    memset(text, 'x', MARK_BYTES_MOST);
    text[MARK_BYTES_MOST] = '\0';
    assert_false(mark_send(sender, &(struct mark){.kind = MARK_NOTE, .text = text}));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(strlen(mark_receiver_path(receiver)) < sizeof address.sun_path);
    memcpy(address.sun_path, mark_receiver_path(receiver), strlen(mark_receiver_path(receiver)) + 1);
    int raw = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(sendto(raw, text, MARK_BYTES_MOST + 1, 0, (struct sockaddr *)&address, sizeof address),
                     MARK_BYTES_MOST + 1);
    struct mark mark;
    struct mark_owner *owner;
    struct error error = ERROR_INIT;
    assert_int_equal(mark_receive(receiver, &mark, &owner, &error), -1);
    assert_non_null(strstr(error_text(&error), "larger than"));
    error_clear(&error);
    assert_int_equal(mark_receive(receiver, &mark, &owner, &error), 0);
    close(raw);
    free(text);
    mark_sender_close(sender);
    mark_receiver_close(receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_is_received),
        cmocka_unit_test(the_time_of_sending_is_filled_in),
        cmocka_unit_test(without_a_recorder_nothing_happens),
        cmocka_unit_test(a_stuck_recorder_costs_one_short_wait),
        cmocka_unit_test(another_user_cannot_send),
        cmocka_unit_test(the_socket_is_private_and_goes_away),
        cmocka_unit_test(garbage_is_refused_with_a_reason),
        cmocka_unit_test(a_datagram_that_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
