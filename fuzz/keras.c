/* Any bytes as weights of Keras: refused, or tensors whose values are there. Each in a process of its own, as
 * `joulery convert` does it: on a broken file the HDF5 library itself may fail, which is contained there and
 * is no finding here; that what our side does with the library is sound, is. */
#include "weights/keras.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOUND = 0, UNSOUND = 99, SECONDS_MOST = 3 };

static int check(const char *path)
{
    struct error error = ERROR_INIT;
    struct keras_weights weights;
    int status = keras_read(path, &weights, &error);
    if ((status == 0) != (error.message == NULL))
        return UNSOUND;
    double sum = 0;
    for (size_t i = 0; status == 0 && i < weights.count; i++) {
        const struct keras_tensor *tensor = &weights.tensors[i];
        if (!tensor->layer || keras_find(&weights, tensor->layer, tensor->number) != tensor)
            return UNSOUND;
        for (size_t k = 0; k < tensor->count; k++)
            sum += (double)tensor->data[k];
    }
    keras_free(&weights);
    error_clear(&error);
    return sum > 0 || !(sum > 0) ? SOUND : UNSOUND;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    char path[64];
    if (file < 0)
        file = memfd_create("keras", 0);
    if (file < 0 || ftruncate(file, 0) < 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        signal(SIGFPE, SIG_DFL);
        signal(SIGALRM, SIG_DFL);
        alarm(SECONDS_MOST);
        _exit(check(path));
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) != child)
        if (errno != EINTR) /* libFuzzer's own timer */
            abort();
    if (child < 0)
        abort();
    if (WIFEXITED(status) && WEXITSTATUS(status) != SOUND)
        abort();
    return 0;
}
