/* wall_play.h: a run of the recorder beside a wattmeter whose power is known: 100 W + 40 W sin(2 pi t / 3 s),
 * t by CLOCK_BOOTTIME from the wattmeter's start. What can't be done fails the test. */
#ifndef JOULERY_TESTS_WALL_PLAY_H
#define JOULERY_TESTS_WALL_PLAY_H

#include "record/recorder.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The program that plays the wattmeter. */
struct server {
    pid_t pid;
    int input; /* closing it ends the server */
    unsigned port;
    int64_t start_ns;
};

/* A program that writes its port (0: it has none) and its start, and ends with its standard input. */
struct server start_peer(const char *const *arguments);
/* tests/meter/wall_server.py. */
struct server start_server(const char *shape, const char *lost, const char *update);
void stop_server(struct server *server);

/* Joules since the server's start. */
double energy_at_j(const struct server *server, int64_t boot_ns);

struct play {
    struct record record;
    double truth_j;
};

/* `site`: the site file's text; `sleep SECONDS` is the command. The caller frees the play's record. */
void measure_site(struct play *play, const struct server *server, const char *site, const char *seconds);
/* One device, "plug", at the server's port of `address` (a url where it has a scheme); `lines`: its other
 * keys, beginning with what follows the port. */
void measure_at(struct play *play, const struct server *server, const char *address, const char *lines,
                const char *seconds);
/* The same at 127.0.0.1, `lines` without a beginning. */
void measure(struct play *play, const struct server *server, const char *lines, const char *seconds);

/* Of the whole run. */
const struct channel_energy *energy_of(const struct play *play, const char *channel);
/* Prints it beside the truth. */
void say(const struct play *play, const char *channel);
bool has_note(const struct record *record, const char *part);

/* "user meter" and the password, for the user alone. */
void write_secret(const char *path, const char *password);
unsigned free_port(int socket_type);
/* In a group of its own, so that all that it starts ends with it. Daemons are found also where PATH lacks
 * /usr/sbin. */
pid_t start_program(const char *const *arguments);
void stop_program(pid_t pid);

#endif
