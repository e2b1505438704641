/* joulery zoo: the architectures with their sizes and costs. */
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "train/program.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const char *name;
    uint64_t parameters, trainable_parameters;
    uint64_t flops;      /* 0: its images must be larger */
    uint64_t least_size; /* of images it takes */
};

static int fill(struct entry *entry, const char *name, const struct zoo_options *options, struct error *error)
{
    size_t least = zoo_least_size(name);
    bool too_small = options->size && options->size < least;
    struct zoo_options fitting = *options;
    if (too_small)
        fitting.size = least;
    struct graph *graph = zoo_build(name, &fitting, error);
    if (!graph)
        return -1;
    *entry = (struct entry){.name = name,
                            .parameters = graph_parameters(graph),
                            .trainable_parameters = graph_trainable_parameters(graph),
                            .flops = too_small ? 0 : graph_flops(graph),
                            .least_size = least};
    graph_free(graph);
    return 0;
}

static void print_table(const struct entry *entries, size_t count)
{
    size_t widest = strlen("architecture");
    for (size_t i = 0; i < count; i++)
        widest = strlen(entries[i].name) > widest ? strlen(entries[i].name) : widest;
    printf("%-*s  %13s  %13s  %17s\n", (int)widest, "architecture", "parameters", "trainable",
           "FLOPs an image");
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *parameters = units_count(entries[i].parameters);
        AUTO_FREE char *trainable = units_count(entries[i].trainable_parameters);
        AUTO_FREE char *flops = entries[i].flops ? units_count(entries[i].flops)
                                                 : text_format("needs %ux%u", (unsigned)entries[i].least_size,
                                                               (unsigned)entries[i].least_size);
        printf("%-*s  %13s  %13s  %17s\n", (int)widest, entries[i].name, parameters ? parameters : "?",
               trainable ? trainable : "?", flops ? flops : "?");
    }
}

static json_t *or_null(uint64_t value)
{
    return value ? json_integer((json_int_t)value) : json_null();
}

static int write_json(const struct entry *entries, size_t count, const struct zoo_options *options,
                      const char *path, struct error *error)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:I, s:o, s:I}", "name", entries[i].name, "parameters",
                            (json_int_t)entries[i].parameters, "trainable_parameters",
                            (json_int_t)entries[i].trainable_parameters, "flops", or_null(entries[i].flops),
                            "least_size", (json_int_t)entries[i].least_size));
    json_t *root =
        json_pack("{s:s, s:s, s:o, s:o, s:f, s:o, s:o}", "schema", "joulery.zoo/1", "version",
                  JOULERY_VERSION, "size", or_null(options->size), "classes", or_null(options->classes),
                  "width", options->width, "head", head_json(options), "architectures", list);
    AUTO_FREE char *dump = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    AUTO_FREE char *line = dump ? text_format("%s\n", dump) : NULL;
    if (!line)
        return error_memory(error, path);
    return file_write(path, line, strlen(line), error);
}

int command_zoo(int argc, char **argv)
{
    struct error error = ERROR_INIT;
    uint64_t size = 0, classes = 0;
    double width = 1;
    const char *json = NULL, *head = NULL;
    const struct option options[] = {
        {"--size", 0, OPTION_COUNT, &size, "PIXELS",
         "height and width; 0: what each is usually trained at (0)", 0, 4096},
        {"--classes", 0, OPTION_COUNT, &classes, "N", "outputs (1000)", 2, 1000000},
        {"--width", 0, OPTION_NUMBER, &width, "X", "scales the channels of every layer (1)", 0.001, 64},
        {"--head", 0, OPTION_TEXT, &head, "UNITS",
         "dense layers, as 4096,4096, on the flattened base in place of the network's own head", 0, 0},
        {"--json", 0, OPTION_TEXT, &json, "FILE", "the table as joulery.zoo/1; - for standard output", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery zoo [options]",
        .purpose =
            "Lists the architectures with their parameters and the FLOPs of one image's forward pass (a\n"
            "multiply-add counts two).",
        .example = "joulery zoo --size 32 --classes 10",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    struct operands operands;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return program_parse_result(parsed, "zoo", &error);
    size_t count, head_count = 0;
    const char *const *names = zoo_names(&count);
    size_t *units = head ? head_parse(head, &head_count, &error) : NULL;
    if (head && !units) {
        error_prefix(&error, "--head");
        return program_fail("zoo", &error, PROGRAM_USAGE);
    }
    const struct zoo_options zoo = {
        .classes = classes, .size = size, .width = width, .head = units, .head_count = head_count};
    struct entry *entries = calloc(count, sizeof *entries);
    int result = entries ? 0 : error_memory(&error, "zoo");
    for (size_t i = 0; i < count && result == 0; i++)
        result = fill(&entries[i], names[i], &zoo, &error);
    if (result == 0 && (!json || strcmp(json, "-") != 0))
        print_table(entries, count);
    if (result == 0 && json)
        result = write_json(entries, count, &zoo, json, &error);
    free(entries);
    free(units);
    return result == 0 ? PROGRAM_DONE : program_fail("zoo", &error, PROGRAM_FAILED);
}
