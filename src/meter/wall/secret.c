/* Credentials of wattmeters: from a file that nobody else can read, into memory, and no further. */
#include "base/secret_file.h"
#include "meter/wall/device.h"

#include <stdlib.h>
#include <string.h>

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void wall_secret_free(struct wall_secret *secret)
{
    wipe(secret->user);
    wipe(secret->password);
    wipe(secret->token);
    wipe(secret->community);
    wipe(secret->privacy);
    *secret = (struct wall_secret){0};
}

/* The member that a line's first word names. */
static char **member(struct wall_secret *secret, const char *word, size_t length)
{
    const struct {
        const char *name;
        char **at;
    } members[] = {{"user", &secret->user},
                   {"password", &secret->password},
                   {"token", &secret->token},
                   {"community", &secret->community},
                   {"privacy", &secret->privacy}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strlen(members[i].name) == length && strncmp(members[i].name, word, length) == 0)
            return members[i].at;
    return NULL;
}

static int parse_line(const char *line, size_t length, size_t number, const char *path,
                      struct wall_secret *secret, struct error *error)
{
    size_t word = 0, begin;
    while (word < length && line[word] != ' ' && line[word] != '\t')
        word++;
    for (begin = word; begin < length && (line[begin] == ' ' || line[begin] == '\t');)
        begin++;
    char **at = member(secret, line, word);
    if (!at || begin == length)
        return error_set(error,
                         "%s:%zu: expected 'user NAME', 'password WORD', 'token WORD', 'community WORD' or "
                         "'privacy WORD'",
                         path, number);
    if (*at)
        return error_set(error, "%s:%zu: given twice", path, number);
    if (memchr(line, '\0', length) || memchr(line, '\r', length))
        return error_set(error, "%s:%zu: expected text, found a control character", path, number);
    *at = strndup(line + begin, length - begin);
    return *at ? 0 : error_memory(error, path);
}

int wall_secret_parse(const char *text, size_t size, const char *path, struct wall_secret *secret,
                      struct error *error)
{
    *secret = (struct wall_secret){0};
    size_t number = 1;
    for (size_t at = 0; at < size; number++) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - (text + at)) : size - at;
        bool skip = length == 0 || text[at] == '#';
        if (!skip && parse_line(text + at, length, number, path, secret, error) < 0) {
            wall_secret_free(secret);
            return -1;
        }
        at += length + 1;
    }
    bool alone = (!!secret->token + !!secret->community) == 1 && !secret->user && !secret->password;
    bool person = !secret->token && !secret->community && secret->user && secret->password;
    if (person || (alone && !secret->privacy))
        return 0;
    wall_secret_free(secret);
    return error_set(error,
                     "%s: expected a user and a password (for SNMPv3 with privacy too), or a token or a "
                     "community alone",
                     path);
}

int wall_secret_read(const char *path, struct wall_secret *secret, struct error *error)
{
    char text[WALL_SECRET_BYTES_MOST + 1];
    size_t size;
    *secret = (struct wall_secret){0};
    int result = secret_file_read(path, text, WALL_SECRET_BYTES_MOST, &size, error);
    if (result == 0)
        result = wall_secret_parse(text, size, path, secret, error);
    explicit_bzero(text, sizeof text);
    return result;
}
