/* folder.h: the folder of a run's own, for what it writes. */
#ifndef JOULERY_STUDY_FOLDER_H
#define JOULERY_STUDY_FOLDER_H

#include "base/scratch.h"
#include "study/study.h"

struct run_folder {
    const char *path;
    struct scratch scratch; /* of one that is never kept: in TMPDIR */
    char *kept;             /* of others: "DATABASE-runs/RUN" */
    enum study_keep keep;
};

/* Empty, with mode 0700. An error if one that would be kept is there already. */
int run_folder_open(struct run_folder *folder, enum study_keep keep, const char *database, int64_t run,
                    struct error *error);
/* Removes it, or keeps it, as the study says. */
void run_folder_close(struct run_folder *folder, bool failed);

#endif
