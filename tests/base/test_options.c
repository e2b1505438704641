#include "base/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct given {
    bool quiet;
    const char *arch, *augment;
    uint64_t epochs;
    double rate;
    struct option_list factors;
};

static enum options_result parse(struct given *given, bool stop, int argc, char **argv,
                                 struct operands *operands, struct error *error)
{
    const struct option options[] = {
        {.kind = OPTION_HEADING, .help = "how"},
        {"--quiet", 'q', OPTION_FLAG, &given->quiet, NULL, "say less", 0, 0},
        {"--arch", 0, OPTION_TEXT, &given->arch, "NAME", "architecture", 0, 0},
        {"--epochs", 'e', OPTION_COUNT, &given->epochs, "N", "epochs", 1, 100},
        {"--augment", 0, OPTION_MAYBE, &given->augment, "[LIST]", "augment", 0, 0},
        {"--rate", 0, OPTION_NUMBER, &given->rate, "HZ", "rate", 0.1, 1000},
        {"--factor", 0, OPTION_LIST, &given->factors, "F=L", "factor", 0, 0},
    };
    const struct command_line line = {.usage = "test [options] FILE",
                                      .purpose = "Tests.",
                                      .options = options,
                                      .option_count = sizeof options / sizeof *options,
                                      .operands_least = 1,
                                      .operands_most = stop ? SIZE_MAX : 1,
                                      .stop_at_operand = stop};
    return options_parse(&line, argc, argv, operands, error);
}

static void all_forms_are_understood(void **state)
{
    (void)state;
    struct given given = {0};
    struct operands operands;
    struct error error = ERROR_INIT;
    char *argv[] = {"test",   "--arch=vgg16", "file",     "-q",  "-e",       "7",
                    "--rate", "2.5",          "--factor", "a=1", "--factor", "b=2"};
    assert_int_equal(parse(&given, false, 12, argv, &operands, &error), OPTIONS_OK);
    assert_true(given.quiet);
    assert_string_equal(given.arch, "vgg16");
    assert_int_equal(given.epochs, 7);
    assert_true(given.rate == 2.5);
    assert_int_equal(given.factors.count, 2);
    assert_string_equal(given.factors.items[1], "b=2");
    assert_int_equal(operands.count, 1);
    assert_string_equal(operands.items[0], "file");
    options_list_free(&given.factors);
}

static void a_value_that_may_be_left_out_is_taken_where_there_is_one(void **state)
{
    (void)state;
    struct operands operands;
    struct error error = ERROR_INIT;
    static const struct {
        char *argv[5];
        int argc;
        const char *augment;
    } cases[] = {
        {{"test", "file", "--augment"}, 3, ""},
        {{"test", "file", "--augment", "-e", "7"}, 5, ""},
        {{"test", "--augment", "paper", "file"}, 4, "paper"},
        {{"test", "--augment=flip", "file", "-q"}, 4, "flip"},
        {{"test", "file"}, 2, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct given given = {0};
        char *argv[5];
        memcpy(argv, cases[i].argv, sizeof argv);
        assert_int_equal(parse(&given, false, cases[i].argc, argv, &operands, &error), OPTIONS_OK);
        assert_int_equal(given.augment != NULL, cases[i].augment != NULL);
        if (given.augment)
            assert_string_equal(given.augment, cases[i].augment);
    }
}

static void a_command_keeps_its_own_options(void **state)
{
    (void)state;
    struct given given = {0};
    struct operands operands;
    struct error error = ERROR_INIT;
    char *argv[] = {"test", "-q", "--", "python3", "-c", "--epochs"};
    assert_int_equal(parse(&given, true, 6, argv, &operands, &error), OPTIONS_OK);
    assert_int_equal(operands.count, 3);
    assert_string_equal(operands.items[2], "--epochs");
    char *bare[] = {"test", "ls", "-q", "--", "x"};
    given.quiet = false;
    assert_int_equal(parse(&given, true, 5, bare, &operands, &error), OPTIONS_OK);
    assert_false(given.quiet);
    assert_int_equal(operands.count, 4);
    assert_string_equal(operands.items[2], "--");
}

static void wrong_is(const char *expected, int argc, char **argv)
{
    struct given given = {0};
    struct operands operands;
    struct error error = ERROR_INIT;
    assert_int_equal(parse(&given, false, argc, argv, &operands, &error), OPTIONS_WRONG);
    assert_non_null(strstr(error_text(&error), expected));
    error_clear(&error);
    options_list_free(&given.factors);
}

static void wrong_usage_says_what_and_what_to_do(void **state)
{
    (void)state;
    wrong_is("did you mean --epochs?", 3, (char *[]){"test", "--epoch", "3"});
    wrong_is("--epochs: expected 1 to 100, found '0'", 4, (char *[]){"test", "--epochs", "0", "f"});
    wrong_is("expected a whole number, found 'ten'", 4, (char *[]){"test", "--epochs", "ten", "f"});
    wrong_is("--rate: expected 0.1 to 1000", 3, (char *[]){"test", "--rate=0", "f"});
    wrong_is("--arch needs a value", 3, (char *[]){"test", "f", "--arch"});
    wrong_is("takes no value", 3, (char *[]){"test", "--quiet=1", "f"});
    wrong_is("too few arguments", 1, (char *[]){"test"});
    wrong_is("unexpected argument 'g'", 3, (char *[]){"test", "f", "g"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_are_understood),
        cmocka_unit_test(a_value_that_may_be_left_out_is_taken_where_there_is_one),
        cmocka_unit_test(a_command_keeps_its_own_options),
        cmocka_unit_test(wrong_usage_says_what_and_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
