/* joulery-train: what `joulery train`, `joulery eval`, `joulery convert` and `joulery zoo` execute. */
#include "train/program.h"

#include <signal.h>

static const struct subcommand subcommands[] = {
    {"train", command_train, "train a network"},
    {"eval", command_eval, "score saved weights on a data set"},
    {"convert", command_convert, "convert weights of Keras"},
    {"zoo", command_zoo, "list the architectures with their parameters and FLOPs"},
};

int main(int argc, char **argv)
{
    const struct subcommand_table table = {
        .name = "joulery-train",
        .usage = "[options]",
        .purpose = "The engine of joulery; `joulery train`, `joulery eval`, `joulery convert` and `joulery "
                   "zoo` execute it.",
        .exit_status = "0 done, 1 failed, 2 wrong usage, 130 or 143 stopped by SIGINT or SIGTERM",
        .subcommands = subcommands,
        .count = sizeof subcommands / sizeof *subcommands,
    };
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error to be told, not an end */
    return subcommand_run(&table, argc, argv);
}
