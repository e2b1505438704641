/* driver.h: what a service of carbon intensity is to those who ask it. Each has a file that ends in its
 * description; service.c has the table of them. */
#ifndef JOULERY_CARBON_SERVICE_DRIVER_H
#define JOULERY_CARBON_SERVICE_DRIVER_H

#include "carbon/profile.h"

/* Who asks what. */
struct asking {
    const struct service *service;
    const char *zone, *base; /* in the service's own words; where it is, "https://…" */
    const char *cache;       /* under which name its answers are kept: those of another address apart */
    const char *key;         /* "" where none is wanted */
    char *token;             /* of a service with a login, got by the key */
    int64_t from_s, to_s, now_s;
};

enum forecasts { FORECASTS_NONE, FORECASTS_WITH_PAST, FORECASTS_APART };

struct service {
    const char *name, *title, *about, *base;
    const char *key_variable; /* NULL: it wants none */
    const char *url_variable;
    const char *key_form;   /* "KEY", "USER PASSWORD" */
    const char *key_header; /* "auth-token": where the key goes; NULL: into the login, or the address */
    bool key_in_url;
    const char *accept;       /* of struct http_question */
    bool marginal;            /* its figures are of the next kWh, not of all */
    bool one_place;           /* the table has all its locations */
    const char *example_zone; /* for who must name one */
    int64_t range_s;          /* the longest time that one question may ask for */
    enum forecasts forecasts; /* the last by a question of their own */
    /* NULL: zone_is_plain. -1 and `error`: it has no such zone. */
    int (*check_zone)(const char *zone, struct error *error);
    /* The address to log in at with user and password, and the token in the answer, which the caller wipes
     * and frees; NULL: there is no login. */
    char *(*login_url)(const struct asking *asking);
    char *(*token)(const char *text, size_t size, struct error *error);
    /* The address of the past from..to; with to 0: of the forecast. The caller wipes and frees it. NULL:
     * memory ran out. */
    char *(*url)(const struct asking *asking, int64_t from_s, int64_t to_s);
    /* Takes the bytes of an answer and the zone that was asked for, and appends what it says to `profile`, in
     * order, with its flags. What has no figure leaves holes. -1 and `error`: it is no such answer, of
     * another zone or unit, or holds a figure that can't be; the profile may then have part of it. */
    int (*parse)(const char *text, size_t size, const char *zone, struct profile *profile,
                 struct error *error);
};

extern const struct service service_electricitymaps, service_energidata, service_entsoe, service_uk,
    service_watttime;

/* "2026-01-01T00:00" and the ending, of the minute that has begun; to the next with service_minute_after. */
char *service_minute(int64_t time_s, const char *ending);
char *service_minute_after(int64_t time_s, const char *ending);

/* key.c: into `key`, KEY_BYTES_MOST + 1 long, which the caller wipes. -1 and `error`: it wants one, and there
 * is none. */
#define KEY_BYTES_MOST 512
int service_find_key(const struct service *service, char *key, struct error *error);

#endif
