#include "study/folder.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static int open_scratch(struct run_folder *folder, struct error *error)
{
    const char *parent = getenv("TMPDIR");
    struct error why = ERROR_INIT;
    if (scratch_open(&folder->scratch, parent && *parent ? parent : "/tmp", "joulery-run", &why) == 0) {
        folder->path = folder->scratch.path;
        return 0;
    }
    error_set(error, "%s: a run needs a folder of its own; TMPDIR says where", error_text(&why));
    error_clear(&why);
    return -1;
}

/* With its whole path: the run may start elsewhere. */
static int open_kept(struct run_folder *folder, const char *database, int64_t run, struct error *error)
{
    AUTO_FREE char *absolute = realpath(database, NULL);
    AUTO_FREE char *parent = absolute ? text_format("%s-runs", absolute) : NULL;
    if (!absolute)
        return error_errno(error, errno, database);
    folder->kept = parent ? text_format("%s/%lld", parent, (long long)run) : NULL;
    if (!folder->kept)
        return error_memory(error, database);
    folder->path = folder->kept;
    if (mkdir(parent, 0700) < 0 && errno != EEXIST)
        return error_errno(error, errno, parent);
    if (mkdir(folder->kept, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return error_errno(error, errno, folder->kept);
    return error_set(
        error,
        "%s: is there already, and belongs to an earlier run: move it away, or run into another database",
        folder->kept);
}

int run_folder_open(struct run_folder *folder, enum study_keep keep, const char *database, int64_t run,
                    struct error *error)
{
    *folder = (struct run_folder){.scratch = SCRATCH_INIT, .keep = keep};
    int result = keep == KEEP_NONE ? open_scratch(folder, error) : open_kept(folder, database, run, error);
    if (result < 0) {
        free(folder->kept);
        *folder = (struct run_folder){.scratch = SCRATCH_INIT};
    }
    return result;
}

void run_folder_close(struct run_folder *folder, bool failed)
{
    scratch_close(&folder->scratch);
    if (folder->kept && folder->keep == KEEP_FAILED && !failed)
        scratch_remove(folder->kept);
    free(folder->kept);
    *folder = (struct run_folder){.scratch = SCRATCH_INIT};
}
