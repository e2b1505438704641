/* Figures in wattmeters' answers that are no JSON: OIDs, registers, DCMI's bytes, packets of a serial line.
 */
#include "base/text.h"
#include "meter/wall/raw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void oids_are_numbers(void **state)
{
    (void)state;
    unsigned long parts[OID_PARTS_MOST];
    size_t count;
    struct error error = ERROR_INIT;
    assert_int_equal(oid_parse(".1.3.6.1.4.1.4294967295", parts, &count, &error), 0);
    assert_true(count == 7 && parts[0] == 1 && parts[6] == 4294967295UL);
    assert_int_equal(oid_parse("1.3", parts, &count, &error), 0);
    static const char *const wrong[] = {"",     ".",   "1", "1..3", "1.3.", "sysUpTime.0", "1.4294967296",
                                        "1.-3", "1.3 "};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(oid_parse(wrong[i], parts, &count, &error), -1);
        assert_non_null(strstr(error_text(&error), "expected an OID in numbers"));
        error_clear(&error);
    }
    struct text longest = TEXT_INIT;
    for (int i = 0; i < OID_PARTS_MOST + 1; i++)
        text_append(&longest, i ? ".1" : "1");
    assert_int_equal(oid_parse(longest.data, parts, &count, &error), -1);
    error_clear(&error);
    longest.data[longest.length - 2] = '\0';
    assert_int_equal(oid_parse(longest.data, parts, &count, &error), 0);
    assert_int_equal(count, OID_PARTS_MOST);
    text_free(&longest);
}

static void numbers_in_text_are_whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value; /* NAN: none */
    } cases[] = {{"121.5", 121.5}, {" -3 \r\n", -3}, {"0", 0},     {"1e3", 1000}, {"", NAN},    {"  ", NAN},
                 {"12 W", NAN},    {"1,5", NAN},     {"nan", NAN}, {"busy", NAN}, {"0x10", NAN}};
    double value = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int result = oid_text_value(cases[i].text, strlen(cases[i].text), &value);
        if (result != (isnan(cases[i].value) ? -1 : 0) || (result == 0 && value != cases[i].value))
            fail_msg("'%s': %d, %g", cases[i].text, result, value);
    }
    assert_int_equal(oid_text_value("7\0", 2, &value), 0); /* as some agents end their text */
    assert_int_equal(oid_text_value("7\0005", 3, &value), -1);
    char longest[64];
    memset(longest, '1', sizeof longest);
    assert_int_equal(oid_text_value(longest, 63, &value), 0);
    assert_int_equal(oid_text_value(longest, 64, &value), -1);
}

/* The words are those of published meters: docs/instruments.md. */
static void registers_are_read_as_their_meters_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        uint16_t first, words[4];
        double value;
    } cases[] = {
        {"input:0x000C:float32", 12, {0x42f3, 0x0000}, 121.5},
        {"input:72:float32", 72, {0x4521, 0xd400}, 2589.25},
        {"input:0x0028:int32:low-first", 40, {0x04bd, 0x0000}, 1213},
        {"input:0x0028:int32:low-first", 40, {0xfb43, 0xffff}, -1213},
        {"holding:19026:float32", 19026, {0xc2f3, 0x0000}, -121.5},
        {"holding:1:int16", 1, {0xffff}, -1},
        {"holding:1:uint16", 1, {0xffff}, 65535},
        {"holding:1:uint32", 1, {0xffff, 0xfffe}, 4294967294.0},
        {"holding:1:int64", 1, {0xffff, 0xffff, 0xffff, 0xfffe}, -2},
        {"holding:1:uint64:low-first", 1, {5, 0, 1, 0}, 4294967301.0},
        {"holding:1:float64", 1, {0x405e, 0x6000, 0, 0}, 121.5},
        {"input:1:float32", 1, {0x7fc0, 0}, NAN},
        {"input:1:float32", 1, {0x7f80, 0}, NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct registers registers;
        struct error error = ERROR_INIT;
        assert_int_equal(registers_parse(cases[i].at, &registers, &error), 0);
        assert_int_equal(registers.first, cases[i].first);
        assert_true(registers.holding == (cases[i].at[0] == 'h'));
        double value = registers_value(&registers, cases[i].words);
        if (!(value == cases[i].value || (isnan(value) && isnan(cases[i].value))))
            fail_msg("%s: %g", cases[i].at, value);
    }
    static const char *const wrong[] = {"",
                                        "input",
                                        "input:1",
                                        "coil:1:int16",
                                        "input:65536:int16",
                                        "input:-1:int16",
                                        "input:65535:int32",
                                        "input:1:float16",
                                        "input:1:int32:swapped",
                                        "input:0x:int16",
                                        "input:1:int32:low-first:x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct registers registers;
        struct error error = ERROR_INIT;
        if (registers_parse(wrong[i], &registers, &error) == 0)
            fail_msg("'%s' was taken for a register", wrong[i]);
        assert_non_null(strstr(error_text(&error), "as in input:0x000C:float32"));
        error_clear(&error);
    }
}

static void lines_are_set_as_they_say(void **state)
{
    (void)state;
    struct serial serial;
    struct error error = ERROR_INIT;
    assert_int_equal(serial_parse("9600 8N1", &serial, &error), 0);
    assert_true(serial.speed == 9600 && serial.data_bits == 8 && serial.parity == 'N' &&
                serial.stop_bits == 1);
    assert_int_equal(serial_parse("115200 7E2", &serial, &error), 0);
    assert_true(serial.speed == 115200 && serial.data_bits == 7 && serial.parity == 'E' &&
                serial.stop_bits == 2);
    static const char *const wrong[] = {"",          "9600",      "8N1",      " 8N1",     "9600 8N",
                                        "9600 8N12", "9600 9N1",  "9600 8M1", "9600 8N0", "9600  8N1",
                                        "9601 8N1",  "-9600 8N1", "0 8N1",    "9600 8n1", "96e2 8N1",
                                        "9600,8N1",  "9600 8N1 "};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (serial_parse(wrong[i], &serial, &error) == 0)
            fail_msg("'%s' was taken for a line's settings", wrong[i]);
        assert_non_null(strstr(error_text(&error), "as in 9600 8N1"));
        error_clear(&error);
    }
}

static void dcmi_readings_are_believed_only_while_they_are_any(void **state)
{
    (void)state;
    static const struct {
        uint8_t answer[18];
        size_t size;
        bool big_endian;
        double power_w; /* 0: an error */
        const char *message;
    } cases[] = {
        {{0xdc, 0xb0, 0, 1, 0, 0xa0, 0x19, 0x71, 0, 0x5c, 0x92, 0x88, 0x63, 0xe8, 3, 0, 0, 0x40},
         18,
         false,
         176,
         ""},
        {{0xdc, 0, 0xa4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xd9, 0xc1, 0x95, 0x4c, 0xff, 0xff, 0xff, 0xff,
          0x40},
         18,
         true,
         164,
         ""},
        {{0xdc, 0, 0xa4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xd9, 0xc1, 0x95, 0x4c, 0xff, 0xff, 0xff, 0xff,
          0x40},
         18,
         false,
         0,
         "the BMC says 41984 W, which no server takes"},
        {{0xdc, 0xea, 0, 1, 0, 0xa0, 0x19, 0x71, 0, 0, 0, 0, 0, 0xe8, 3, 0, 0, 0},
         18,
         false,
         0,
         "switched off"},
        {{0xdc, 0, 0, 1, 0, 0xa0, 0x19, 0x71, 0, 0, 0, 0, 0, 0xe8, 3, 0, 0, 0x40}, 18, false, 0, "it says 0"},
        {{0xdc, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe8, 3, 0, 0, 0x40},
         18,
         false,
         0,
         "it says 65535"},
        {{0xdc, 0xb0, 0}, 3, false, 0, "none of DCMI's power readings"},
        {{0xdd, 0xb0, 0}, 18, false, 0, "none of DCMI's power readings"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        double power_w = 0;
        int result = dcmi_power(cases[i].answer, cases[i].size, cases[i].big_endian, &power_w, &error);
        assert_int_equal(result, cases[i].power_w > 0 ? 0 : -1);
        assert_true(power_w == cases[i].power_w);
        if (result < 0 && !strstr(error_text(&error), cases[i].message))
            fail_msg("expected '%s', found '%s'", cases[i].message, error_text(&error));
        error_clear(&error);
    }
}

static size_t feed(struct wattsup_stream *stream, const char *text, struct wattsup_reading *reading)
{
    size_t count = 0;
    for (; *text; text++)
        count += wattsup_feed(stream, *text, reading);
    return count;
}

static void packets_are_found_in_what_the_line_brings(void **state)
{
    (void)state;
    struct wattsup_stream stream = {0};
    struct wattsup_reading reading;
    assert_int_equal(feed(&stream, "EED05F01 $Revision: 4.41 $ 200612212301 60Hz 120V\r\n", &reading), 0);
    assert_int_equal(feed(&stream,
                          "#h,-,18,W,V,A,WH,Cost,WH/Mo,Cost/Mo,Wmax,Vmax,Amax,Wmin,Vmin,Amin,PF,DC,PC,Hz,VA;",
                          &reading),
                     0);
    assert_int_equal(feed(&stream,
                          "#d,-,18,965,2277,433,12,0,69384,0,980,2290,440,10,2200,5,97,100,1,500,986;\r\n",
                          &reading),
                     1);
    assert_true(fabs(reading.power_w - 96.5) < 1e-9 && fabs(reading.energy_j - 12 * 360.0) < 1e-9);
    assert_int_equal(feed(&stream, "#d,-,4,965,_,_,_;", &reading), 1);
    assert_true(isnan(reading.energy_j));
    assert_int_equal(feed(&stream, "#d,-,3,", &reading), 0);
    assert_int_equal(feed(&stream, "12\r\n\t3,2300,5;", &reading), 1);
    assert_true(fabs(reading.power_w - 12.3) < 1e-9 && isnan(reading.energy_j));
    static const char *const wrong[] = {"#d,-,18,965,2277;", "#d,-,1,-5;", "#d,-,1,9x;", "#d,-,2,_;",
                                        "#v,-,1,1;",         "#d;",        "#;",         ";"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (feed(&stream, wrong[i], &reading) != 0)
            fail_msg("'%s' was taken for a reading", wrong[i]);
    /* one that lost its end is dropped at the next beginning, one too long at once */
    assert_int_equal(feed(&stream, "#d,-,18,96#d,-,1,50;", &reading), 1);
    assert_true(fabs(reading.power_w - 5) < 1e-9);
    assert_int_equal(feed(&stream, "#d,-,1,1", &reading), 0);
    for (int i = 0; i < WATTSUP_LINE_MOST; i++)
        assert_false(wattsup_feed(&stream, '1', &reading));
    assert_int_equal(feed(&stream, ";", &reading), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oids_are_numbers),
        cmocka_unit_test(numbers_in_text_are_whole_numbers),
        cmocka_unit_test(registers_are_read_as_their_meters_write_them),
        cmocka_unit_test(lines_are_set_as_they_say),
        cmocka_unit_test(dcmi_readings_are_believed_only_while_they_are_any),
        cmocka_unit_test(packets_are_found_in_what_the_line_brings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
