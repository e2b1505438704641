#include "reconcile/ask.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 20 /* for the end of a program that has closed its streams */

extern char **environ;

enum { OUTPUT, ERRORS, STREAMS };

struct streams {
    int read_end[STREAMS]; /* -1: closed */
    int write_end[STREAMS];
    struct text texts[STREAMS];
};

static void close_end(int *end)
{
    if (*end >= 0)
        close(*end);
    *end = -1;
}

static void close_streams(struct streams *streams)
{
    for (size_t i = 0; i < STREAMS; i++) {
        close_end(&streams->read_end[i]);
        close_end(&streams->write_end[i]);
        text_free(&streams->texts[i]);
    }
}

static int open_streams(struct streams *streams, struct error *error)
{
    *streams = (struct streams){{-1, -1}, {-1, -1}, {TEXT_INIT, TEXT_INIT}};
    for (size_t i = 0; i < STREAMS; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
            return error_errno(error, errno, "pipe");
        streams->read_end[i] = ends[0];
        streams->write_end[i] = ends[1];
    }
    return 0;
}

static int start(char *const *argv, struct streams *streams, pid_t *child, struct error *error)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, streams->write_end[OUTPUT], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, streams->write_end[ERRORS], STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    int number = posix_spawnp(child, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    for (size_t i = 0; i < STREAMS; i++)
        close_end(&streams->write_end[i]);
    return number == 0 ? 0 : error_errno(error, number, argv[0]);
}

static void read_stream(struct streams *streams, size_t stream)
{
    char block[4096];
    ssize_t got = read(streams->read_end[stream], block, sizeof block);
    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0) {
        close_end(&streams->read_end[stream]);
        return;
    }
    struct text *text = &streams->texts[stream];
    size_t room = ASK_BYTES_MOST - text->length;
    text_append_bytes(text, block, (size_t)got < room ? (size_t)got : room);
}

/* Until the program has ended and nothing more waits to be read; false: its time is over. */
static bool follow(struct streams *streams, pid_t child, int64_t deadline_ns,
                   const volatile sig_atomic_t *stop, int *status)
{
    bool ended = false;
    while (clock_boot_ns() < deadline_ns && !(stop && *stop)) {
        struct pollfd events[STREAMS];
        for (size_t i = 0; i < STREAMS; i++)
            events[i] = (struct pollfd){.fd = streams->read_end[i], .events = POLLIN};
        int ready = poll(events, STREAMS, ended ? 0 : LOOK_MS);
        for (size_t i = 0; ready > 0 && i < STREAMS; i++)
            if (events[i].revents)
                read_stream(streams, i);
        if (ended && ready <= 0)
            return true;
        ended = ended || waitpid(child, status, WNOHANG) == child;
    }
    return ended;
}

int ask_program(char *const *argv, double timeout_s, const volatile sig_atomic_t *stop, struct answer *answer,
                struct error *error)
{
    struct streams streams;
    pid_t child;
    int status = 0;
    *answer = (struct answer){0};
    if (open_streams(&streams, error) < 0 || start(argv, &streams, &child, error) < 0) {
        close_streams(&streams);
        return -1;
    }
    bool ended = follow(&streams, child, clock_boot_ns() + (int64_t)(timeout_s * NS_PER_S), stop, &status);
    kill(-child, SIGKILL); /* with what it may have left running */
    while (!ended && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (ended) {
        answer->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        answer->output = text_take(&streams.texts[OUTPUT]);
        answer->errors = text_take(&streams.texts[ERRORS]);
    }
    close_streams(&streams);
    if (!ended)
        return stop && *stop ? error_set(error, "%s: stopped before it answered", argv[0])
                             : error_set(error, "%s: no answer within %g s", argv[0], timeout_s);
    if (answer->output && answer->errors)
        return 0;
    answer_free(answer);
    return error_memory(error, argv[0]);
}

void answer_free(struct answer *answer)
{
    free(answer->output);
    free(answer->errors);
    *answer = (struct answer){0};
}
