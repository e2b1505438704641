/* joulery window: a command as a window of the run that it is in. */
#include "cli/cli.h"
#include "mark/mark.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { NOT_FOUND = 127, NOT_EXECUTABLE = 126 };

extern char **environ;

/* Signals that end a program are passed on, so that the window ends with its command. */
static void take_signals(sigset_t *taken, sigset_t *before)
{
    static const int numbers[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigemptyset(taken);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(taken, numbers[i]);
    signal(SIGCHLD, SIG_DFL); /* where a parent had it ignored, nobody could be waited for */
    sigprocmask(SIG_BLOCK, taken, before);
}

static int start(char **command, const sigset_t *mask, pid_t *child)
{
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, mask);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int number = posix_spawnp(child, command[0], NULL, &attributes, command, environ);
    posix_spawnattr_destroy(&attributes);
    return number;
}

static int wait_for(pid_t child, const sigset_t *taken)
{
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        siginfo_t info;
        int number = sigwaitinfo(taken, &info);
        /* what the terminal sends goes to all of its group anyway */
        if (number > 0 && number != SIGCHLD && info.si_code != SI_KERNEL)
            kill(child, number);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The command's exit status; what exec failed with is in `error`. */
static int run_window(const char *name, char **command, struct error *error)
{
    struct mark_sender *sender = mark_sender_open();
    sigset_t taken, before;
    pid_t child = 0;
    take_signals(&taken, &before);
    mark_send(sender, &(struct mark){.kind = MARK_BEGIN, .window = name});
    int number = start(command, &before, &child);
    int status = number == 0 ? wait_for(child, &taken) : number == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
    const struct mark_metric metric = {"exit_status", status};
    mark_send(sender,
              &(struct mark){.kind = MARK_END, .window = name, .metrics = &metric, .metric_count = 1});
    mark_sender_close(sender);
    if (number != 0)
        error_errno(error, number, command[0]);
    return status;
}

int cli_window(int argc, char **argv)
{
    const struct command_line line = {
        .usage = "joulery window NAME COMMAND [ARGUMENTS]",
        .purpose = "Runs a command as a window of the run that it is in: `joulery run` of a script shows the "
                   "energy\n"
                   "of that step. Outside a run it only runs the command. The exit status is the command's.",
        .example = "joulery run -- sh -c 'joulery window prepare ./prepare; joulery window train ./train'",
        .operands_least = 2,
        .operands_most = SIZE_MAX,
        .stop_at_operand = true,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, argv[0], &error);
    bool separated = strcmp(operands.items[1], "--") == 0;
    if (separated && operands.count < 3) {
        error_set(&error, "expected a command");
        return cli_fail(argv[0], &error, CLI_USAGE);
    }
    char **command = calloc(operands.count + 1, sizeof *command);
    if (!command) {
        error_memory(&error, "command");
        return cli_fail(argv[0], &error, CLI_FAILED);
    }
    memcpy(command, operands.items + 1 + separated, (operands.count - 1 - separated) * sizeof *command);
    int status = run_window(operands.items[0], command, &error);
    free(command);
    return error.message ? cli_fail(argv[0], &error, status) : status;
}
