/* joulery-train: what `joulery train` and `joulery zoo` execute. */
#include "train/program.h"

static const struct subcommand subcommands[] = {
    {"train", command_train, "train a network"},
    {"zoo", command_zoo, "list the architectures with their parameters and FLOPs"},
};

int main(int argc, char **argv)
{
    const struct subcommand_table table = {
        .name = "joulery-train",
        .purpose = "The engine of joulery; `joulery train` and `joulery zoo` execute it.",
        .exit_status = "0 done, 1 failed, 2 wrong usage, 130 or 143 stopped by SIGINT or SIGTERM",
        .subcommands = subcommands,
        .count = sizeof subcommands / sizeof *subcommands,
    };
    return subcommand_run(&table, argc, argv);
}
