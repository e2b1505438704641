/* Wattmeters that answer over HTTP, in JSON. */
#include "base/http.h"
#include "meter/wall/transport.h"

#include <stdlib.h>

#define ANSWER_BYTES_MOST ((size_t)1 << 20)

struct http {
    const struct wall_device *device;
    struct http_question question;
    struct http_client *client;
};

static void close_device(void *state)
{
    struct http *http = state;
    http_close(http->client);
    free(http);
}

static void *open_device(const struct wall_device *device, struct error *error)
{
    struct http *http = calloc(1, sizeof *http);
    if (!http) {
        error_memory(error, device->name);
        return NULL;
    }
    http->device = device;
    http->question = (struct http_question){.who = device->name,
                                            .what = "wattmeters over HTTP",
                                            .url = device->url,
                                            .user = device->secret.user,
                                            .password = device->secret.password,
                                            .bearer = device->secret.token,
                                            .ca = device->ca,
                                            .direct = true,
                                            .timeout_s = device->timeout_s,
                                            .most_bytes = ANSWER_BYTES_MOST};
    http->client = http_open(&http->question, error);
    if (http->client)
        return http;
    close_device(http);
    return NULL;
}

static int refused(const struct wall_device *d, long status, struct error *error)
{
    const char *name = d->name;
    if (status == 401 || status == 403)
        return error_set(error,
                         "%s: the device wants %s (HTTP %ld): name a file with them with credentials: FILE",
                         name, d->credentials ? "other credentials" : "credentials", status);
    if (status == 404)
        return error_set(error, "%s: nothing is there (HTTP 404): is the preset or the url the device's?",
                         name);
    if (status >= 300 && status < 400)
        return error_set(error,
                         "%s: the device sends elsewhere (HTTP %ld), which is not followed: give the url "
                         "that it points to",
                         name, status);
    return error_set(error, "%s: the device refused (HTTP %ld)", name, status);
}

static int not_reached(const struct wall_device *d, const struct http_reply *reply, struct error *error)
{
    switch (reply->failure) {
    case HTTP_TOO_LONG:
        return error_set(error, "%s: the answer is longer than %zu MiB: it can't be a wattmeter's", d->name,
                         ANSWER_BYTES_MOST >> 20);
    case HTTP_TIMEOUT:
        return error_set(error, "%s: no answer within %g s", d->name, d->timeout_s);
    case HTTP_NOBODY:
        return error_set(error, "%s: %s: nobody listens at %s", d->name, reply->why, d->url);
    case HTTP_UNTRUSTED:
        return error_set(
            error,
            "%s: %s: if the device signs its own certificate, get that by a way that you trust and "
            "name the file with ca: FILE",
            d->name, reply->why);
    default:
        return error_set(error, "%s: %s", d->name, reply->why);
    }
}

static int ask_device(void *state, struct wall_answer *answer, struct error *error)
{
    struct http *http = state;
    struct http_reply reply;
    if (http_ask(http->client, &reply) < 0)
        return not_reached(http->device, &reply, error);
    if (reply.status != 200)
        return refused(http->device, reply.status, error);
    return wall_answer(http->device, reply.body, reply.size, &answer->power_w, &answer->energy_j,
                       &answer->wall_ns, error);
}

const struct transport http_transport = {
    .name = "http",
    .json = true,
    .open = open_device,
    .ask = ask_device,
    .close = close_device,
};
