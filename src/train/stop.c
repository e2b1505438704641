#include "train/program.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

void stop_block(void)
{
    sigset_t set;
    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int stop_taken(void)
{
    sigset_t set;
    stop_signals(&set);
    int got = sigtimedwait(&set, NULL, &(struct timespec){0, 0});
    return got > 0 ? got : 0;
}
