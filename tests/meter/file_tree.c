#include "file_tree.h"

#include "base/file.h"
#include "base/scratch.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_tree {
    struct scratch folder;
};

static void require(int holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    abort();
}

struct file_tree *file_tree_make(void)
{
    struct error error = ERROR_INIT;
    struct file_tree *tree = calloc(1, sizeof *tree);
    require(tree && scratch_open(&tree->folder, "/tmp", "joulery-files", &error) == 0, error_text(&error));
    require(chmod(tree->folder.path, 0755) == 0, tree->folder.path);
    return tree;
}

const char *file_tree_root(const struct file_tree *tree)
{
    return tree->folder.path;
}

/* The path of a file whose folders are there. */
static char *place(const struct file_tree *tree, const char *path)
{
    char *full = file_join(tree->folder.path, path);
    require(full != NULL, path);
    for (char *slash = strchr(full + strlen(tree->folder.path) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    return full;
}

void file_tree_write(const struct file_tree *tree, const char *path, const char *content)
{
    AUTO_FREE char *full = place(tree, path);
    size_t size = strlen(content);
    int file = open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    require(file >= 0 && pwrite(file, content, size, 0) == (ssize_t)size, path);
    require(ftruncate(file, (off_t)size) == 0 && close(file) == 0, path);
}

void file_tree_link(const struct file_tree *tree, const char *path, const char *target)
{
    AUTO_FREE char *full = place(tree, path);
    AUTO_FREE char *there = file_join(tree->folder.path, target);
    require(there && symlink(there, full) == 0, path);
}

void file_tree_remove(const struct file_tree *tree, const char *path)
{
    AUTO_FREE char *full = place(tree, path);
    require(unlink(full) == 0, path);
}

void file_tree_deny(const struct file_tree *tree, const char *path)
{
    AUTO_FREE char *full = place(tree, path);
    require(chmod(full, 0) == 0, path);
}

void file_tree_free(struct file_tree *tree)
{
    scratch_close(&tree->folder);
    free(tree);
}
