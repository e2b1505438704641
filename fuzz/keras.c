/* Any bytes as weights of Keras: refused, or tensors whose values are there. Each in a process of its own, as
 * `joulery convert` does it: on a broken file the HDF5 library itself may fail, which is contained there and
 * is no finding here; that what our side does with the library is sound, is. */
#include "weights/keras.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const unsigned char keras_seed[];
extern const size_t keras_seed_size;

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

/* What a process of its own finds can't guide the fuzzer, and bytes of its own are never HDF5: its input says
 * instead where a good file is cut, or its bytes are changed. */
static void put_file(int file, const uint8_t *data, size_t size)
{
    size_t length = keras_seed_size;
    uint8_t *bytes = malloc(length);
    if (!bytes)
        abort();
    memcpy(bytes, keras_seed, length);
    for (; size >= 4; data += 4, size -= 4) {
        size_t place = ((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % keras_seed_size;
        bytes[place] = data[3];
    }
    if (size == 3)
        length = ((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % keras_seed_size;
    if (ftruncate(file, 0) < 0 || pwrite(file, bytes, length, 0) != (ssize_t)length)
        abort();
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    char path[64];
    if (file < 0)
        file = memfd_create("keras", 0);
    if (file < 0)
        abort();
    put_file(file, data, size);
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
