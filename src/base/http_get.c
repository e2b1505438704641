#include "base/http_get.h"

#include "base/curl.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct talk {
    const struct http_question *question;
    struct curl_api curl;
    CURL *handle;
    struct curl_slist *headers;
    struct text body;
    bool too_long;
};

static size_t keep(char *bytes, size_t size, size_t count, void *context)
{
    struct talk *talk = context;
    if (talk->body.length + size * count > talk->question->most_bytes) {
        talk->too_long = true;
        return 0;
    }
    text_append_bytes(&talk->body, bytes, size * count);
    return size * count;
}

static CURLcode set_secret(struct talk *talk)
{
    const struct http_question *q = talk->question;
    const struct curl_api *c = &talk->curl;
    CURLcode code = CURLE_OK;
    if (q->bearer) {
        code = c->easy_setopt(talk->handle, CURLOPT_XOAUTH2_BEARER, q->bearer);
        return code ? code : c->easy_setopt(talk->handle, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    }
    if (!q->user)
        return CURLE_OK;
    code = c->easy_setopt(talk->handle, CURLOPT_USERNAME, q->user);
    if (!code)
        code = c->easy_setopt(talk->handle, CURLOPT_PASSWORD, q->password);
    return code ? code : c->easy_setopt(talk->handle, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
}

static CURLcode set_options(struct talk *talk)
{
    const struct curl_api *c = &talk->curl;
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {{CURLOPT_NOSIGNAL, 1},
                   {CURLOPT_FOLLOWLOCATION, 0},
                   {CURLOPT_TIMEOUT_MS, (long)(talk->question->timeout_s * 1000)},
                   {CURLOPT_SSL_VERIFYPEER, 1},
                   {CURLOPT_SSL_VERIFYHOST, 2}};
    const struct {
        CURLoption option;
        const void *value;
    } pointers[] = {{CURLOPT_URL, talk->question->url},
                    {CURLOPT_WRITEDATA, talk},
                    {CURLOPT_HTTPHEADER, talk->headers},
                    {CURLOPT_ACCEPT_ENCODING, ""},
                    {CURLOPT_NOPROXY, "127.0.0.1,::1,localhost"},
                    {CURLOPT_PROTOCOLS_STR, "http,https"},
                    {CURLOPT_USERAGENT, "joulery/" JOULERY_VERSION}};
    CURLcode code = c->easy_setopt(talk->handle, CURLOPT_WRITEFUNCTION, keep);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !code; i++)
        code = c->easy_setopt(talk->handle, numbers[i].option, numbers[i].value);
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers && !code; i++)
        code = c->easy_setopt(talk->handle, pointers[i].option, pointers[i].value);
    return code ? code : set_secret(talk);
}

static int not_reached(const struct talk *talk, CURLcode code, struct error *error)
{
    const struct http_question *q = talk->question;
    const char *host = strstr(q->url, "://");
    host = host ? host + 3 : q->url;
    const char *at = memchr(host, '@', strcspn(host, "/?#")); /* what is before it may be a password */
    host = at ? at + 1 : host;
    int length = (int)strcspn(host, "/?#");
    if (talk->too_long)
        return error_set(error, "%s: the answer is longer than %zu KiB: it can't be what was asked for",
                         q->who, q->most_bytes >> 10);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return error_set(error, "%s: %.*s gave no whole answer within %g s", q->who, length, host,
                         q->timeout_s);
    return error_set(error, "%s: %.*s: %s", q->who, length, host, talk->curl.easy_strerror(code));
}

static int ask(struct talk *talk, struct http_reply *reply, struct error *error)
{
    const struct curl_api *c = &talk->curl;
    CURLcode code = set_options(talk);
    if (!code)
        code = c->easy_perform(talk->handle);
    if (code)
        return not_reached(talk, code, error);
    curl_off_t after_s = 0;
    c->easy_getinfo(talk->handle, CURLINFO_RESPONSE_CODE, &reply->status);
    c->easy_getinfo(talk->handle, CURLINFO_RETRY_AFTER, &after_s);
    reply->retry_after_s = (long)after_s;
    text_append(&talk->body, "");
    reply->size = talk->body.length;
    reply->body = text_take(&talk->body);
    return reply->body ? 0 : error_memory(error, talk->question->who);
}

int http_get(const struct http_question *question, struct http_reply *reply, struct error *error)
{
    struct talk talk = {.question = question, .body = TEXT_INIT};
    *reply = (struct http_reply){0};
    if (curl_load(&talk.curl, question->what, error) < 0)
        return -1;
    talk.handle = talk.curl.easy_init();
    talk.headers = talk.curl.slist_append(NULL, "Accept: application/json");
    struct curl_slist *more =
        question->header ? talk.curl.slist_append(talk.headers, question->header) : talk.headers;
    int result = talk.handle && talk.headers && more ? 0 : error_memory(error, question->who);
    if (result == 0)
        result = ask(&talk, reply, error);
    if (talk.handle)
        talk.curl.easy_cleanup(talk.handle);
    talk.curl.slist_free_all(talk.headers);
    text_free(&talk.body);
    return result;
}
