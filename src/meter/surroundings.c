#include "meter/machine.h"

#include "base/file.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#define COUNT(array) (sizeof(array) / sizeof *(array))

const char *surroundings_kind_name(enum surroundings_kind kind)
{
    static const char *const names[] = {"bare", "container", "virtual machine",
                                        "container in a virtual machine"};
    return names[kind];
}

/* ---- files ---- */

/* root/relative as text; NULL if it can't be read. */
static char *read_below(const char *root, const char *relative)
{
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *path = file_join(root, relative);
    char *text = path ? file_read(path, 1u << 20, NULL, &ignored) : NULL;
    error_clear(&ignored);
    return text;
}

static bool exists_below(const char *root, const char *relative)
{
    AUTO_FREE char *path = file_join(root, relative);
    return path && file_exists(path);
}

/* ---- containers ---- */

/* runc and crun lay their masks over /sys/devices/virtual/powercap after all mounts, so that sharing that
 * very folder is of no use; a second look at the host's /sys, elsewhere, has no mask
 * (moby/moby GHSA-jq35-85cj-fj4p). */
struct container {
    const char *name, *remedy;
};

static const struct container containers[] = {
    {"docker", "start the container with -v /sys:/host/sys:ro -e JOULERY_SYSFS=/host/sys (Docker hides "
               "/sys/devices/virtual/powercap from containers, CVE-2020-8694)"},
    {"podman", "start the container with -v /sys:/host/sys:ro -e JOULERY_SYSFS=/host/sys (Podman hides "
               "/sys/devices/virtual/powercap from containers; a rootless one also needs read access on the "
               "host)"},
    {"kubernetes", "mount the host's /sys (hostPath, readOnly) at /host/sys and set JOULERY_SYSFS=/host/sys "
                   "in the pod"},
    {"lxc", "on the host: lxc.mount.entry = /sys host/sys none bind,ro,create=dir 0 0, and JOULERY_SYSFS="
            "/host/sys in the container; an unprivileged one also needs read access on the host"},
    {"systemd-nspawn", "start the container with --bind-ro=/sys:/host/sys and set JOULERY_SYSFS=/host/sys"},
    {"containerd", "mount the host's /sys read-only at /host/sys and set JOULERY_SYSFS=/host/sys"},
    {"container", "mount the host's /sys read-only at /host/sys and set JOULERY_SYSFS=/host/sys"},
};

static const struct container *find_container(const char *name)
{
    for (size_t i = 0; i < COUNT(containers); i++)
        if (strcmp(containers[i].name, name) == 0)
            return &containers[i];
    return &containers[COUNT(containers) - 1];
}

/* Pieces of paths by which the engines are known, the more telling first. */
static const char *const traces[][2] = {
    {"kubepods", "kubernetes"},
    {"/kubelet/", "kubernetes"},
    {"/docker/", "docker"},
    {"/docker-", "docker"},
    {"/libpod", "podman"},
    {"/containers/storage/", "podman"},
    {"/lxc/", "lxc"},
    {"/lxc.payload", "lxc"},
    {"machine.slice/machine-", "systemd-nspawn"},
    {"/machines/", "systemd-nspawn"},
    {"containerd", "containerd"},
};

static const char *find_trace(const char *text)
{
    for (size_t i = 0; text && i < COUNT(traces); i++)
        if (strstr(text, traces[i][0]))
            return traces[i][1];
    return NULL;
}

/* PID 1 of a host is in "/" or "/init.scope", whatever runs beside it. */
const char *surroundings_of_cgroups(const char *cgroups)
{
    return find_trace(cgroups);
}

/* The fifth field of a line of mountinfo. */
static bool mounted_at(const char *line, const char *place)
{
    for (int field = 1; field < 5; field++) {
        line += strcspn(line, " ");
        line += *line == ' ';
    }
    size_t length = strlen(place);
    return strncmp(line, place, length) == 0 && line[length] == ' ';
}

/* Only places that an engine itself fills: a host has its containers' file systems mounted, too. */
const char *surroundings_of_mounts(const char *mountinfo)
{
    static const char *const places[] = {"/", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"};
    while (mountinfo && *mountinfo) {
        size_t length = strcspn(mountinfo, "\n");
        AUTO_FREE char *line = strndup(mountinfo, length);
        for (size_t i = 0; line && i < COUNT(places); i++) {
            const char *name = mounted_at(line, places[i]) ? find_trace(line) : NULL;
            if (name)
                return name;
        }
        mountinfo += length + (mountinfo[length] == '\n');
    }
    return NULL;
}

/* The engine's own word for itself: known names only, it goes to terminals. */
static const struct container *named_container(const char *word)
{
    if (!word || !*word)
        return NULL;
    AUTO_FREE char *name = strndup(word, strcspn(word, "\n"));
    return name ? find_container(name) : NULL;
}

static const struct container *container_here(const char *procfs)
{
    static const struct {
        const char *file, *name;
    } files[] = {{"self/root/.dockerenv", "docker"}, {"self/root/run/.containerenv", "podman"}};
    if (getenv("KUBERNETES_SERVICE_HOST"))
        return find_container("kubernetes");
    AUTO_FREE char *mounts = read_below(procfs, "self/mountinfo");
    const char *by_mounts = surroundings_of_mounts(mounts);
    if (by_mounts)
        return find_container(by_mounts);
    for (size_t i = 0; i < COUNT(files); i++)
        if (exists_below(procfs, files[i].file))
            return find_container(files[i].name);
    AUTO_FREE char *cgroups = read_below(procfs, "1/cgroup");
    const char *by_cgroups = surroundings_of_cgroups(cgroups);
    if (by_cgroups)
        return find_container(by_cgroups);
    AUTO_FREE char *told = read_below(procfs, "self/root/run/systemd/container");
    const struct container *container = named_container(told);
    return container ? container : named_container(getenv("container"));
}

/* ---- virtual machines ---- */

/* The hypervisor's name for itself, CPUID leaf 0x40000000. */
static const char *named_by_cpuid(const char *procfs)
{
#ifdef __x86_64__
    static const char *const known[][2] = {
        {"KVMKVMKVM", "kvm"},       {"Linux KVM Hv", "kvm"},   {"Microsoft Hv", "hyperv"},
        {"VMwareVMware", "vmware"}, {"XenVMMXenVMM", "xen"},   {"VBoxVBoxVBox", "virtualbox"},
        {"TCGTCGTCGTCG", "qemu"},   {"bhyve bhyve ", "bhyve"},
    };
    unsigned registers[4];
    char signature[13] = "";
    if (strcmp(procfs, "/proc") != 0)
        return NULL;
    __cpuid(0x40000000, registers[0], registers[1], registers[2], registers[3]);
    memcpy(signature, &registers[1], 12);
    for (size_t i = 0; i < COUNT(known); i++)
        if (strcmp(signature, known[i][0]) == 0)
            return known[i][1];
#endif
    (void)procfs;
    return NULL;
}

/* SMBIOS: maker or product of machines that are none. */
static const char *named_by_dmi(const char *sysfs)
{
    static const char *const known[][2] = {
        {"QEMU", "qemu"},
        {"KVM", "kvm"},
        {"KubeVirt", "kvm"},
        {"OpenStack", "kvm"},
        {"Amazon EC2", "amazon ec2"},
        {"Google Compute Engine", "google compute engine"},
        {"VMware", "vmware"},
        {"innotek GmbH", "virtualbox"},
        {"VirtualBox", "virtualbox"},
        {"Virtual Machine", "hyperv"},
        {"Xen", "xen"},
        {"Parallels", "parallels"},
        {"BHYVE", "bhyve"},
        {"Apple Virtualization", "apple"},
    };
    AUTO_FREE char *vendor = read_below(sysfs, "class/dmi/id/sys_vendor");
    AUTO_FREE char *product = read_below(sysfs, "class/dmi/id/product_name");
    if (product && strstr(product, ".metal")) /* EC2's bare machines say the rest just the same */
        return NULL;
    for (size_t i = 0; i < COUNT(known); i++) {
        size_t length = strlen(known[i][0]);
        if ((vendor && strncmp(vendor, known[i][0], length) == 0) ||
            (product && strncmp(product, known[i][0], length) == 0))
            return known[i][1];
    }
    return NULL;
}

/* Xen's own node, or the device tree's. */
static const char *named_by_node(const char *sysfs)
{
    AUTO_FREE char *type = read_below(sysfs, "hypervisor/type");
    if (type && strncmp(type, "xen", 3) == 0)
        return "xen";
    AUTO_FREE char *compatible = read_below(sysfs, "firmware/devicetree/base/hypervisor/compatible");
    if (!compatible)
        return NULL;
    if (strstr(compatible, "kvm"))
        return "kvm";
    return strstr(compatible, "xen") ? "xen" : "virtual machine";
}

static bool is_wsl(const char *procfs)
{
    AUTO_FREE char *release = read_below(procfs, "sys/kernel/osrelease");
    return release && (strstr(release, "microsoft") || strstr(release, "Microsoft"));
}

/* x86 says whether it is a guest, and the rest only names it; other processors do not say. */
static const char *machine_here(const struct meter_setup *setup)
{
    const char *procfs = meter_procfs(setup), *sysfs = meter_sysfs(setup);
    if (is_wsl(procfs))
        return "wsl";
    struct machine own = {0};
    struct error ignored = ERROR_INIT;
    const struct cpuinfo *cpu = machine_cpu(setup, &own, &ignored);
    bool x86 = cpu && cpu->vendor, guest = cpu && cpu->guest;
    error_clear(&ignored);
    machine_free(&own);
    if (x86 && !guest)
        return NULL;
    const char *by_dmi = named_by_dmi(sysfs);
    if (by_dmi && strcmp(by_dmi, "qemu") != 0) /* qemu with KVM is better known as kvm */
        return by_dmi;
    const char *by_cpuid = guest ? named_by_cpuid(procfs) : NULL;
    const char *by_node = by_cpuid ? by_cpuid : named_by_node(sysfs);
    if (by_node || by_dmi)
        return by_node ? by_node : by_dmi;
    return guest ? "virtual machine" : NULL;
}

/* QEMU: docs/specs/rapl-msr.rst. */
static const char *machine_remedy(const char *name)
{
    static const char *const known[][2] = {
        {"kvm",
         "measure on the host, or have it start the guest with QEMU 9.1 or later on an Intel processor, "
         "-accel kvm,rapl=true,rapl-helper-socket=PATH, and qemu-vmsr-helper listening there"},
        {"wsl", "measure in Windows, or boot Linux: WSL passes no processor counters on"},
        {"amazon ec2", "use a .metal instance: others don't get the processor's counters"},
    };
    for (size_t i = 0; i < COUNT(known); i++)
        if (strcmp(name, known[i][0]) == 0)
            return known[i][1];
    return "measure on the host, where the processor's counters are";
}

int surroundings_find(const struct meter_setup *setup, struct surroundings *found, struct error *error)
{
    const struct container *container = container_here(meter_procfs(setup));
    const char *machine = machine_here(setup);
    *found = (struct surroundings){0};
    if (container && machine) {
        found->kind = SURROUNDINGS_CONTAINER_IN_VIRTUAL;
        found->name = text_format("%s on %s", container->name, machine);
        found->remedy = text_format("for the virtual machine: %s; then for the container in it: %s",
                                    machine_remedy(machine), container->remedy);
    } else if (container || machine) {
        found->kind = container ? SURROUNDINGS_CONTAINER : SURROUNDINGS_VIRTUAL;
        found->name = strdup(container ? container->name : machine);
        found->remedy = strdup(container ? container->remedy : machine_remedy(machine));
    } else {
        found->name = strdup("none");
    }
    if (found->name && (found->remedy || found->kind == SURROUNDINGS_BARE))
        return 0;
    surroundings_free(found);
    return error_memory(error, "surroundings");
}

void surroundings_free(struct surroundings *found)
{
    free(found->name);
    free(found->remedy);
    *found = (struct surroundings){0};
}
