#include "record/host.h"

#include "base/file.h"
#include "base/text.h"
#include "meter/machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* PRETTY_NAME of os-release(5), or "unknown". */
static char *os_name(void)
{
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *text = file_read("/etc/os-release", 1u << 16, NULL, &ignored);
    error_clear(&ignored);
    static const char key[] = "PRETTY_NAME=";
    for (char *line = text; line && *line;) {
        size_t length = strcspn(line, "\n");
        if (strncmp(line, key, sizeof key - 1) == 0) {
            char *value = line + sizeof key - 1;
            value[strcspn(value, "\n")] = '\0';
            size_t size = strlen(value);
            bool quoted = size >= 2 && (value[0] == '"' || value[0] == '\'') && value[size - 1] == value[0];
            return quoted ? strndup(value + 1, size - 2) : strdup(value);
        }
        line += length + (line[length] == '\n');
    }
    return strdup("unknown");
}

static uint64_t memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

int host_describe(const struct meter_setup *setup, struct host *host, struct error *error)
{
    struct machine own = {0};
    struct error ignored = ERROR_INIT;
    struct utsname name = {0};
    uname(&name);
    const struct cpuinfo *found = machine_cpu(setup, &own, &ignored);
    const struct cpuinfo cpu = found ? *found : (struct cpuinfo){0};
    error_clear(&ignored);
    const struct surroundings *around = machine_around(setup, &own, error);
    if (!around) {
        machine_free(&own);
        return -1;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    *host = (struct host){
        .name = strdup(name.nodename),
        .cpu_model = strdup(cpu.model ? cpu.model : "unknown"),
        .kernel = text_format("%s %s %s", name.sysname, name.release, name.machine),
        .os = os_name(),
        .virtualisation = strdup(around->name),
        .version = strdup(JOULERY_VERSION),
        .sockets = cpu.sockets,
        .logical_cpus = cpu.logical_cpus ? cpu.logical_cpus
                        : online > 0     ? (uint32_t)online
                                         : 0,
        .memory_bytes = memory_bytes(),
    };
    machine_free(&own);
    if (!host->name || !host->cpu_model || !host->kernel || !host->os || !host->virtualisation ||
        !host->version)
        return error_memory(error, "host");
    return 0;
}

void host_free(struct host *host)
{
    free(host->name);
    free(host->cpu_model);
    free(host->kernel);
    free(host->os);
    free(host->virtualisation);
    free(host->version);
    *host = (struct host){0};
}

char *host_state_path(const char *kind, const char *host, struct error *error)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    /* the XDG base directory specification has relative paths ignored */
    bool given = state && state[0] == '/';
    if (!given && !(home && home[0] == '/')) {
        error_set(error, "no place to keep it: neither XDG_STATE_HOME nor HOME names a folder");
        return NULL;
    }
    AUTO_FREE char *name = strdup(host); /* one name, where a host's could hold a slash */
    for (char *at = name; at && *at; at++)
        if (*at == '/')
            *at = '_';
    char *path = name ? text_format("%s%s/joulery/%s-%s.json", given ? state : home,
                                    given ? "" : "/.local/state", kind, name)
                      : NULL;
    if (!path)
        error_memory(error, kind);
    return path;
}
