/* scratch.h: folders that last as long as the process that made them. One that was killed can't remove its
 * own, so whoever makes the next such folder removes those that nobody holds any more.
 *
 * The maker holds a shared lock (flock) on its folder, which ends with it however it ends; a folder whose
 * lock can be had alone is left over. Only folders of our own user whose names are exactly KIND-XXXXXX are
 * looked at. */
#ifndef JOULERY_BASE_SCRATCH_H
#define JOULERY_BASE_SCRATCH_H

#include "base/error.h"

struct scratch {
    char *path; /* NULL: none */
    int lock;
};

#define SCRATCH_SUFFIX "-XXXXXX"

#define SCRATCH_INIT                                                                                         \
    {                                                                                                        \
        NULL, -1                                                                                             \
    }

/* Makes "parent/kind-XXXXXX" with mode 0700. The lock's descriptor is not inherited over exec. */
int scratch_open(struct scratch *scratch, const char *parent, const char *kind, struct error *error);

/* Removes the folder with all that is in it. Of one that isn't open: does nothing. */
void scratch_close(struct scratch *scratch);

/* Removes a folder, whoever made it, with all that is in it on its file system. */
void scratch_remove(const char *path);

#endif
