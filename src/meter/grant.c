#include "meter/grant.h"

#include "base/file.h"

#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RULE_PATH   "/etc/udev/rules.d/60-joulery.rules"
#define RULE_MARK   "# Written by `joulery meters --grant`"
#define GROUP_BYTES 32

/* What only root can read, and the subsystem whose events the rule answers. */
static const struct {
    const char *files; /* a glob, below the machine's root */
    const char *subsystem;
} guarded[] = {
    {"/sys/class/powercap/intel-rapl*:*/energy_uj", "powercap"},
    /* amd_energy of Linux 5.8 to 5.12, and as a module of its own since */
    {"/sys/class/hwmon/hwmon*/energy[0-9]*_input", "hwmon"},
};

#define GUARDED (sizeof guarded / sizeof *guarded)

int grant_check_group(const char *group, struct error *error)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz_",
                      rest[] = "abcdefghijklmnopqrstuvwxyz_0123456789-";
    size_t length = strlen(group);
    bool valid = length > 0 && length <= GROUP_BYTES && strchr(first, group[0]) != NULL &&
                 strspn(group, rest) == length;
    if (valid && strcmp(group, "root") != 0)
        return 0;
    AUTO_FREE char *shown = text_printable(group);
    return error_set(error,
                     "--group: '%s': expected a group's name of small letters, digits, _ and -, at most %d, "
                     "and not root",
                     shown ? shown : "?", GROUP_BYTES);
}

/* ---- looking ---- */

static char *below(const struct grant_machine *machine, const char *path)
{
    return text_format("%s%s", machine->root, path);
}

/* amd_energy's inputs are root's; those of other chips are everybody's, and no concern of ours. */
static bool is_guarded(const struct stat *status)
{
    return S_ISREG(status->st_mode) && !(status->st_mode & S_IROTH);
}

typedef int visit_file(void *context, const char *path, const struct stat *status);

static int each_file(const struct grant_machine *machine, visit_file *visit, void *context)
{
    int result = 0;
    for (size_t i = 0; i < GUARDED && result == 0; i++) {
        AUTO_FREE char *pattern = below(machine, guarded[i].files);
        glob_t found = {0};
        struct stat status;
        if (!pattern || glob(pattern, 0, NULL, &found) == GLOB_NOSPACE)
            result = -1;
        for (size_t f = 0; f < found.gl_pathc && result == 0; f++)
            if (stat(found.gl_pathv[f], &status) == 0 && is_guarded(&status))
                result = visit(context, found.gl_pathv[f], &status);
        globfree(&found);
    }
    return result;
}

struct counts {
    size_t files, readable;
};

static int count_file(void *context, const char *path, const struct stat *status)
{
    (void)path;
    struct counts *counts = context;
    counts->files++;
    counts->readable += (status->st_mode & S_IRGRP) && status->st_gid != 0;
    return 0;
}

void grant_count(const struct grant_machine *machine, size_t *files, size_t *readable)
{
    struct counts counts = {0};
    each_file(machine, count_file, &counts);
    *files = counts.files;
    *readable = counts.readable;
}

/* 1: the rule is there and ours; 0: there is none; -1: somebody else's, or it can't be read. */
static int look_at_rule(const struct grant_machine *machine, struct error *error)
{
    AUTO_FREE char *path = below(machine, RULE_PATH);
    if (!path)
        return error_memory(error, "rule");
    if (!file_exists(path))
        return 0;
    AUTO_FREE char *text = file_read(path, 1u << 16, NULL, error);
    if (!text)
        return -1;
    if (strncmp(text, RULE_MARK, strlen(RULE_MARK)) == 0)
        return 1;
    return error_set(error, "%s: it was not written by joulery: move it away first", path);
}

/* ---- planning ---- */

static struct grant_step *add_step(struct grant_plan *plan, enum grant_step_kind kind)
{
    struct grant_step *steps = realloc(plan->steps, (plan->count + 1) * sizeof *steps);
    if (!steps)
        return NULL;
    plan->steps = steps;
    steps[plan->count] = (struct grant_step){.kind = kind};
    return &steps[plan->count++];
}

static int add_command(struct grant_plan *plan, const char *const *words)
{
    struct grant_step *step = add_step(plan, GRANT_COMMAND);
    size_t count = 0;
    while (words[count])
        count++;
    if (step)
        step->argv = calloc(count + 1, sizeof *step->argv);
    for (size_t i = 0; step && step->argv && i < count; i++)
        step->argv[i] = strdup(words[i]);
    return step && step->argv && (count == 0 || step->argv[count - 1]) ? 0 : -1;
}

#define COMMAND(plan, ...) add_command(plan, (const char *const[]){__VA_ARGS__, NULL})

static int add_file(struct grant_plan *plan, enum grant_step_kind kind, char *content)
{
    struct grant_step *step = add_step(plan, kind);
    if (!step) {
        free(content);
        return -1;
    }
    step->path = strdup(RULE_PATH);
    step->content = content;
    return step->path && (kind == GRANT_REMOVE || content) ? 0 : -1;
}

/* udev(7): MODE and GROUP only work on nodes in /dev, so files of sysfs are changed by RUN. %S is where sysfs
 * is mounted, %p the device's path in it. A device's files are there before its event (device_register). */
static char *rule_text(const char *group)
{
    return text_format(RULE_MARK
                       ": gives the group %s read access to energy counters.\n"
                       "# `joulery meters --revoke --apply` takes it back.\n"
                       "ACTION==\"remove\", GOTO=\"joulery_end\"\n"
                       "SUBSYSTEM==\"powercap\", KERNEL==\"intel-rapl*:*\", TEST==\"energy_uj\", "
                       "RUN+=\"/bin/chgrp %s %%S%%p/energy_uj\", RUN+=\"/bin/chmod g+r %%S%%p/energy_uj\"\n"
                       "SUBSYSTEM==\"hwmon\", ATTR{name}==\"amd_energy\", "
                       "RUN+=\"/bin/sh -c 'chgrp %s %%S%%p/energy*_input; chmod g+r %%S%%p/energy*_input'\"\n"
                       "LABEL=\"joulery_end\"\n",
                       group, group, group);
}

struct change {
    struct grant_plan *plan;
    const char *group, *mode;
    bool only_granted;
};

static int change_file(void *context, const char *path, const struct stat *status)
{
    const struct change *change = context;
    if (change->only_granted && status->st_gid == 0)
        return 0;
    return COMMAND(change->plan, "chgrp", change->group, path) == 0 &&
                   COMMAND(change->plan, "chmod", change->mode, path) == 0
               ? 0
               : -1;
}

/* Events for the devices that are there already, so that the rule does now what it will do at each boot. */
static int add_events(struct grant_plan *plan)
{
    int failed = COMMAND(plan, "udevadm", "control", "--reload");
    for (size_t i = 0; i < GUARDED && !failed; i++) {
        AUTO_FREE char *match = text_format("--subsystem-match=%s", guarded[i].subsystem);
        failed = !match || COMMAND(plan, "udevadm", "trigger", "--action=change", "--settle", match) < 0;
    }
    return failed ? -1 : 0;
}

static int finish_plan(struct grant_plan *plan, int failed, struct error *error)
{
    if (!failed)
        return 0;
    grant_plan_free(plan);
    return error_memory(error, "plan");
}

int grant_plan(const struct grant_machine *machine, const char *group, struct grant_plan *plan,
               struct error *error)
{
    *plan = (struct grant_plan){.udev = machine->has_program(machine->context, "udevadm")};
    if (grant_check_group(group, error) < 0 || look_at_rule(machine, error) < 0)
        return -1;
    /* the rule first: where it can't be written nothing is left behind */
    int failed = add_file(plan, GRANT_WRITE, rule_text(group));
    if (!failed && !machine->has_group(machine->context, group))
        failed = COMMAND(plan, "groupadd", "--system", group);
    struct change change = {plan, group, "g+r", false};
    if (plan->udev)
        failed = failed || add_events(plan) < 0;
    else
        failed = failed || each_file(machine, change_file, &change) < 0;
    return finish_plan(plan, failed, error);
}

int grant_plan_revoke(const struct grant_machine *machine, struct grant_plan *plan, struct error *error)
{
    *plan = (struct grant_plan){.udev = machine->has_program(machine->context, "udevadm")};
    int rule = look_at_rule(machine, error);
    if (rule < 0)
        return -1;
    int failed = rule && add_file(plan, GRANT_REMOVE, NULL) < 0;
    if (rule && plan->udev)
        failed = failed || COMMAND(plan, "udevadm", "control", "--reload") < 0;
    struct change change = {plan, "root", "g-r", true};
    failed = failed || each_file(machine, change_file, &change) < 0;
    return finish_plan(plan, failed, error);
}

void grant_plan_free(struct grant_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct grant_step *step = &plan->steps[i];
        for (char **word = step->argv; word && *word; word++)
            free(*word);
        free(step->argv);
        free(step->path);
        free(step->content);
    }
    free(plan->steps);
    *plan = (struct grant_plan){0};
}

char *grant_step_text(const struct grant_step *step)
{
    if (step->kind == GRANT_REMOVE)
        return text_format("rm %s", step->path);
    if (step->kind == GRANT_WRITE)
        return text_format("write %s", step->path);
    struct text text = TEXT_INIT;
    for (char **word = step->argv; *word; word++)
        text_printf(&text, "%s%s", word == step->argv ? "" : " ", *word);
    return text_take(&text);
}

/* ---- doing ---- */

static int write_rule(const char *path, const char *content, struct error *error)
{
    AUTO_FREE char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
    if (!folder)
        return error_memory(error, path);
    if (!file_exists(folder))
        return error_set(error, "%s: there is no such folder: is udev installed on this machine?", folder);
    return file_write(path, content, strlen(content), error);
}

int grant_do(const struct grant_machine *machine, const struct grant_step *step, struct error *error)
{
    if (step->kind == GRANT_COMMAND)
        return machine->run(machine->context, step->argv, error);
    AUTO_FREE char *path = below(machine, step->path);
    if (!path)
        return error_memory(error, step->path);
    if (step->kind == GRANT_WRITE)
        return write_rule(path, step->content, error);
    return unlink(path) == 0 ? 0 : error_errno(error, errno, path);
}

/* ---- this machine ---- */

static bool has_group(void *context, const char *group)
{
    (void)context;
    return getgrnam(group) != NULL;
}

/* Root's programs are found in fixed places, whatever PATH says. */
static const char *const program_folders[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};

static char *find_program(const char *program)
{
    for (size_t i = 0; i < sizeof program_folders / sizeof *program_folders; i++) {
        char *path = file_join(program_folders[i], program);
        if (path && access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static bool has_program(void *context, const char *program)
{
    (void)context;
    AUTO_FREE char *path = find_program(program);
    return path != NULL;
}

static int run_program(void *context, char *const *argv, struct error *error)
{
    (void)context;
    char *const environment[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, (char[]){"LC_ALL=C"}, NULL};
    AUTO_FREE char *path = find_program(argv[0]);
    if (!path)
        return error_set(error, "%s: not found", argv[0]);
    pid_t pid;
    int status, number = posix_spawn(&pid, path, NULL, NULL, argv, environment);
    if (number)
        return error_errno(error, number, path);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(error, errno, path);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return error_set(error, "%s: ended with status %d", path,
                     WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

struct grant_machine grant_this_machine(void)
{
    return (struct grant_machine){
        .root = "", .has_group = has_group, .has_program = has_program, .run = run_program};
}
