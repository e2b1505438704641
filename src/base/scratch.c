#include "base/scratch.h"

#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMOVED_AT_ONCE  64     /* a start must not take long; the next one goes on */
#define LOOKED_AT        100000 /* entries of the parent */
#define TREE_DESCRIPTORS 16

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    remove(path);
    return 0;
}

void scratch_remove(const char *path)
{
    nftw(path, remove_entry, TREE_DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static bool is_name(const char *name, const char *kind)
{
    size_t length = strlen(kind);
    return strncmp(name, kind, length) == 0 && strlen(name) == length + strlen(SCRATCH_SUFFIX) &&
           name[length] == '-';
}

/* Its lock, alone; -1 if it is held, is not ours, or is no folder. */
static int claim(const char *path)
{
    struct stat status;
    int lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (lock < 0)
        return -1;
    if (fstat(lock, &status) == 0 && status.st_uid == geteuid() && flock(lock, LOCK_EX | LOCK_NB) == 0)
        return lock;
    close(lock);
    return -1;
}

static void remove_left_over(const char *parent, const char *kind)
{
    DIR *directory = opendir(parent);
    struct dirent *entry;
    size_t removed = 0, seen = 0;
    while (directory && removed < REMOVED_AT_ONCE && seen++ < LOOKED_AT && (entry = readdir(directory))) {
        if (!is_name(entry->d_name, kind))
            continue;
        AUTO_FREE char *path = file_join(parent, entry->d_name);
        int lock = path ? claim(path) : -1;
        if (lock < 0)
            continue;
        scratch_remove(path);
        close(lock);
        removed++;
    }
    if (directory)
        closedir(directory);
}

/* Between its making and its lock somebody else may have taken the folder for a left-over: 1: it is there and
 * locked; 0: make another; -1: error. */
static int hold(struct scratch *scratch)
{
    struct stat held, found;
    scratch->lock = open(scratch->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (scratch->lock < 0)
        return errno == ENOENT ? 0 : -1;
    flock(scratch->lock, LOCK_SH); /* where there are no locks, nobody gets one to remove it */
    if (fstat(scratch->lock, &held) == 0 && stat(scratch->path, &found) == 0 && held.st_ino == found.st_ino &&
        held.st_dev == found.st_dev)
        return 1;
    close(scratch->lock);
    scratch->lock = -1;
    return 0;
}

int scratch_open(struct scratch *scratch, const char *parent, const char *kind, struct error *error)
{
    *scratch = (struct scratch)SCRATCH_INIT;
    remove_left_over(parent, kind);
    AUTO_FREE char *template = text_format("%s/%s" SCRATCH_SUFFIX, parent, kind);
    int held = 0;
    while (template && held == 0) {
        free(scratch->path);
        scratch->path = strdup(template);
        if (!scratch->path)
            break;
        held = mkdtemp(scratch->path) ? hold(scratch) : -1;
    }
    if (held == 1)
        return 0;
    int result = held < 0 ? error_errno(error, errno, scratch->path) : error_memory(error, kind);
    free(scratch->path);
    *scratch = (struct scratch)SCRATCH_INIT;
    return result;
}

void scratch_close(struct scratch *scratch)
{
    if (!scratch->path)
        return;
    scratch_remove(scratch->path);
    close(scratch->lock);
    free(scratch->path);
    *scratch = (struct scratch)SCRATCH_INIT;
}
