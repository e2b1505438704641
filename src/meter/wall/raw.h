/* raw.h: figures in answers that are no JSON: where they stand, and what the bytes say. */
#ifndef JOULERY_METER_WALL_RAW_H
#define JOULERY_METER_WALL_RAW_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- oid.c: SNMP ---- */

#define OID_PARTS_MOST 128 /* RFC 3416 */

/* ".1.3.6.1" or "1.3.6.1": numbers alone, for that needs no MIB files. */
int oid_parse(const char *text, unsigned long parts[OID_PARTS_MOST], size_t *count, struct error *error);
/* Some agents write a number as text: "121.5", blanks around it. -1: it is none, or longer than any. */
int oid_text_value(const void *bytes, size_t size, double *value);

/* ---- registers.c: Modbus ---- */

enum register_kind {
    REGISTER_INT16,
    REGISTER_UINT16,
    REGISTER_INT32,
    REGISTER_UINT32,
    REGISTER_FLOAT32,
    REGISTER_INT64,
    REGISTER_UINT64,
    REGISTER_FLOAT64,
};

struct registers {
    bool holding; /* function 3; else input registers, function 4 */
    uint16_t first, count;
    enum register_kind kind;
    bool low_first; /* the word of least weight comes first; bytes in a word are always high first */
};

/* "input:0x0028:int32:low-first", "holding:19026:float32"; addresses as on the wire, from 0. */
int registers_parse(const char *text, struct registers *registers, struct error *error);
/* Of `registers->count` words. NAN where a float is none. */
double registers_value(const struct registers *registers, const uint16_t *words);

/* ---- dcmi.c: IPMI ---- */

/* Get Power Reading of DCMI 1.5, section 6.6.1, after the completion code. `big_endian`: the power's bytes
 * are the other way round, as one known BMC has them. -1: another command's, or one that is no reading: its
 * measurement is switched off, 0 W or more than any server takes. */
int dcmi_power(const uint8_t *answer, size_t size, bool big_endian, double *power_w, struct error *error);

/* ---- serial.c: serial lines ---- */

struct serial {
    unsigned speed; /* bits a second */
    unsigned data_bits, stop_bits;
    char parity; /* 'N', 'E' or 'O' */
};

/* "9600 8N1", "19200 8E1". */
int serial_parse(const char *text, struct serial *serial, struct error *error);

/* ---- wattsup.c: the serial protocol of Watts Up? ---- */

struct wattsup_reading {
    double power_w, energy_j; /* NAN: not logged */
};

#define WATTSUP_LINE_MOST 512

/* Bytes as they come, in pieces: packets are "#…;", and what stands between them is dropped. */
struct wattsup_stream {
    char packet[WATTSUP_LINE_MOST];
    size_t length; /* 0: outside a packet */
};

/* True: this byte ended a packet of data, which is in `*reading`. */
bool wattsup_feed(struct wattsup_stream *stream, char byte, struct wattsup_reading *reading);

#endif
