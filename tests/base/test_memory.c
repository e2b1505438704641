/* How much memory can be had, against small trees that play /proc and /sys/fs/cgroup: cgroups(7). */
#include "base/memory.h"

#include "base/file.h"
#include "base/text.h"
#include "file_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB 1048576ull

static const char meminfo[] =
    "MemTotal:       16384000 kB\nMemFree:         1024 kB\nMemAvailable:    8192000 "
    "kB\nBuffers:          1 kB\n"; /* 8000 MiB */

struct given {
    const char *path, *content;
};

static uint64_t available(const struct given *files, size_t count)
{
    struct file_tree *tree = file_tree_make();
    for (size_t i = 0; i < count; i++)
        file_tree_write(tree, files[i].path, files[i].content);
    AUTO_FREE char *procfs = file_join(file_tree_root(tree), "proc");
    AUTO_FREE char *groups = file_join(file_tree_root(tree), "cgroup");
    uint64_t bytes = memory_available_in(procfs, groups);
    file_tree_free(tree);
    return bytes;
}

#define AVAILABLE(...)                                                                                       \
    available((const struct given[]){__VA_ARGS__},                                                           \
              sizeof((const struct given[]){__VA_ARGS__}) / sizeof(struct given))

static void without_groups_it_is_what_the_kernel_says(void **state)
{
    (void)state;
    assert_true(AVAILABLE({"proc/meminfo", meminfo}) == 8000 * MIB);
    assert_true(AVAILABLE({"proc/meminfo", meminfo}, {"proc/self/cgroup", "0::/\n"}) == 8000 * MIB);
    assert_true(AVAILABLE({"proc/nothing", ""}) == UINT64_MAX);
    assert_true(AVAILABLE({"proc/meminfo", "MemTotal: 5 kB\n"}) == UINT64_MAX);
}

static void a_group_allows_less(void **state)
{
    (void)state;
    assert_true(AVAILABLE({"proc/meminfo", meminfo}, {"proc/self/cgroup", "0::/box\n"},
                          {"cgroup/box/memory.max", "1073741824\n"},
                          {"cgroup/box/memory.current", "209715200\n"},
                          {"cgroup/box/memory.stat", "anon 1\ninactive_file 104857600\nslab 3\n"}) ==
                (1024 - 100) * MIB); /* of 200 MiB in use 100 are page cache */
    assert_true(AVAILABLE({"proc/meminfo", meminfo}, {"proc/self/cgroup", "0::/box\n"},
                          {"cgroup/box/memory.max", "max\n"},
                          {"cgroup/box/memory.current", "209715200\n"}) == 8000 * MIB);
    assert_true(AVAILABLE({"proc/meminfo", meminfo}, {"proc/self/cgroup", "0::/box\n"},
                          {"cgroup/box/memory.max", "1048576\n"},
                          {"cgroup/box/memory.current", "209715200\n"}) == 0);
}

static void the_tightest_group_above_counts(void **state)
{
    (void)state;
    assert_true(AVAILABLE({"proc/meminfo", meminfo}, {"proc/self/cgroup", "0::/out/in\n"},
                          {"cgroup/out/in/memory.max", "max\n"}, {"cgroup/out/memory.max", "536870912\n"},
                          {"cgroup/out/memory.current", "1048576\n"}) == 511 * MIB);
    /* in a container its own group is the root */
    assert_true(AVAILABLE({"proc/meminfo", meminfo}, {"proc/self/cgroup", "0::/\n"},
                          {"cgroup/memory.max", "536870912\n"},
                          {"cgroup/memory.current", "0\n"}) == 512 * MIB);
}

static void version_1_counts_where_memory_is_its(void **state)
{
    (void)state;
    assert_true(AVAILABLE({"proc/meminfo", meminfo},
                          {"proc/self/cgroup", "12:cpu,cpuacct:/other\n4:memory:/box\n0::/\n"},
                          {"cgroup/memory/box/memory.limit_in_bytes", "314572800\n"},
                          {"cgroup/memory/box/memory.usage_in_bytes", "104857600\n"},
                          {"cgroup/memory/box/memory.stat",
                           "cache 9\ninactive_file 1\ntotal_inactive_file 52428800\n"},
                          {"cgroup/other/memory.max", "1\n"}) == 250 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_groups_it_is_what_the_kernel_says),
        cmocka_unit_test(a_group_allows_less),
        cmocka_unit_test(the_tightest_group_above_counts),
        cmocka_unit_test(version_1_counts_where_memory_is_its),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
