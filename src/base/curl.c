#include "base/curl.h"

#include "base/library.h"

#include <stddef.h>

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

int curl_load(struct curl_api *api, const char *what, struct error *error)
{
    const struct library library = {"libcurl.so.4", "libcurl", what,
                                    "libcurl4",     symbols,   sizeof symbols / sizeof *symbols};
    if (library_load(&library, api, error) < 0)
        return -1;
    CURLcode code = api->global_init(CURL_GLOBAL_DEFAULT);
    return code ? error_set(error, "libcurl can't start: %s", api->easy_strerror(code)) : 0;
}
