#include "record/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEPT ((uint64_t)1 << CAP_KILL | (uint64_t)1 << CAP_DAC_OVERRIDE)

struct capabilities {
    uint64_t effective, permitted, inheritable;
};

static int get_capabilities(struct capabilities *found)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &header, data) < 0)
        return -1;
    *found = (struct capabilities){
        .effective = data[0].effective | (uint64_t)data[1].effective << 32,
        .permitted = data[0].permitted | (uint64_t)data[1].permitted << 32,
        .inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32,
    };
    return 0;
}

static int set_capabilities(const struct capabilities *wanted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        data[i] = (struct __user_cap_data_struct){.effective = (uint32_t)(wanted->effective >> (32 * i)),
                                                  .permitted = (uint32_t)(wanted->permitted >> (32 * i)),
                                                  .inheritable = (uint32_t)(wanted->inheritable >> (32 * i))};
    return (int)syscall(SYS_capset, &header, data);
}

static int set_effective(uint64_t effective)
{
    struct capabilities now;
    if (get_capabilities(&now) < 0)
        return -1;
    now.effective = effective & now.permitted;
    return set_capabilities(&now);
}

/* ---- during a run ---- */

int privileges_lower(struct privileges *before, struct error *error)
{
    struct capabilities now;
    *before = (struct privileges){0};
    if (get_capabilities(&now) < 0 || set_effective(now.effective & KEPT) < 0)
        return error_errno(error, errno, "capabilities");
    *before = (struct privileges){true, now.effective};
    return 0;
}

void privileges_raise(struct privileges *before)
{
    if (before->lowered)
        set_effective(before->effective); /* within what is permitted, which the kernel allows */
    before->lowered = false;
}

/* What may pass to a program that this thread executes is the caller's affair: it stays. */
static int drop_all(void)
{
    struct capabilities now;
    if (get_capabilities(&now) < 0)
        return -1;
    now.effective = now.permitted = 0;
    return set_capabilities(&now);
}

void privileges_drop_thread(void)
{
    drop_all(); /* refused only by a filter of system calls, and then there is nothing else to do */
}

/* ---- a program with more rights than its caller ---- */

static bool has_more_than_caller(void)
{
    return getauxval(AT_SECURE) != 0;
}

/* Root may run a program that the kernel marks for other reasons: root's capabilities are then its own. */
static bool is_called_by_root(void)
{
    uid_t real, effective, saved;
    return getresuid(&real, &effective, &saved) == 0 && real == 0 && effective == 0 && saved == 0;
}

void privileges_return(void)
{
    if (!has_more_than_caller())
        return;
    if (setegid(getgid()) < 0 || seteuid(getuid()) < 0 || (!is_called_by_root() && set_effective(0) < 0))
        abort();
}

void privileges_borrow(void)
{
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;
    if (!has_more_than_caller() || getresuid(&real, &effective, &saved) < 0 ||
        getresgid(&real_group, &effective_group, &saved_group) < 0)
        return;
    /* what is refused is missing when the instrument is opened, which says so */
    int refused = seteuid(saved) < 0;
    refused += setegid(saved_group) < 0;
    refused += set_effective(UINT64_MAX) < 0;
    (void)refused;
}

int privileges_become_caller(void)
{
    if (!has_more_than_caller())
        return 0;
    uid_t user = getuid();
    gid_t group = getgid();
    if (setresgid(group, group, group) < 0 || setresuid(user, user, user) < 0)
        return -1;
    /* before Linux 4.3 there are none to clear */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return -1;
    return user == 0 ? 0 : drop_all();
}
