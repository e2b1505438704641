/* joulery: measure, study, report. */
#include "cli/cli.h"
#include "record/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct subcommand subcommands[] = {
    {"run", cli_run, "measure any command with all its children"},
    {"window", cli_window, "run a command as a window of the run that it is in"},
    {"idle", cli_idle, "measure the machine at rest, so that runs show their energy above idle"},
    {"calibrate", cli_calibrate, "learn what a wattmeter shows over software, for runs without one"},
    {"watch", cli_watch, "show live power by channel"},
    {"meters", cli_meters, "list the instruments: which can be used, and how to mend the others"},
    {"study", cli_study, "run a study: factors x levels x repetitions, each run measured, into a database"},
    {"train", cli_engine, "train a network (joulery-train)"},
    {"eval", cli_engine, "score saved weights on a data set (joulery-train)"},
    {"convert", cli_engine, "convert weights of Keras for --weights (joulery-train)"},
    {"zoo", cli_engine, "list the architectures with their parameters and FLOPs (joulery-train)"},
    {"report", cli_report, "say what a study found: the answer, its page, its figures"},
    {"analyse", cli_analyse,
     "say what factors do: figures by level, tests with their reason, pairs, interactions"},
    {"compare", cli_compare, "hold two instruments of a study against each other: software, wall"},
    {"overlay", cli_overlay, "lay a wattmeter's log file over the runs of a study"},
    {"reconcile", cli_reconcile, "run a command under other energy tools: what each counts and leaves out"},
    {"import", cli_import, "take runs that other tools measured into a database: CodeCarbon, wattmeters"},
    {"export", cli_export, "write a study's data for other programs: CSV, JSON lines, BoAmps reports"},
    {"audit", cli_audit, "hold a database's energies against physics: sound, doubtful or impossible"},
    {"when", cli_when, "find the cleanest start for a job in a forecast, and what waiting for it saves"},
    {"places", cli_places, "list the places whose carbon intensity is known, check a table of them"},
    {"where", cli_where, "say what a run, a study or an energy would emit elsewhere, ranked"},
};

/* A standard stream that the caller closed must not become the database or a socket: talk would be written
 * into it. */
static void open_missing_streams(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return;
}

/* Output that was lost, on a full disk for one, is a failure. */
static int end_output(int status)
{
    bool lost = ferror(stdout) != 0;
    if (fflush(stdout) == 0 && !lost)
        return status;
    fprintf(stderr, "joulery: standard output: %s: what was to be written there is not complete\n",
            strerror(errno));
    return status == CLI_DONE ? CLI_FAILED : status;
}

int main(int argc, char **argv)
{
    const struct subcommand_table table = {
        .name = "joulery",
        .usage = "[options]",
        .purpose = "Measures what training a neural network costs in energy and CO2e.",
        .exit_status = "0 done, 1 failed, 2 wrong usage; `joulery run` passes on the command's own",
        .subcommands = subcommands,
        .count = sizeof subcommands / sizeof *subcommands,
    };
    privileges_return();
    open_missing_streams();
    return end_output(subcommand_run(&table, argc, argv));
}
