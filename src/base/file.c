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

struct file_writer {
    char *path, *temporary;
    int descriptor; /* -1: nothing was made */
};

void file_writer_drop(struct file_writer *writer)
{
    if (!writer)
        return;
    if (writer->descriptor >= 0) {
        close(writer->descriptor);
        unlink(writer->temporary);
    }
    free(writer->temporary);
    free(writer->path);
    free(writer);
}

struct file_writer *file_writer_open(const char *path, struct error *error)
{
    struct file_writer *writer = calloc(1, sizeof *writer);
    if (writer)
        *writer = (struct file_writer){strdup(path), text_format("%s.XXXXXX", path), -1};
    if (!writer || !writer->path || !writer->temporary) {
        error_memory(error, path);
        file_writer_drop(writer);
        return NULL;
    }
    writer->descriptor = mkostemp(writer->temporary, O_CLOEXEC);
    mode_t mask = umask(0);
    umask(mask);
    if (writer->descriptor < 0 || fchmod(writer->descriptor, 0666 & ~mask) < 0) {
        error_errno(error, errno, path);
        file_writer_drop(writer);
        return NULL;
    }
    return writer;
}

int file_writer_put(struct file_writer *writer, const void *data, size_t size, struct error *error)
{
    return write_all(writer->descriptor, data, size) == 0 ? 0 : error_errno(error, errno, writer->path);
}

static int finish(struct file_writer *writer, bool sync, struct error *error)
{
    int status = 0;
    if ((sync && fsync(writer->descriptor) < 0) || rename(writer->temporary, writer->path) < 0) {
        status = error_errno(error, errno, writer->path);
    } else {
        close(writer->descriptor);
        writer->descriptor = -1;
    }
    file_writer_drop(writer);
    return status;
}

int file_writer_finish(struct file_writer *writer, struct error *error)
{
    return finish(writer, true, error);
}

static int write_file(const char *path, const void *data, size_t size, bool sync, struct error *error)
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
    struct file_writer *writer = file_writer_open(path, error);
    if (!writer)
        return -1;
    if (file_writer_put(writer, data, size, error) < 0) {
        file_writer_drop(writer);
        return -1;
    }
    return finish(writer, sync, error);
}

int file_write(const char *path, const void *data, size_t size, struct error *error)
{
    return write_file(path, data, size, true, error);
}

int file_write_many(const char *path, const void *data, size_t size, struct error *error)
{
    return write_file(path, data, size, false, error);
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
