/* http_get.h: one question over HTTP, with a bounded answer. Certificates are checked, redirects are not
 * followed: credentials would go where they point. */
#ifndef JOULERY_BASE_HTTP_GET_H
#define JOULERY_BASE_HTTP_GET_H

#include "base/error.h"

#include <stddef.h>

struct http_question {
    const char *who;  /* for errors: "Electricity Maps" */
    const char *what; /* needs libcurl: "services of carbon intensity" */
    const char *url;
    const char *header;          /* one more, "auth-token: …"; NULL: none */
    const char *user, *password; /* basic authentication; NULL: none */
    const char *bearer;          /* NULL: none */
    double timeout_s;
    size_t most_bytes;
};

struct http_reply {
    long status;
    long retry_after_s; /* as the server asks for; 0: it doesn't */
    char *body;         /* followed by a zero byte */
    size_t size;
};

/* Any status is a reply. -1 and `error`, which shows of the url the host alone: nobody was reached, no whole
 * answer in time, one that is too long. The caller frees reply->body after 0. */
int http_get(const struct http_question *question, struct http_reply *reply, struct error *error);

#endif
