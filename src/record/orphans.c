#include "record/orphans.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define REAPED_AT_ONCE                                                                                       \
    1024 /* then the caller has its turn: orphans may come as fast as they are waited for */
#define AWAIT_NS      NS_PER_S
#define AWAIT_STEP_NS (NS_PER_S / 200)

/* Nearly always there is none, and /proc need not be looked through. */
static bool has_children(void)
{
    siginfo_t ignored;
    return waitid(P_ALL, 0, &ignored, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

static double usage_s(const struct rusage *usage)
{
    return (double)usage->ru_utime.tv_sec + (double)usage->ru_stime.tv_sec +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1e-6;
}

/* Whether the chain of parents leads to this process. Every chain ends: at a process that is not listed, or
 * after as many steps as there are processes. */
static bool is_descendant(const struct process *all, size_t count, const struct process *process)
{
    pid_t self = getpid();
    for (size_t steps = 0; process && steps < count; steps++) {
        if (process->parent == self)
            return true;
        process = process_find(all, count, process->parent);
    }
    return false;
}

static bool is_same(const struct process *a, const struct process *b)
{
    return a && b && a->pid == b->pid && a->start_ticks == b->start_ticks;
}

/* Whether it, or one that it descends from, was there before the command. */
static bool is_earlier(const struct orphans *orphans, const struct process *all, size_t count,
                       const struct process *process)
{
    pid_t self = getpid();
    for (size_t steps = 0; process && process->pid != self && steps < count; steps++) {
        if (is_same(process, process_find(orphans->earlier, orphans->earlier_count, process->pid)))
            return true;
        process = process_find(all, count, process->parent);
    }
    return false;
}

void orphans_begin(struct orphans *orphans)
{
    *orphans = (struct orphans){0};
    orphans->adopting =
        prctl(PR_GET_CHILD_SUBREAPER, &orphans->adopted_before) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
    if (!has_children())
        return;
    struct error ignored = ERROR_INIT;
    struct process *all;
    size_t count;
    orphans->blind = process_list(&all, &count, &ignored) < 0;
    error_clear(&ignored);
    if (orphans->blind)
        return;
    struct process *earlier = calloc(count + 1, sizeof *earlier);
    orphans->blind = !earlier;
    for (size_t i = 0; earlier && i < count; i++)
        if (is_descendant(all, count, &all[i]))
            earlier[orphans->earlier_count++] = all[i];
    orphans->earlier = earlier;
    free(all);
}

/* True: it had ended and has been waited for. */
static bool reap(struct orphans *orphans, pid_t pid)
{
    struct rusage usage;
    if (wait4(pid, NULL, WNOHANG, &usage) != pid)
        return false;
    orphans->ended_s += usage_s(&usage);
    return true;
}

void orphans_reap(struct orphans *orphans, pid_t command)
{
    for (size_t i = 0; i < REAPED_AT_ONCE && !orphans->blind; i++) {
        siginfo_t ended = {0};
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid <= 0)
            return;
        /* those behind one that is not ours to wait for are found by orphans_count */
        if (ended.si_pid == command || process_find(orphans->earlier, orphans->earlier_count, ended.si_pid) ||
            !reap(orphans, ended.si_pid))
            return;
    }
}

static void count_running(struct orphans *orphans, const struct process *all, size_t count)
{
    double ticks_per_s = (double)sysconf(_SC_CLK_TCK);
    pid_t self = getpid();
    for (size_t i = 0; i < count; i++) {
        const struct process *process = &all[i];
        if (!is_descendant(all, count, process) || is_earlier(orphans, all, count, process))
            continue;
        if (process->parent == self && process->state == 'Z' && reap(orphans, process->pid))
            continue;
        orphans->running += process->state != 'Z';
        orphans->running_s += (double)process->cpu_ticks / ticks_per_s;
    }
}

int orphans_count(struct orphans *orphans)
{
    orphans_reap(orphans, 0);
    orphans->blind = orphans->blind || !orphans->adopting;
    if (orphans->blind || !has_children())
        return orphans->blind ? -1 : 0;
    struct error ignored = ERROR_INIT;
    struct process *all;
    size_t count;
    orphans->blind = process_list(&all, &count, &ignored) < 0;
    error_clear(&ignored);
    if (!orphans->blind)
        count_running(orphans, all, count);
    free(all);
    return orphans->blind ? -1 : 0;
}

void orphans_await(pid_t group)
{
    for (int64_t end_ns = clock_boot_ns() + AWAIT_NS; clock_boot_ns() < end_ns;) {
        while (waitpid(-group, NULL, WNOHANG) > 0)
            continue;
        if (kill(-group, 0) < 0)
            return;
        clock_sleep_until(clock_boot_ns() + AWAIT_STEP_NS);
    }
}

void orphans_end(struct orphans *orphans)
{
    if (orphans->adopting)
        prctl(PR_SET_CHILD_SUBREAPER, orphans->adopted_before);
    free(orphans->earlier);
    *orphans = (struct orphans){0};
}
