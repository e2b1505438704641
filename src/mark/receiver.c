/* The recorder's end: a datagram socket that only this user can reach. */
#include "mark/mark.h"

#include "base/file.h"
#include "base/scratch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define KIND "joulery-marks"

struct mark_receiver {
    int socket;
    struct scratch directory;
    char *path;
    char buffer[MARK_BYTES_MOST];
};

/* A folder in the user's runtime directory where there is one that leaves room for a socket's name. */
static int make_directory(struct scratch *directory, struct error *error)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path - sizeof "/" KIND SCRATCH_SUFFIX "/marks";
    struct error ignored = ERROR_INIT;
    bool made = runtime && runtime[0] == '/' && strlen(runtime) < room &&
                scratch_open(directory, runtime, KIND, &ignored) == 0;
    error_clear(&ignored);
    return made ? 0 : scratch_open(directory, "/tmp", KIND, error);
}

static int bind_socket(struct mark_receiver *receiver, struct error *error)
{
    if (make_directory(&receiver->directory, error) < 0)
        return -1;
    receiver->path = file_join(receiver->directory.path, "marks");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!receiver->path)
        return error_memory(error, "marks");
    if (strlen(receiver->path) >= sizeof address.sun_path)
        return error_set(error, "%s: too long for the name of a socket", receiver->path);
    memcpy(address.sun_path, receiver->path, strlen(receiver->path) + 1);
    receiver->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (receiver->socket < 0)
        return error_errno(error, errno, "socket");
    if (bind(receiver->socket, (struct sockaddr *)&address, sizeof address) < 0)
        return error_errno(error, errno, receiver->path);
    return 0;
}

struct mark_receiver *mark_receiver_open(struct error *error)
{
    struct mark_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver) {
        error_memory(error, "marks");
        return NULL;
    }
    receiver->socket = -1;
    if (bind_socket(receiver, error) < 0) {
        mark_receiver_close(receiver);
        return NULL;
    }
    return receiver;
}

const char *mark_receiver_path(const struct mark_receiver *receiver)
{
    return receiver->path;
}

int mark_receiver_descriptor(const struct mark_receiver *receiver)
{
    return receiver->socket;
}

int mark_receive(struct mark_receiver *receiver, struct mark *mark, struct mark_owner **owner,
                 struct error *error)
{
    ssize_t size;
    do
        /* MSG_TRUNC gives the true size of a datagram that is too large */
        size = recv(receiver->socket, receiver->buffer, sizeof receiver->buffer, MSG_DONTWAIT | MSG_TRUNC);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return errno == EAGAIN ? 0 : error_errno(error, errno, receiver->path);
    return mark_parse(receiver->buffer, (size_t)size, mark, owner, error) == 0 ? 1 : -1;
}

void mark_receiver_close(struct mark_receiver *receiver)
{
    if (!receiver)
        return;
    if (receiver->socket >= 0)
        close(receiver->socket);
    scratch_close(&receiver->directory);
    free(receiver->path);
    free(receiver);
}
