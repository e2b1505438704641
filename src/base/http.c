#include "base/http.h"

#include "base/library.h"
#include "base/text.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

/* ---- the library ---- */

struct curl_api {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *handle, CURLoption option, ...);
    CURLcode (*easy_perform)(CURL *handle);
    CURLcode (*easy_getinfo)(CURL *handle, CURLINFO info, ...);
    void (*easy_cleanup)(CURL *handle);
    const char *(*easy_strerror)(CURLcode code);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *line);
    void (*slist_free_all)(struct curl_slist *list);
};

static const struct library_symbol symbols[] = {
    {"curl_global_init", offsetof(struct curl_api, global_init)},
    {"curl_easy_init", offsetof(struct curl_api, easy_init)},
    {"curl_easy_setopt", offsetof(struct curl_api, easy_setopt)},
    {"curl_easy_perform", offsetof(struct curl_api, easy_perform)},
    {"curl_easy_getinfo", offsetof(struct curl_api, easy_getinfo)},
    {"curl_easy_cleanup", offsetof(struct curl_api, easy_cleanup)},
    {"curl_easy_strerror", offsetof(struct curl_api, easy_strerror)},
    {"curl_slist_append", offsetof(struct curl_api, slist_append)},
    {"curl_slist_free_all", offsetof(struct curl_api, slist_free_all)},
};

static int load_curl(struct curl_api *api, const char *what, struct error *error)
{
    const struct library library = {"libcurl.so.4", "libcurl", what,
                                    "libcurl4",     symbols,   sizeof symbols / sizeof *symbols};
    if (library_load(&library, api, error) < 0)
        return -1;
    CURLcode code = api->global_init(CURL_GLOBAL_DEFAULT);
    return code ? error_set(error, "libcurl can't start: %s", api->easy_strerror(code)) : 0;
}

/* ---- a client ---- */

struct http_client {
    const struct http_question *question;
    struct curl_api curl;
    CURL *handle;
    struct curl_slist *headers;
    struct text body;
    bool too_long;
};

static size_t keep(char *bytes, size_t size, size_t count, void *context)
{
    struct http_client *client = context;
    if (client->body.length + size * count > client->question->most_bytes) {
        client->too_long = true;
        return 0;
    }
    text_append_bytes(&client->body, bytes, size * count);
    return size * count;
}

static CURLcode set_secret(struct http_client *client)
{
    const struct http_question *q = client->question;
    const struct curl_api *c = &client->curl;
    if (q->bearer) {
        CURLcode code = c->easy_setopt(client->handle, CURLOPT_XOAUTH2_BEARER, q->bearer);
        return code ? code : c->easy_setopt(client->handle, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    }
    if (!q->user)
        return CURLE_OK;
    CURLcode code = c->easy_setopt(client->handle, CURLOPT_USERNAME, q->user);
    if (!code)
        code = c->easy_setopt(client->handle, CURLOPT_PASSWORD, q->password);
    return code ? code : c->easy_setopt(client->handle, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
}

static CURLcode set_options(struct http_client *client)
{
    const struct http_question *q = client->question;
    const struct curl_api *c = &client->curl;
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {{CURLOPT_NOSIGNAL, 1},
                   {CURLOPT_FOLLOWLOCATION, 0},
                   {CURLOPT_TIMEOUT_MS, (long)(q->timeout_s * 1000)},
                   {CURLOPT_CONNECTTIMEOUT_MS, (long)(q->timeout_s * 1000)},
                   {CURLOPT_SSL_VERIFYPEER, 1},
                   {CURLOPT_SSL_VERIFYHOST, 2},
                   {CURLOPT_TCP_NODELAY, 1}};
    const struct {
        CURLoption option;
        const void *value;
    } pointers[] = {{CURLOPT_URL, q->url},
                    {CURLOPT_WRITEDATA, client},
                    {CURLOPT_HTTPHEADER, client->headers},
                    {CURLOPT_PROTOCOLS_STR, "http,https"},
                    /* this machine is never asked through a proxy */
                    {CURLOPT_NOPROXY, q->direct ? "*" : "127.0.0.1,::1,localhost"},
                    {CURLOPT_USERAGENT, "joulery/" JOULERY_VERSION}};
    CURLcode code = c->easy_setopt(client->handle, CURLOPT_WRITEFUNCTION, keep);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !code; i++)
        code = c->easy_setopt(client->handle, numbers[i].option, numbers[i].value);
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers && !code; i++)
        code = c->easy_setopt(client->handle, pointers[i].option, pointers[i].value);
    if (!code && q->ca)
        code = c->easy_setopt(client->handle, CURLOPT_CAINFO, q->ca);
    return code ? code : set_secret(client);
}

static int make_headers(struct http_client *client, struct error *error)
{
    const struct http_question *q = client->question;
    const char *const lines[] = {q->accept ? q->accept : "Accept: application/json", q->header};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct curl_slist *longer =
            lines[i] ? client->curl.slist_append(client->headers, lines[i]) : client->headers;
        if (!longer)
            return error_memory(error, q->who);
        client->headers = longer;
    }
    return 0;
}

void http_close(struct http_client *client)
{
    if (!client)
        return;
    if (client->handle)
        client->curl.easy_cleanup(client->handle);
    if (client->headers)
        client->curl.slist_free_all(client->headers);
    text_free(&client->body);
    free(client);
}

static int prepare(struct http_client *client, struct error *error)
{
    const struct http_question *q = client->question;
    if (load_curl(&client->curl, q->what, error) < 0)
        return -1;
    client->handle = client->curl.easy_init();
    if (!client->handle)
        return error_memory(error, q->who);
    if (make_headers(client, error) < 0)
        return -1;
    CURLcode code = set_options(client);
    return code ? error_set(error, "%s: libcurl refuses a setting: %s", q->who,
                            client->curl.easy_strerror(code))
                : 0;
}

struct http_client *http_open(const struct http_question *question, struct error *error)
{
    struct http_client *client = calloc(1, sizeof *client);
    if (!client) {
        error_memory(error, question->who);
        return NULL;
    }
    client->question = question;
    if (prepare(client, error) == 0)
        return client;
    http_close(client);
    return NULL;
}

static enum http_failure failure_of(const struct http_client *client, CURLcode code)
{
    if (client->too_long)
        return HTTP_TOO_LONG;
    switch (code) {
    case CURLE_OK:
        return client->body.failed ? HTTP_FAILED : HTTP_FINE;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMEOUT;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return HTTP_NOBODY;
    case CURLE_PEER_FAILED_VERIFICATION:
        return HTTP_UNTRUSTED;
    default:
        return HTTP_FAILED;
    }
}

int http_ask(struct http_client *client, struct http_reply *reply)
{
    const struct curl_api *c = &client->curl;
    curl_off_t after_s = 0;
    client->body.length = 0;
    client->too_long = false;
    text_append(&client->body, "");
    CURLcode code = c->easy_perform(client->handle);
    *reply = (struct http_reply){.failure = failure_of(client, code), .why = ""};
    if (reply->failure) {
        reply->why = client->body.failed ? "out of memory" : c->easy_strerror(code);
        return -1;
    }
    c->easy_getinfo(client->handle, CURLINFO_RESPONSE_CODE, &reply->status);
    c->easy_getinfo(client->handle, CURLINFO_RETRY_AFTER, &after_s);
    reply->retry_after_s = (long)after_s;
    reply->body = client->body.data;
    reply->size = client->body.length;
    return 0;
}
