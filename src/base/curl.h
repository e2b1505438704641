/* curl.h: libcurl, loaded when there is something to ask over HTTP, so that all else stays small. */
#ifndef JOULERY_BASE_CURL_H
#define JOULERY_BASE_CURL_H

#include "base/error.h"

#include <curl/curl.h>

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

/* `what` needs it, for the error: "wattmeters over HTTP". */
int curl_load(struct curl_api *api, const char *what, struct error *error);

#endif
