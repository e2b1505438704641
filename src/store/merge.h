/* merge.h: databases of one study from several machines into one, with where each comes from as a factor. */
#ifndef JOULERY_STORE_MERGE_H
#define JOULERY_STORE_MERGE_H

#include "store/store.h"

struct merge_part {
    const char *path;
    const char *level; /* of the factor; NULL: the name of the host that its runs were measured on */
};

struct merge_result {
    size_t runs;   /* done */
    char **levels; /* one a part */
    size_t count;
};

/* Makes the database `path` with all runs of the parts, each with `factor` as one more factor, the last.
 * Plans follow each other in the order of the parts. Nothing is measured or worked out anew, and the parts
 * stay as they are. Location and PUE stay if all parts have the same.
 *
 * Errors, which leave no file behind: `path` is there; a part that is another study (which, and what
 * differs), has that factor already, is being run, holds no runs, or runs of several hosts and no level; two
 * parts with the same level, or with the same runs. The caller frees `result` with merge_result_free. */
int store_merge(const char *path, const char *factor, const struct merge_part *parts, size_t count,
                struct merge_result *result, struct error *error);
void merge_result_free(struct merge_result *result);

#endif
