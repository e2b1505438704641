/* For LD_PRELOAD: a wall clock that somebody sets back by a day once the file exists that JOULERY_TEST_CLOCK
 * names.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    /* a function's address comes as an object's */
    union {
        void *object;
        int (*function)(clockid_t clock, struct timespec *now);
    } next = {dlsym(RTLD_NEXT, "clock_gettime")};
    int result = next.function(clock, now);
    const char *file = getenv("JOULERY_TEST_CLOCK");
    if (result == 0 && clock == CLOCK_REALTIME && file && access(file, F_OK) == 0)
        now->tv_sec -= 86400;
    return result;
}
