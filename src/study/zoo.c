#include "study/zoo.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_BYTES_MOST (16 << 20)

extern char **environ;

/* Starts `trainer zoo --json -` with its standard output in `*output`. */
static int start(const char *trainer, pid_t *child, int *output, struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, errno, "pipe");
    char *arguments[] = {(char *)trainer, "zoo", "--json", "-", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int number = posix_spawn(child, trainer, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *output = ends[0];
    if (number == 0)
        return 0;
    close(ends[0]);
    return error_set(error, "%s: %s: joulery-train belongs beside joulery; build or install both", trainer,
                     strerror(number));
}

static void read_all(int descriptor, struct text *answer)
{
    char block[4096];
    for (;;) {
        ssize_t got = read(descriptor, block, sizeof block);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || answer->length > ANSWER_BYTES_MOST)
            return;
        text_append_bytes(answer, block, (size_t)got);
    }
}

static json_t *ask(const char *trainer, struct error *error)
{
    pid_t child;
    int output = -1, status = 0;
    if (start(trainer, &child, &output, error) < 0)
        return NULL;
    struct text answer = TEXT_INIT;
    read_all(output, &answer);
    close(output);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    json_t *zoo = status == 0 && answer.data ? json_loadb(answer.data, answer.length, 0, NULL) : NULL;
    text_free(&answer);
    if (!json_is_array(json_object_get(zoo, "architectures"))) {
        json_decref(zoo);
        error_set(error, "%s zoo --json -: expected joulery.zoo/1, found something else (exit status %d)",
                  trainer, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        return NULL;
    }
    return zoo;
}

static int check_name(const struct study *study, const struct study_text *name, const char *const *names,
                      size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name->text) == 0)
            return 0;
    const char *nearest = text_nearest(name->text, names, count);
    return study_error(study, name->line, error, "unknown architecture '%s'%s%s%s", name->text,
                       nearest ? " (did you mean " : ": `joulery zoo` lists them", nearest ? nearest : "",
                       nearest ? "?)" : "");
}

static int check_all(const struct study *study, const char *const *names, size_t count, struct error *error)
{
    for (size_t i = 0; i < study->factor_count; i++)
        for (size_t k = 0;
             strcmp(study->factors[i].name.text, "arch") == 0 && k < study->factors[i].level_count; k++)
            if (check_name(study, &study->factors[i].levels[k], names, count, error) < 0)
                return -1;
    for (size_t i = 0; i < study->option_count; i++)
        if (strcmp(study->options[i].name.text, "arch") == 0 &&
            check_name(study, &study->options[i].value, names, count, error) < 0)
            return -1;
    return 0;
}

int zoo_check(const struct study *study, const char *trainer, struct error *error)
{
    if (study->command_count)
        return 0;
    json_t *zoo = ask(trainer, error);
    if (!zoo)
        return -1;
    const json_t *architectures = json_object_get(zoo, "architectures");
    size_t count = json_array_size(architectures);
    const char **names = calloc(count + 1, sizeof *names);
    int result = names ? 0 : error_memory(error, "architectures");
    for (size_t i = 0; i < count && result == 0; i++) {
        names[i] = json_string_value(json_object_get(json_array_get(architectures, i), "name"));
        if (!names[i])
            result = error_set(error, "%s zoo --json -: an architecture has no name", trainer);
    }
    if (result == 0)
        result = check_all(study, names, count, error);
    free(names);
    json_decref(zoo);
    return result;
}
