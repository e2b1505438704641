/* http.h: questions over HTTP, with bounded answers, through libcurl, which is loaded when there is something
 * to ask: all else stays small. Certificates are checked; redirects are not followed: credentials would go
 * where they point. */
#ifndef JOULERY_BASE_HTTP_H
#define JOULERY_BASE_HTTP_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Lives as long as its client. */
struct http_question {
    const char *who;  /* for errors: a device, a service */
    const char *what; /* needs libcurl: "wattmeters over HTTP" */
    const char *url;
    const char *accept;          /* the kind of answer, "Accept: application/xml"; NULL: JSON */
    const char *header;          /* one more, "auth-token: …"; NULL: none */
    const char *user, *password; /* basic authentication; NULL: none */
    const char *bearer;          /* NULL: none */
    const char *ca;              /* a file of certificates to trust; NULL: the system's */
    bool direct;                 /* no proxy, whatever the environment says */
    double timeout_s;
    size_t most_bytes;
};

enum http_failure { HTTP_FINE, HTTP_TIMEOUT, HTTP_NOBODY, HTTP_UNTRUSTED, HTTP_TOO_LONG, HTTP_FAILED };

struct http_reply {
    enum http_failure failure; /* why there is no reply */
    const char *why;           /* in libcurl's words; "" of HTTP_FINE */
    long status;
    long retry_after_s; /* as the server asks for; 0: it doesn't */
    const char *body;   /* followed by a zero byte; the client's, until it asks again */
    size_t size;
};

struct http_client;

/* NULL and `error`: libcurl is missing, or refuses a setting. */
struct http_client *http_open(const struct http_question *question, struct error *error);
/* 0: a reply, of any status. -1: none; reply->failure and `why` say it. The connection is kept for the next.
 */
int http_ask(struct http_client *client, struct http_reply *reply);
/* Accepts NULL. */
void http_close(struct http_client *client);

#endif
