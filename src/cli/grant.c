/* `joulery meters --grant`, `--revoke`. */
#include "meter/grant.h"
#include "cli/cli.h"
#include "cli/meters.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char why_root[] =
    "Linux keeps these counters to root because fast readings can give away secrets of other\n"
    "programs on the same machine (PLATYPUS, CVE-2020-8694). Give access only to people who\n"
    "may know that, and not on a machine whose users distrust each other.\n";

static const char not_touched[] =
    "Not touched:\n"
    "  /dev/cpu/*/msr  the kernel asks for CAP_SYS_RAWIO besides, and whoever can open it can\n"
    "                  read and often write any register: no group should have that\n"
    "  kernel.perf_event_paranoid  it opens much more than energy to everybody; an administrator\n"
    "                  who wants RAPL by perf_event sets it to 0 in /etc/sysctl.d\n";

static void show_plan(const struct grant_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        AUTO_FREE char *text = grant_step_text(&plan->steps[i]);
        printf("  %s\n", text ? text : "?");
        const char *content = plan->steps[i].content;
        for (const char *line = content; line && *line;) {
            int length = (int)(strchrnul(line, '\n') - line);
            printf("    | %.*s\n", length, line);
            line += length + (line[length] == '\n');
        }
    }
}

static int do_plan(const struct grant_machine *machine, const struct grant_plan *plan, struct error *error)
{
    for (size_t i = 0; i < plan->count; i++) {
        AUTO_FREE char *text = grant_step_text(&plan->steps[i]);
        printf("  %s ... ", text ? text : "?");
        fflush(stdout);
        int result = grant_do(machine, &plan->steps[i], error);
        puts(result == 0 ? "done" : "failed");
        if (result < 0)
            return error_prefix(error, "step %zu of %zu, `%s`", i + 1, plan->count, text ? text : "?");
    }
    return 0;
}

/* What a plan is shown or done with; `apply_as` is the command that does it. */
static int carry_out(const struct grant_machine *machine, const struct grant_plan *plan, bool apply,
                     const char *apply_as, struct error *error)
{
    if (apply && geteuid() != 0)
        return error_set(error, "must be root: %s", apply_as);
    if (!apply) {
        puts("Would be done (nothing is now), in this order:\n");
        show_plan(plan);
        printf("\nTo do it: %s\n", apply_as);
        return 0;
    }
    return do_plan(machine, plan, error);
}

static void tell_access(const struct grant_machine *machine, const struct grant_plan *plan, const char *group)
{
    size_t files, readable;
    grant_count(machine, &files, &readable);
    if (files == 0)
        puts("\nThis machine shows no counters that only root can read: there is nothing to open now.\n"
             "In a container or a virtual machine, do this on its host.");
    else
        printf("\n%zu of %zu counters can now be read by a group.\n", readable, files);
    if (!plan->udev)
        puts("There is no udevadm on this machine: where udev doesn't run, what was opened closes at the\n"
             "next boot.");
    printf("Members of %s have access after their next login: sudo usermod -aG %s USER\n", group, group);
}

int meters_grant(const char *given, bool apply, const char *subcommand)
{
    const struct grant_machine machine = grant_this_machine();
    const char *group = given ? given : GRANT_GROUP;
    struct grant_plan plan = {0};
    struct error error = ERROR_INIT;
    if (grant_check_group(group, &error) < 0)
        return cli_fail(subcommand, &error, CLI_USAGE);
    AUTO_FREE char *again =
        text_format("sudo joulery meters --grant --apply%s%s", given ? " --group " : "", given ? given : "");
    int result = again ? grant_plan(&machine, group, &plan, &error) : error_memory(&error, "grant");
    if (result == 0) {
        printf("Gives the group %s read access to the energy counters, over reboots, by one udev rule.\n\n%s"
               "\n%s\n",
               group, why_root, not_touched);
        result = carry_out(&machine, &plan, apply, again, &error);
    }
    if (result == 0 && apply)
        tell_access(&machine, &plan, group);
    if (result == 0 && !apply && !plan.udev)
        puts("There is no udevadm on this machine: the rule would wait for udev, and what is opened closes\n"
             "at the next boot.");
    grant_plan_free(&plan);
    return result == 0 ? CLI_DONE : cli_fail(subcommand, &error, CLI_FAILED);
}

int meters_revoke(bool apply, const char *subcommand)
{
    const struct grant_machine machine = grant_this_machine();
    struct grant_plan plan = {0};
    struct error error = ERROR_INIT;
    int result = grant_plan_revoke(&machine, &plan, &error);
    if (result == 0 && plan.count == 0) {
        puts("Nothing to take back: there is no rule of ours, and no group can read a counter of root's.");
    } else if (result == 0) {
        puts("Takes read access to the energy counters back from their group. The group itself stays:\n"
             "`sudo groupdel joulery` removes it where nobody needs it.\n");
        result = carry_out(&machine, &plan, apply, "sudo joulery meters --revoke --apply", &error);
    }
    grant_plan_free(&plan);
    return result == 0 ? CLI_DONE : cli_fail(subcommand, &error, CLI_FAILED);
}
