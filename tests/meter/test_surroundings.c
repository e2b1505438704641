/* What tells of a container or a virtual machine, as the engines leave it: cgroups(7), proc(5), SMBIOS. */
#include "meter/surroundings.h"

#include "base/file.h"
#include "base/text.h"
#include "file_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char bare_cpu[] = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vme\n";
static const char guest_cpu[] = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor vme\n";
static const char arm_cpu[] = "processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\n";

/* procfs and sysfs are two folders of one tree. */
static struct surroundings look(const struct file_tree *tree)
{
    struct error error = ERROR_INIT;
    struct surroundings found;
    AUTO_FREE char *procfs = file_join(file_tree_root(tree), "proc");
    AUTO_FREE char *sysfs = file_join(file_tree_root(tree), "sys");
    const struct meter_setup setup = {.procfs = procfs, .sysfs = sysfs};
    if (surroundings_find(&setup, &found, &error) < 0)
        fail_msg("%s", error_text(&error));
    return found;
}

static void finds(const struct file_tree *tree, enum surroundings_kind kind, const char *name,
                  const char *remedy)
{
    struct surroundings found = look(tree);
    assert_string_equal(found.name, name);
    assert_int_equal(found.kind, kind);
    if (!remedy)
        assert_null(found.remedy);
    else if (!strstr(found.remedy, remedy))
        fail_msg("expected '%s' in '%s'", remedy, found.remedy);
    surroundings_free(&found);
}

static void a_machine_of_its_own_is_nothing_else(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    finds(tree, SURROUNDINGS_BARE, "none", NULL); /* nothing can be read */
    file_tree_write(tree, "proc/cpuinfo", bare_cpu);
    file_tree_write(tree, "proc/1/cgroup", "0::/init.scope\n");
    file_tree_write(tree, "proc/sys/kernel/osrelease", "6.1.0-28-amd64\n");
    /* a host that runs containers has their file systems mounted */
    file_tree_write(
        tree, "proc/self/mountinfo",
        "29 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
        "531 29 0:58 / /var/lib/docker/overlay2/3f/merged rw - overlay overlay rw,lowerdir=/var/lib/docker/"
        "overlay2/l/X\n");
    file_tree_write(tree, "sys/class/dmi/id/sys_vendor", "Dell Inc.\n");
    finds(tree, SURROUNDINGS_BARE, "none", NULL);
    file_tree_free(tree);
}

static void containers_are_known_by_what_their_engines_leave(void **state)
{
    (void)state;
    static const struct {
        const char *file, *content, *name, *remedy;
    } cases[] = {
        {"proc/self/root/.dockerenv", "", "docker", "-v /sys:/host/sys:ro -e JOULERY_SYSFS=/host/sys"},
        {"proc/self/root/run/.containerenv", "engine=\"podman-4.3.1\"\n", "podman", "JOULERY_SYSFS"},
        {"proc/self/root/run/systemd/container", "lxc\n", "lxc", "lxc.mount.entry"},
        {"proc/self/root/run/systemd/container", "sneaky\x1b[31m\n", "container", "JOULERY_SYSFS"},
        {"proc/1/cgroup", "12:cpu,cpuacct:/docker/0f1e\n0::/\n", "docker", "CVE-2020-8694"},
        {"proc/1/cgroup", "0::/system.slice/docker-0f1e.scope\n", "docker", "JOULERY_SYSFS"},
        {"proc/1/cgroup", "0::/kubepods.slice/kubepods-besteffort.slice/cri-containerd-0f.scope\n",
         "kubernetes", "hostPath"},
        {"proc/1/cgroup", "0::/machine.slice/libpod-0f1e.scope/container\n", "podman", "JOULERY_SYSFS"},
        {"proc/1/cgroup", "0::/lxc.payload.web/init.scope\n", "lxc", "JOULERY_SYSFS"},
        {"proc/self/mountinfo",
         "700 600 0:58 / / rw,relatime - overlay overlay "
         "rw,lowerdir=/var/lib/docker/overlay2/l/A,upperdir=/var/lib/"
         "docker/overlay2/b/diff\n",
         "docker", "JOULERY_SYSFS"},
        {"proc/self/mountinfo",
         "700 600 0:58 / / rw - overlay overlay rw,upperdir=/var/lib/containerd/x/fs\n"
         "701 700 8:1 /var/lib/kubelet/pods/1b/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n",
         "containerd", "JOULERY_SYSFS"},
        {"proc/self/mountinfo",
         "701 700 8:1 /var/lib/kubelet/pods/1b/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n", "kubernetes",
         "hostPath"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct file_tree *tree = file_tree_make();
        file_tree_write(tree, "proc/cpuinfo", bare_cpu);
        file_tree_write(tree, cases[i].file, cases[i].content);
        finds(tree, SURROUNDINGS_CONTAINER, cases[i].name, cases[i].remedy);
        file_tree_free(tree);
    }
}

static void variables_of_container_engines_are_heeded(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    setenv("container", "systemd-nspawn", 1);
    finds(tree, SURROUNDINGS_CONTAINER, "systemd-nspawn", "--bind-ro=/sys:/host/sys");
    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
    finds(tree, SURROUNDINGS_CONTAINER, "kubernetes", "hostPath");
    unsetenv("container");
    unsetenv("KUBERNETES_SERVICE_HOST");
    file_tree_free(tree);
}

static void virtual_machines_are_known_by_processor_and_firmware(void **state)
{
    (void)state;
    static const struct {
        const char *cpu, *file, *content, *name, *remedy;
    } cases[] = {
        {guest_cpu, "sys/class/dmi/id/product_name", "", "virtual machine", "measure on the host"},
        {guest_cpu, "sys/class/dmi/id/sys_vendor", "QEMU\n", "qemu", "measure on the host"},
        {guest_cpu, "sys/class/dmi/id/product_name", "KVM Virtual Machine\n", "kvm", "rapl=true"},
        {guest_cpu, "sys/class/dmi/id/product_name", "VMware20,1\n", "vmware", "measure on the host"},
        {guest_cpu, "sys/hypervisor/type", "xen\n", "xen", "measure on the host"},
        {arm_cpu, "sys/class/dmi/id/sys_vendor", "Amazon EC2\n", "amazon ec2", ".metal"},
        {arm_cpu, "sys/firmware/devicetree/base/hypervisor/compatible", "linux,kvm", "kvm", "rapl=true"},
        {guest_cpu, "proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n", "wsl", "Windows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct file_tree *tree = file_tree_make();
        file_tree_write(tree, "proc/cpuinfo", cases[i].cpu);
        file_tree_write(tree, cases[i].file, cases[i].content);
        finds(tree, SURROUNDINGS_VIRTUAL, cases[i].name, cases[i].remedy);
        file_tree_free(tree);
    }
}

static void bare_machines_of_a_cloud_are_bare(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    file_tree_write(tree, "sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    file_tree_write(tree, "sys/class/dmi/id/product_name", "m7g.metal\n");
    file_tree_write(tree, "proc/cpuinfo", arm_cpu);
    finds(tree, SURROUNDINGS_BARE, "none", NULL);
    file_tree_write(tree, "proc/cpuinfo", bare_cpu);
    file_tree_write(tree, "sys/class/dmi/id/product_name", "m5.24xlarge\n"); /* x86 would say so itself */
    finds(tree, SURROUNDINGS_BARE, "none", NULL);
    file_tree_free(tree);
}

static void a_container_in_a_virtual_machine_is_both(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    file_tree_write(tree, "proc/cpuinfo", guest_cpu);
    file_tree_write(tree, "sys/class/dmi/id/sys_vendor", "KVM\n");
    file_tree_write(tree, "proc/self/root/run/.containerenv", "");
    finds(tree, SURROUNDINGS_CONTAINER_IN_VIRTUAL, "podman on kvm", "rapl=true");
    finds(tree, SURROUNDINGS_CONTAINER_IN_VIRTUAL, "podman on kvm", "JOULERY_SYSFS");
    file_tree_free(tree);
}

int main(void)
{
    unsetenv("container");
    unsetenv("KUBERNETES_SERVICE_HOST");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_of_its_own_is_nothing_else),
        cmocka_unit_test(containers_are_known_by_what_their_engines_leave),
        cmocka_unit_test(variables_of_container_engines_are_heeded),
        cmocka_unit_test(virtual_machines_are_known_by_processor_and_firmware),
        cmocka_unit_test(bare_machines_of_a_cloud_are_bare),
        cmocka_unit_test(a_container_in_a_virtual_machine_is_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
