/* What rights joulery and its command have, and when. As root it makes set-uid copies of joulery and of
 * itself and runs them as another user: `test_cli_privileges child FOLDER`. */
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "rapl_tree.h"
#include "record/privileges.h"
#include "record/recorder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534
#define KEPT   ((uint64_t)1 << CAP_KILL | (uint64_t)1 << CAP_DAC_OVERRIDE)

/* Sanitizers refuse to work, or can't, in a set-uid program. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* ---- help ---- */

/* A line of hexadecimal digits in a status file of proc(5). */
static uint64_t capabilities(const char *path, const char *name)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *status = file_read(path, 1u << 16, NULL, &error);
    if (!status)
        fail_msg("%s", error_text(&error));
    const char *line = strstr(status, name);
    assert_non_null(line);
    return strtoull(line + strlen(name), NULL, 16);
}

#define OWN_STATUS "/proc/thread-self/status"

static struct rapl_tree *make_tree(void)
{
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0", 262143.328850, 5, 50, 0}};
    return rapl_tree_make(zones, 1);
}

/* ---- during a run ---- */

struct seen {
    uint64_t waiting;   /* effective in the thread that waits for the command */
    size_t without_any; /* threads that may have none */
    size_t threads;
};

static void look_at_threads(void *context, pid_t child)
{
    (void)child;
    struct seen *seen = context;
    seen->waiting = capabilities(OWN_STATUS, "CapEff:");
    usleep(100000); /* a thread gives its up when it starts to run */
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    while ((entry = readdir(tasks))) {
        if (entry->d_name[0] == '.')
            continue;
        AUTO_FREE char *path = text_format("/proc/self/task/%s/status", entry->d_name);
        seen->threads++;
        seen->without_any += capabilities(path, "CapPrm:") == 0 && capabilities(path, "CapEff:") == 0;
    }
    closedir(tasks);
}

static struct seen run_and_look(bool own_process)
{
    struct rapl_tree *tree = make_tree();
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree), .own_process = own_process};
    struct seen seen = {0};
    const struct recorder_options options = {.command = (char *[]){"sleep", "0.3", NULL},
                                             .setup = &setup,
                                             .started = look_at_threads,
                                             .context = &seen};
    struct record record;
    struct error error = ERROR_INIT;
    if (recorder_run(&options, &record, &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_true(record.windows[0].energies[0].known);
    record_free(&record);
    rapl_tree_free(tree);
    return seen;
}

static void a_recorder_keeps_two_capabilities_and_its_threads_none(void **state)
{
    (void)state;
    uint64_t before = capabilities(OWN_STATUS, "CapEff:");
    if ((before & ~KEPT) == 0) {
        print_message("skipped: there are no capabilities to give up: run it as root\n");
        skip();
    }
    struct seen seen = run_and_look(true);
    assert_int_equal(seen.waiting, before & KEPT);
    assert_true(seen.without_any >= 3); /* RAPL's, the memory model's, the one that answers others */
    assert_true(seen.threads > seen.without_any);
    assert_int_equal(capabilities(OWN_STATUS, "CapEff:"), before);
}

static void a_host_programs_rights_are_left_alone(void **state)
{
    (void)state;
    uint64_t before = capabilities(OWN_STATUS, "CapEff:");
    struct seen seen = run_and_look(false);
    assert_int_equal(seen.waiting, before);
    assert_int_equal(seen.without_any, before ? 0 : seen.threads);
}

static void *drop_and_look(void *context)
{
    privileges_drop_thread();
    struct privileges nothing;
    struct error error = ERROR_INIT;
    assert_int_equal(privileges_lower(&nothing, &error), 0);
    privileges_raise(&(struct privileges){true, UINT64_MAX}); /* what is gone does not come back */
    *(uint64_t *)context = capabilities(OWN_STATUS, "CapEff:") | capabilities(OWN_STATUS, "CapPrm:");
    return NULL;
}

static void what_a_thread_gave_up_does_not_come_back(void **state)
{
    (void)state;
    uint64_t before = capabilities(OWN_STATUS, "CapPrm:"), left = 1;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drop_and_look, &left), 0);
    pthread_join(thread, NULL);
    assert_int_equal(left, 0);
    assert_int_equal(capabilities(OWN_STATUS, "CapPrm:"), before);
}

static void without_other_rights_nothing_is_borrowed(void **state)
{
    (void)state;
    uint64_t before = capabilities(OWN_STATUS, "CapEff:");
    privileges_return();
    assert_int_equal(capabilities(OWN_STATUS, "CapEff:"), before);
    privileges_borrow();
    assert_int_equal(capabilities(OWN_STATUS, "CapEff:"), before);
    assert_int_equal(privileges_become_caller(), 0);
    assert_int_equal(capabilities(OWN_STATUS, "CapEff:"), before);
}

/* ---- copies with more rights than who calls them ---- */

struct shop {
    char *folder;  /* root's, others may pass */
    char *desk;    /* in it, the user's own */
    char *joulery; /* the copies */
    char *self;
    char *output;
    struct rapl_tree *tree; /* its counter is root's alone */
};

/* NULL: it can be tried. */
static const char *why_not(const char *folder)
{
    struct statvfs system;
    if (SANITIZED)
        return "a sanitizer's build does not work as a set-uid program";
    if (geteuid() != 0)
        return "only root can make a set-uid program";
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return "this process may not gain rights (no_new_privs)";
    if (statvfs(folder, &system) < 0 || (system.f_flag & ST_NOSUID))
        return "the folder for temporary files is mounted nosuid";
    return NULL;
}

static char *copy_program(const char *from, const char *folder, const char *name)
{
    char *to = file_join(folder, name);
    AUTO_FREE char *command = text_format("cp '%s' '%s' && chmod 4755 '%s'", from, to, to);
    assert_int_equal(system(command), 0);
    return to;
}

static int close_shop(void **state)
{
    struct shop *shop = *state;
    AUTO_FREE char *command = text_format("rm -rf %s", shop->folder);
    int status = system(command);
    if (shop->tree)
        rapl_tree_free(shop->tree);
    free(shop->folder);
    free(shop->desk);
    free(shop->joulery);
    free(shop->self);
    free(shop->output);
    free(shop);
    return status;
}

static int open_shop(void **state)
{
    struct shop *shop = calloc(1, sizeof *shop);
    *state = shop;
    shop->folder = strdup("/tmp/joulery-rights-XXXXXX");
    if (!mkdtemp(shop->folder) || why_not(shop->folder))
        return 0; /* each test says so */
    shop->desk = file_join(shop->folder, "desk");
    if (chmod(shop->folder, 0755) < 0 || mkdir(shop->desk, 0755) < 0 || chown(shop->desk, NOBODY, NOBODY) < 0)
        return -1;
    AUTO_FREE char *joulery = file_join(getenv("JOULERY_BIN"), "joulery");
    shop->joulery = copy_program(joulery, shop->folder, "joulery");
    AUTO_FREE char *self = realpath("/proc/self/exe", NULL);
    shop->self = copy_program(self, shop->folder, "self");
    shop->tree = make_tree();
    AUTO_FREE char *counter = rapl_tree_path(shop->tree, 0, "energy_uj");
    return chmod(counter, 0400);
}

/* As the user, in the user's folder; returns the exit status. */
static int as_user(struct shop *shop, const char *command)
{
    AUTO_FREE char *output = file_join(shop->desk, "output");
    pid_t child = fork();
    if (child == 0) {
        int to = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (to < 0 || dup2(to, 1) < 0 || dup2(to, 2) < 0 || setgroups(0, NULL) < 0 ||
            setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
            chdir(shop->desk) < 0 || setenv("HOME", shop->desk, 1) < 0 || unsetenv("XDG_RUNTIME_DIR") < 0)
            _exit(99);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(98);
    }
    int status;
    waitpid(child, &status, 0);
    struct error error = ERROR_INIT;
    free(shop->output);
    shop->output = file_read(output, 1u << 20, NULL, &error);
    assert_non_null(shop->output);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void must_be_possible(const struct shop *shop)
{
    const char *why = why_not(shop->folder);
    if (!why)
        return;
    print_message("skipped: %s\n", why);
    skip();
}

static void says(const struct shop *shop, const char *words)
{
    if (!strstr(shop->output, words))
        fail_msg("expected '%s' in:\n%s", words, shop->output);
}

static void the_command_has_its_callers_rights_only(void **state)
{
    struct shop *shop = *state;
    must_be_possible(shop);
    AUTO_FREE char *command = text_format("%s run -q -- sh -c 'id -u; id -g'", shop->joulery);
    assert_int_equal(as_user(shop, command), 0);
    assert_string_equal(shop->output, "65534\n65534\n");
    AUTO_FREE char *status = text_format("%s run -q -- cat /proc/self/status", shop->joulery);
    assert_int_equal(as_user(shop, status), 0);
    says(shop, "Uid:\t65534\t65534\t65534\t65534\n");
    says(shop, "Gid:\t65534\t65534\t65534\t65534\n");
    says(shop, "CapPrm:\t0000000000000000\n");
    says(shop, "CapEff:\t0000000000000000\n");
    says(shop, "CapAmb:\t0000000000000000\n");
}

static void files_are_written_as_the_caller(void **state)
{
    struct shop *shop = *state;
    must_be_possible(shop);
    AUTO_FREE char *command =
        text_format("%s run -q --json r.json --trace t.csv --emissions-csv e.csv -- "
                    "sh -c 'stat -c \"marks %%u %%a\" \"$(dirname \"$JOULERY_SOCKET\")\"' && "
                    "stat -c 'file %%u %%g' r.json t.csv e.csv",
                    shop->joulery);
    assert_int_equal(as_user(shop, command), 0);
    assert_string_equal(shop->output,
                        "marks 65534 700\nfile 65534 65534\nfile 65534 65534\nfile 65534 65534\n");
}

static void what_the_caller_may_not_write_is_not_written(void **state)
{
    struct shop *shop = *state;
    must_be_possible(shop);
    static const char *const options[] = {"--json", "--trace", "--emissions-csv"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        AUTO_FREE char *command =
            text_format("%s run -q %s %s/stolen -- true", shop->joulery, options[i], shop->folder);
        assert_int_equal(as_user(shop, command), 1);
        says(shop, "Permission denied");
        AUTO_FREE char *stolen = file_join(shop->folder, "stolen");
        assert_false(file_exists(stolen));
    }
    AUTO_FREE char *grant = text_format("%s meters --grant --apply", shop->joulery);
    assert_int_equal(as_user(shop, grant), 1);
    says(shop, "root");
}

static void what_the_caller_may_not_read_is_not_read(void **state)
{
    struct shop *shop = *state;
    must_be_possible(shop);
    AUTO_FREE char *secret = file_join(shop->folder, "secret");
    AUTO_FREE char *make = text_format("echo classified > %s && chmod 600 %s", secret, secret);
    assert_int_equal(system(make), 0);
    AUTO_FREE char *command = text_format("%s run --baseline %s -- true", shop->joulery, secret);
    assert_int_equal(as_user(shop, command), 1);
    says(shop, "Permission denied");
    assert_null(strstr(shop->output, "classified"));
}

/* The caller must not choose what is read with rights that are not the caller's. */
static void the_environment_does_not_move_the_machine(void **state)
{
    struct shop *shop = *state;
    must_be_possible(shop);
    AUTO_FREE char *counter = rapl_tree_path(shop->tree, 0, "energy_uj");
    AUTO_FREE char *command =
        text_format("JOULERY_SYSFS=%s %s meters --json -", rapl_tree_sysfs(shop->tree), shop->joulery);
    assert_int_equal(chmod(counter, 0444), 0);
    assert_int_equal(as_user(shop, command), 0);
    assert_null(strstr(shop->output, rapl_tree_sysfs(shop->tree)));
    AUTO_FREE char *moved = strstr(shop->output, "\"name\": \"package-0\"") ? strdup(shop->output) : NULL;
    assert_int_equal(chmod(shop->joulery, 0755), 0);
    assert_int_equal(as_user(shop, command), 0); /* without the set-uid bit it does move it */
    assert_int_equal(chmod(shop->joulery, 04755), 0);
    assert_int_equal(chmod(counter, 0400), 0);
    says(shop, "\"name\": \"package-0\"");
    assert_true(!moved || strcmp(moved, shop->output) != 0); /* a machine with RAPL of its own */
}

/* ---- instruments that only the program may open ---- */

static void tell_rights(void *context, pid_t child)
{
    (void)child;
    const uint64_t *opened = context;
    printf("uid %d, %s\n", (int)geteuid(), *opened || capabilities(OWN_STATUS, "CapEff:") ? "more" : "none");
    fflush(stdout);
}

/* Runs as the set-uid copy: opens a counter that is root's, twice. */
static int child_borrows(const char *sysfs)
{
    const struct meter_setup setup = {.sysfs = sysfs, .own_process = true};
    struct error error = ERROR_INIT;
    privileges_return();
    uint64_t outside = capabilities(OWN_STATUS, "CapEff:");
    for (int i = 0; i < 2; i++) {
        const struct recorder_options options = {.command = (char *[]){"id", "-u", NULL},
                                                 .setup = &setup,
                                                 .started = tell_rights,
                                                 .context = &outside};
        struct record record;
        if (recorder_run(&options, &record, &error) < 0) {
            printf("%s\n", error_text(&error));
            return 1;
        }
        printf("%s\n", record.channel_count ? record.channels[0].name : "nothing");
        fflush(stdout);
        record_free(&record);
    }
    return 0;
}

/* NULL: any line. */
static size_t count_lines(const char *text, const char *line)
{
    size_t count = 0;
    while (*text) {
        size_t length = strcspn(text, "\n");
        count += !line || (length == strlen(line) && strncmp(text, line, length) == 0);
        text += length + (text[length] == '\n');
    }
    return count;
}

static void borrows_only_for_opening(struct shop *shop)
{
    AUTO_FREE char *command = text_format("%s child %s", shop->self, rapl_tree_sysfs(shop->tree));
    if (as_user(shop, command) != 0)
        fail_msg("%s", shop->output);
    assert_int_equal(count_lines(shop->output, "uid 65534, none"), 2);
    assert_int_equal(count_lines(shop->output, "65534"), 2);
    assert_int_equal(count_lines(shop->output, "package-0"), 2);
    assert_int_equal(count_lines(shop->output, NULL), 6);
}

static void a_setuid_program_opens_what_its_caller_may_not(void **state)
{
    struct shop *shop = *state;
    must_be_possible(shop);
    borrows_only_for_opening(shop);
    assert_int_equal(chmod(shop->self, 0755), 0);
    AUTO_FREE char *command = text_format("%s child %s", shop->self, rapl_tree_sysfs(shop->tree));
    int status = as_user(shop, command);
    assert_true(status != 0 || count_lines(shop->output, "package-0") == 0);
}

static void a_setgid_program_opens_what_its_group_may(void **state)
{
    struct shop *shop = *state;
    must_be_possible(shop);
    enum { GROUP = 1 }; /* the caller is in none but its own */
    AUTO_FREE char *counter = rapl_tree_path(shop->tree, 0, "energy_uj");
    assert_int_equal(chown(counter, 0, GROUP) | chmod(counter, 0440), 0);
    assert_int_equal(chown(shop->self, 0, GROUP) | chmod(shop->self, 02755), 0);
    borrows_only_for_opening(shop);
    assert_int_equal(chown(shop->joulery, 0, GROUP) | chmod(shop->joulery, 02755), 0);
    AUTO_FREE char *command = text_format("%s run -q -- sh -c 'id -g; id -G'", shop->joulery);
    assert_int_equal(as_user(shop, command), 0);
    assert_string_equal(shop->output, "65534\n65534\n");
}

/* security.capability as in linux/capability.h, version 2 */
static void a_program_with_file_capabilities_opens_it_too(void **state)
{
    struct shop *shop = *state;
    must_be_possible(shop);
    const struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                                      .data[0].permitted = 1u << CAP_DAC_READ_SEARCH};
    assert_int_equal(chmod(shop->self, 0755), 0);
    if (setxattr(shop->self, "security.capability", &data, sizeof data, 0) < 0) {
        print_message("skipped: no file capabilities here: %s\n", strerror(errno));
        skip();
    }
    borrows_only_for_opening(shop);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "child") == 0)
        return child_borrows(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorder_keeps_two_capabilities_and_its_threads_none),
        cmocka_unit_test(a_host_programs_rights_are_left_alone),
        cmocka_unit_test(what_a_thread_gave_up_does_not_come_back),
        cmocka_unit_test(without_other_rights_nothing_is_borrowed),
        cmocka_unit_test_setup_teardown(the_command_has_its_callers_rights_only, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(files_are_written_as_the_caller, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(what_the_caller_may_not_write_is_not_written, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(what_the_caller_may_not_read_is_not_read, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(the_environment_does_not_move_the_machine, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(a_setuid_program_opens_what_its_caller_may_not, open_shop,
                                        close_shop),
        cmocka_unit_test_setup_teardown(a_setgid_program_opens_what_its_group_may, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(a_program_with_file_capabilities_opens_it_too, open_shop, close_shop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
