#include "base/file.h"
#include "base/text.h"
#include "train/program.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* The CPU quota of this process's control group (v2) in whole cores, rounded up; 0: none. */
static size_t quota_cores(void)
{
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *limit = file_read("/sys/fs/cgroup/cpu.max", 4096, NULL, &ignored);
    error_clear(&ignored);
    char *rest = NULL;
    char *quota = limit ? strtok_r(limit, " \n", &rest) : NULL,
         *period = quota ? strtok_r(NULL, " \n", &rest) : NULL;
    uint64_t quota_us, period_us;
    if (!period || text_to_u64(quota, &quota_us) < 0 || text_to_u64(period, &period_us) < 0 || period_us == 0)
        return 0;
    return (quota_us + period_us - 1) / period_us;
}

size_t program_cores(void)
{
    size_t most = 1024; /* cores that the set has room for; the kernel refuses a set that is too small */
    size_t cores = 0;
    for (; cores == 0 && most <= 1 << 20; most *= 2) {
        cpu_set_t *set = CPU_ALLOC(most);
        size_t bytes = CPU_ALLOC_SIZE(most);
        if (set && sched_getaffinity(0, bytes, set) == 0)
            cores = (size_t)CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
    }
    size_t quota = quota_cores();
    if (quota && quota < cores)
        cores = quota;
    return cores ? cores : 1;
}

uint64_t program_peak_rss_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}
