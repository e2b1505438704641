/* Granting and revoking on a machine that is a temporary folder and a list of commands that were run. */
#include "meter/grant.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define RULE   "/etc/udev/rules.d/60-joulery.rules"
#define ENERGY "/sys/class/powercap/intel-rapl:0/energy_uj"

struct machine {
    char *root;
    bool group, udev, fails;
    struct text ran; /* one line a command */
};

static bool has_group(void *context, const char *group)
{
    (void)group;
    return ((struct machine *)context)->group;
}

static bool has_program(void *context, const char *program)
{
    (void)program;
    return ((struct machine *)context)->udev;
}

static int run(void *context, char *const *argv, struct error *error)
{
    struct machine *machine = context;
    if (machine->fails)
        return error_set(error, "no such luck");
    for (size_t i = 0; argv[i]; i++)
        text_printf(&machine->ran, "%s%s", argv[i], argv[i + 1] ? " " : "\n");
    return 0;
}

static struct grant_machine grant_machine(struct machine *machine)
{
    return (struct grant_machine){.root = machine->root,
                                  .has_group = has_group,
                                  .has_program = has_program,
                                  .run = run,
                                  .context = machine};
}

static void put(const struct machine *machine, const char *path, const char *content, mode_t mode)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *full = text_format("%s%s", machine->root, path);
    AUTO_FREE char *folder = strndup(full, (size_t)(strrchr(full, '/') - full));
    AUTO_FREE char *command = text_format("mkdir -p '%s'", folder);
    assert_int_equal(system(command), 0);
    if (file_write(full, content, strlen(content), &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_int_equal(chmod(full, mode), 0);
}

static int make_machine(void **state)
{
    struct machine *machine = calloc(1, sizeof *machine);
    machine->root = strdup("/tmp/joulery-grant-XXXXXX");
    *state = machine;
    if (!mkdtemp(machine->root))
        return -1;
    put(machine, ENERGY, "1\n", 0400);
    put(machine, "/sys/class/powercap/intel-rapl:0:1/energy_uj", "1\n", 0400);
    put(machine, "/sys/class/hwmon/hwmon0/energy1_input", "1\n", 0440);
    put(machine, "/sys/class/hwmon/hwmon1/energy1_input", "1\n", 0444); /* everybody's */
    put(machine, "/etc/udev/rules.d/README", "", 0644);
    return 0;
}

static int remove_machine(void **state)
{
    struct machine *machine = *state;
    AUTO_FREE char *command = text_format("rm -rf '%s'", machine->root);
    int status = system(command);
    text_free(&machine->ran);
    free(machine->root);
    free(machine);
    return status;
}

static void do_all(const struct grant_machine *machine, const struct grant_plan *plan)
{
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < plan->count; i++)
        if (grant_do(machine, &plan->steps[i], &error) < 0)
            fail_msg("%s", error_text(&error));
}

static void grant(struct machine *machine, const char *group)
{
    struct error error = ERROR_INIT;
    struct grant_plan plan;
    const struct grant_machine at = grant_machine(machine);
    if (grant_plan(&at, group, &plan, &error) < 0)
        fail_msg("%s", error_text(&error));
    do_all(&at, &plan);
    grant_plan_free(&plan);
}

static char *rule_of(const struct machine *machine)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = text_format("%s" RULE, machine->root);
    char *rule = file_read(path, 1u << 16, NULL, &error);
    error_clear(&error);
    return rule;
}

static void the_rule_names_the_group_and_the_files(void **state)
{
    struct machine *machine = *state;
    machine->udev = true;
    grant(machine, "energy");
    AUTO_FREE char *rule = rule_of(machine);
    assert_non_null(rule);
    assert_non_null(strstr(rule, "RUN+=\"/bin/chgrp energy %S%p/energy_uj\""));
    assert_non_null(strstr(rule, "ATTR{name}==\"amd_energy\""));
    assert_string_equal(machine->ran.data,
                        "groupadd --system energy\n"
                        "udevadm control --reload\n"
                        "udevadm trigger --action=change --settle --subsystem-match=powercap\n"
                        "udevadm trigger --action=change --settle --subsystem-match=hwmon\n");
}

static void a_group_that_is_there_is_not_made(void **state)
{
    struct machine *machine = *state;
    machine->udev = machine->group = true;
    grant(machine, "joulery");
    assert_null(strstr(machine->ran.data, "groupadd"));
}

static void without_udev_the_files_are_opened_themselves(void **state)
{
    struct machine *machine = *state;
    machine->group = true;
    grant(machine, "joulery");
    AUTO_FREE char *expected =
        text_format("chgrp joulery %s" ENERGY "\nchmod g+r %s" ENERGY "\n", machine->root, machine->root);
    assert_non_null(strstr(machine->ran.data, expected));
    assert_non_null(strstr(machine->ran.data, "intel-rapl:0:1/energy_uj"));
    assert_non_null(strstr(machine->ran.data, "hwmon0/energy1_input"));
    assert_null(strstr(machine->ran.data, "hwmon1"));
    assert_null(strstr(machine->ran.data, "udevadm"));
}

static void planning_changes_nothing(void **state)
{
    struct machine *machine = *state;
    struct grant_plan plan;
    struct error error = ERROR_INIT;
    const struct grant_machine at = grant_machine(machine);
    assert_int_equal(grant_plan(&at, "joulery", &plan, &error), 0);
    assert_true(plan.count > 3);
    AUTO_FREE char *text = grant_step_text(&plan.steps[0]);
    assert_string_equal(text, "write " RULE);
    grant_plan_free(&plan);
    AUTO_FREE char *rule = rule_of(machine);
    assert_null(rule);
    assert_null(machine->ran.data);
}

static void revoking_removes_the_rule_and_closes_the_files(void **state)
{
    struct machine *machine = *state;
    if (geteuid() != 0)
        skip(); /* only root can give a file to a group it is not in */
    machine->group = true;
    grant(machine, "joulery");
    AUTO_FREE char *energy = text_format("%s" ENERGY, machine->root);
    assert_int_equal(chown(energy, 0, 12345), 0);
    assert_int_equal(chmod(energy, 0440), 0);
    size_t files, readable;
    const struct grant_machine at = grant_machine(machine);
    grant_count(&at, &files, &readable);
    assert_int_equal(files, 3);
    assert_int_equal(readable, 1);
    text_free(&machine->ran);
    machine->ran = (struct text)TEXT_INIT;
    struct grant_plan plan;
    struct error error = ERROR_INIT;
    assert_int_equal(grant_plan_revoke(&at, &plan, &error), 0);
    do_all(&at, &plan);
    grant_plan_free(&plan);
    AUTO_FREE char *expected = text_format("chgrp root %s\nchmod g-r %s\n", energy, energy);
    assert_string_equal(machine->ran.data, expected);
    AUTO_FREE char *rule = rule_of(machine);
    assert_null(rule);
}

static void nothing_to_revoke_is_an_empty_plan(void **state)
{
    struct machine *machine = *state;
    struct grant_plan plan;
    struct error error = ERROR_INIT;
    const struct grant_machine at = grant_machine(machine);
    if (geteuid() != 0)
        skip(); /* the files of this test's machine belong to our own group */
    assert_int_equal(grant_plan_revoke(&at, &plan, &error), 0);
    assert_int_equal(plan.count, 0);
    grant_plan_free(&plan);
}

static void a_rule_of_somebody_else_is_left_alone(void **state)
{
    struct machine *machine = *state;
    put(machine, RULE, "# mine\n", 0644);
    struct grant_plan plan;
    struct error error = ERROR_INIT;
    const struct grant_machine at = grant_machine(machine);
    assert_int_equal(grant_plan(&at, "joulery", &plan, &error), -1);
    assert_non_null(strstr(error_text(&error), "not written by joulery"));
    assert_int_equal(grant_plan_revoke(&at, &plan, &error), -1);
    error_clear(&error);
    AUTO_FREE char *rule = rule_of(machine);
    assert_string_equal(rule, "# mine\n");
}

static void a_name_that_is_no_group_never_gets_into_a_rule(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "a b",
                                        "x\"; RUN+=\"/bin/sh",
                                        "x'y",
                                        "-rf",
                                        "9a",
                                        "A",
                                        "root",
                                        "a\nb",
                                        "$x",
                                        "x/y",
                                        "ü",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error error = ERROR_INIT;
        if (grant_check_group(wrong[i], &error) == 0)
            fail_msg("'%s' was taken", wrong[i]);
        error_clear(&error);
    }
    struct error error = ERROR_INIT;
    assert_int_equal(grant_check_group("_energy-2", &error), 0);
}

static void a_step_that_fails_says_so(void **state)
{
    struct machine *machine = *state;
    machine->fails = true;
    struct grant_plan plan;
    struct error error = ERROR_INIT;
    const struct grant_machine at = grant_machine(machine);
    assert_int_equal(grant_plan(&at, "joulery", &plan, &error), 0);
    assert_int_equal(grant_do(&at, &plan.steps[1], &error), -1);
    assert_string_equal(error_text(&error), "no such luck");
    AUTO_FREE char *folder = text_format("rm -rf '%s/etc'", machine->root);
    assert_int_equal(system(folder), 0);
    assert_int_equal(grant_do(&at, &plan.steps[0], &error), -1);
    assert_non_null(strstr(error_text(&error), "is udev installed"));
    error_clear(&error);
    grant_plan_free(&plan);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_machine, remove_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_rule_names_the_group_and_the_files),
        TEST(a_group_that_is_there_is_not_made),
        TEST(without_udev_the_files_are_opened_themselves),
        TEST(planning_changes_nothing),
        TEST(revoking_removes_the_rule_and_closes_the_files),
        TEST(nothing_to_revoke_is_an_empty_plan),
        TEST(a_rule_of_somebody_else_is_left_alone),
        TEST(a_name_that_is_no_group_never_gets_into_a_rule),
        TEST(a_step_that_fails_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
