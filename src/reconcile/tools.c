#include "reconcile/tools.h"

#include "base/file.h"
#include "base/text.h"
#include "reconcile/ask.h"

#include <stdlib.h>
#include <string.h>

#define SCRIPT            "joulery_tool.py"
#define PROBE_S           60 /* the first import of a large package from a cold disk */
#define PROGRAM_PROBE_S   10
#define FIGURE_BYTES_MOST (256u << 20) /* EnergiBridge: some 1 KB five times a second */
#define PERF_FILE         "perf.csv"
#define ENERGIBRIDGE_FILE "energibridge.csv"
#define WRAPPING_WORDS    16 /* more than any tool, the interpreter and our window need */

extern const unsigned char reconcile_script[], reconcile_codecarbon[], reconcile_carbontracker[],
    reconcile_zeus[];
extern const size_t reconcile_script_size, reconcile_codecarbon_size, reconcile_carbontracker_size,
    reconcile_zeus_size;

/* ---- our scripts ---- */

int toolbox_open(struct toolbox *toolbox, struct error *error)
{
    const struct {
        const char *name;
        const unsigned char *bytes;
        size_t size;
    } scripts[] = {
        {SCRIPT, reconcile_script, reconcile_script_size},
        {"adapter_codecarbon.py", reconcile_codecarbon, reconcile_codecarbon_size},
        {"adapter_carbontracker.py", reconcile_carbontracker, reconcile_carbontracker_size},
        {"adapter_zeus.py", reconcile_zeus, reconcile_zeus_size},
    };
    const char *parent = getenv("TMPDIR");
    toolbox->scratch = (struct scratch)SCRATCH_INIT;
    if (scratch_open(&toolbox->scratch, parent && *parent ? parent : "/tmp", "joulery-tools", error) < 0)
        return -1;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        AUTO_FREE char *path = file_join(toolbox->scratch.path, scripts[i].name);
        if (!path)
            return error_memory(error, scripts[i].name);
        if (file_write(path, scripts[i].bytes, scripts[i].size, error) < 0)
            return -1;
    }
    return 0;
}

void toolbox_close(struct toolbox *toolbox)
{
    scratch_close(&toolbox->scratch);
}

/* ---- is it there? ---- */

/* Python says last what is wrong, other programs first. */
static char *line_that_tells(const char *text, bool last)
{
    text += strspn(text, " \n");
    return last ? text_last_line(text) : strndup(text, strcspn(text, "\n"));
}

/* An answer that is no success, in one line. */
static int refuse(const struct answer *answer, const char *program, bool last, struct error *error)
{
    AUTO_FREE char *line = line_that_tells(answer->errors[0] ? answer->errors : answer->output, last);
    AUTO_FREE char *words = line ? text_printable(line) : NULL;
    return error_set(error, "%s", words && *words ? words : program);
}

static int ask(const struct toolbox *toolbox, char *const *argv, double timeout_s, char **line,
               struct error *error)
{
    struct answer answer;
    *line = NULL;
    if (ask_program(argv, timeout_s, toolbox->stop, &answer, error) < 0)
        return -1;
    int result = answer.status == 0 ? 0 : refuse(&answer, argv[0], argv[0] == toolbox->python, error);
    AUTO_FREE char *last = result == 0 ? text_last_line(answer.output) : NULL;
    *line = last ? text_printable(last) : NULL;
    answer_free(&answer);
    return result;
}

static int probe_python(const struct tool *tool, const struct toolbox *toolbox, char **version,
                        struct error *error)
{
    AUTO_FREE char *script = file_join(toolbox->scratch.path, SCRIPT);
    if (!script)
        return error_memory(error, tool->name);
    char *argv[] = {(char *)toolbox->python, script, (char *)"probe", (char *)tool->name, NULL};
    return ask(toolbox, argv, PROBE_S, version, error);
}

static int probe_energibridge(const struct toolbox *toolbox, char **version, char **events,
                              struct error *error)
{
    (void)events;
    char *argv[] = {(char *)"energibridge", (char *)"--version", NULL};
    return ask(toolbox, argv, PROGRAM_PROBE_S, version, error);
}

/* Tries events until perf counts energy with them. */
static int probe_events(const struct toolbox *toolbox, const char *path, char **events, struct error *error)
{
    static const char *const tries[] = {
        "power/energy-pkg/,power/energy-ram/,duration_time",
        "power/energy-pkg/,duration_time",
        "power/energy-pkg/,power/energy-ram/",
        "power/energy-pkg/",
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        char *argv[] = {(char *)"perf",   (char *)"stat", (char *)"-x",   (char *)";",
                        (char *)"-o",     (char *)path,   (char *)"-a",   (char *)"-e",
                        (char *)tries[i], (char *)"--",   (char *)"true", NULL};
        AUTO_FREE char *line = NULL;
        struct tool_figure figure;
        size_t size;
        error_clear(error);
        if (ask(toolbox, argv, PROGRAM_PROBE_S, &line, error) < 0)
            continue;
        AUTO_FREE char *text = file_read(path, ASK_BYTES_MOST, &size, error);
        if (!text || perf_stat_parse(text, size, &figure, error) < 0)
            continue;
        tool_figure_free(&figure);
        *events = strdup(tries[i]);
        return *events ? 0 : error_memory(error, "perf");
    }
    return error_prefix(error, "perf counts no energy here (power/energy-pkg/)");
}

static int probe_perf(const struct toolbox *toolbox, char **version, char **events, struct error *error)
{
    char *argv[] = {(char *)"perf", (char *)"--version", NULL};
    if (ask(toolbox, argv, PROGRAM_PROBE_S, version, error) < 0)
        return -1;
    AUTO_FREE char *path = file_join(toolbox->scratch.path, PERF_FILE);
    return path ? probe_events(toolbox, path, events, error) : error_memory(error, "perf");
}

/* "perf version 6.1" gives "6.1": the title stands before it anyhow. */
static void shorten_version(char *version)
{
    const char *blank = version ? strrchr(version, ' ') : NULL;
    if (blank)
        memmove(version, blank + 1, strlen(blank));
}

void tool_probe(const struct tool *tool, const struct toolbox *toolbox, struct tool_probe *probe)
{
    struct error error = ERROR_INIT;
    *probe = (struct tool_probe){0};
    int result = tool->program ? tool->probe(toolbox, &probe->version, &probe->events, &error)
                               : probe_python(tool, toolbox, &probe->version, &error);
    if (result < 0)
        probe->why = strdup(error_text(&error));
    shorten_version(probe->version);
    error_clear(&error);
}

void tool_probe_free(struct tool_probe *probe)
{
    free(probe->version);
    free(probe->events);
    free(probe->why);
    *probe = (struct tool_probe){0};
}

/* ---- the command under it ---- */

static void add_word(char **words, size_t *count, const char *word)
{
    words[(*count)++] = word ? strdup(word) : NULL;
}

static void add_path(char **words, size_t *count, const char *folder, const char *name)
{
    words[(*count)++] = file_join(folder, name);
}

static void wrap_perf(char **words, size_t *count, const char *folder, const char *events)
{
    static const char *const before[] = {"perf", "stat", "-x", ";", "-o"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        add_word(words, count, before[i]);
    add_path(words, count, folder, PERF_FILE);
    add_word(words, count, "-a");
    add_word(words, count, "-e");
    add_word(words, count, events);
    add_word(words, count, "--");
}

static void wrap_energibridge(char **words, size_t *count, const char *folder, const char *events)
{
    (void)events;
    add_word(words, count, "energibridge");
    add_word(words, count, "--output");
    add_path(words, count, folder, ENERGIBRIDGE_FILE);
    add_word(words, count, "--summary");
    add_word(words, count, "--");
}

static void wrap_python(char **words, size_t *count, const struct tool *tool, const struct toolbox *toolbox,
                        const char *folder)
{
    add_word(words, count, toolbox->python);
    add_path(words, count, toolbox->scratch.path, SCRIPT);
    add_word(words, count, "run");
    add_word(words, count, tool->name);
    add_word(words, count, folder);
}

/* Whether all words found memory. */
static bool complete(char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!words[i])
            return false;
    return true;
}

char **tool_command(const struct tool *tool, const struct toolbox *toolbox, const struct tool_probe *probe,
                    const char *folder, char *const *command, struct error *error)
{
    size_t given = 0, count = 0;
    while (command[given])
        given++;
    char **words = calloc(given + WRAPPING_WORDS, sizeof *words);
    if (!words) {
        error_memory(error, "command");
        return NULL;
    }
    if (tool && tool->wrap)
        tool->wrap(words, &count, folder, probe->events);
    else if (tool)
        wrap_python(words, &count, tool, toolbox, folder);
    const char *const window[] = {toolbox->joulery, "window", RECONCILE_WINDOW, "--"};
    for (size_t i = 0; i < sizeof window / sizeof *window; i++)
        add_word(words, &count, window[i]);
    for (size_t i = 0; i < given; i++)
        add_word(words, &count, command[i]);
    if (complete(words, count))
        return words;
    for (size_t i = 0; i < count; i++)
        free(words[i]);
    free(words);
    error_memory(error, "command");
    return NULL;
}

void tool_command_free(char **words)
{
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}

int tool_read(const struct tool *tool, const char *folder, struct tool_figure *figure, struct error *error)
{
    size_t size;
    AUTO_FREE char *path = file_join(folder, tool->file);
    if (!path)
        return error_memory(error, tool->name);
    AUTO_FREE char *text = file_read(path, FIGURE_BYTES_MOST, &size, error);
    if (!text)
        return -1;
    return tool->parse(text, size, figure, error);
}

/* ---- the table ---- */

const struct tool reconcile_tools[] = {
    {.name = "codecarbon",
     .title = "CodeCarbon",
     .install = "pip install codecarbon",
     .file = "figure.json",
     .parse = tool_figure_parse},
    {.name = "carbontracker",
     .title = "carbontracker",
     .install = "pip install carbontracker",
     .file = "figure.json",
     .parse = tool_figure_parse},
    {.name = "zeus",
     .title = "Zeus",
     .install = "pip install zeus",
     .file = "figure.json",
     .parse = tool_figure_parse},
    {.name = "energibridge",
     .title = "EnergiBridge",
     .install = "github.com/tdurieux/EnergiBridge, built with cargo",
     .program = "energibridge",
     .probe = probe_energibridge,
     .file = ENERGIBRIDGE_FILE,
     .wrap = wrap_energibridge,
     .parse = energibridge_parse},
    {.name = "perf",
     .title = "perf",
     .install = "apt install linux-perf",
     .program = "perf",
     .probe = probe_perf,
     .file = PERF_FILE,
     .wrap = wrap_perf,
     .parse = perf_stat_parse},
};

const size_t reconcile_tool_count = sizeof reconcile_tools / sizeof *reconcile_tools;
