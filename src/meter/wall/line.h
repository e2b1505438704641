/* line.h: speed and framing of a serial line, as a site file writes them. */
#ifndef JOULERY_METER_WALL_LINE_H
#define JOULERY_METER_WALL_LINE_H

#include "base/error.h"

struct line {
    unsigned speed; /* bit/s: 1200, 2400, … 230400 */
    char parity;    /* 'N', 'E' or 'O' */
    unsigned data_bits, stop_bits;
};

/* "9600 8N1": speed, 7 or 8 data bits, parity, 1 or 2 stop bits. */
int line_parse(const char *text, struct line *line, struct error *error);

#endif
