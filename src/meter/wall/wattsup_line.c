/* Watts Up? meters (PRO, ES, .NET) on a serial line, by the vendor's Communications Protocol v4.42: once told
 * to, they send a packet at every interval. */
#include "base/clock.h"
#include "base/text.h"
#include "meter/wall/raw.h"
#include "meter/wall/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define SCHEME "wattsup://"

/* USB's FTDI; meters of the first hardware have 19200. */
#define USUAL_SERIAL "115200 8N1"

#define J_PER_WH 3600.0

struct wattsup {
    const struct wall_device *device;
    const char *path;
    struct serial serial;
    int descriptor; /* -1: not open */
    struct wattsup_stream stream;
    bool started;    /* told to send, and not late since */
    int64_t news_ns; /* the latest packet, or when it was told to send */
};

static int check_place(const char *what, const char *at, const char *expected, struct error *error)
{
    if (!at || strcmp(at, expected) == 0)
        return 0;
    return error_set(error, "%s: at: expected %s, as the meter calls it, found '%.40s'", what, expected, at);
}

static int wattsup_check(const struct wall_device *device, struct error *error)
{
    const char *path = device->url + strlen(SCHEME);
    struct serial serial;
    if (path[0] != '/' || !path[1])
        return error_set(error, "expected the line's file, as in " SCHEME "/dev/ttyUSB0");
    if (check_place("power", device->power.at, "W", error) < 0 ||
        check_place("energy", device->energy.at, "WH", error) < 0)
        return -1;
    if (device->serial && serial_parse(device->serial, &serial, error) < 0)
        return error_prefix(error, "serial");
    return 0;
}

static void *wattsup_open(const struct wall_device *device, struct error *error)
{
    struct wattsup *meter = calloc(1, sizeof *meter);
    if (!meter) {
        error_memory(error, device->name);
        return NULL;
    }
    meter->device = device;
    meter->path = device->url + strlen(SCHEME);
    meter->descriptor = -1;
    if (serial_parse(device->serial ? device->serial : USUAL_SERIAL, &meter->serial, error) == 0)
        return meter;
    free(meter);
    return NULL;
}

static void hang_up(struct wattsup *meter)
{
    if (meter->descriptor >= 0) {
        ioctl(meter->descriptor, TIOCNXCL);
        close(meter->descriptor);
    }
    meter->descriptor = -1;
    meter->started = false;
}

static void wattsup_close(void *state)
{
    struct wattsup *meter = state;
    hang_up(meter);
    free(meter);
}

/* ---- the line ---- */

static int say(const struct wattsup *meter, const char *words, struct error *error)
{
    return error_set(error, "%s: %s: %s", meter->device->name, meter->path, words);
}

static int say_errno(const struct wattsup *meter, int number, struct error *error)
{
    static const struct {
        int number;
        const char *words;
    } known[] = {
        {ENOENT, "there is no such line: is the meter plugged in?"},
        {ENXIO, "there is no such line: is the meter plugged in?"},
        {ENODEV, "there is no such line: is the meter plugged in?"},
        {EIO, "the line is gone: was the meter unplugged?"},
        {EACCES,
         "permission denied: the line's group may use it: sudo usermod -aG dialout $USER, then log in "
         "anew"},
        {EBUSY, "another program has the line"},
        {ENOTTY, "this is no serial line"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].number == number)
            return say(meter, known[i].words, error);
    return say(meter, strerror(number), error);
}

static speed_t code_of(unsigned speed)
{
    static const struct {
        unsigned speed;
        speed_t code;
    } speeds[] = {{300, B300},       {600, B600},       {1200, B1200},    {2400, B2400},   {4800, B4800},
                  {9600, B9600},     {19200, B19200},   {38400, B38400},  {57600, B57600}, {115200, B115200},
                  {230400, B230400}, {460800, B460800}, {921600, B921600}};
    for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++)
        if (speeds[i].speed == speed)
            return speeds[i].code;
    return B0;
}

/* Bytes as they are, no modem's wires. VMIN: a read of 0 bytes is then a line that is gone. */
static int set_line(const struct wattsup *meter)
{
    struct termios settings;
    const struct serial *serial = &meter->serial;
    if (tcgetattr(meter->descriptor, &settings) < 0)
        return -1;
    cfmakeraw(&settings);
    settings.c_cflag &= ~(tcflag_t)(CSIZE | CSTOPB | PARENB | PARODD | CRTSCTS);
    settings.c_cflag |= CLOCAL | CREAD | (serial->data_bits == 7 ? CS7 : CS8) |
                        (serial->stop_bits == 2 ? CSTOPB : 0) | (serial->parity != 'N' ? PARENB : 0) |
                        (serial->parity == 'O' ? PARODD : 0);
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    if (cfsetspeed(&settings, code_of(serial->speed)) < 0)
        return -1;
    return tcsetattr(meter->descriptor, TCSANOW, &settings);
}

static int pick_up(struct wattsup *meter, struct error *error)
{
    meter->descriptor = open(meter->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (meter->descriptor >= 0 && set_line(meter) == 0 && ioctl(meter->descriptor, TIOCEXCL) == 0)
        return 0;
    say_errno(meter, errno, error);
    hang_up(meter);
    return -1;
}

/* The meter counts whole seconds. */
static double period_s(const struct wattsup *meter)
{
    return fmax(round(meter->device->interval_s), 1);
}

/* What has lain in the line meanwhile is of an unknown age, and dropped. */
static int tell_to_send(struct wattsup *meter, struct error *error)
{
    AUTO_FREE char *start = text_format("#L,W,3,E,,%.0f;", period_s(meter));
    if (!start)
        return error_memory(error, meter->device->name);
    tcflush(meter->descriptor, TCIOFLUSH);
    meter->stream = (struct wattsup_stream){0};
    ssize_t count = write(meter->descriptor, start, strlen(start));
    if (count == (ssize_t)strlen(start)) {
        meter->started = true;
        meter->news_ns = clock_boot_ns();
        return 0;
    }
    say_errno(meter, count < 0 ? errno : EIO, error);
    hang_up(meter);
    return -1;
}

/* ---- packets ---- */

/* Of what came together the latest packet counts: when the earlier ones came nobody knows. */
static bool take_bytes(struct wattsup *meter, const char *bytes, size_t count,
                       struct wattsup_reading *reading)
{
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any |= wattsup_feed(&meter->stream, bytes[i], reading);
    return any;
}

/* 1: a packet of data ended; 0: none did until `until_ns`; -1: the line is gone. */
static int wait_for_packet(struct wattsup *meter, int64_t until_ns, struct wattsup_reading *reading,
                           struct error *error)
{
    for (int64_t now = clock_boot_ns(); now < until_ns; now = clock_boot_ns()) {
        struct pollfd line = {.fd = meter->descriptor, .events = POLLIN};
        char bytes[WATTSUP_LINE_MOST];
        int ready = poll(&line, 1, (int)((until_ns - now) / (NS_PER_S / 1000)) + 1);
        ssize_t count = ready > 0 ? read(meter->descriptor, bytes, sizeof bytes) : 0;
        bool failed = (ready < 0 || count < 0) && errno != EINTR && errno != EAGAIN;
        if (failed || (ready > 0 && count == 0)) {
            say_errno(meter, failed ? errno : EIO, error);
            hang_up(meter);
            return -1;
        }
        if (count > 0 && take_bytes(meter, bytes, (size_t)count, reading)) {
            meter->news_ns = clock_boot_ns();
            return 1;
        }
    }
    return 0;
}

/* A meter that is between two packets has not failed; one that is late is told anew. */
static int no_packet(struct wattsup *meter, struct error *error)
{
    double silent_s = (double)(clock_boot_ns() - meter->news_ns) / NS_PER_S;
    if (silent_s < fmax(meter->device->timeout_s, 1.5 * period_s(meter)))
        return 0;
    meter->started = false;
    return error_set(error,
                     "%s: %s: no packet for %.0f s at %u %u%c%u: is this a Watts Up? meter, and has its line "
                     "this speed (serial: 19200 8N1 for the first of them)?",
                     meter->device->name, meter->path, silent_s, meter->serial.speed, meter->serial.data_bits,
                     meter->serial.parity, meter->serial.stop_bits);
}

static int wattsup_ask(void *state, struct wall_answer *answer, struct error *error)
{
    struct wattsup *meter = state;
    const struct wall_device *d = meter->device;
    struct wattsup_reading reading;
    if ((meter->descriptor < 0 && pick_up(meter, error) < 0) ||
        (!meter->started && tell_to_send(meter, error) < 0))
        return -1;
    int64_t until_ns = clock_boot_ns() + (int64_t)(d->timeout_s * NS_PER_S);
    int packet = wait_for_packet(meter, until_ns, &reading, error);
    if (packet <= 0)
        return packet < 0 ? -1 : no_packet(meter, error);
    answer->boot_ns = meter->news_ns;
    if (d->power.at)
        answer->power_w = d->power.factor * reading.power_w;
    if (d->energy.at)
        answer->energy_j = d->energy.factor * reading.energy_j / J_PER_WH;
    return 0;
}

const struct transport wattsup_transport = {
    .name = "wattsup",
    .pushes = true,
    .serial = true,
    .check = wattsup_check,
    .open = wattsup_open,
    .ask = wattsup_ask,
    .close = wattsup_close,
};
