/* The same bytes as each of the answers that are no JSON, and as what a site file says of them. */
#include "base/clock.h"
#include "base/text.h"
#include "meter/wall/raw.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_text(const char *text)
{
    unsigned long parts[OID_PARTS_MOST];
    size_t count;
    int64_t wall_ns;
    struct registers registers;
    struct serial serial;
    struct error error = ERROR_INIT;
    if (oid_parse(text, parts, &count, &error) == 0 && (count < 2 || count > OID_PARTS_MOST))
        abort();
    error_clear(&error);
    if (registers_parse(text, &registers, &error) == 0) {
        uint16_t words[4] = {0x4521, 0xd400, 1, 2};
        if (registers.count > 4 || isinf(registers_value(&registers, words)))
            abort();
    }
    error_clear(&error);
    clock_parse_time(text, &wall_ns);
    if (serial_parse(text, &serial, &error) == 0 &&
        (serial.speed < 300 || serial.data_bits < 7 || serial.stop_bits > 2))
        abort();
    error_clear(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wattsup_stream stream = {0};
    struct error error = ERROR_INIT;
    double power_w;
    for (size_t i = 0; i < size; i++) {
        struct wattsup_reading reading;
        if (wattsup_feed(&stream, (char)data[i], &reading) && (reading.power_w < 0 || reading.energy_j < 0))
            abort();
    }
    for (int big_endian = 0; big_endian < 2; big_endian++) {
        if (dcmi_power(data, size, big_endian, &power_w, &error) == 0 && !(power_w > 0))
            abort();
        error_clear(&error);
    }
    if (oid_text_value(data, size, &power_w) == 0 && !isfinite(power_w))
        abort();
    AUTO_FREE char *text = strndup(size ? (const char *)data : "", size);
    if (text)
        try_text(text);
    return 0;
}
