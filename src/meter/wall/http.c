/* Wattmeters that answer over HTTP, in JSON.
 *
 * libcurl is loaded when there is a device to ask, so that measuring without one stays small. */
#include "base/curl.h"
#include "base/text.h"
#include "meter/wall/transport.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MOST ((size_t)1 << 20)

/* ---- a device ---- */

struct http {
    const struct wall_device *device;
    struct curl_api curl;
    CURL *handle;
    struct curl_slist *headers;
    struct text answer;
    bool too_long;
};

static size_t keep(char *bytes, size_t size, size_t count, void *context)
{
    struct http *http = context;
    if (http->answer.length + size * count > ANSWER_BYTES_MOST) {
        http->too_long = true;
        return 0;
    }
    text_append_bytes(&http->answer, bytes, size * count);
    return size * count;
}

static CURLcode set_secret(struct http *http)
{
    const struct wall_secret *secret = &http->device->secret;
    const struct curl_api *c = &http->curl;
    if (secret->token) {
        CURLcode code = c->easy_setopt(http->handle, CURLOPT_XOAUTH2_BEARER, secret->token);
        return code ? code : c->easy_setopt(http->handle, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    }
    if (!secret->user)
        return CURLE_OK;
    CURLcode code = c->easy_setopt(http->handle, CURLOPT_USERNAME, secret->user);
    if (!code)
        code = c->easy_setopt(http->handle, CURLOPT_PASSWORD, secret->password);
    return code ? code : c->easy_setopt(http->handle, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
}

/* Redirects are not followed: credentials would go where they point. */
static CURLcode set_options(struct http *http)
{
    const struct curl_api *c = &http->curl;
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {{CURLOPT_NOSIGNAL, 1},
                   {CURLOPT_FOLLOWLOCATION, 0},
                   {CURLOPT_TIMEOUT_MS, (long)(http->device->timeout_s * 1000)},
                   {CURLOPT_CONNECTTIMEOUT_MS, (long)(http->device->timeout_s * 1000)},
                   {CURLOPT_SSL_VERIFYPEER, 1},
                   {CURLOPT_SSL_VERIFYHOST, 2},
                   {CURLOPT_TCP_NODELAY, 1}};
    const struct {
        CURLoption option;
        const void *value;
    } pointers[] = {{CURLOPT_URL, http->device->url},
                    {CURLOPT_PROXY, ""},
                    {CURLOPT_WRITEDATA, http},
                    {CURLOPT_HTTPHEADER, http->headers},
                    {CURLOPT_USERAGENT, "joulery/" JOULERY_VERSION}};
    CURLcode code = c->easy_setopt(http->handle, CURLOPT_WRITEFUNCTION, keep);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !code; i++)
        code = c->easy_setopt(http->handle, numbers[i].option, numbers[i].value);
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers && !code; i++)
        code = c->easy_setopt(http->handle, pointers[i].option, pointers[i].value);
    if (!code && http->device->ca)
        code = c->easy_setopt(http->handle, CURLOPT_CAINFO, http->device->ca);
    return code ? code : set_secret(http);
}

static void http_close(void *state)
{
    struct http *http = state;
    if (http->handle)
        http->curl.easy_cleanup(http->handle);
    if (http->headers)
        http->curl.slist_free_all(http->headers);
    text_free(&http->answer);
    free(http);
}

static void *http_open(const struct wall_device *device, struct error *error)
{
    struct http *http = calloc(1, sizeof *http);
    if (!http) {
        error_memory(error, device->name);
        return NULL;
    }
    http->device = device;
    if (curl_load(&http->curl, "wattmeters over HTTP", error) < 0)
        goto failed;
    http->handle = http->curl.easy_init();
    http->headers = http->curl.slist_append(NULL, "Accept: application/json");
    if (!http->handle || !http->headers) {
        error_memory(error, device->name);
        goto failed;
    }
    CURLcode code = set_options(http);
    if (!code)
        return http;
    error_set(error, "%s: libcurl refuses a setting: %s", device->name, http->curl.easy_strerror(code));
failed:
    http_close(http);
    return NULL;
}

static int refused(const struct http *http, long status, struct error *error)
{
    const struct wall_device *d = http->device;
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

static int not_reached(const struct http *http, CURLcode code, struct error *error)
{
    const struct wall_device *d = http->device;
    const char *why = http->curl.easy_strerror(code);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return error_set(error, "%s: no answer within %g s", d->name, d->timeout_s);
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
        return error_set(error, "%s: %s: nobody listens at %s", d->name, why, d->url);
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return error_set(
            error,
            "%s: %s: if the device signs its own certificate, get that by a way that you trust and "
            "name the file with ca: FILE",
            d->name, why);
    return error_set(error, "%s: %s", d->name, why);
}

static int http_ask(void *state, struct wall_answer *answer, struct error *error)
{
    struct http *http = state;
    const struct curl_api *c = &http->curl;
    long status = 0;
    http->answer.length = 0;
    http->too_long = false;
    CURLcode code = c->easy_perform(http->handle);
    if (http->too_long)
        return error_set(error, "%s: the answer is longer than %zu MiB: it can't be a wattmeter's",
                         http->device->name, ANSWER_BYTES_MOST >> 20);
    if (code)
        return not_reached(http, code, error);
    c->easy_getinfo(http->handle, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return refused(http, status, error);
    if (http->answer.failed)
        return error_memory(error, http->device->name);
    return wall_answer(http->device, http->answer.data ? http->answer.data : "", http->answer.length,
                       &answer->power_w, &answer->energy_j, &answer->wall_ns, error);
}

const struct transport http_transport = {
    .name = "http",
    .json = true,
    .open = http_open,
    .ask = http_ask,
    .close = http_close,
};
