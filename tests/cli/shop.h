/* shop.h: a folder in which the tests run `joulery …` as a user would, and what it said. */
#ifndef JOULERY_TESTS_CLI_SHOP_H
#define JOULERY_TESTS_CLI_SHOP_H

#include "rapl_tree.h"

#include <jansson.h>

struct shop {
    char *folder; /* of output and documents, and the home; gone at the end */
    char *error;  /* what the last command wrote to standard error */
    char *output;
    struct rapl_tree *tree; /* the machine; NULL: one without RAPL */
};

/* Of a machine with these zones; `count` 0: without RAPL. NULL: it can't be made. */
struct shop *shop_open(const struct rapl_zone *zones, size_t count);
int shop_close(struct shop *shop);

/* Runs a shell script in the folder, in which $J is joulery; returns its exit status. */
int shop_script(struct shop *shop, const char *script);
/* Runs `joulery ARGUMENTS` there. */
int joulery(struct shop *shop, const char *arguments);

/* Fails unless standard error has the words, however they are broken into lines. */
void says(const struct shop *shop, const char *words);
/* A file's content, which the caller frees; a document's. They fail where there is none. */
char *slurp(const struct shop *shop, const char *name);
json_t *load(const struct shop *shop, const char *name);

#endif
