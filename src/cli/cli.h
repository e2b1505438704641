/* cli.h: the subcommands of `joulery`. Each parses its options, calls the rooms below, prints, and returns
 * the exit status: 0 done, 1 failed, 2 wrong usage. argv[0] is the subcommand's name. */
#ifndef JOULERY_CLI_CLI_H
#define JOULERY_CLI_CLI_H

#include "base/options.h"
#include "base/subcommands.h"

#include <jansson.h>
#include <stdio.h>

/* How this room calls what all programs share. */
enum { CLI_DONE = PROGRAM_DONE, CLI_FAILED = PROGRAM_FAILED, CLI_USAGE = PROGRAM_USAGE };
#define cli_fail         program_fail
#define cli_parse_result program_parse_result

/* Writes a document to `path` ("-": standard output), indented, with a newline at its end. Takes over
 * `document`; NULL is an error: that there was no memory for it. */
int cli_write_json(json_t *document, const char *path, struct error *error);

/* The terminal that `stream` goes to; 80 columns and 24 rows where it goes to none. */
void cli_terminal_size(FILE *stream, size_t *columns, size_t *rows);
/* "  note: …", broken into lines. */
void cli_print_note(FILE *stream, const char *note);

struct channel;

/* What a list of channels must say of one: "  estimated", "  apart: beside the total", …, or "". */
const char *cli_channel_flag(const struct channel *channel);

/* joulery run: measures a command; the exit status is the command's own. joulery meters: lists the
 * instruments. */
int cli_run(int argc, char **argv);
int cli_meters(int argc, char **argv);

/* joulery window: runs a command as a window of the run that it is in. joulery reconcile: holds other tools
 * against Joulery. */
int cli_window(int argc, char **argv);
int cli_reconcile(int argc, char **argv);

/* joulery idle: measures the machine at rest, for later runs. */
int cli_idle(int argc, char **argv);

/* joulery calibrate: wall over software, for later runs without a wattmeter. */
int cli_calibrate(int argc, char **argv);

/* joulery watch: live power by channel. */
int cli_watch(int argc, char **argv);

/* joulery train, joulery zoo: replaced by joulery-train, which holds the engine. */
int cli_engine(int argc, char **argv);

/* Splits "SWE, DEU,India", of --among, at its commas; `text` is cut up, `*names` is the caller's to free. */
int cli_split_names(char *text, const char ***names, size_t *count, struct error *error);

/* joulery report, joulery analyse, joulery compare, joulery overlay, joulery places. */
int cli_report(int argc, char **argv);
int cli_analyse(int argc, char **argv);
int cli_compare(int argc, char **argv);
int cli_overlay(int argc, char **argv);
int cli_places(int argc, char **argv);

/* joulery when: the cleanest start for a job. */
int cli_when(int argc, char **argv);

/* joulery where: what an energy would emit elsewhere. */
int cli_where(int argc, char **argv);

/* joulery import; joulery audit. */
int cli_import(int argc, char **argv);
int cli_audit(int argc, char **argv);

/* joulery export: a study's data for other programs. */
int cli_export(int argc, char **argv);

/* joulery study run, status, check. */
int cli_study(int argc, char **argv);

#endif
