/* parameters.h: a network's parameters and normalisation statistics from and to files of safetensors, with
 * torchvision's state_dict names. */
#ifndef JOULERY_TRAIN_PARAMETERS_H
#define JOULERY_TRAIN_PARAMETERS_H

#include "base/error.h"
#include "nn/nn.h"

#include <stdbool.h>
#include <stddef.h>

/* The key of the metadata that names the architecture. */
#define PARAMETERS_ARCHITECTURE "joulery.architecture"

struct parameters_source {
    const char *path, *architecture;
    bool head_may_differ; /* the head is loaded if all of it fits, else left out */
    /* The architecture as it is without a head of one's own: tensors of its head may be in the file where the
     * head may differ. */
    const struct graph *whole;
};

/* Nothing is set before all names and shapes fit. num_batches_tracked and the auxiliary heads of
 * torchvision's googlenet and inception_v3 are passed over. `*note`: which tensors of the head were left out,
 * or NULL; the caller frees it. -1: no safetensors file, a tensor of another shape (both shapes), tensors
 * that are missing or too many (the first and how many), a value that is no number. */
int parameters_load(struct network *network, const struct parameters_source *source, char **note,
                    struct error *error);

/* Metadata: key, value, …, NULL. -1, with the old file untouched: a value that is no number, a full disk. */
int parameters_save(const struct network *network, const char *path, const char *const *metadata,
                    struct error *error);

/* A copy of all tensors that learn, to go back to. NULL and an error if memory ran out. */
struct parameters_copy;
struct parameters_copy *parameters_copy_new(const struct network *network, struct error *error);
void parameters_copy_free(struct parameters_copy *copy);
int parameters_copy_take(struct parameters_copy *copy, const struct network *network, struct error *error);
/* The optimiser forgets. */
int parameters_copy_restore(
    const struct parameters_copy *copy, struct network *network,
    struct error *error); /* The copy of a tensor; NULL: one of a frozen base, of which there is none. */
float *parameters_copy_tensor(const struct parameters_copy *copy, size_t tensor);

/* -1 and an error that names the tensor if a value is infinite or no number. */
int parameters_check(const char *name, const float *data, size_t count, struct error *error);

#endif
