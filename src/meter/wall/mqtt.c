/* Wattmeters that publish over MQTT, in JSON.
 *
 * libmosquitto is loaded when there is a device to hear, and has a thread of its own: it connects, connects
 * again, and hands over each message; asking waits for the next. */
#include "base/clock.h"
#include "base/text.h"
#include "base/library.h"
#include "meter/wall/transport.h"

#include <errno.h>
#include <math.h>
#include <mosquitto.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MESSAGE_BYTES_MOST ((size_t)1 << 20)
#define KEEPALIVE_S        30

/* ---- the library ---- */

struct mosquitto_api {
    int (*lib_init)(void);
    struct mosquitto *(*create)(const char *id, bool clean_session, void *context);
    int (*username_pw_set)(struct mosquitto *client, const char *user, const char *password);
    int (*tls_set)(struct mosquitto *client, const char *file, const char *path, const char *certificate,
                   const char *key, int (*password)(char *, int, int, void *));
    void (*connect_callback_set)(struct mosquitto *client, void (*call)(struct mosquitto *, void *, int));
    void (*message_callback_set)(struct mosquitto *client,
                                 void (*call)(struct mosquitto *, void *, const struct mosquitto_message *));
    int (*connect_async)(struct mosquitto *client, const char *host, int port, int keepalive);
    int (*subscribe)(struct mosquitto *client, int *id, const char *topic, int quality);
    int (*loop_start)(struct mosquitto *client);
    int (*loop_stop)(struct mosquitto *client, bool force);
    int (*disconnect)(struct mosquitto *client);
    void (*destroy)(struct mosquitto *client);
    const char *(*text_of_error)(int code);
    const char *(*text_of_refusal)(int code);
};

static const struct library_symbol symbols[] = {
    {"mosquitto_lib_init", offsetof(struct mosquitto_api, lib_init)},
    {"mosquitto_new", offsetof(struct mosquitto_api, create)},
    {"mosquitto_username_pw_set", offsetof(struct mosquitto_api, username_pw_set)},
    {"mosquitto_tls_set", offsetof(struct mosquitto_api, tls_set)},
    {"mosquitto_connect_callback_set", offsetof(struct mosquitto_api, connect_callback_set)},
    {"mosquitto_message_callback_set", offsetof(struct mosquitto_api, message_callback_set)},
    {"mosquitto_connect_async", offsetof(struct mosquitto_api, connect_async)},
    {"mosquitto_subscribe", offsetof(struct mosquitto_api, subscribe)},
    {"mosquitto_loop_start", offsetof(struct mosquitto_api, loop_start)},
    {"mosquitto_loop_stop", offsetof(struct mosquitto_api, loop_stop)},
    {"mosquitto_disconnect", offsetof(struct mosquitto_api, disconnect)},
    {"mosquitto_destroy", offsetof(struct mosquitto_api, destroy)},
    {"mosquitto_strerror", offsetof(struct mosquitto_api, text_of_error)},
    {"mosquitto_connack_string", offsetof(struct mosquitto_api, text_of_refusal)},
};

static const struct library mosquitto_library = {
    "libmosquitto.so.1", "libmosquitto", "wattmeters over MQTT",
    "libmosquitto1",     symbols,        sizeof symbols / sizeof *symbols};

static int load_mosquitto(struct mosquitto_api *api, struct error *error)
{
    if (library_load(&mosquitto_library, api, error) < 0)
        return -1;
    int code = api->lib_init();
    return code ? error_set(error, "libmosquitto can't start: %s", api->text_of_error(code)) : 0;
}

/* ---- a device ---- */

struct mqtt {
    const struct wall_device *device;
    struct mosquitto_api api;
    struct mosquitto *client;
    char *host, *topic;
    uint16_t port;
    bool started;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t change;
    char *message; /* the latest that nobody took; NULL: none */
    size_t size;
    int64_t boot_ns;     /* when it came */
    bool connected;      /* ever */
    const char *refusal; /* why the broker refuses us; NULL: it does not */
};

static void take_connection(struct mosquitto *client, void *context, int code)
{
    struct mqtt *mqtt = context;
    if (code == 0)
        mqtt->api.subscribe(client, NULL, mqtt->topic, 0);
    pthread_mutex_lock(&mqtt->lock);
    mqtt->connected = mqtt->connected || code == 0;
    mqtt->refusal = code ? mqtt->api.text_of_refusal(code) : NULL;
    pthread_cond_broadcast(&mqtt->change);
    pthread_mutex_unlock(&mqtt->lock);
}

/* What the broker kept is as old as nobody knows. */
static void take_message(struct mosquitto *client, void *context, const struct mosquitto_message *message)
{
    struct mqtt *mqtt = context;
    (void)client;
    if (message->retain || message->payloadlen <= 0 || (size_t)message->payloadlen > MESSAGE_BYTES_MOST)
        return;
    size_t size = (size_t)message->payloadlen;
    char *copy = malloc(size);
    if (!copy)
        return;
    memcpy(copy, message->payload, size);
    pthread_mutex_lock(&mqtt->lock);
    free(mqtt->message);
    mqtt->message = copy;
    mqtt->size = size;
    mqtt->boot_ns = clock_boot_ns();
    pthread_cond_broadcast(&mqtt->change);
    pthread_mutex_unlock(&mqtt->lock);
}

static int parse_url(struct mqtt *mqtt, struct error *error)
{
    bool safe = strncmp(mqtt->device->url, "mqtts", 5) == 0;
    const char *path;
    if (wall_url_split(mqtt->device, safe ? 8883 : 1883, &mqtt->host, &mqtt->port, &path, error) < 0)
        return -1;
    if (!path[0] || !path[1])
        return error_set(error, "%s: expected a topic, as in mqtt://broker/tele/plug/SENSOR",
                         mqtt->device->name);
    mqtt->topic = strdup(path + 1);
    return mqtt->topic ? 0 : error_memory(error, mqtt->device->name);
}

static int set_client(struct mqtt *mqtt, struct error *error)
{
    const struct wall_device *d = mqtt->device;
    const struct mosquitto_api *api = &mqtt->api;
    mqtt->client = api->create(NULL, true, mqtt);
    if (!mqtt->client)
        return error_memory(error, d->name);
    api->connect_callback_set(mqtt->client, take_connection);
    api->message_callback_set(mqtt->client, take_message);
    int code = d->secret.user ? api->username_pw_set(mqtt->client, d->secret.user, d->secret.password) : 0;
    if (!code && strncmp(d->url, "mqtts", 5) == 0)
        code = api->tls_set(mqtt->client, d->ca, d->ca ? NULL : "/etc/ssl/certs", NULL, NULL, NULL);
    return code
               ? error_set(error, "%s: libmosquitto refuses a setting: %s", d->name, api->text_of_error(code))
               : 0;
}

static void mqtt_close(void *state)
{
    struct mqtt *mqtt = state;
    if (mqtt->started) {
        mqtt->api.disconnect(mqtt->client);
        mqtt->api.loop_stop(mqtt->client, true);
    }
    if (mqtt->client)
        mqtt->api.destroy(mqtt->client);
    pthread_cond_destroy(&mqtt->change);
    pthread_mutex_destroy(&mqtt->lock);
    free(mqtt->host);
    free(mqtt->topic);
    free(mqtt->message);
    free(mqtt);
}

static void *mqtt_open(const struct wall_device *device, struct error *error)
{
    struct mqtt *mqtt = calloc(1, sizeof *mqtt);
    if (!mqtt) {
        error_memory(error, device->name);
        return NULL;
    }
    mqtt->device = device;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&mqtt->change, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&mqtt->lock, NULL);
    if (parse_url(mqtt, error) == 0 && load_mosquitto(&mqtt->api, error) == 0 && set_client(mqtt, error) == 0)
        return mqtt;
    mqtt_close(mqtt);
    return NULL;
}

/* In the thread that asks, which has no rights left that libmosquitto's own could inherit. */
static int start(struct mqtt *mqtt, struct error *error)
{
    int code = mqtt->api.connect_async(mqtt->client, mqtt->host, mqtt->port, KEEPALIVE_S);
    if (!code)
        code = mqtt->api.loop_start(mqtt->client); /* which connects again by itself from now on */
    mqtt->started = code == 0;
    return code ? error_set(error, "%s: no connection to the broker %s:%d: %s", mqtt->device->name,
                            mqtt->host, mqtt->port,
                            code == MOSQ_ERR_ERRNO ? strerror(errno) : mqtt->api.text_of_error(code))
                : 0;
}

/* Until a message came or the time is over. The message is the caller's. */
static char *wait_for_message(struct mqtt *mqtt, size_t *size, int64_t *boot_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t at =
        (int64_t)until.tv_sec * NS_PER_S + until.tv_nsec + (int64_t)(mqtt->device->timeout_s * NS_PER_S);
    until = (struct timespec){.tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S)};
    int late = 0;
    while (!mqtt->message && !late)
        late = pthread_cond_timedwait(&mqtt->change, &mqtt->lock, &until);
    char *message = mqtt->message;
    *size = mqtt->size;
    *boot_ns = mqtt->boot_ns;
    mqtt->message = NULL;
    return message;
}

/* That nothing was published for a while is no failure. */
static int mqtt_ask(void *state, struct wall_answer *answer, struct error *error)
{
    struct mqtt *mqtt = state;
    size_t size;
    if (!mqtt->started && start(mqtt, error) < 0)
        return -1;
    pthread_mutex_lock(&mqtt->lock);
    AUTO_FREE char *message = wait_for_message(mqtt, &size, &answer->boot_ns);
    bool connected = mqtt->connected;
    const char *refusal = mqtt->refusal;
    pthread_mutex_unlock(&mqtt->lock);
    if (message)
        return wall_answer(mqtt->device, message, size, &answer->power_w, &answer->energy_j, &answer->wall_ns,
                           error);
    if (refusal)
        return error_set(error, "%s: %s", mqtt->device->name, refusal);
    return connected ? 0
                     : error_set(error, "%s: no connection to the broker %s:%d", mqtt->device->name,
                                 mqtt->host, mqtt->port);
}

const struct transport mqtt_transport = {
    .name = "mqtt",
    .pushes = true,
    .json = true,
    .open = mqtt_open,
    .ask = mqtt_ask,
    .close = mqtt_close,
};
