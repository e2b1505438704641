#include "base/options.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN 28
#define HELP_WIDTH  100

/* "  -o, --option VALUE      what it does", broken into lines. */
static void append_option(struct text *text, const struct option *option)
{
    char letter[] = {'-', option->letter, ',', ' ', '\0'};
    AUTO_FREE char *left =
        text_format("%s%s%s%s", option->letter ? letter : "", option->name, option->value_name ? " " : "",
                    option->value_name ? option->value_name : "");
    size_t length = left ? strlen(left) : 0;
    bool fits = length + 4 <= HELP_COLUMN;
    text_printf(text, "  %s%s%*s", left ? left : "", fits ? "" : "\n",
                (int)(fits ? HELP_COLUMN - 2 - length : HELP_COLUMN), "");
    text_append_wrapped(text, option->help, HELP_COLUMN, HELP_COLUMN, HELP_WIDTH);
    text_append(text, "\n");
}

static void print_help(const struct command_line *line)
{
    static const struct option help = {.name = "--help", .letter = 'h', .help = "this help"};
    struct text text = TEXT_INIT;
    text_printf(&text, "usage: %s\n\n%s\n", line->usage, line->purpose);
    if (line->option_count == 0 || line->options[0].kind != OPTION_HEADING)
        text_printf(&text, "%s", line->option_count ? "\noptions:\n" : "");
    for (size_t i = 0; i < line->option_count; i++) {
        if (line->options[i].kind == OPTION_HEADING)
            text_printf(&text, "\n%s:\n", line->options[i].help);
        else
            append_option(&text, &line->options[i]);
    }
    append_option(&text, &help);
    if (line->example)
        text_printf(&text, "\nexample:\n  %s\n", line->example);
    fputs(text.data && !text.failed ? text.data : line->usage, stdout);
    text_free(&text);
}

static const struct option *find_option(const struct command_line *line, const char *name, size_t length)
{
    for (size_t i = 0; i < line->option_count; i++) {
        const struct option *option = &line->options[i];
        if (option->kind == OPTION_HEADING)
            continue;
        if (strlen(option->name) == length && strncmp(option->name, name, length) == 0)
            return option;
        if (length == 2 && name[0] == '-' && option->letter && name[1] == option->letter)
            return option;
    }
    return NULL;
}

static enum options_result unknown_option(const struct command_line *line, const char *name, size_t length,
                                          struct error *error)
{
    AUTO_FREE char *given = strndup(name, length);
    const char **names = malloc((line->option_count + 1) * sizeof *names);
    const char *nearest = NULL;
    if (given && names) {
        size_t count = 0;
        for (size_t i = 0; i < line->option_count; i++)
            if (line->options[i].kind != OPTION_HEADING)
                names[count++] = line->options[i].name;
        nearest = text_nearest(given, names, count);
    }
    if (nearest)
        error_set(error, "unknown option '%s' (did you mean %s?)", given ? given : name, nearest);
    else
        error_set(error, "unknown option '%s': -h lists the options", given ? given : name);
    free(names);
    return OPTIONS_WRONG;
}

static int check_range(const struct option *option, double number, const char *value, struct error *error)
{
    bool limited = option->least != 0 || option->most != 0;
    if (limited && (number < option->least || number > option->most))
        return error_set(error, "%s: expected %g to %g, found '%s'", option->name, option->least,
                         option->most, value);
    return 0;
}

static int append_to_list(struct option_list *list, const char *value, struct error *error)
{
    const char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items)
        return error_memory(error, "options");
    list->items = items;
    list->items[list->count++] = value;
    return 0;
}

static int store_value(const struct option *option, const char *value, struct error *error)
{
    switch (option->kind) {
    case OPTION_HEADING:
        break;
    case OPTION_FLAG:
        *(bool *)option->target = true;
        return 0;
    case OPTION_TEXT:
    case OPTION_MAYBE:
        *(const char **)option->target = value;
        return 0;
    case OPTION_LIST:
        return append_to_list(option->target, value, error);
    case OPTION_COUNT: {
        uint64_t number;
        if (text_to_u64(value, &number) < 0)
            return error_set(error, "%s: expected a whole number, found '%s'", option->name, value);
        if (check_range(option, (double)number, value, error) < 0)
            return -1;
        *(uint64_t *)option->target = number;
        return 0;
    }
    case OPTION_NUMBER: {
        double number;
        if (text_to_double(value, &number) < 0)
            return error_set(error, "%s: expected a number, found '%s'", option->name, value);
        if (check_range(option, number, value, error) < 0)
            return -1;
        *(double *)option->target = number;
        return 0;
    }
    }
    return error_set(error, "%s: not handled", option->name);
}

static bool looks_like_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

/* The value of the option at argv[*i], which may be the word after it. NULL: it has none. */
static const char *take_value(const struct option *option, const char *equals, int argc, char **argv, int *i)
{
    if (equals)
        return equals + 1;
    bool last = *i + 1 >= argc;
    if (option->kind == OPTION_MAYBE && (last || looks_like_option(argv[*i + 1])))
        return "";
    return option->kind == OPTION_FLAG || last ? NULL : argv[++*i];
}

enum options_result options_parse(const struct command_line *line, int argc, char **argv,
                                  struct operands *operands, struct error *error)
{
    int kept = 1; /* operands move to argv[1..kept) */
    bool only_operands = false;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (only_operands || !looks_like_option(word)) {
            argv[kept++] = word;
            only_operands = only_operands || line->stop_at_operand;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_operands = true;
            continue;
        }
        if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
            print_help(line);
            return OPTIONS_HELP;
        }
        char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
        size_t length = equals ? (size_t)(equals - word) : strlen(word);
        const struct option *option = find_option(line, word, length);
        if (!option)
            return unknown_option(line, word, length, error);
        const char *value = take_value(option, equals, argc, argv, &i);
        if (option->kind == OPTION_FLAG && value) {
            error_set(error, "%s takes no value, found '%s'", option->name, value);
            return OPTIONS_WRONG;
        }
        if (option->kind != OPTION_FLAG && !value) {
            error_set(error, "%s needs a value: %s %s", option->name, option->name, option->value_name);
            return OPTIONS_WRONG;
        }
        if (store_value(option, value, error) < 0)
            return OPTIONS_WRONG;
    }
    operands->items = argv + 1;
    operands->count = (size_t)(kept - 1);
    if (operands->count < line->operands_least) {
        error_set(error, "too few arguments\nusage: %s", line->usage);
        return OPTIONS_WRONG;
    }
    if (operands->count > line->operands_most) {
        error_set(error, "unexpected argument '%s'\nusage: %s", operands->items[line->operands_most],
                  line->usage);
        return OPTIONS_WRONG;
    }
    return OPTIONS_OK;
}

void options_list_free(struct option_list *list)
{
    free(list->items);
    *list = (struct option_list){NULL, 0};
}
