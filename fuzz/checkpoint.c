/* Any bytes as a checkpoint: refused, or a place in a training that makes sense. */
#include "train/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds)
        abort();
}

/* The one that the seed was written by: joulery train --arch lenet5 --width 0.1 --optimizer sgd --momentum 0
 */
static struct network *open_network(void)
{
    struct error error = ERROR_INIT;
    const struct zoo_options zoo = {.classes = 10, .size = 32, .width = 0.1};
    const struct network_options options = {.batch = 1, .optimizer = {.kind = OPTIMIZER_SGD}};
    struct graph *graph = zoo_build("lenet5", &zoo, &error);
    struct network *network = graph ? network_new(graph, &options, &error) : NULL;
    graph_free(graph);
    require(network != NULL);
    return network;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct network *network;
    static int file = -1;
    struct error error = ERROR_INIT;
    struct checkpoint checkpoint;
    char path[64];
    if (!network) {
        network = open_network();
        file = memfd_create("checkpoint", 0);
        require(file >= 0);
    }
    require(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int status = checkpoint_read(path, "{}", network, NULL, &checkpoint, &error);
    require((status == 0) == (error.message == NULL));
    if (status == 0) {
        require(checkpoint.epoch > 0 && checkpoint.best_epoch < checkpoint.epoch);
        for (uint64_t i = 0; i + 1 < checkpoint.epoch; i++)
            require(checkpoint.epochs[i].epoch == i + 1);
        free(checkpoint.epochs);
    }
    error_clear(&error);
    return 0;
}
