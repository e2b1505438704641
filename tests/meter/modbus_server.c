/* A meter on Modbus with known truth, for tests: modbus_server tcp|rtu SHAPE FAULT [START [PORT]]
 *
 * Prints its port (rtu: the N of the serial line /dev/pts/N) and its beginning (CLOCK_BOOTTIME, ns), then
 * answers as libmodbus does, until its standard input ends. Unit 1 has a power of 100 W + 40 W sin(2 pi t / 3
 * s), t by CLOCK_BOOTTIME from START, and its exact integral as energy, in the meter's steps; unit 2 has
 * twice that. On a serial line each is a process of its own, and others do not answer; over TCP a gateway
 * says so of others. FAULT: none; junk (what it says is no Modbus); of every third question: lost (no
 * answer), late (after 0.4 s), nan (power is no number). */
#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define MEAN_W   100.0
#define SWING_W  40.0
#define PERIOD_S 3.0
#define BEFORE_J 5e6

enum { REGISTERS = 20000, UNITS = 2, CONNECTIONS_MOST = 16 };

static const struct shape {
    const char *name;
    bool holding;
    bool floats; /* high word first; else int32, low word first */
    bool whole;  /* what lies between power and energy can be read too */
    int power, energy;
    double power_count_w, energy_count_j;
    double energy_step; /* in counts */
} shapes[] = {
    {"sdm120", false, true, true, 0x0c, 0x48, 1, 3.6e6, 0.01},
    {"sdm630", false, true, true, 0x34, 0x48, 1, 3.6e6, 0.01},
    {"gavazzi-em24", false, false, true, 0x28, 0x42, 0.1, 3.6e5, 1},
    {"gavazzi-em340", false, false, true, 0x28, 0x34, 0.1, 3.6e5, 1},
    {"janitza-umg", true, true, true, 19026, 19068, 1, 3600, 1},
    {"near", true, false, true, 100, 104, 0.1, 36, 1},
    {"near-strict", true, false, false, 100, 104, 0.1, 36, 1},
};

struct meter {
    modbus_t *link;
    modbus_mapping_t *registers;
    const struct shape *shape;
    const char *fault;
    int64_t start_ns;
    unsigned asked;
};

/* ---- figures ---- */

static void put(const struct meter *meter, int at, double number)
{
    uint16_t *words =
        (meter->shape->holding ? meter->registers->tab_registers : meter->registers->tab_input_registers) +
        at;
    float single = (float)number;
    uint32_t bits = (uint32_t)(int32_t)llround(isnan(number) ? 0 : number);
    if (meter->shape->floats)
        memcpy(&bits, &single, sizeof bits);
    words[meter->shape->floats ? 0 : 1] = (uint16_t)(bits >> 16);
    words[meter->shape->floats ? 1 : 0] = (uint16_t)bits;
}

static void put_figures(const struct meter *meter, int unit, bool none)
{
    const struct shape *shape = meter->shape;
    double t = (double)(clock_boot_ns() - meter->start_ns) / NS_PER_S, turn = 2 * M_PI / PERIOD_S;
    double power_w = MEAN_W + SWING_W * sin(turn * t);
    double energy_j = MEAN_W * t + SWING_W / turn * (1 - cos(turn * t)) + BEFORE_J;
    double counts = unit * energy_j / shape->energy_count_j;
    put(meter, shape->power, none ? NAN : unit * power_w / shape->power_count_w);
    put(meter, shape->energy, floor(counts / shape->energy_step) * shape->energy_step);
}

static bool is_within(int first, int count, int begin, int end)
{
    return first >= begin && first + count <= end;
}

/* 0: the registers are the meter's. */
static unsigned exception_of(const struct meter *meter, int unit, const uint8_t *question)
{
    const struct shape *s = meter->shape;
    int function = question[0], first = question[1] << 8 | question[2],
        count = question[3] << 8 | question[4];
    if (unit < 1 || unit > UNITS)
        return MODBUS_EXCEPTION_GATEWAY_TARGET;
    if (function != (s->holding ? MODBUS_FC_READ_HOLDING_REGISTERS : MODBUS_FC_READ_INPUT_REGISTERS))
        return MODBUS_EXCEPTION_ILLEGAL_FUNCTION;
    bool known = is_within(first, count, s->power, s->power + 2) ||
                 is_within(first, count, s->energy, s->energy + 2) ||
                 (s->whole && is_within(first, count, s->power, s->energy + 2));
    return known ? 0 : MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS;
}

static void answer(struct meter *meter, const uint8_t *request, int size)
{
    int header = modbus_get_header_length(meter->link), unit = request[header - 1];
    bool third = ++meter->asked % 3 == 0;
    if (third && strcmp(meter->fault, "lost") == 0)
        return;
    if (third && strcmp(meter->fault, "late") == 0)
        usleep(400000);
    if (strcmp(meter->fault, "junk") == 0) {
        static const char junk[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
        if (write(modbus_get_socket(meter->link), junk, sizeof junk) < 0)
            exit(1);
        return;
    }
    unsigned exception = exception_of(meter, unit, request + header);
    if (exception) {
        modbus_reply_exception(meter->link, request, exception);
        return;
    }
    put_figures(meter, unit, third && strcmp(meter->fault, "nan") == 0);
    modbus_reply(meter->link, request, size, meter->registers);
}

/* ---- TCP ---- */

static int listen_tcp(struct meter *meter, int port)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    meter->link = modbus_new_tcp("127.0.0.1", port);
    int listener = meter->link ? modbus_tcp_listen(meter->link, CONNECTIONS_MOST) : -1;
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        return -1;
    printf("%u %lld\n", ntohs(address.sin_port), (long long)meter->start_ns);
    fflush(stdout);
    return listener;
}

static bool serve_connection(struct meter *meter, int connection)
{
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    modbus_set_socket(meter->link, connection);
    int size = modbus_receive(meter->link, request);
    if (size > 0)
        answer(meter, request, size);
    return size >= 0;
}

static int serve_tcp(struct meter *meter, int port)
{
    struct pollfd places[2 + CONNECTIONS_MOST] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    nfds_t count = 2;
    places[1] = (struct pollfd){.fd = listen_tcp(meter, port), .events = POLLIN};
    if (places[1].fd < 0)
        return 1;
    while (poll(places, count, -1) > 0 && !places[0].revents) {
        for (nfds_t i = count; i-- > 2;)
            if (places[i].revents && !serve_connection(meter, places[i].fd)) {
                close(places[i].fd);
                places[i] = places[--count];
            }
        if (places[1].revents && count < sizeof places / sizeof *places)
            places[count++] = (struct pollfd){.fd = accept(places[1].fd, NULL, NULL), .events = POLLIN};
    }
    return 0;
}

/* ---- RTU ---- */

/* What is no question is dropped whole, as at the next silence of a line. */
static void serve_unit(struct meter *meter)
{
    uint8_t request[MODBUS_RTU_MAX_ADU_LENGTH];
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    for (;;) {
        int size = modbus_receive(meter->link, request);
        if (size > 0)
            answer(meter, request, size);
        else if (size < 0 && errno < MODBUS_ENOBASE && errno != ETIMEDOUT)
            _exit(1);
        else
            modbus_flush(meter->link);
    }
}

/* A raw pseudo-terminal, whose other end stays open. */
static int open_line(char name[64])
{
    struct termios raw = {.c_cflag = CREAD | CS8};
    int line, end;
    cfmakeraw(&raw);
    if (openpty(&line, &end, name, &raw, NULL) < 0)
        exit(1);
    return line;
}

static void start_unit(struct meter *meter, int unit, const char *name)
{
    meter->link = modbus_new_rtu(name, 9600, 'N', 8, 1);
    if (!meter->link || modbus_set_slave(meter->link, unit) < 0 || modbus_connect(meter->link) < 0)
        exit(1);
    if (fork() == 0)
        serve_unit(meter);
}

static void read_all(int from, uint8_t *bytes, size_t size)
{
    for (ssize_t got; size > 0; bytes += got, size -= (size_t)got)
        if ((got = read(from, bytes, size)) <= 0)
            exit(1);
}

static void write_all(int to, const uint8_t *bytes, size_t size)
{
    if (write(to, bytes, size) != (ssize_t)size)
        exit(1);
}

/* To the unit that it names: to read registers takes eight bytes. */
static void pass_question(const struct pollfd *ends)
{
    uint8_t question[8];
    read_all(ends[0].fd, question, sizeof question);
    if (question[0] >= 1 && question[0] <= UNITS)
        write_all(ends[question[0]].fd, question, sizeof question);
}

static void pass_answer(const struct pollfd *ends, int from)
{
    uint8_t bytes[MODBUS_RTU_MAX_ADU_LENGTH];
    ssize_t size = read(ends[from].fd, bytes, sizeof bytes);
    if (size > 0)
        write_all(ends[0].fd, bytes, (size_t)size);
}

static int serve_rtu(struct meter *meter)
{
    struct pollfd ends[UNITS + 2];
    char name[64];
    for (int i = 1; i <= UNITS; i++) {
        ends[i] = (struct pollfd){.fd = open_line(name), .events = POLLIN};
        start_unit(meter, i, name);
    }
    ends[0] = (struct pollfd){.fd = open_line(name), .events = POLLIN};
    ends[UNITS + 1] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    printf("%s %lld\n", name + strlen("/dev/pts/"), (long long)meter->start_ns);
    fflush(stdout);
    while (poll(ends, UNITS + 2, -1) > 0 && !ends[UNITS + 1].revents) {
        if (ends[0].revents & POLLIN)
            pass_question(ends);
        for (int i = 1; i <= UNITS; i++)
            if (ends[i].revents & POLLIN)
                pass_answer(ends, i);
    }
    return 0;
}

int main(int count, char **arguments)
{
    struct meter meter = {.fault = count > 3 ? arguments[3] : "none",
                          .start_ns = count > 4 ? atoll(arguments[4]) : clock_boot_ns()};
    for (size_t i = 0; count > 2 && i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, arguments[2]) == 0)
            meter.shape = &shapes[i];
    meter.registers = modbus_mapping_new(0, 0, REGISTERS, REGISTERS);
    if (!meter.shape || !meter.registers)
        return 2;
    return strcmp(arguments[1], "rtu") == 0 ? serve_rtu(&meter)
                                            : serve_tcp(&meter, count > 5 ? atoi(arguments[5]) : 0);
}
