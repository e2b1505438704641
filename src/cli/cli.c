#include "cli/cli.h"

#include "base/file.h"
#include "base/text.h"
#include "meter/meter.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

int cli_write_json(json_t *document, const char *path, struct error *error)
{
    AUTO_FREE char *text = document ? json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(document);
    AUTO_FREE char *lines = text ? text_format("%s\n", text) : NULL;
    return lines ? file_write(path, lines, strlen(lines), error) : error_memory(error, "JSON");
}

void cli_terminal_size(FILE *stream, size_t *columns, size_t *rows)
{
    struct winsize size;
    bool known = ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    *columns = known ? size.ws_col : 80;
    *rows = known ? size.ws_row : 24;
}

void cli_print_note(FILE *stream, const char *note)
{
    static const char label[] = "  note: ";
    struct text line = TEXT_INIT;
    size_t columns, rows;
    cli_terminal_size(stream, &columns, &rows);
    text_append(&line, label);
    text_append_wrapped(&line, note, sizeof label - 1, sizeof label - 1, columns);
    fprintf(stream, "%s\n", line.data && !line.failed ? line.data : label);
    text_free(&line);
}

const char *cli_channel_flag(const struct channel *channel)
{
    bool model = channel->kind == KIND_MODEL;
    if (channel->apart)
        return model ? "  apart: beside the total, estimated" : "  apart: beside the total";
    if (channel->scope == SCOPE_PLATFORM)
        return model ? "  beside the total, estimated" : "  beside the total";
    return model ? "  estimated" : "";
}

int cli_split_names(char *text, const char ***names, size_t *count, struct error *error)
{
    *names = calloc(strlen(text) / 2 + 1, sizeof **names);
    if (!*names)
        return error_memory(error, "--among");
    char *rest = NULL;
    for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        name += strspn(name, " ");
        for (size_t length = strlen(name); length > 0 && name[length - 1] == ' ';)
            name[--length] = '\0';
        if (*name)
            (*names)[(*count)++] = name;
    }
    return *count ? 0 : error_set(error, "--among: expected places such as SWE,DEU,IND, found none");
}
