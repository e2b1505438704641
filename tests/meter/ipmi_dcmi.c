/* What ipmi_sim lacks of a BMC: DCMI's Get Power Reading, as a module of it (loadlib, ipmi_lan(5)). Its
 * option is the start, CLOCK_BOOTTIME in ns, and what it is like: "fair"; "big-endian"; "off": its
 * measurement is switched off; "stubborn": no privilege is enough. Power is 100 W + 40 W sin(2 pi t / 3 s) in
 * whole watts, t from the start. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <OpenIPMI/serv.h>

#include <OpenIPMI/mcserv.h>

#define DCMI                   0xdc
#define GET_POWER_READING      0x02
#define ANSWER_BYTES           19
#define ACTIVE                 0x40
#define INVALID_COMMAND        0xc1
#define REQUEST_LENGTH_INVALID 0xc7
#define INSUFFICIENT_PRIVILEGE 0xd4

/* ipmi_sim gives a module nothing else to keep its state in. */
static long long start_ns;
static char kind[16];

int ipmi_sim_module_print_version(sys_data_t *system, char *options);
int ipmi_sim_module_init(sys_data_t *system, const char *options);

static unsigned power_w(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    double t = (double)(now.tv_sec * 1000000000LL + now.tv_nsec - start_ns) / 1e9;
    return (unsigned)lround(100 + 40 * sin(2 * M_PI * t / 3));
}

static void answer(lmc_data_t *mc, msg_t *message, unsigned char *bytes, unsigned *size, void *context)
{
    static const unsigned char rest[] = {1, 0, 0xa0, 0x19, 0x71, 0, 0x5c, 0x92, 0x88, 0x63, 0xe8, 3, 0, 0};
    unsigned power = power_w();
    int high_first = strcmp(kind, "big-endian") == 0;
    (void)mc;
    (void)context;
    *size = 1;
    bytes[0] = message->cmd != GET_POWER_READING ? INVALID_COMMAND
               : message->len != 4               ? REQUEST_LENGTH_INVALID
               : strcmp(kind, "stubborn") == 0   ? INSUFFICIENT_PRIVILEGE
                                                 : 0;
    if (bytes[0])
        return;
    bytes[1] = DCMI;
    bytes[high_first ? 3 : 2] = (unsigned char)(power & 0xff);
    bytes[high_first ? 2 : 3] = (unsigned char)(power >> 8);
    memcpy(bytes + 4, rest, sizeof rest);
    bytes[18] = strcmp(kind, "off") == 0 ? 0 : ACTIVE;
    *size = ANSWER_BYTES;
}

int ipmi_sim_module_print_version(sys_data_t *system, char *options)
{
    (void)system;
    (void)options;
    return 0;
}

int ipmi_sim_module_init(sys_data_t *system, const char *options)
{
    (void)system;
    if (sscanf(options, "%lld %15s", &start_ns, kind) != 2)
        return 22; /* EINVAL */
    ipmi_emu_register_group_extension_handler(DCMI, answer, NULL);
    return 0;
}
