/* with_rapl_tree COMMAND …: runs a command that finds counters of known, steady power below JOULERY_SYSFS,
 * and ends as it did. RAPL_TREE_W names them: "package-0=60 …", in watts. */
#include "base/text.h"
#include "rapl_tree.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define RANGE_J 262143.328850

static const struct rapl_zone zones[] = {
    {"intel-rapl:0", "package-0", RANGE_J, RANGE_J - 5, 60, 0}, /* wraps soon */
    {"intel-rapl:0:0", "dram", 65712.999613, 1, 8, 0},
    {"intel-rapl:1", "package-1", RANGE_J, 7, 45, 0},
    {"intel-rapl:2", "psys", RANGE_J, 100, 200, 0},
};

enum { ZONES = sizeof zones / sizeof *zones };

static void say_truth(void)
{
    char *truth = text_format("%s", "");
    for (size_t i = 0; i < ZONES; i++) {
        char *longer = text_format("%s%s%s=%g", truth, i ? " " : "", zones[i].name, zones[i].mean_w);
        free(truth);
        truth = longer;
    }
    setenv("RAPL_TREE_W", truth, 1);
    free(truth);
}

static int wait_for(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int count, char **arguments)
{
    if (count < 2) {
        fprintf(stderr, "with_rapl_tree: expected a command\n");
        return 2;
    }
    struct rapl_tree *tree = rapl_tree_make(zones, ZONES);
    setenv("JOULERY_SYSFS", rapl_tree_sysfs(tree), 1);
    say_truth();
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(arguments[1], arguments + 1);
        fprintf(stderr, "with_rapl_tree: %s: %s\n", arguments[1], strerror(errno));
        _exit(127);
    }
    int status = child > 0 ? wait_for(child) : 1;
    rapl_tree_free(tree);
    return status;
}
