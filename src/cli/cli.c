#include "cli/cli.h"

#include "base/file.h"
#include "base/text.h"
#include "meter/meter.h"

#include <string.h>

int cli_write_json(json_t *document, const char *path, struct error *error)
{
    AUTO_FREE char *text = document ? json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(document);
    AUTO_FREE char *lines = text ? text_format("%s\n", text) : NULL;
    return lines ? file_write(path, lines, strlen(lines), error) : error_memory(error, "JSON");
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
