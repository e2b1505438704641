#include "wall_play.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MEAN_W   100.0
#define SWING_W  40.0
#define PERIOD_S 3.0

struct server start_peer(const char *const *arguments)
{
    struct server server = {0};
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    server.pid = fork();
    if (server.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execvp(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    server.input = in[1];
    FILE *answers = fdopen(out[0], "r");
    long long start;
    assert_int_equal(fscanf(answers, "%u %lld", &server.port, &start), 2);
    server.start_ns = start;
    fclose(answers);
    return server;
}

struct server start_server(const char *shape, const char *lost, const char *update)
{
    const char *const arguments[] = {"python3", WALL_SERVER, shape, lost, update, NULL};
    return start_peer(arguments);
}

void stop_server(struct server *server)
{
    close(server->input);
    assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
}

/* The server's own integral. */
double energy_at_j(const struct server *server, int64_t boot_ns)
{
    double t = (double)(boot_ns - server->start_ns) / NS_PER_S;
    return MEAN_W * t + SWING_W * PERIOD_S / (2 * M_PI) * (1 - cos(2 * M_PI * t / PERIOD_S));
}

void measure_site(struct play *play, const struct server *server, const char *site, const char *seconds)
{
    struct error error = ERROR_INIT;
    char path[] = "/tmp/joulery-site-XXXXXX", sleep[] = "sleep", *argument = strdup(seconds);
    int descriptor = mkstemp(path);
    assert_int_equal(write(descriptor, site, strlen(site)), (ssize_t)strlen(site));
    close(descriptor);
    const struct meter_setup setup = {.site = path};
    const char *const meters[] = {"wattmeter"};
    char *command[] = {sleep, argument, NULL};
    const struct recorder_options options = {
        .command = command, .setup = &setup, .meters = meters, .meter_count = 1, .rate_hz = 20};
    *play = (struct play){0};
    if (recorder_run(&options, &play->record, &error) < 0)
        fail_msg("%s", error_text(&error));
    int64_t begin_ns = play->record.started_wall_ns - (clock_wall_ns() - clock_boot_ns());
    int64_t end_ns = begin_ns + (int64_t)(play->record.wall_s * NS_PER_S);
    play->truth_j = energy_at_j(server, end_ns) - energy_at_j(server, begin_ns);
    unlink(path);
    free(argument);
}

void measure_at(struct play *play, const struct server *server, const char *address, const char *lines,
                const char *seconds)
{
    AUTO_FREE char *site =
        text_format("wattmeters:\n  - name: plug\n    %s: %s:%u%s",
                    strstr(address, "://") ? "url" : "address", address, server->port, lines);
    measure_site(play, server, site, seconds);
}

void measure(struct play *play, const struct server *server, const char *lines, const char *seconds)
{
    AUTO_FREE char *more = text_format("\n%s", lines);
    measure_at(play, server, "127.0.0.1", more, seconds);
}

const struct channel_energy *energy_of(const struct play *play, const char *channel)
{
    for (size_t i = 0; i < play->record.channel_count; i++)
        if (strcmp(play->record.channels[i].name, channel) == 0)
            return &play->record.windows[0].energies[i];
    fail_msg("no channel %s", channel);
    return NULL;
}

void say(const struct play *play, const char *channel)
{
    const struct channel_energy *e = energy_of(play, channel);
    print_message("%s: %.2f J of %.2f (%+.3f %%), ± %.2f J, gaps of %.2f s\n", channel, e->energy_j,
                  play->truth_j, 100 * (e->energy_j / play->truth_j - 1), e->uncertainty_j, e->gap_s);
}

bool has_note(const struct record *record, const char *part)
{
    for (size_t i = 0; i < record->note_count; i++)
        if (strstr(record->notes[i], part))
            return true;
    return false;
}

void write_secret(const char *path, const char *password)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *text = text_format("user meter\npassword %s\n", password);
    assert_int_equal(file_write(path, text, strlen(text), &error), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

unsigned free_port(int socket_type)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int descriptor = socket(AF_INET, socket_type, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &size), 0);
    close(descriptor);
    return ntohs(address.sin_port);
}

pid_t start_program(const char *const *arguments)
{
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        int nowhere = open("/dev/null", O_RDWR);
        for (int descriptor = 0; descriptor < 3; descriptor++)
            dup2(nowhere, descriptor);
        AUTO_FREE char *path = text_format("%s:/usr/sbin", getenv("PATH"));
        setenv("PATH", path, 1);
        execvp(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    setpgid(pid, pid);
    return pid;
}

void stop_program(pid_t pid)
{
    kill(-pid, SIGTERM);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}
