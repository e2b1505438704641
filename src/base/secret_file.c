#include "base/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_file(const struct stat *status, const char *path, struct error *error)
{
    if (!S_ISREG(status->st_mode))
        return error_set(error, "%s: expected a regular file with credentials", path);
    if (status->st_uid != geteuid())
        return error_set(error, "%s: belongs to another user: credentials are read from one's own file",
                         path);
    if (status->st_mode & 077)
        return error_set(error, "%s: others may read it (mode %04o): chmod 600 %s", path,
                         (unsigned)(status->st_mode & 07777), path);
    return 0;
}

static int read_all(int descriptor, const char *path, char *text, size_t most, size_t *size,
                    struct error *error)
{
    *size = 0;
    for (ssize_t got = 1; got > 0 && *size <= most; *size += (size_t)got) {
        got = read(descriptor, text + *size, most + 1 - *size);
        if (got < 0)
            return error_errno(error, errno, path);
    }
    if (*size > most)
        return error_set(error, "%s: larger than %zu bytes: these are no credentials", path, most);
    text[*size] = '\0';
    return 0;
}

int secret_file_read(const char *path, char *text, size_t most, size_t *size, struct error *error)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return error_errno(error, errno, path);
    int result =
        fstat(descriptor, &status) < 0 ? error_errno(error, errno, path) : check_file(&status, path, error);
    if (result == 0)
        result = read_all(descriptor, path, text, most, size, error);
    close(descriptor);
    return result;
}
