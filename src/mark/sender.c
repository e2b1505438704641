/* The workload's end: marks go out as datagrams and never hold the workload up. */
#include "mark/mark.h"

#include "base/clock.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 50

struct mark_sender {
    int socket;
    bool patient; /* false after a wait in vain: a stuck recorder costs the workload one wait, not one a mark
                   */
};

static const char *const kind_names[] = {
    [MARK_BEGIN] = "begin", [MARK_END] = "end", [MARK_METRIC] = "metric", [MARK_NOTE] = "note"};

struct mark_sender *mark_sender_open(void)
{
    return mark_sender_open_to(getenv(MARK_SOCKET_VARIABLE));
}

struct mark_sender *mark_sender_open_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || !path[0] || strlen(path) >= sizeof address.sun_path)
        return NULL;
    memcpy(address.sun_path, path, strlen(path) + 1);
    struct mark_sender *sender = malloc(sizeof *sender);
    if (!sender)
        return NULL;
    *sender = (struct mark_sender){socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), true};
    if (sender->socket >= 0 && connect(sender->socket, (struct sockaddr *)&address, sizeof address) == 0)
        return sender;
    mark_sender_close(sender);
    return NULL;
}

/* NULL if there is nothing to add or memory ran out. */
static json_t *metrics_to_json(const struct mark *mark)
{
    json_t *metrics = json_object();
    for (size_t i = 0; metrics && i < mark->metric_count; i++)
        if (isfinite(mark->metrics[i].value))
            json_object_set_new(metrics, mark->metrics[i].name, json_real(mark->metrics[i].value));
    if (metrics && json_object_size(metrics) == 0) {
        json_decref(metrics);
        return NULL;
    }
    return metrics;
}

static json_t *mark_to_json(const struct mark *mark)
{
    json_int_t boot_ns = mark->boot_ns ? mark->boot_ns : clock_boot_ns();
    return json_pack("{s:s, s:s*, s:I, s:I, s:o*, s:s*}", "mark", kind_names[mark->kind], "window",
                     mark->window, "index", (json_int_t)mark->index, "t", boot_ns, "metrics",
                     metrics_to_json(mark), "text", mark->text);
}

static bool send_bytes(struct mark_sender *sender, const char *bytes, size_t size)
{
    for (;;) {
        if (send(sender->socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size) {
            sender->patient = true;
            return true;
        }
        if (errno == EINTR)
            continue;
        if ((errno != EAGAIN && errno != ENOBUFS) || !sender->patient)
            return false;
        struct pollfd room = {.fd = sender->socket, .events = POLLOUT};
        if (poll(&room, 1, PATIENCE_MS) <= 0)
            sender->patient = false;
    }
}

bool mark_send(struct mark_sender *sender, const struct mark *mark)
{
    if (!sender)
        return false;
    json_t *json = mark_to_json(mark);
    char *bytes = json ? json_dumps(json, JSON_COMPACT) : NULL;
    size_t size = bytes ? strlen(bytes) : 0;
    bool sent = bytes && size <= MARK_BYTES_MOST && send_bytes(sender, bytes, size);
    free(bytes);
    json_decref(json);
    return sent;
}

void mark_sender_close(struct mark_sender *sender)
{
    if (!sender)
        return;
    if (sender->socket >= 0)
        close(sender->socket);
    free(sender);
}
