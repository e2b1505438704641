/* registry.h: one recorder a machine: who measures registers, and learns who does so already.
 *
 * The register is names of abstract unix sockets (unix(7)): the kernel gives a name to one process of a
 * network namespace at a time and frees it when that process ends, however it ends. One name stands for the
 * machine, one for the job that the recorder runs in. Who is behind a taken name the kernel says
 * (SO_PEERCRED); only to processes of its own user does the holder answer with its job and where it takes
 * marks. A peer that is dead, hostile or slow costs at most REGISTRY_PATIENCE_NS, and never stops a
 * measurement. */
#ifndef JOULERY_RECORD_REGISTRY_H
#define JOULERY_RECORD_REGISTRY_H

#include "base/error.h"
#include "meter/meter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define REGISTRY_PATIENCE_NS  200000000LL
#define REGISTRY_ANSWER_MOST  4096               /* bytes */
#define RECORDER_PID_VARIABLE "JOULERY_RECORDER" /* for the child: the process behind JOULERY_SOCKET */

enum registry_role {
    REGISTRY_ALONE,  /* nobody else measures this machine, as far as can be known */
    REGISTRY_BESIDE, /* another recorder does, and its energy is not to be added to ours */
    REGISTRY_JOINED  /* the recorder of our job, or the one that we run in, does: only marks are to be sent */
};

/* The other recorder. */
struct registry_peer {
    enum registry_role role;
    pid_t pid;   /* 0: not known: in another pid namespace, or nothing could be learnt */
    uid_t uid;   /* (uid_t)-1: not known */
    char *marks; /* REGISTRY_JOINED: its socket for marks; NULL: it takes none */
};

struct registry_options {
    const struct meter_setup *setup; /* another root of sysfs is another machine */
    const char *job;                 /* registry_job's; NULL: none */
    const char *marks;               /* our socket for marks; NULL: none */
    bool apart; /* never join: the user named instruments, so a measurement of our own is wanted */
};

struct registry;

/* Registers, unless we join. Starts a thread that answers (with all signals blocked) where a name was free.
 * Fills `peer` (registry_peer_free). NULL: joined, or neither name was free, or no memory: measure all the
 * same, unless joined. */
struct registry *registry_enter(const struct registry_options *options, struct registry_peer *peer);
/* Frees the names. Accepts NULL. */
void registry_leave(struct registry *registry);

/* Whether the recorder that was joined still takes marks. */
bool registry_peer_lives(const struct registry_peer *peer);
/* A line for the record; NULL when alone or without memory. The caller frees it. */
char *registry_note(const struct registry_peer *peer);
/* A line about those that began to measure this machine after us, as far as they asked here; NULL: none, or
 * no memory. Accepts NULL. The caller frees it. */
char *registry_later_note(struct registry *registry);
void registry_peer_free(struct registry_peer *peer);

/* What tells the parallel job apart that this process is a rank of, from the environment its launcher made
 * (`environment` as environ): "slurm:4711.0", "torchrun:…"; the caller frees it. NULL: none, or no memory. */
char *registry_job(char *const *environment);

/* What a holder answers, one message: {"recorder":1,"job":"…","marks":"/…"}; both may be left out. */
struct registry_answer {
    char *job, *marks; /* owned; NULL: left out */
};
int registry_parse_answer(const char *bytes, size_t size, struct registry_answer *answer,
                          struct error *error);
void registry_answer_free(struct registry_answer *answer);

#endif
