#include "record/child.h"

#include "base/text.h"
#include "mark/mark.h"
#include "record/privileges.h"
#include "record/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum stage { STAGE_RIGHTS, STAGE_DIRECTORY, STAGE_EXEC };

/* What the child writes before it gives up. */
struct failure {
    enum stage stage;
    int number;
};

static void free_environment(char **all)
{
    for (size_t i = 0; all && i < 2; i++)
        free(all[i]);
    free(all);
}

static bool is_set_by_us(const char *entry)
{
    static const char *const names[] = {MARK_SOCKET_VARIABLE "=", RECORDER_PID_VARIABLE "="};
    return strncmp(entry, names[0], strlen(names[0])) == 0 || strncmp(entry, names[1], strlen(names[1])) == 0;
}

/* Our environment with who receives marks, or nobody. The strings are borrowed, but the first two. */
static char **make_environment(const struct child_options *options)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **all = calloc(count + 3, sizeof *all);
    size_t kept = 2;
    for (size_t i = 0; all && i < count; i++)
        if (!is_set_by_us(environ[i]))
            all[kept++] = environ[i];
    if (!all)
        return NULL;
    all[0] = text_format("%s=%s", MARK_SOCKET_VARIABLE, options->mark_socket ? options->mark_socket : "");
    all[1] = text_format("%s=%ld", RECORDER_PID_VARIABLE, (long)options->recorder);
    if (all[0] && all[1])
        return all;
    free_environment(all);
    return NULL;
}

static void give_up(int descriptor, enum stage stage)
{
    struct failure failure = {stage, errno};
    ssize_t written = write(descriptor, &failure, sizeof failure);
    (void)written;
    _exit(127);
}

/* In the child: only what is safe after fork in a program with threads. */
static void become_command(const struct child_options *options, char *const *environment, int gate,
                           int failure, pid_t parent)
{
    setpgid(0, 0);
    /* before the death signal, which a change of ids takes away */
    int refused = privileges_become_caller() < 0 ? errno : 0;
    if (options->owned) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
    }
    char go;
    ssize_t got;
    do
        got = read(gate, &go, 1);
    while (got < 0 && errno == EINTR);
    if (got != 1)
        _exit(127);
    errno = refused;
    if (refused)
        give_up(failure, STAGE_RIGHTS);
    if (options->output) {
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(nothing, STDIN_FILENO);
        dup2(options->output->write_end[0], STDOUT_FILENO);
        dup2(options->output->write_end[1], STDERR_FILENO);
    }
    if (options->directory && chdir(options->directory) < 0)
        give_up(failure, STAGE_DIRECTORY);
    sigprocmask(SIG_SETMASK, options->signals, NULL);
    execvpe(options->command[0], options->command, (char *const *)environment);
    give_up(failure, STAGE_EXEC);
}

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

/* The kernel's tcsetpgrp stops who calls it from the background; SIGTTOU is blocked by recorder_run. */
static void give_terminal(struct child *child, bool owned)
{
    child->terminal = !owned && isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
                      tcsetpgrp(STDIN_FILENO, child->pid) == 0;
}

int child_start(struct child *child, const struct child_options *options, struct error *error)
{
    *child = (struct child){.gate = -1, .failure = -1, .watch = -1};
    char **environment = make_environment(options);
    int gate[2] = {-1, -1}, failure[2] = {-1, -1};
    if (!environment)
        return error_memory(error, "environment");
    int result = -1;
    if (pipe2(gate, O_CLOEXEC) < 0 || pipe2(failure, O_CLOEXEC) < 0) {
        error_errno(error, errno, "pipe");
        goto out;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        error_errno(error, errno, "fork");
        goto out;
    }
    if (pid == 0) {
        close(gate[1]);
        become_command(options, environment, gate[0], failure[1], parent);
    }
    setpgid(pid, pid); /* both do it, so that it holds for whoever goes on first */
    child->pid = pid;
    child->gate = gate[1];
    child->failure = failure[0];
    gate[1] = failure[0] = -1;
    child->watch = pidfd_open(pid, 0);
    result = 0;
out:
    for (size_t i = 0; i < 2; i++) {
        close_descriptor(&gate[i]);
        close_descriptor(&failure[i]);
    }
    free_environment(environment);
    return result;
}

int child_release(struct child *child, const struct child_options *options, struct error *error)
{
    give_terminal(child, options->owned);
    struct failure failure;
    ssize_t got = write(child->gate, "", 1);
    do
        got = read(child->failure, &failure, sizeof failure);
    while (got < 0 && errno == EINTR);
    close_descriptor(&child->gate);
    close_descriptor(&child->failure);
    if (got != sizeof failure)
        return 0; /* exec closed the pipe */
    if (failure.stage == STAGE_RIGHTS)
        return error_errno(error, failure.number, "the command could not be given its caller's rights only");
    if (failure.stage == STAGE_DIRECTORY)
        return error_errno(error, failure.number, options->directory);
    return failure.number;
}

void child_signal(const struct child *child, int signal)
{
    if (child->pid > 0)
        kill(-child->pid, signal);
}

/* Ctrl-Z went to the child's group alone: the shell waits for ours to stop. Where nobody could continue us
 * the kernel drops the signal, and the child goes on at once. */
static void stop_with_child(struct child *child)
{
    tcsetpgrp(STDIN_FILENO, getpgrp());
    kill(0, SIGTSTP);
    if (tcgetpgrp(STDIN_FILENO) == getpgrp())
        tcsetpgrp(STDIN_FILENO, child->pid);
    child_signal(child, SIGCONT);
}

int child_poll(struct child *child, int *status)
{
    struct rusage usage;
    pid_t pid = wait4(child->pid, status, WNOHANG | WUNTRACED, &usage);
    if (pid != child->pid)
        return 0;
    if (!WIFSTOPPED(*status)) {
        child->cpu_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
        return 1;
    }
    if (child->terminal && WSTOPSIG(*status) == SIGTSTP)
        stop_with_child(child);
    return 0;
}

bool child_left_others(const struct child *child)
{
    return kill(-child->pid, 0) == 0;
}

void child_close(struct child *child)
{
    bool waiting = child->gate >= 0;
    close_descriptor(&child->gate);
    if (waiting && child->pid > 0)
        waitpid(child->pid, NULL, 0);
    close_descriptor(&child->failure);
    close_descriptor(&child->watch);
    if (child->terminal)
        tcsetpgrp(STDIN_FILENO, getpgrp());
    child->terminal = false;
}
