#include "base/file.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

#define AUTO_CLOSE __attribute__((cleanup(close_descriptor)))

char *file_read(const char *path, size_t limit, size_t *size, struct error *error)
{
    AUTO_CLOSE int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        error_errno(error, errno, path);
        return NULL;
    }
    struct text content = TEXT_INIT;
    text_append(&content, "");
    char block[16384];
    for (;;) {
        ssize_t got = read(descriptor, block, sizeof block);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error_errno(error, errno, path);
            text_free(&content);
            return NULL;
        }
        if (got == 0)
            break;
        if ((size_t)got > limit - content.length) {
            error_set(error, "%s: larger than the %zu bytes that are read of such a file", path, limit);
            text_free(&content);
            return NULL;
        }
        text_append_bytes(&content, block, (size_t)got);
    }
    if (size)
        *size = content.length;
    char *data = text_take(&content);
    if (!data)
        error_memory(error, path);
    return data;
}

char *file_join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    bool slash = length > 0 && directory[length - 1] == '/';
    return text_format("%s%s%s", directory, slash ? "" : "/", name);
}

static int write_all(int descriptor, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(descriptor, data, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        data += done;
        size -= (size_t)done;
    }
    return 0;
}

int file_write(const char *path, const void *data, size_t size, struct error *error)
{
    if (strcmp(path, "-") == 0)
        return write_all(STDOUT_FILENO, data, size) == 0 ? 0 : error_errno(error, errno, "standard output");
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        /* a device or a pipe (/dev/stdout, >(…)) can't be renamed over */
        AUTO_CLOSE int special = open(path, O_WRONLY | O_CLOEXEC);
        if (special < 0 || write_all(special, data, size) < 0)
            return error_errno(error, errno, path);
        return 0;
    }
    AUTO_FREE char *temporary = text_format("%s.XXXXXX", path);
    if (!temporary)
        return error_memory(error, path);
    AUTO_CLOSE int descriptor = mkostemp(temporary, O_CLOEXEC);
    if (descriptor < 0)
        return error_errno(error, errno, path);
    mode_t mask = umask(0);
    umask(mask);
    int failed = fchmod(descriptor, 0666 & ~mask) < 0 || write_all(descriptor, data, size) < 0 ||
                 fsync(descriptor) < 0 || rename(temporary, path) < 0;
    if (failed) {
        error_errno(error, errno, path);
        unlink(temporary);
        return -1;
    }
    return 0;
}

int file_check_writable(const char *path, struct error *error)
{
    struct stat status;
    bool special = stat(path, &status) == 0 && !S_ISREG(status.st_mode);
    if (strcmp(path, "-") == 0)
        return 0;
    if (special && S_ISDIR(status.st_mode))
        return error_set(error, "%s: a folder: expected a file to write to", path);
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!folder)
        return error_memory(error, path);
    if (*path && access(special ? path : folder, W_OK) == 0)
        return 0;
    return error_set(error, "%s: can't be written to: %s", path, strerror(*path ? errno : ENOENT));
}

int file_make_folders(const char *path, struct error *error)
{
    AUTO_FREE char *folder = strdup(path);
    if (!folder)
        return error_memory(error, path);
    for (char *slash = *folder ? strchr(folder + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0700) < 0 && errno != EEXIST)
            return error_errno(error, errno, folder);
        *slash = '/';
    }
    return 0;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

char *file_program_directory(struct error *error)
{
    size_t capacity = 256;
    for (;;) {
        char *path = malloc(capacity);
        if (!path) {
            error_memory(error, "path of the program");
            return NULL;
        }
        ssize_t length = readlink("/proc/self/exe", path, capacity);
        if (length < 0) {
            error_errno(error, errno, "/proc/self/exe");
            free(path);
            return NULL;
        }
        if ((size_t)length < capacity) {
            path[length] = '\0';
            char *slash = strrchr(path, '/');
            if (slash)
                *slash = '\0';
            return path;
        }
        free(path);
        capacity *= 2;
    }
}
