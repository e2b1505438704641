/* Wattmeters that answer over SNMP, rack PDUs above all: version 2c (RFC 3416) and version 3 with the
 * user-based security model (RFC 3414).
 *
 * net-snmp is loaded when there is a device to ask. Its sessions share tables and counters without locks, as
 * Debian builds it: every call that touches them is made under one, and nobody waits for a device while he
 * holds it. */
#include "base/clock.h"
#include "base/text.h"
#include "base/library.h"
#include "meter/wall/raw.h"
#include "meter/wall/transport.h"

#include <net-snmp/net-snmp-config.h>
/* after its configuration */
#include <net-snmp/library/large_fd_set.h>
#include <net-snmp/net-snmp-includes.h>

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DIGITS_MOST    9
#define PASSWORD_MIN   8 /* RFC 3414, section 11.2 */
#define PROTOCOL_PARTS 10

/* ---- the library ---- */

struct snmp_api {
    void (*init)(const char *name);
    void (*enable_calllog)(void);
    int (*set_flag)(int store, int which, int value);
    int (*set_text)(int store, int which, const char *value);
    int (*make_key)(const oid *hash, u_int hash_length, const u_char *password, size_t length, u_char *key,
                    size_t *key_length);
    void (*session_init)(netsnmp_session *session);
    void *(*session_open)(netsnmp_session *session);
    netsnmp_session *(*session_of)(void *handle);
    struct netsnmp_transport_s *(*transport_of)(void *handle);
    int (*session_send)(void *handle, netsnmp_pdu *pdu, netsnmp_callback callback, void *context);
    int (*session_read)(void *handle, netsnmp_large_fd_set *set);
    int (*session_close)(void *handle);
    void (*set_init)(netsnmp_large_fd_set *set, int size);
    void (*set_add)(int descriptor, netsnmp_large_fd_set *set);
    void (*set_free)(netsnmp_large_fd_set *set);
    netsnmp_pdu *(*pdu_create)(int command);
    netsnmp_variable_list *(*pdu_add)(netsnmp_pdu *pdu, const oid *name, size_t length);
    netsnmp_pdu *(*pdu_clone)(netsnmp_pdu *pdu);
    void (*pdu_free)(netsnmp_pdu *pdu);
    int (*report_type)(netsnmp_pdu *pdu);
    int (*user_create)(netsnmp_session *session);
    struct usmUser *(*user_get)(const u_char *engine, size_t length, const char *name);
    struct usmUser *(*user_remove)(struct usmUser *user);
    struct usmUser *(*user_free)(struct usmUser *user);
    const char *(*text_of_problem)(int code);
    const char *(*text_of_refusal)(int code);
};

static const struct library_symbol symbols[] = {
    {"init_snmp", offsetof(struct snmp_api, init)},
    {"snmp_enable_calllog", offsetof(struct snmp_api, enable_calllog)},
    {"netsnmp_ds_set_boolean", offsetof(struct snmp_api, set_flag)},
    {"netsnmp_ds_set_string", offsetof(struct snmp_api, set_text)},
    {"generate_Ku", offsetof(struct snmp_api, make_key)},
    {"snmp_sess_init", offsetof(struct snmp_api, session_init)},
    {"snmp_sess_open", offsetof(struct snmp_api, session_open)},
    {"snmp_sess_session", offsetof(struct snmp_api, session_of)},
    {"snmp_sess_transport", offsetof(struct snmp_api, transport_of)},
    {"snmp_sess_async_send", offsetof(struct snmp_api, session_send)},
    {"snmp_sess_read2", offsetof(struct snmp_api, session_read)},
    {"snmp_sess_close", offsetof(struct snmp_api, session_close)},
    {"netsnmp_large_fd_set_init", offsetof(struct snmp_api, set_init)},
    {"netsnmp_large_fd_setfd", offsetof(struct snmp_api, set_add)},
    {"netsnmp_large_fd_set_cleanup", offsetof(struct snmp_api, set_free)},
    {"snmp_pdu_create", offsetof(struct snmp_api, pdu_create)},
    {"snmp_add_null_var", offsetof(struct snmp_api, pdu_add)},
    {"snmp_clone_pdu", offsetof(struct snmp_api, pdu_clone)},
    {"snmp_free_pdu", offsetof(struct snmp_api, pdu_free)},
    {"snmpv3_get_report_type", offsetof(struct snmp_api, report_type)},
    {"usm_create_user_from_session", offsetof(struct snmp_api, user_create)},
    {"usm_get_user", offsetof(struct snmp_api, user_get)},
    {"usm_remove_user", offsetof(struct snmp_api, user_remove)},
    {"usm_free_user", offsetof(struct snmp_api, user_free)},
    {"snmp_api_errstring", offsetof(struct snmp_api, text_of_problem)},
    {"snmp_errstring", offsetof(struct snmp_api, text_of_refusal)},
};

static const struct library snmp_library = {"libnetsnmp.so.40", "net-snmp", "wattmeters over SNMP",
                                            "libsnmp40",        symbols,    sizeof symbols / sizeof *symbols};

/* net-snmp has one state a process, and so has this, which guards it. */
static struct {
    pthread_mutex_t lock;
    bool ready;
} library = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock. No file is read or written, and nothing logged: all that is asked for comes from the site
 * file. Called in a thread that has no rights, for the library heeds the environment. */
static void start_library(const struct snmp_api *api)
{
    static const int flags[] = {NETSNMP_DS_LIB_DONT_READ_CONFIGS, NETSNMP_DS_LIB_DONT_PERSIST_STATE,
                                NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD,
                                NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE};
    if (library.ready)
        return;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        api->set_flag(NETSNMP_DS_LIBRARY_ID, flags[i], 1);
    api->set_text(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_MIBDIRS, "/dev/null");
    api->set_text(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_PERSISTENT_DIR, "/dev/null");
    api->enable_calllog(); /* to callbacks, of which there are none: without any log it would be stderr */
    AUTO_FREE char *locale = strdup(setlocale(LC_CTYPE, NULL));
    api->init("joulery");
    setlocale(LC_CTYPE, locale ? locale : "C"); /* which init changes */
    library.ready = true;
}

/* ---- protocols of version 3 ---- */

struct protocol {
    const char *name;
    oid parts[PROTOCOL_PARTS];
};

/* RFC 3414 and RFC 7860; the first is the usual one. */
static const struct protocol auths[] = {
    {"SHA", {1, 3, 6, 1, 6, 3, 10, 1, 1, 3}},
    {"MD5", {1, 3, 6, 1, 6, 3, 10, 1, 1, 2}},
    {"SHA-256", {1, 3, 6, 1, 6, 3, 10, 1, 1, 5}},
    {"SHA-512", {1, 3, 6, 1, 6, 3, 10, 1, 1, 7}},
};
/* RFC 3826 */
static const struct protocol aes = {"AES", {1, 3, 6, 1, 6, 3, 10, 1, 2, 4}};

static const struct protocol *auth_of(const struct wall_device *device)
{
    for (size_t i = 0; i < sizeof auths / sizeof *auths; i++)
        if (!device->auth || strcmp(device->auth, auths[i].name) == 0)
            return &auths[i];
    return NULL;
}

/* ---- a device ---- */

enum { POWER, ENERGY, POWER_DIGITS, ENERGY_DIGITS, PLACES };

struct place {
    const char *text; /* the device's; NULL: not asked */
    oid parts[OID_PARTS_MOST];
    size_t count;
    double value; /* of the latest answer */
};

struct key {
    u_char bytes[USM_AUTH_KU_LEN];
    size_t length; /* 0: none yet */
};

struct snmp {
    const struct wall_device *device;
    struct snmp_api api;
    char *host;
    uint16_t port;
    struct place places[PLACES];
    const struct protocol *auth; /* NULL: version 2c */
    struct key auth_key, privacy_key;
    void *session; /* NULL: not open */
    /* of the question on its way */
    bool waiting;
    int problem; /* one of SNMPERR_…; 0: it was answered */
    int system_error;
    netsnmp_pdu *answer; /* ours to free */
};

/* Anything but one host would be silently left out. */
static int device_check(const struct wall_device *device, struct error *error)
{
    const char *host = strstr(device->url, "://") + 3;
    const char *const ats[] = {device->power.at, device->energy.at, device->power.digits_at,
                               device->energy.digits_at};
    if (host[strcspn(host, "/?#")])
        return error_set(error, "expected a host and no more, as in snmp://pdu.lab, found '%.60s'",
                         device->url);
    for (size_t i = 0; i < sizeof ats / sizeof *ats; i++) {
        oid parts[OID_PARTS_MOST];
        size_t count;
        if (ats[i] && oid_parse(ats[i], parts, &count, error) < 0)
            return -1;
    }
    if (!auth_of(device))
        return error_set(error, "auth: expected MD5, SHA, SHA-256 or SHA-512, found '%.40s'", device->auth);
    if (device->cipher && strcmp(device->cipher, aes.name) != 0)
        return error_set(error, "cipher: expected AES, found '%.40s'", device->cipher);
    return 0;
}

static int check_secret(const struct wall_device *d, struct error *error)
{
    const struct wall_secret *secret = &d->secret;
    if (secret->token)
        return error_set(error, "%s: SNMP takes a community, or a user and a password, but no token",
                         d->name);
    if (!secret->user && (d->auth || d->cipher))
        return error_set(error,
                         "%s: auth and cipher are SNMPv3's, which takes a user and a password: name a file "
                         "with them with credentials: FILE",
                         d->name);
    if (d->cipher && !secret->privacy)
        return error_set(error,
                         "%s: cipher: expected the password to encrypt with too: a line 'privacy WORD' in "
                         "the credentials",
                         d->name);
    if ((secret->password && strlen(secret->password) < PASSWORD_MIN) ||
        (secret->privacy && strlen(secret->privacy) < PASSWORD_MIN))
        return error_set(error, "%s: SNMPv3's passwords have %d characters or more: set a longer one",
                         d->name, PASSWORD_MIN);
    return 0;
}

static int set_places(struct snmp *snmp, struct error *error)
{
    const struct wall_device *d = snmp->device;
    const char *const ats[PLACES] = {[POWER] = d->power.at,
                                     [ENERGY] = d->energy.at,
                                     [POWER_DIGITS] = d->power.digits_at,
                                     [ENERGY_DIGITS] = d->energy.digits_at};
    for (size_t i = 0; i < PLACES; i++) {
        struct place *place = &snmp->places[i];
        place->text = ats[i];
        if (ats[i] && oid_parse(ats[i], place->parts, &place->count, error) < 0)
            return error_prefix(error, "%s", d->name);
    }
    return 0;
}

/* ---- a session ---- */

/* Under the lock. The user of this session as net-snmp keeps it, beside the session; NULL: it does not. */
static struct usmUser *kept_user(const struct snmp *snmp)
{
    const netsnmp_session *s = snmp->api.session_of(snmp->session);
    return snmp->auth && s->securityEngineIDLen
               ? snmp->api.user_get(s->securityEngineID, s->securityEngineIDLen, snmp->device->secret.user)
               : NULL;
}

/* With its user: whoever comes next brings his own password. */
static void close_session(struct snmp *snmp)
{
    const struct snmp_api *api = &snmp->api;
    if (!snmp->session)
        return;
    pthread_mutex_lock(&library.lock);
    struct usmUser *user = kept_user(snmp);
    if (user) {
        api->user_remove(user);
        api->user_free(user);
    }
    api->session_close(snmp->session);
    pthread_mutex_unlock(&library.lock);
    snmp->session = NULL;
}

/* "udp:192.168.1.20:161", "udp6:[::1]:161"; the caller frees it. Here and not by net-snmp, which would hold
 * up all others while it waits for a name. */
static char *find_peer(const struct snmp *snmp, struct error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    char host[NI_MAXHOST]; /* numbers, from getnameinfo */
    int code = getaddrinfo(snmp->host, NULL, &hints, &found);
    if (!code)
        code = getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    char *peer = code                           ? NULL
                 : found->ai_family == AF_INET6 ? text_format("udp6:[%s]:%u", host, snmp->port)
                                                : text_format("udp:%s:%u", host, snmp->port);
    if (found)
        freeaddrinfo(found);
    if (code)
        error_set(error, "%s: %s: %s", snmp->device->name, snmp->host, gai_strerror(code));
    else if (!peer)
        error_memory(error, snmp->device->name);
    return peer;
}

static int make_key(const struct snmp *snmp, const char *password, struct key *key)
{
    if (!password || key->length)
        return 0;
    key->length = sizeof key->bytes;
    int code = snmp->api.make_key(snmp->auth->parts, PROTOCOL_PARTS, (const u_char *)password,
                                  strlen(password), key->bytes, &key->length);
    if (code)
        key->length = 0;
    return code;
}

static void set_user(struct snmp *snmp, netsnmp_session *s)
{
    const struct wall_secret *secret = &snmp->device->secret;
    s->securityModel = SNMP_SEC_MODEL_USM;
    s->securityLevel = secret->privacy ? SNMP_SEC_LEVEL_AUTHPRIV : SNMP_SEC_LEVEL_AUTHNOPRIV;
    s->securityName = secret->user;
    s->securityNameLen = strlen(secret->user);
    s->securityAuthProto = (oid *)snmp->auth->parts; /* net-snmp takes copies */
    s->securityAuthProtoLen = PROTOCOL_PARTS;
    s->securityPrivProto = secret->privacy ? (oid *)aes.parts : NULL;
    s->securityPrivProtoLen = secret->privacy ? PROTOCOL_PARTS : 0;
}

/* Under the lock, when the device's engine is known. Of two devices of a site file that are one with one
 * user, either may have closed its session. */
static int ensure_user(struct snmp *snmp)
{
    netsnmp_session *s = snmp->api.session_of(snmp->session);
    if (!snmp->auth || !s->securityEngineIDLen || kept_user(snmp))
        return 0;
    s->securityAuthKeyLen = snmp->auth_key.length;
    memcpy(s->securityAuthKey, snmp->auth_key.bytes, snmp->auth_key.length);
    s->securityPrivKeyLen = snmp->privacy_key.length;
    memcpy(s->securityPrivKey, snmp->privacy_key.bytes, snmp->privacy_key.length);
    s->flags &= ~(u_long)SNMP_FLAGS_USER_CREATED;
    int code = snmp->api.user_create(s);
    explicit_bzero(s->securityAuthKey, sizeof s->securityAuthKey);
    explicit_bzero(s->securityPrivKey, sizeof s->securityPrivKey);
    return code;
}

/* Under the lock. Nothing is sent: the engine is asked for in discover, without holding up others. */
static int open_session(struct snmp *snmp, char *peer)
{
    const char *community = snmp->device->secret.community;
    netsnmp_session s;
    start_library(&snmp->api);
    snmp->api.session_init(&s);
    s.peername = peer;
    s.retries = 0;
    s.version = snmp->auth ? SNMP_VERSION_3 : SNMP_VERSION_2c;
    s.flags |= SNMP_FLAGS_DONT_PROBE;
    if (snmp->auth) {
        set_user(snmp, &s);
    } else {
        s.community = (u_char *)(community ? community : "public"); /* net-snmp takes a copy */
        s.community_len = strlen((const char *)s.community);
    }
    snmp->session = snmp->api.session_open(&s);
    if (!snmp->session) {
        snmp->system_error = s.s_errno;
        return s.s_snmp_errno ? s.s_snmp_errno : SNMPERR_GENERR;
    }
    snmp->api.session_of(snmp->session)->flags |= SNMP_FLAGS_DONT_PROBE;
    if (!snmp->auth)
        return 0;
    int code = make_key(snmp, snmp->device->secret.password, &snmp->auth_key);
    return code ? code : make_key(snmp, snmp->device->secret.privacy, &snmp->privacy_key);
}

/* ---- a question ---- */

/* Called by net-snmp, within calls of ours under the lock. */
static int take_answer(int event, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *context)
{
    struct snmp *snmp = context;
    (void)session;
    (void)id;
    bool report = pdu && pdu->command == SNMP_MSG_REPORT;
    int problem = report                                   ? snmp->api.report_type(pdu)
                  : event == NETSNMP_CALLBACK_OP_TIMED_OUT ? SNMPERR_TIMEOUT
                  : event != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || !pdu || pdu->command != SNMP_MSG_RESPONSE
                      ? SNMPERR_GENERR
                      : 0;
    /* the device's clock is known now, and net-snmp asks a second time */
    if (event == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && problem == SNMPERR_NOT_IN_TIME_WINDOW)
        return 1;
    if (!snmp->waiting)
        return 1;
    if (!problem)
        snmp->answer = snmp->api.pdu_clone(pdu);
    snmp->problem = !problem && !snmp->answer ? SNMPERR_MALLOC : problem;
    snmp->waiting = false;
    return 1;
}

/* Its socket, or -1. */
static int send_question(struct snmp *snmp, netsnmp_pdu *pdu)
{
    const struct snmp_api *api = &snmp->api;
    pthread_mutex_lock(&library.lock);
    netsnmp_session *s = api->session_of(snmp->session);
    snmp->problem = ensure_user(snmp);
    snmp->waiting = snmp->problem == 0 && api->session_send(snmp->session, pdu, take_answer, snmp);
    int descriptor = snmp->waiting ? api->transport_of(snmp->session)->sock : -1;
    if (!snmp->waiting) {
        if (!snmp->problem)
            snmp->problem = s->s_snmp_errno ? s->s_snmp_errno : SNMPERR_GENERR;
        snmp->system_error = s->s_errno;
        api->pdu_free(pdu);
    }
    pthread_mutex_unlock(&library.lock);
    return descriptor;
}

static void read_answer(struct snmp *snmp, int descriptor)
{
    const struct snmp_api *api = &snmp->api;
    netsnmp_large_fd_set set;
    pthread_mutex_lock(&library.lock);
    api->set_init(&set, FD_SETSIZE);
    api->set_add(descriptor, &set);
    if (api->session_read(snmp->session, &set) < 0 && snmp->waiting) {
        snmp->problem = SNMPERR_BAD_RECVFROM;
        snmp->system_error = api->session_of(snmp->session)->s_errno;
        snmp->waiting = false;
    }
    api->set_free(&set);
    pthread_mutex_unlock(&library.lock);
}

/* Sends `pdu`, which it frees, and waits for what comes back. What went wrong is in snmp->problem, 0:
 * nothing. */
static void exchange(struct snmp *snmp, netsnmp_pdu *pdu, int64_t until_ns)
{
    struct pollfd ready = {.fd = send_question(snmp, pdu), .events = POLLIN};
    while (snmp->waiting) {
        int64_t left_ns = until_ns - clock_boot_ns();
        if (left_ns <= 0) {
            snmp->problem = SNMPERR_TIMEOUT;
            snmp->waiting = false;
        } else if (poll(&ready, 1, (int)(left_ns / 1000000) + 1) > 0) {
            read_answer(snmp, ready.fd);
        }
    }
}

static void drop_answer(struct snmp *snmp)
{
    if (snmp->answer)
        snmp->api.pdu_free(snmp->answer);
    snmp->answer = NULL;
}

/* The device's engine, which its user's keys are made for (RFC 3414, section 4): it refuses a question
 * without one, and that refusal tells it. */
static void discover(struct snmp *snmp, int64_t until_ns)
{
    const struct snmp_api *api = &snmp->api;
    pthread_mutex_lock(&library.lock);
    netsnmp_pdu *pdu = api->pdu_create(SNMP_MSG_GET);
    pthread_mutex_unlock(&library.lock);
    snmp->problem = SNMPERR_MALLOC;
    if (!pdu)
        return;
    pdu->version = SNMP_VERSION_3;
    pdu->securityModel = SNMP_SEC_MODEL_USM;
    pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
    pdu->securityName = strdup("");
    exchange(snmp, pdu, until_ns);
    drop_answer(snmp);
    if (api->session_of(snmp->session)->securityEngineIDLen)
        snmp->problem = 0;
    else if (!snmp->problem)
        snmp->problem = SNMPERR_UNKNOWN_ENG_ID;
}

static const struct {
    int code;
    const char *what;
} problems[] = {
    {SNMPERR_UNKNOWN_USER_NAME, "the device knows no such user: is the one in the credentials right?"},
    {SNMPERR_AUTHENTICATION_FAILURE,
     "the device refuses the password: is it the user's, and auth: too (MD5, SHA, SHA-256 or SHA-512)?"},
    {SNMPERR_DECRYPTION_ERR,
     "the device can't decrypt the question: is `privacy` in the credentials right, and the user's cipher "
     "AES?"},
    {SNMPERR_UNSUPPORTED_SEC_LEVEL,
     "the device does not let this user ask so: a user with encryption needs a line 'privacy WORD' in the "
     "credentials, one without must have none"},
    {SNMPERR_USM_UNKNOWNSECURITYNAME,
     "what is known of the device's engine is out of date: it is asked anew"},
    {SNMPERR_UNKNOWN_ENG_ID, "what is known of the device's engine is out of date: it is asked anew"},
    {SNMPERR_NOT_IN_TIME_WINDOW, "the device's SNMP clock jumps: restart its SNMP"},
};

/* Why there is no answer. */
static void explain(const struct snmp *snmp, struct error *error)
{
    const char *name = snmp->device->name;
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        if (problems[i].code != snmp->problem)
            continue;
        error_set(error, "%s: %s", name, problems[i].what);
        return;
    }
    if (snmp->problem == SNMPERR_TIMEOUT)
        error_set(error, "%s: no answer from %s:%u within %g s: is SNMP%s switched on there%s?", name,
                  snmp->host, snmp->port, snmp->device->timeout_s, snmp->auth ? "v3" : "v2c",
                  !snmp->auth                    ? ", and the community right, for a wrong one gets none"
                  : snmp->device->secret.privacy ? ", and `privacy` right, for a wrong one gets none"
                                                 : "");
    else if (snmp->system_error)
        error_set(error, "%s: %s:%u: %s", name, snmp->host, snmp->port, strerror(snmp->system_error));
    else
        error_set(error, "%s: %s:%u: %s", name, snmp->host, snmp->port,
                  snmp->api.text_of_problem(snmp->problem));
}

/* An open session of which the user is known. */
static int prepare(struct snmp *snmp, int64_t until_ns, struct error *error)
{
    if (snmp->session)
        return 0;
    AUTO_FREE char *peer = find_peer(snmp, error);
    if (!peer)
        return -1;
    pthread_mutex_lock(&library.lock);
    snmp->problem = open_session(snmp, peer);
    pthread_mutex_unlock(&library.lock);
    if (!snmp->problem && snmp->auth)
        discover(snmp, until_ns);
    if (!snmp->problem)
        return 0;
    explain(snmp, error);
    close_session(snmp);
    return -1;
}

/* All values in one packet, so that they are of one moment. */
static netsnmp_pdu *make_question(const struct snmp *snmp)
{
    pthread_mutex_lock(&library.lock);
    netsnmp_pdu *pdu = snmp->api.pdu_create(SNMP_MSG_GET);
    pthread_mutex_unlock(&library.lock);
    for (size_t i = 0; pdu && i < PLACES; i++) {
        const struct place *place = &snmp->places[i];
        if (!place->text || snmp->api.pdu_add(pdu, place->parts, place->count))
            continue;
        snmp->api.pdu_free(pdu);
        return NULL;
    }
    return pdu;
}

/* ---- values ---- */

static int value_of(const struct snmp *snmp, const netsnmp_variable_list *v, struct place *place,
                    struct error *error)
{
    const char *name = snmp->device->name;
    switch (v->type) {
    case ASN_INTEGER:
        place->value = (double)*v->val.integer;
        return 0;
    case ASN_COUNTER:
    case ASN_GAUGE: /* and Unsigned32 */
        place->value = (double)(uint32_t)*v->val.integer;
        return 0;
    case ASN_COUNTER64:
        place->value = (double)v->val.counter64->high * 0x1p32 + (double)v->val.counter64->low;
        return 0;
    case ASN_OCTET_STR:
        if (oid_text_value(v->val.string, v->val_len, &place->value) == 0)
            return 0;
        return error_set(error, "%s: expected a number at %s, found other text", name, place->text);
    case SNMP_NOSUCHOBJECT:
    case SNMP_NOSUCHINSTANCE:
    case SNMP_ENDOFMIBVIEW:
        return error_set(error,
                         "%s: the device shows nothing at %s: is the preset the device's, the id one that it "
                         "has, and this %s allowed to see it?",
                         name, place->text, snmp->auth ? "user" : "community");
    default:
        return error_set(error, "%s: expected a number at %s, found SNMP's type 0x%02x", name, place->text,
                         v->type);
    }
}

static int check_value(const struct snmp *snmp, size_t i, struct error *error)
{
    const struct place *place = &snmp->places[i];
    bool digits = i == POWER_DIGITS || i == ENERGY_DIGITS;
    if (digits && !(place->value >= 0 && place->value <= DIGITS_MOST && floor(place->value) == place->value))
        return error_set(error, "%s: expected how many digits are decimals at %s, from 0 to %d, found %g",
                         snmp->device->name, place->text, DIGITS_MOST, place->value);
    if (!digits && place->value == -1)
        return error_set(error,
                         "%s: the device does not measure %s: it says -1 at %s: describe it with a url and "
                         "what it does measure",
                         snmp->device->name, i == POWER ? "power" : "energy", place->text);
    return 0;
}

static int take_values(struct snmp *snmp, struct error *error)
{
    const netsnmp_variable_list *v = snmp->answer->variables;
    if (snmp->answer->errstat)
        return error_set(error, "%s: the device refuses: %s", snmp->device->name,
                         snmp->api.text_of_refusal((int)snmp->answer->errstat));
    for (size_t i = 0; i < PLACES; i++) {
        struct place *place = &snmp->places[i];
        if (!place->text)
            continue;
        if (!v || v->name_length != place->count ||
            memcmp(v->name, place->parts, place->count * sizeof *place->parts) != 0)
            return error_set(error, "%s: the device answers another question than the one for %s",
                             snmp->device->name, place->text);
        if (value_of(snmp, v, place, error) < 0 || check_value(snmp, i, error) < 0)
            return -1;
        v = v->next_variable;
    }
    return 0;
}

static double scaled(const struct wall_quantity *quantity, const struct place *value,
                     const struct place *digits)
{
    if (!value->text)
        return NAN;
    return quantity->factor * (digits->text ? value->value / pow(10, digits->value) : value->value);
}

/* ---- the transport ---- */

static void device_close(void *state)
{
    struct snmp *snmp = state;
    close_session(snmp);
    explicit_bzero(&snmp->auth_key, sizeof snmp->auth_key);
    explicit_bzero(&snmp->privacy_key, sizeof snmp->privacy_key);
    free(snmp->host);
    free(snmp);
}

static void *device_open(const struct wall_device *device, struct error *error)
{
    struct snmp *snmp = calloc(1, sizeof *snmp);
    const char *rest;
    if (!snmp) {
        error_memory(error, device->name);
        return NULL;
    }
    snmp->device = device;
    snmp->auth = device->secret.user ? auth_of(device) : NULL;
    if (check_secret(device, error) == 0 && set_places(snmp, error) == 0 &&
        wall_url_split(device, 161, &snmp->host, &snmp->port, &rest, error) == 0 &&
        library_load(&snmp_library, &snmp->api, error) == 0)
        return snmp;
    device_close(snmp);
    return NULL;
}

static int device_ask(void *state, struct wall_answer *answer, struct error *error)
{
    struct snmp *snmp = state;
    const struct wall_device *d = snmp->device;
    int64_t until_ns = clock_boot_ns() + (int64_t)(d->timeout_s * NS_PER_S);
    snmp->system_error = 0;
    if (prepare(snmp, until_ns, error) < 0)
        return -1;
    netsnmp_pdu *pdu = make_question(snmp);
    if (!pdu)
        return error_memory(error, d->name);
    exchange(snmp, pdu, until_ns);
    if (snmp->problem) {
        explain(snmp, error);
        close_session(snmp);
        return -1;
    }
    int result = take_values(snmp, error);
    drop_answer(snmp);
    if (result < 0)
        return -1;
    answer->power_w = scaled(&d->power, &snmp->places[POWER], &snmp->places[POWER_DIGITS]);
    answer->energy_j = scaled(&d->energy, &snmp->places[ENERGY], &snmp->places[ENERGY_DIGITS]);
    return 0;
}

const struct transport snmp_transport = {
    .name = "snmp",
    .check = device_check,
    .open = device_open,
    .ask = device_ask,
    .close = device_close,
};
