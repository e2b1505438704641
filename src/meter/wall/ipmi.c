/* Servers' BMCs that know DCMI's Get Power Reading, over LAN (IPMI 2.0, RMCP+) or through the kernel's
 * driver.
 *
 * libfreeipmi is loaded when there is a device to ask, so that measuring without one stays small. */
#include "base/text.h"
#include "base/library.h"
#include "meter/wall/raw.h"
#include "meter/wall/transport.h"

#include <errno.h>
#include <freeipmi/api/ipmi-api.h>
#include <freeipmi/spec/ipmi-cmd-dcmi-spec.h>
#include <freeipmi/spec/ipmi-comp-code-spec.h>
#include <freeipmi/spec/ipmi-ipmb-lun-spec.h>
#include <freeipmi/spec/ipmi-netfn-spec.h>
#include <freeipmi/spec/ipmi-privilege-level-spec.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define IN_BAND  "ipmi-local://"
#define PORT     623
#define PLACE    "dcmi"
#define PLACE_BE "dcmi:big-endian"

/* DCMI 1.5, section 6.6.1: its mode; the two bytes behind it are 0. */
#define SYSTEM_POWER_STATISTICS 0x01

/* A BMC forgets a session that is silent for a minute (IPMI 2.0, section 6.11.13). */
#define SESSION_KEPT_S 30

/* With its command and completion code a reading has 20. */
#define ANSWER_BYTES_MOST 64

/* ---- the library ---- */

struct ipmi_api {
    ipmi_ctx_t (*create)(void);
    int (*errnum)(ipmi_ctx_t context);
    char *(*text_of_error)(int errnum);
    int (*open_lan)(ipmi_ctx_t context, const char *host, const char *user, const char *password,
                    const unsigned char *k_g, unsigned int k_g_size, uint8_t privilege, uint8_t suite,
                    unsigned int session_timeout_ms, unsigned int retransmission_timeout_ms,
                    unsigned int workarounds, unsigned int flags);
    int (*open_in_band)(ipmi_ctx_t context, ipmi_driver_type_t driver, int no_probing, uint16_t address,
                        uint8_t spacing, const char *path, unsigned int workarounds, unsigned int flags);
    int (*command)(ipmi_ctx_t context, uint8_t lun, uint8_t net_fn, const void *request,
                   unsigned int request_size, void *answer, unsigned int answer_size);
    int (*close)(ipmi_ctx_t context);
    void (*destroy)(ipmi_ctx_t context);
};

static const struct library_symbol symbols[] = {
    {"ipmi_ctx_create", offsetof(struct ipmi_api, create)},
    {"ipmi_ctx_errnum", offsetof(struct ipmi_api, errnum)},
    {"ipmi_ctx_strerror", offsetof(struct ipmi_api, text_of_error)},
    {"ipmi_ctx_open_outofband_2_0", offsetof(struct ipmi_api, open_lan)},
    {"ipmi_ctx_open_inband", offsetof(struct ipmi_api, open_in_band)},
    {"ipmi_cmd_raw", offsetof(struct ipmi_api, command)},
    {"ipmi_ctx_close", offsetof(struct ipmi_api, close)},
    {"ipmi_ctx_destroy", offsetof(struct ipmi_api, destroy)},
};
static const struct library ipmi_library = {
    "libfreeipmi.so.17", "libfreeipmi", "wattmeters over IPMI",
    "libfreeipmi17",     symbols,       sizeof symbols / sizeof *symbols};

/* ---- a device ---- */

/* Ways to open a session, in this order, each where the BMC refuses the one before: IPMI's mandatory cipher
 * suite, the one with SHA-256 where that is switched off, and the same for BMCs that take the session's
 * privilege from its first message, where the standard lets it be left open. */
static const struct {
    uint8_t suite;
    unsigned int workarounds;
} ways[] = {{3, IPMI_WORKAROUND_FLAGS_DEFAULT},
            {17, IPMI_WORKAROUND_FLAGS_DEFAULT},
            {3, IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_OPEN_SESSION_PRIVILEGE},
            {17, IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_OPEN_SESSION_PRIVILEGE}};

enum { WAYS = sizeof ways / sizeof *ways };

struct ipmi {
    const struct wall_device *device;
    struct ipmi_api api;
    ipmi_ctx_t context;
    char *host;       /* "name:623"; NULL: in band */
    const char *path; /* in band: the driver's file */
    bool is_open;
    bool locked_out;   /* the BMC refused user or password */
    size_t way;        /* that worked, or the first */
    uint8_t privilege; /* no more than the BMC wants for this */
};

static bool is_in_band(const struct wall_device *device)
{
    return strncmp(device->url, IN_BAND, strlen(IN_BAND)) == 0;
}

static int check_place(const struct wall_device *device, struct error *error)
{
    const char *at = device->power.at;
    if (device->energy.at)
        return error_set(error, "energy: a BMC's DCMI tells power alone: leave energy out");
    if (strcmp(at, PLACE) != 0 && strcmp(at, PLACE_BE) != 0)
        return error_set(error, "power: at: expected " PLACE " or " PLACE_BE ", found '%.40s'", at);
    return 0;
}

static int ipmi_check(const struct wall_device *device, struct error *error)
{
    if (check_place(device, error) < 0)
        return -1;
    if (is_in_band(device)) {
        const char *path = device->url + strlen(IN_BAND);
        return path[0] == '/' && path[1]
                   ? 0
                   : error_set(error, "expected the driver's file, as in " IN_BAND "/dev/ipmi0");
    }
    const char *host = strstr(device->url, "://") + 3;
    if (host[strcspn(host, "/?#")])
        return error_set(error, "expected a host and nothing behind it, as in ipmi://bmc.lab");
    return device->credentials
               ? 0
               : error_set(error, "expected credentials: FILE, with the BMC's user and password");
}

/* An IPv6 address goes into [], so that the port is told apart. */
static int set_host(struct ipmi *ipmi, struct error *error)
{
    const struct wall_device *d = ipmi->device;
    AUTO_FREE char *host = NULL;
    const char *rest;
    uint16_t port;
    if (wall_url_split(d, PORT, &host, &port, &rest, error) < 0)
        return -1;
    if (!d->secret.user || !d->secret.password)
        return error_set(error, "%s: expected user and password in the file that credentials names", d->name);
    ipmi->host = text_format(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    return ipmi->host ? 0 : error_memory(error, d->name);
}

static void ipmi_close(void *state)
{
    struct ipmi *ipmi = state;
    if (ipmi->is_open)
        ipmi->api.close(ipmi->context);
    if (ipmi->context)
        ipmi->api.destroy(ipmi->context);
    free(ipmi->host);
    free(ipmi);
}

static void *ipmi_open(const struct wall_device *device, struct error *error)
{
    struct ipmi *ipmi = calloc(1, sizeof *ipmi);
    if (!ipmi) {
        error_memory(error, device->name);
        return NULL;
    }
    ipmi->device = device;
    ipmi->privilege = IPMI_PRIVILEGE_LEVEL_USER;
    ipmi->path = is_in_band(device) ? device->url + strlen(IN_BAND) : NULL;
    if ((!ipmi->path && set_host(ipmi, error) < 0) || library_load(&ipmi_library, &ipmi->api, error) < 0)
        goto failed;
    ipmi->context = ipmi->api.create();
    if (ipmi->context)
        return ipmi;
    error_memory(error, device->name);
failed:
    ipmi_close(ipmi);
    return NULL;
}

/* ---- a session ---- */

static const char *where(const struct ipmi *ipmi)
{
    return ipmi->path ? ipmi->path : ipmi->host;
}

/* The library's errors, and what to do about them. */
static int say(struct ipmi *ipmi, int errnum, struct error *error)
{
    static const char refused[] = "the BMC refuses user or password, and is not asked again, for it may lock "
                                  "the user out: mend the file that credentials names";
    static const struct {
        int errnum;
        const char *words;
    } known[] = {
        {IPMI_ERR_USERNAME_INVALID, refused},
        {IPMI_ERR_PASSWORD_INVALID, refused},
        {IPMI_ERR_PRIVILEGE_LEVEL_CANNOT_BE_OBTAINED,
         "the BMC gives this user too little privilege: raise it in the BMC's settings, to operator or "
         "administrator"},
        {IPMI_ERR_CIPHER_SUITE_ID_UNAVAILABLE,
         "the BMC offers neither cipher suite 3 nor 17: allow one in its settings"},
        {IPMI_ERR_IPMI_2_0_UNAVAILABLE,
         "the BMC speaks no IPMI 2.0: allow IPMI over LAN with RMCP+ in its settings"},
        {IPMI_ERR_CONNECTION_TIMEOUT,
         "nobody answers: is the address right, and IPMI over LAN switched on in the BMC's settings?"},
        {IPMI_ERR_HOSTNAME_INVALID, "no host is called so"},
        {IPMI_ERR_DEVICE_NOT_FOUND, "there is no such driver: sudo modprobe ipmi_si ipmi_devintf"},
        {IPMI_ERR_PERMISSION, "permission denied: the driver is root's own: give a group of yours read and "
                              "write access to it, or ask the BMC over LAN (preset ipmi-dcmi)"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].errnum == errnum)
            return error_set(error, "%s: %s: %s", ipmi->device->name, where(ipmi), known[i].words);
    return error_set(error, "%s: %s: %s", ipmi->device->name, where(ipmi), ipmi->api.text_of_error(errnum));
}

static void end_session(struct ipmi *ipmi)
{
    ipmi->api.close(ipmi->context);
    ipmi->is_open = false;
}

/* Whether another way may do where this one did not. */
static bool is_refused_way(int errnum)
{
    return errnum == IPMI_ERR_CIPHER_SUITE_ID_UNAVAILABLE || errnum == IPMI_ERR_IPMI_ERROR ||
           errnum == IPMI_ERR_PRIVILEGE_LEVEL_CANNOT_BE_OBTAINED ||
           errnum == IPMI_ERR_BAD_RMCPPLUS_STATUS_CODE;
}

/* 0, or the library's error. */
static int open_way(struct ipmi *ipmi, size_t way)
{
    const struct wall_device *d = ipmi->device;
    unsigned int timeout_ms = (unsigned int)(d->timeout_s * 1000);
    if (ipmi->api.open_lan(ipmi->context, ipmi->host, d->secret.user, d->secret.password, NULL, 0,
                           ipmi->privilege, ways[way].suite, timeout_ms, timeout_ms / 4,
                           ways[way].workarounds, IPMI_FLAGS_DEFAULT) == 0)
        return 0;
    return ipmi->api.errnum(ipmi->context);
}

/* Of ways that are all refused, the first tells why. */
static int begin_session(struct ipmi *ipmi, struct error *error)
{
    int first = 0, errnum = 0;
    for (size_t i = 0; i < WAYS; i++) {
        size_t way = (ipmi->way + i) % WAYS;
        errnum = open_way(ipmi, way);
        ipmi->is_open = errnum == 0;
        if (ipmi->is_open) {
            ipmi->way = way;
            return 0;
        }
        if (!is_refused_way(errnum))
            break;
        first = first ? first : errnum;
    }
    ipmi->locked_out = errnum == IPMI_ERR_USERNAME_INVALID || errnum == IPMI_ERR_PASSWORD_INVALID;
    return say(ipmi, first && is_refused_way(errnum) ? first : errnum, error);
}

/* The driver waits for the BMC as long as it likes, which is a minute at the most. */
static int begin_in_band(struct ipmi *ipmi, struct error *error)
{
    int code = ipmi->api.open_in_band(ipmi->context, IPMI_DEVICE_OPENIPMI, 1, 0, 0, ipmi->path,
                                      IPMI_WORKAROUND_FLAGS_DEFAULT, IPMI_FLAGS_DEFAULT);
    ipmi->is_open = code == 0;
    return ipmi->is_open ? 0 : say(ipmi, ipmi->api.errnum(ipmi->context), error);
}

/* ---- a question ---- */

/* IPMI 2.0, table 5-2. */
static int refuse(const struct ipmi *ipmi, uint8_t code, struct error *error)
{
    static const char no_dcmi[] = "it has no DCMI power readings";
    static const struct {
        uint8_t code;
        const char *words;
    } known[] = {
        {IPMI_COMP_CODE_NODE_BUSY, "it is busy"},
        {IPMI_COMP_CODE_INVALID_COMMAND, no_dcmi},
        {IPMI_COMP_CODE_COMMAND_INVALID_FOR_LUN, no_dcmi},
        {IPMI_COMP_CODE_COMMAND_TIMEOUT, "it took too long"},
        {IPMI_COMP_CODE_REQUEST_DATA_LENGTH_INVALID, no_dcmi},
        {IPMI_COMP_CODE_PARAMETER_OUT_OF_RANGE, no_dcmi},
        {IPMI_COMP_CODE_INVALID_DATA_FIELD_IN_REQUEST, no_dcmi},
        {IPMI_COMP_CODE_DEVICE_IN_FIRMWARE_UPDATE_MODE, "its firmware is being updated"},
        {IPMI_COMP_CODE_BMC_INITIALIZATION_IN_PROGRESS, "it is starting"},
        {IPMI_COMP_CODE_INSUFFICIENT_PRIVILEGE_LEVEL,
         "it wants more privilege than an administrator's: allow DCMI in its settings"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == code)
            return error_set(error, "%s: %s: the BMC gives no power: %s (completion code 0x%02x)",
                             ipmi->device->name, where(ipmi), known[i].words, code);
    return error_set(error, "%s: %s: the BMC gives no power (completion code 0x%02x)", ipmi->device->name,
                     where(ipmi), code);
}

/* The answer begins with the command, its completion code and DCMI's own bytes. 0: it came, whatever it says.
 */
static int get_reading(struct ipmi *ipmi, uint8_t answer[ANSWER_BYTES_MOST], size_t *size,
                       struct error *error)
{
    static const uint8_t request[] = {IPMI_CMD_DCMI_GET_POWER_READING,
                                      IPMI_NET_FN_GROUP_EXTENSION_IDENTIFICATION_DCMI,
                                      SYSTEM_POWER_STATISTICS, 0, 0};
    int count = ipmi->api.command(ipmi->context, IPMI_BMC_IPMB_LUN_BMC, IPMI_NET_FN_GROUP_EXTENSION_RQ,
                                  request, sizeof request, answer, ANSWER_BYTES_MOST);
    if (count >= 2) {
        *size = (size_t)count;
        return 0;
    }
    if (count < 0)
        say(ipmi, ipmi->api.errnum(ipmi->context), error);
    else
        error_set(error, "%s: %s: the BMC's answer is cut off", ipmi->device->name, where(ipmi));
    end_session(ipmi);
    return -1;
}

/* A session with the next privilege; false: there is none. */
static bool raise_privilege(struct ipmi *ipmi)
{
    if (ipmi->path || ipmi->privilege >= IPMI_PRIVILEGE_LEVEL_ADMIN)
        return false;
    ipmi->privilege++;
    end_session(ipmi);
    return true;
}

static int ask_once(struct ipmi *ipmi, uint8_t answer[ANSWER_BYTES_MOST], size_t *size, struct error *error)
{
    if (!ipmi->is_open && (ipmi->path ? begin_in_band(ipmi, error) : begin_session(ipmi, error)) < 0)
        return -1;
    return get_reading(ipmi, answer, size, error);
}

static int ipmi_ask(void *state, struct wall_answer *answer, struct error *error)
{
    struct ipmi *ipmi = state;
    const struct wall_device *d = ipmi->device;
    uint8_t bytes[ANSWER_BYTES_MOST];
    size_t size;
    double power_w;
    if (ipmi->locked_out)
        return say(ipmi, IPMI_ERR_PASSWORD_INVALID, error);
    do
        if (ask_once(ipmi, bytes, &size, error) < 0)
            return -1;
    while (bytes[1] == IPMI_COMP_CODE_INSUFFICIENT_PRIVILEGE_LEVEL && raise_privilege(ipmi));
    if (d->interval_s > SESSION_KEPT_S)
        end_session(ipmi);
    if (bytes[1] != IPMI_COMP_CODE_COMMAND_SUCCESS)
        return refuse(ipmi, bytes[1], error);
    if (dcmi_power(bytes + 2, size - 2, strcmp(d->power.at, PLACE_BE) == 0, &power_w, error) < 0)
        return error_prefix(error, "%s: %s", d->name, where(ipmi));
    answer->power_w = d->power.factor * power_w;
    return 0;
}

const struct transport ipmi_transport = {
    .name = "ipmi",
    .pushes = false,
    .json = false,
    .check = ipmi_check,
    .open = ipmi_open,
    .ask = ipmi_ask,
    .close = ipmi_close,
};
