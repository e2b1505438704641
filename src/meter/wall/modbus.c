/* Meters on Modbus: over TCP, or RTU on a serial line.
 *
 * libmodbus is loaded when there is a meter to ask. Meters on one serial line or behind one gateway share its
 * connection and are asked in turn. */
#include "base/clock.h"
#include "base/text.h"
#include "base/library.h"
#include "meter/wall/raw.h"
#include "meter/wall/transport.h"

#include <errno.h>
#include <math.h>
#include <modbus/modbus.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define USUAL_SERIAL "9600 8N1"
#define HOST_MOST    253 /* RFC 1035, in its written form */

/* Registers that nobody wants are fetched along where they are so few: a request costs more. */
#define GAP_MOST 8
/* Two figures of four words, and a gap. */
#define WORDS_MOST (4 + GAP_MOST + 4)

/* A unit that is silent where others want the line rests for one of its time-outs, then two, to so many. */
#define REST_TIMEOUTS_MOST 4

/* ---- the library ---- */

struct modbus_api {
    modbus_t *(*new_tcp)(const char *host, const char *port);
    modbus_t *(*new_rtu)(const char *path, int speed, char parity, int data_bits, int stop_bits);
    void (*free)(modbus_t *link);
    int (*connect)(modbus_t *link);
    void (*close)(modbus_t *link);
    int (*flush)(modbus_t *link);
    int (*get_socket)(modbus_t *link);
    int (*set_unit)(modbus_t *link, int unit);
    int (*set_response_timeout)(modbus_t *link, uint32_t seconds, uint32_t microseconds);
    int (*set_byte_timeout)(modbus_t *link, uint32_t seconds, uint32_t microseconds);
    int (*read_holding)(modbus_t *link, int first, int count, uint16_t *words);
    int (*read_input)(modbus_t *link, int first, int count, uint16_t *words);
    const char *(*text_of_error)(int number);
};

static const struct library_symbol symbols[] = {
    {"modbus_new_tcp_pi", offsetof(struct modbus_api, new_tcp)},
    {"modbus_new_rtu", offsetof(struct modbus_api, new_rtu)},
    {"modbus_free", offsetof(struct modbus_api, free)},
    {"modbus_connect", offsetof(struct modbus_api, connect)},
    {"modbus_close", offsetof(struct modbus_api, close)},
    {"modbus_flush", offsetof(struct modbus_api, flush)},
    {"modbus_get_socket", offsetof(struct modbus_api, get_socket)},
    {"modbus_set_slave", offsetof(struct modbus_api, set_unit)},
    {"modbus_set_response_timeout", offsetof(struct modbus_api, set_response_timeout)},
    {"modbus_set_byte_timeout", offsetof(struct modbus_api, set_byte_timeout)},
    {"modbus_read_registers", offsetof(struct modbus_api, read_holding)},
    {"modbus_read_input_registers", offsetof(struct modbus_api, read_input)},
    {"modbus_strerror", offsetof(struct modbus_api, text_of_error)},
};

static const struct library modbus_library = {
    "libmodbus.so.5", "libmodbus", "meters on Modbus",
    "libmodbus5",     symbols,     sizeof symbols / sizeof *symbols};

/* ---- addresses ---- */

struct target {
    bool rtu;
    char *host;    /* or the serial line's path */
    uint16_t port; /* of TCP */
    int unit;
    struct serial serial; /* of RTU */
};

/* Unit 0 means all of a line's, and none of them answers; over TCP it is the device itself, as 255 is. */
static int parse_unit(const char *text, bool rtu, int *unit, struct error *error)
{
    uint64_t number;
    bool sound =
        text_to_u64(text, &number) == 0 && (number <= 247 || (number == 255 && !rtu)) && (number > 0 || !rtu);
    if (!sound)
        return error_set(error, "expected a unit from %s at the address's end, as in %s, found '%.40s'",
                         rtu ? "1 to 247" : "0 to 247, or 255,",
                         rtu ? "modbus-rtu:///dev/ttyUSB0/1" : "modbus://192.168.1.20/1", text);
    *unit = (int)number;
    return 0;
}

static int parse_rtu(const struct wall_device *device, struct target *target, struct error *error)
{
    const char *path = strstr(device->url, "://") + 3, *slash = strrchr(path, '/');
    if (path[0] != '/' || slash == path)
        return error_set(error, "expected a serial line and a unit, as in modbus-rtu:///dev/ttyUSB0/1");
    if (parse_unit(slash + 1, true, &target->unit, error) < 0)
        return -1;
    if (serial_parse(device->serial ? device->serial : USUAL_SERIAL, &target->serial, error) < 0)
        return error_prefix(error, "serial");
    if (target->serial.data_bits != 8)
        return error_set(error, "serial: Modbus RTU has 8 data bits, as in " USUAL_SERIAL ", found '%s'",
                         device->serial);
    target->host = strndup(path, (size_t)(slash - path));
    return target->host ? 0 : error_memory(error, "address");
}

static int parse_tcp(const struct wall_device *device, struct target *target, struct error *error)
{
    const char *rest;
    struct wall_device nameless = *device; /* who calls says which device it is */
    nameless.name = (char[]){"address"};
    if (wall_url_split(&nameless, MODBUS_TCP_DEFAULT_PORT, &target->host, &target->port, &rest, error) < 0)
        return -1;
    size_t length = strlen(target->host);
    int result = length <= HOST_MOST
                     ? parse_unit(*rest ? rest + 1 : rest, false, &target->unit, error)
                     : error_set(error, "address: a host's name has no %zu characters", length);
    if (result < 0) {
        free(target->host);
        target->host = NULL;
    }
    return result;
}

/* The caller frees `target->host` after 0. */
static int parse_target(const struct wall_device *device, struct target *target, struct error *error)
{
    *target = (struct target){.rtu = strncmp(device->url, "modbus-rtu:", strlen("modbus-rtu:")) == 0};
    return target->rtu ? parse_rtu(device, target, error) : parse_tcp(device, target, error);
}

static int check_place(const char *what, const char *at, struct error *error)
{
    struct registers registers;
    return !at || registers_parse(at, &registers, error) == 0 ? 0 : error_prefix(error, "%s: at", what);
}

static int modbus_check(const struct wall_device *device, struct error *error)
{
    struct target target;
    if (device->credentials || device->ca)
        return error_set(error, "credentials and ca are not for Modbus, which has no such thing");
    if (check_place("power", device->power.at, error) < 0 ||
        check_place("energy", device->energy.at, error) < 0 || parse_target(device, &target, error) < 0)
        return -1;
    free(target.host);
    return 0;
}

/* ---- lines ---- */

/* A serial line, or the connection to a meter or gateway. */
struct line {
    char *place; /* "/dev/ttyUSB0", "gateway:502" */
    bool rtu;
    struct serial serial;
    size_t users;
    struct line *next;
    pthread_mutex_t lock; /* guards the two numbers */
    pthread_cond_t change;
    uint64_t taken, turn; /* numbers that were drawn, and whose turn it is */
    /* of who has the turn */
    modbus_t *link;
    bool connected;
};

/* The line is one in the world, whoever speaks on it: two at once would hear neither answer. The lock guards
 * the list and its members' `users`. */
static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;
static struct line *lines;

static void free_line(struct line *line, const struct modbus_api *api)
{
    if (line->connected)
        api->close(line->link);
    if (line->link)
        api->free(line->link);
    pthread_cond_destroy(&line->change);
    pthread_mutex_destroy(&line->lock);
    free(line->place);
    free(line);
}

static char *place_of(const struct target *target)
{
    return target->rtu ? strdup(target->host) : text_format("%s:%u", target->host, target->port);
}

static modbus_t *new_link(const struct target *target, const struct modbus_api *api)
{
    const struct serial *s = &target->serial;
    if (target->rtu)
        return api->new_rtu(target->host, (int)s->speed, s->parity, (int)s->data_bits, (int)s->stop_bits);
    AUTO_FREE char *port = text_format("%u", target->port);
    return port ? api->new_tcp(target->host, port) : NULL;
}

/* The time for an answer is one for all of its bytes. */
static struct line *new_line(const struct target *target, const struct modbus_api *api, struct error *error)
{
    struct line *line = calloc(1, sizeof *line);
    if (!line) {
        error_memory(error, target->host);
        return NULL;
    }
    pthread_mutex_init(&line->lock, NULL);
    pthread_cond_init(&line->change, NULL);
    line->place = place_of(target);
    line->rtu = target->rtu;
    line->serial = target->serial;
    line->link = line->place ? new_link(target, api) : NULL;
    if (line->link && api->set_byte_timeout(line->link, 0, 0) == 0)
        return line;
    error_set(error, "libmodbus refuses %s: %s", target->host, api->text_of_error(errno));
    free_line(line, api);
    return NULL;
}

static bool same_serial(const struct serial *a, const struct serial *b)
{
    return a->speed == b->speed && a->data_bits == b->data_bits && a->stop_bits == b->stop_bits &&
           a->parity == b->parity;
}

static struct line *find_line(const struct target *target, const struct modbus_api *api, struct error *error)
{
    AUTO_FREE char *place = place_of(target);
    struct line *line = lines;
    if (!place) {
        error_memory(error, target->host);
        return NULL;
    }
    while (line && strcmp(line->place, place) != 0)
        line = line->next;
    if (line && same_serial(&line->serial, &target->serial))
        return line;
    if (line) {
        error_set(error, "another wattmeter on %s has other settings: give both the same serial:", place);
        return NULL;
    }
    line = new_line(target, api, error);
    if (!line)
        return NULL;
    line->next = lines;
    lines = line;
    return line;
}

static struct line *join_line(const struct target *target, const struct modbus_api *api, struct error *error)
{
    pthread_mutex_lock(&lines_lock);
    struct line *line = find_line(target, api, error);
    if (line)
        line->users++;
    pthread_mutex_unlock(&lines_lock);
    return line;
}

static void leave_line(struct line *line, const struct modbus_api *api)
{
    pthread_mutex_lock(&lines_lock);
    bool last = --line->users == 0;
    struct line **at = &lines;
    while (last && *at != line)
        at = &(*at)->next;
    if (last)
        *at = line->next;
    pthread_mutex_unlock(&lines_lock);
    if (last)
        free_line(line, api);
}

static bool is_shared(const struct line *line)
{
    pthread_mutex_lock(&lines_lock);
    bool shared = line->users > 1;
    pthread_mutex_unlock(&lines_lock);
    return shared;
}

/* First come, first served: who only held a mutex could take the line again before the others wake. */
static void take_turn(struct line *line)
{
    pthread_mutex_lock(&line->lock);
    uint64_t mine = line->taken++;
    while (line->turn != mine)
        pthread_cond_wait(&line->change, &line->lock);
    pthread_mutex_unlock(&line->lock);
}

static void end_turn(struct line *line)
{
    pthread_mutex_lock(&line->lock);
    line->turn++;
    pthread_cond_broadcast(&line->change);
    pthread_mutex_unlock(&line->lock);
}

/* ---- a meter ---- */

struct modbus {
    const struct wall_device *device;
    struct modbus_api api;
    struct line *line;
    int unit;
    struct registers power, energy; /* a count of 0: not told */
    struct registers both;          /* from the first of either to the last */
    bool joint;                     /* `both` is fetched by one request */
    int64_t until_ns;               /* of this question */
    int failure;                    /* its error number; 0: none */
    int silences;                   /* time-outs in a row */
    int64_t rest_until_ns;
};

static int parse_registers(const char *at, struct registers *registers, struct error *error)
{
    return at ? registers_parse(at, registers, error) : 0;
}

static void join_registers(struct modbus *m)
{
    const struct registers *p = &m->power, *e = &m->energy;
    if (!p->count || !e->count || p->holding != e->holding)
        return;
    int first = p->first < e->first ? p->first : e->first;
    int end = p->first + p->count > e->first + e->count ? p->first + p->count : e->first + e->count;
    m->both =
        (struct registers){.holding = p->holding, .first = (uint16_t)first, .count = (uint16_t)(end - first)};
    m->joint = end - first <= p->count + e->count + GAP_MOST;
}

static void modbus_close_device(void *state)
{
    struct modbus *m = state;
    if (m->line)
        leave_line(m->line, &m->api);
    free(m);
}

static void *modbus_open(const struct wall_device *device, struct error *error)
{
    struct modbus *m = calloc(1, sizeof *m);
    struct target target = {0};
    if (!m) {
        error_memory(error, device->name);
        return NULL;
    }
    m->device = device;
    if (parse_registers(device->power.at, &m->power, error) == 0 &&
        parse_registers(device->energy.at, &m->energy, error) == 0 &&
        library_load(&modbus_library, &m->api, error) == 0 && parse_target(device, &target, error) == 0)
        m->line = join_line(&target, &m->api, error);
    m->unit = target.unit;
    free(target.host);
    if (m->line) {
        join_registers(m);
        return m;
    }
    error_prefix(error, "%s", device->name);
    modbus_close_device(m);
    return NULL;
}

/* ---- what went wrong ---- */

static int no_answer(const struct modbus *m, struct error *error)
{
    const struct wall_device *d = m->device;
    if (!m->line->rtu)
        return error_set(error, "%s: no answer from %s within %g s", d->name, m->line->place, d->timeout_s);
    return error_set(error,
                     "%s: no answer from unit %d on %s within %g s: is that the meter's number, and does it "
                     "speak at %s?",
                     d->name, m->unit, m->line->place, d->timeout_s, d->serial ? d->serial : USUAL_SERIAL);
}

static int no_connection(const struct modbus *m, struct error *error)
{
    static const struct {
        int number;
        const char *what;
    } troubles[] = {
        {EACCES, "it is others': `sudo usermod -aG dialout USER` lets you in, from the next login on"},
        {ENOENT, "it is not there: is the adapter plugged in?"},
        {ENXIO, "it is not there: is the adapter plugged in?"},
        {ENOTTY, "it is no serial line"},
        {EBUSY, "another program has it: end that"},
    };
    const char *name = m->device->name, *place = m->line->place;
    int number = m->failure;
    if (number == ETIMEDOUT)
        return no_answer(m, error);
    if (!m->line->rtu) /* libmodbus says the same of a name that does not exist */
        return error_set(
            error, "%s: no connection to %s (%s): is the address right, and Modbus TCP switched on there?",
            name, place,
            number == ECONNREFUSED ? "nobody listens, or nobody knows the name"
                                   : m->api.text_of_error(number));
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++)
        if (troubles[i].number == number)
            return error_set(error, "%s: %s: %s", name, place, troubles[i].what);
    return error_set(error, "%s: %s: %s", name, place, m->api.text_of_error(number));
}

/* The meter's own word, after which the connection is as good as before. */
static bool is_refusal(int number)
{
    return number > MODBUS_ENOBASE && number < MODBUS_ENOBASE + MODBUS_EXCEPTION_MAX;
}

static int refused(const struct modbus *m, const struct registers *registers, struct error *error)
{
    static const struct {
        int number;
        const char *what, *hint;
    } refusals[] = {
        {EMBXILFUN, "illegal function",
         "is the preset the meter's, or does at: say input where it should say holding?"},
        {EMBXILADD, "illegal data address", "is the preset, or at:, the meter's?"},
        {EMBXILVAL, "illegal data value", "is the preset, or at:, the meter's?"},
        {EMBXSFAIL, "device failure", "its display or its manual may say more"},
        {EMBXSBUSY, "busy", "give it a longer interval:"},
    };
    const char *name = m->device->name;
    int number = m->failure;
    if (number == EMBXGPATH || number == EMBXGTAR)
        return error_set(error,
                         "%s: the gateway gets no answer from unit %d: is that the meter's number, and is it "
                         "connected?",
                         name, m->unit);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (refusals[i].number == number)
            return error_set(error, "%s: the meter refuses registers 0x%04X (%s): %s", name, registers->first,
                             refusals[i].what, refusals[i].hint);
    return error_set(error, "%s: the meter refuses registers 0x%04X (%s)", name, registers->first,
                     m->api.text_of_error(number));
}

static int spoilt(const struct modbus *m, struct error *error)
{
    const char *name = m->device->name, *what = m->api.text_of_error(m->failure);
    if (m->failure < MODBUS_ENOBASE)
        return error_set(error, "%s: the connection to %s broke: %s", name, m->line->place, what);
    return error_set(
        error, "%s: what came from %s is no answer to the question (%s)%s", name, m->line->place, what,
        m->line->rtu ? ": is serial: right, the line ended at both ends, and nobody else on it?" : "");
}

/* ---- asking ---- */

/* Leaves libmodbus what is left of the time. */
static int set_time(const struct modbus *m)
{
    int64_t left_us = (m->until_ns - clock_boot_ns()) / 1000;
    if (left_us > 0)
        return m->api.set_response_timeout(m->line->link, (uint32_t)(left_us / 1000000),
                                           (uint32_t)(left_us % 1000000));
    errno = ETIMEDOUT;
    return -1;
}

static void disconnect(const struct modbus *m)
{
    m->api.close(m->line->link);
    m->line->connected = false;
}

/* Gateways close a connection on which little is asked. */
static bool is_closed(const struct modbus *m)
{
    char byte;
    return !m->line->rtu && recv(m->api.get_socket(m->line->link), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static int connect_line(struct modbus *m)
{
    if (m->line->connected && is_closed(m))
        disconnect(m);
    if (m->line->connected)
        return 0;
    errno = 0;
    if (set_time(m) == 0 && m->api.connect(m->line->link) == 0) {
        m->line->connected = true;
        return 0;
    }
    m->failure = errno == EINPROGRESS ? ETIMEDOUT : errno; /* as libmodbus 3.1.6 says it */
    return -1;
}

/* Between two messages a line is silent for three and a half characters of eleven bits, or 1.75 ms where it
 * is fast (Modbus over Serial Line 1.02, 2.5.1.1). What comes in meanwhile is an answer that was given up. */
static void keep_silence(const struct modbus *m)
{
    if (!m->line->rtu)
        return;
    unsigned speed = m->line->serial.speed;
    double silence_s = speed > 19200 ? 1.75e-3 : 3.5 * 11 / speed;
    nanosleep(&(struct timespec){.tv_nsec = (long)(silence_s * NS_PER_S)}, NULL);
    m->api.flush(m->line->link);
}

static int read_words(struct modbus *m, const struct registers *registers, uint16_t *words,
                      struct error *error)
{
    modbus_t *link = m->line->link;
    keep_silence(m);
    errno = 0;
    int count = set_time(m) < 0 || m->api.set_unit(link, m->unit) < 0 ? -1
                : registers->holding ? m->api.read_holding(link, registers->first, registers->count, words)
                                     : m->api.read_input(link, registers->first, registers->count, words);
    if (count == registers->count)
        return 0;
    m->failure = errno;
    if (is_refusal(m->failure))
        return refused(m, registers, error);
    /* a serial line carries no connection: only one that failed itself is opened again */
    if (!m->line->rtu || (m->failure != ETIMEDOUT && m->failure < MODBUS_ENOBASE))
        disconnect(m);
    return m->failure == ETIMEDOUT ? no_answer(m, error) : spoilt(m, error);
}

static int read_one(struct modbus *m, const struct registers *registers, double *number, struct error *error)
{
    uint16_t words[WORDS_MOST];
    if (!registers->count)
        return 0;
    if (read_words(m, registers, words, error) < 0)
        return -1;
    *number = registers_value(registers, words);
    return 0;
}

static int read_both(struct modbus *m, double *power, double *energy, struct error *error)
{
    uint16_t words[WORDS_MOST];
    if (m->joint && read_words(m, &m->both, words, error) == 0) {
        *power = registers_value(&m->power, words + (m->power.first - m->both.first));
        *energy = registers_value(&m->energy, words + (m->energy.first - m->both.first));
        return 0;
    }
    if (m->joint && m->failure != EMBXILADD)
        return -1;
    /* some meters refuse what lies between two registers of theirs */
    m->joint = false;
    error_clear(error);
    return read_one(m, &m->power, power, error) < 0 ? -1 : read_one(m, &m->energy, energy, error);
}

static int ask_in_turn(struct modbus *m, struct wall_answer *answer, struct error *error)
{
    double power = NAN, energy = NAN;
    m->until_ns = clock_boot_ns() + (int64_t)(m->device->timeout_s * NS_PER_S);
    if (connect_line(m) < 0)
        return no_connection(m, error);
    int64_t begin_ns = clock_boot_ns();
    if (read_both(m, &power, &energy, error) < 0)
        return -1;
    answer->span_ns = clock_boot_ns() - begin_ns;
    answer->boot_ns = begin_ns + answer->span_ns / 2;
    answer->power_w = m->device->power.factor * power;
    answer->energy_j = m->device->energy.factor * energy;
    return 0;
}

/* Nothing in a serial line's answer tells which question it is to: one that was given up has another time-out
 * to come and be thrown away. A silent unit must not keep the others waiting. */
static void rest(struct modbus *m)
{
    int timeouts = !is_refusal(m->failure) && m->line->rtu;
    m->silences = m->failure == ETIMEDOUT ? m->silences + 1 : 0;
    if (m->silences && is_shared(m->line))
        timeouts = m->silences < REST_TIMEOUTS_MOST ? m->silences : REST_TIMEOUTS_MOST;
    m->rest_until_ns = clock_boot_ns() + (int64_t)(timeouts * m->device->timeout_s * NS_PER_S);
}

/* The time for the answer begins with the turn: those before have theirs. */
static int modbus_ask(void *state, struct wall_answer *answer, struct error *error)
{
    struct modbus *m = state;
    if (clock_boot_ns() < m->rest_until_ns)
        return 0;
    take_turn(m->line);
    int result = ask_in_turn(m, answer, error);
    end_turn(m->line);
    if (result < 0)
        rest(m);
    else
        m->silences = 0;
    return result;
}

const struct transport modbus_transport = {
    .name = "modbus",
    .check = modbus_check,
    .open = modbus_open,
    .ask = modbus_ask,
    .close = modbus_close_device,
};

const struct transport modbus_rtu_transport = {
    .name = "modbus-rtu",
    .serial = true,
    .check = modbus_check,
    .open = modbus_open,
    .ask = modbus_ask,
    .close = modbus_close_device,
};
