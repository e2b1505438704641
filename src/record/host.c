#include "record/host.h"

#include "base/file.h"
#include "base/text.h"
#include "meter/cpuinfo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

static char *or_unknown(char *found)
{
    return found ? found : strdup("unknown");
}

/* PRETTY_NAME of os-release(5). */
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
    return NULL;
}

/* What the hypervisor calls itself (CPUID leaf 0x40000000), in the usual words. */
static const char *hypervisor_name(void)
{
#ifdef __x86_64__
    static const char *const known[][2] = {{"KVMKVMKVM", "kvm"},           {"Microsoft Hv", "hyperv"},
                                           {"VMwareVMware", "vmware"},     {"XenVMMXenVMM", "xen"},
                                           {"VBoxVBoxVBox", "virtualbox"}, {"TCGTCGTCGTCG", "qemu"}};
    unsigned registers[4];
    char signature[13] = "";
    __cpuid(0x40000000, registers[0], registers[1], registers[2], registers[3]);
    memcpy(signature, &registers[1], 12);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(signature, known[i][0]) == 0)
            return known[i][1];
#endif
    return "virtual machine";
}

static const char *container_name(void)
{
    if (file_exists("/.dockerenv"))
        return "docker";
    if (file_exists("/run/.containerenv"))
        return "podman";
    return NULL;
}

static char *virtualisation(bool guest)
{
    const char *container = container_name();
    if (guest && container)
        return text_format("%s on %s", container, hypervisor_name());
    return strdup(guest ? hypervisor_name() : container ? container : "none");
}

static uint64_t memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

int host_describe(const struct meter_setup *setup, struct host *host, struct error *error)
{
    struct cpuinfo cpu = {0};
    struct error ignored = ERROR_INIT;
    struct utsname name = {0};
    uname(&name);
    cpuinfo_read(meter_procfs(setup), &cpu, &ignored);
    error_clear(&ignored);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    *host = (struct host){
        .name = strdup(name.nodename),
        .cpu_model = or_unknown(cpu.model),
        .kernel = text_format("%s %s %s", name.sysname, name.release, name.machine),
        .os = or_unknown(os_name()),
        .virtualisation = virtualisation(cpu.guest),
        .version = strdup(JOULERY_VERSION),
        .sockets = cpu.sockets,
        .logical_cpus = cpu.logical_cpus ? cpu.logical_cpus
                        : online > 0     ? (uint32_t)online
                                         : 0,
        .memory_bytes = memory_bytes(),
    };
    cpu.model = NULL;
    cpuinfo_free(&cpu);
    if (!host->name || !host->cpu_model || !host->kernel || !host->os || !host->virtualisation ||
        !host->version)
        return error_memory(error, "host");
    return 0;
}
