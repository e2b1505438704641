/* device.h: wattmeters as a site file lists them: how each is asked, and where in its answer power and energy
 * stand.
 *
 * The file is YAML, docs/instruments.md. A device is one of the presets (presets.c) with an address, or is
 * described in full. */
#ifndef JOULERY_METER_WALL_DEVICE_H
#define JOULERY_METER_WALL_DEVICE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A figure in an answer. */
struct wall_quantity {
    char *at; /* JSON pointer (RFC 6901), OID, register, … (raw.h); NULL: the device does not tell it */
    char *unit_at;   /* JSON pointer to the unit's name, `factor` counts in that; NULL: in W or J */
    char *digits_at; /* OID of how many of the number's digits are decimals; NULL: none are */
    double factor;   /* W or J, or units, in one count */
    double step;     /* smallest change, W or J; 0: not known */
};

/* From a file of its own, and never written anywhere. */
struct wall_secret {
    char *user, *password, *token, *community, *privacy; /* NULL: none */
};

struct wall_device {
    char *name;
    size_t line; /* in the site file */
    char *url;
    char *ca;            /* a file of certificates to trust; NULL: the system's */
    char *credentials;   /* the path of the secret's file; NULL: none */
    char *auth, *cipher; /* SNMPv3's protocols: "SHA", "AES"; NULL: those */
    char *serial;        /* "9600 8N1"; NULL: the transport's own */
    struct wall_secret secret;
    struct wall_quantity power, energy; /* at least one of them */
    bool prefer_power;                  /* of both, the power is what counts */
    bool apart;                         /* beside the total: another meter counts the same */
    char *ok_at, *ok_is; /* the answer counts only if this pointer's value is that; NULL: it always does */
    char *time_at;       /* JSON pointer to when it was true; of a list, the newest element is the answer */
    double interval_s;   /* from one asking to the next */
    double update_s;     /* the device's own update period: what repeats within it is not new */
    double delay_s;      /* what it says was true so long ago */
    double timeout_s;
    double max_power_w; /* 0: not known */
    double accuracy;    /* relative standard uncertainty */
    bool accuracy_given;
};

struct wall_site {
    char *path;
    struct wall_device *devices;
    size_t count;
};

#define WALL_DEVICES_MOST      64
#define WALL_SITE_BYTES_MOST   (1u << 20)
#define WALL_SECRET_BYTES_MOST 4096

/* $JOULERY_SITE or ${XDG_CONFIG_HOME:-~/.config}/joulery/site.yaml, unless `given`; the caller frees it. NULL
 * without an error: there is no such file, and none was asked for. */
char *wall_site_path(const char *given, struct error *error);

/* Reads no other file. Errors name file and line. The caller frees `site` after 0. */
int wall_site_parse(const char *text, size_t size, const char *path, struct wall_site *site,
                    struct error *error);
/* With the devices' secrets. */
int wall_site_read(const char *path, struct wall_site *site, struct error *error);
void wall_site_free(struct wall_site *site);

/* W or J in one "kW", "Wh", …; 0: no unit of a power (of an energy) is called so. */
double wall_power_unit(const char *name);
double wall_energy_unit(const char *name);

/* Lines "user NAME" and so on, by the members' names, of a regular file that only its owner, the caller, may
 * read. No error repeats what is in it. */
int wall_secret_read(const char *path, struct wall_secret *secret, struct error *error);
int wall_secret_parse(const char *text, size_t size, const char *path, struct wall_secret *secret,
                      struct error *error);
void wall_secret_free(struct wall_secret *secret);

/* ---- presets.c ---- */

/* What a family of devices answers. {id} in `path` and pointers is the device's `id`. */
struct wall_preset {
    const char *name, *what;
    const char *scheme, *path;
    const char *power_at, *power_unit;
    double power_scale;                  /* of its unit in one count; 0: 1 */
    double power_step;                   /* in its unit; 0: not known */
    const char *energy_at, *energy_unit; /* NULL: none, or none whose unit is sure */
    double energy_scale;
    double energy_step; /* in its unit */
    const char *power_digits_at, *energy_digits_at;
    const char *unit_at;
    const char *ok_at, *ok_is, *time_at;
    const char *serial;
    double interval_s;
    const char *id; /* when none is given */
};
const struct wall_preset *wall_presets(size_t *count);

/* ---- answer.c ---- */

/* Power and energy in W and J from an answer's JSON; NAN: no news (the value is missing, null or
 * "unavailable"). `*wall_ns`: when it was true, by the device's CLOCK_REALTIME; 0: it does not say. -1 and
 * `error`: no JSON, another shape or unit than expected, a device that says it failed. */
int wall_answer(const struct wall_device *device, const char *text, size_t size, double *power_w,
                double *energy_j, int64_t *wall_ns, struct error *error);

#endif
