/* keras.h: weights that Keras wrote as HDF5: the files of keras.applications, and those of
 * model.save_weights("….h5") and model.save("….h5") before Keras 3's own format. Source of the layout:
 * Keras's saving/legacy/hdf5_format.py (attributes layer_names and weight_names say which datasets there are,
 * in the order in which a layer takes them). */
#ifndef JOULERY_WEIGHTS_KERAS_H
#define JOULERY_WEIGHTS_KERAS_H

#include "base/error.h"

#include <stddef.h>

enum { KERAS_DIMS = 4 };

/* Of a layer the first is the kernel, or a normalisation's gamma; the second the bias, or beta; the third and
 * fourth a normalisation's moving mean and variance. */
struct keras_tensor {
    char *layer;
    size_t number; /* within its layer, from 0 */
    size_t dims[KERAS_DIMS];
    size_t dim_count, count;
    float *data;
};

struct keras_weights {
    struct keras_tensor *tensors;
    size_t count;
};

/* Reads all of it. A file that links to others is refused. -1: no HDF5, not Keras's, cut off, a tensor of
 * more than four dimensions, more values than the file can hold. To be freed in any case.
 *
 * The HDF5 library is not made for files that mean harm: whoever reads what others wrote should do it in a
 * process of its own. */
int keras_read(const char *path, struct keras_weights *weights, struct error *error);
void keras_free(struct keras_weights *weights);
/* NULL: no such tensor. */
const struct keras_tensor *keras_find(const struct keras_weights *weights, const char *layer, size_t number);

#endif
