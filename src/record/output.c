#include "record/output.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536 /* a pipe's usual size */
#define DRAIN_MOST 64    /* reads, should somebody still be writing */

static void close_end(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

int output_open(struct output *output, size_t tail_bytes, bool shown, struct error *error)
{
    *output =
        (struct output){.read_end = {-1, -1}, .write_end = {-1, -1}, .shown = shown, .capacity = tail_bytes};
    output->tail = malloc(tail_bytes);
    if (!output->tail)
        return error_memory(error, "output");
    for (size_t i = 0; i < 2; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
            return error_errno(error, errno, "pipe");
        output->read_end[i] = ends[0];
        output->write_end[i] = ends[1];
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

void output_started(struct output *output)
{
    close_end(&output->write_end[0]);
    close_end(&output->write_end[1]);
}

static void keep(struct output *output, const char *bytes, size_t size)
{
    if (size > output->capacity) {
        bytes += size - output->capacity;
        size = output->capacity;
    }
    size_t first = output->capacity - output->next;
    if (first > size)
        first = size;
    memcpy(output->tail + output->next, bytes, first);
    memcpy(output->tail, bytes + first, size - first);
    output->next = (output->next + size) % output->capacity;
    output->used = output->used + size < output->capacity ? output->used + size : output->capacity;
}

/* Our own standard output may be closed or full: that is no reason to stop a measurement. */
static void pass_on(int descriptor, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        struct pollfd room = {.fd = descriptor, .events = POLLOUT};
        if (written < 0 && errno == EAGAIN && poll(&room, 1, -1) > 0)
            continue;
        if (written <= 0)
            return;
        bytes += written;
        size -= (size_t)written;
    }
}

bool output_read(struct output *output, size_t stream)
{
    char bytes[READ_BYTES];
    ssize_t size = read(output->read_end[stream], bytes, sizeof bytes);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (size <= 0) {
        close_end(&output->read_end[stream]);
        return false;
    }
    keep(output, bytes, (size_t)size);
    if (output->shown)
        pass_on(stream == 0 ? STDOUT_FILENO : STDERR_FILENO, bytes, (size_t)size);
    return true;
}

void output_drain(struct output *output)
{
    for (size_t stream = 0; stream < 2; stream++) {
        bool more = output->read_end[stream] >= 0;
        for (int i = 0; i < DRAIN_MOST && more; i++)
            more = output_read(output, stream);
    }
}

char *output_tail(const struct output *output)
{
    struct text tail = TEXT_INIT;
    size_t start = output->used < output->capacity ? 0 : output->next;
    size_t first = output->used < output->capacity ? output->used : output->capacity - start;
    text_append_bytes(&tail, output->tail + start, first);
    text_append_bytes(&tail, output->tail, output->used - first);
    AUTO_FREE char *bytes = NULL;
    size_t size = tail.length;
    bytes = text_take(&tail);
    return bytes ? text_utf8(bytes, size) : NULL;
}

void output_close(struct output *output)
{
    output_started(output);
    close_end(&output->read_end[0]);
    close_end(&output->read_end[1]);
    free(output->tail);
    output->tail = NULL;
}
