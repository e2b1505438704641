#include "weights/keras.h"

#include "base/text.h"

#include <errno.h>
#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMES_MOST = 100000, NAME_BYTES_MOST = 4096 };

struct reading {
    const char *path;
    hid_t groups, datasets; /* how links to them are followed: not to other files */
    uint64_t bytes;
    uint64_t values_left; /* that a file of this size can hold, compression allowed for */
    struct keras_weights *weights;
    struct error *error;
};

static int fail(struct reading *reading, const char *what, const char *why)
{
    AUTO_FREE char *shown = text_printable(what);
    return error_set(reading->error, "%s: %s: %s", reading->path, shown ? shown : "?", why);
}

static herr_t refuse_link(const char *file, const char *group, const char *target_file, const char *target,
                          unsigned *flags, hid_t access, void *context)
{
    (void)file, (void)group, (void)target_file, (void)target, (void)flags, (void)access, (void)context;
    return -1;
}

struct names {
    char **items;
    size_t count;
};

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct names){0};
}

static int add_name(struct reading *reading, struct names *names, const char *name)
{
    char **items = reallocarray(names->items, names->count + 1, sizeof *items);
    if (!items)
        return error_memory(reading->error, "names");
    names->items = items;
    items[names->count] = strdup(name);
    return items[names->count] ? (names->count++, 0) : error_memory(reading->error, "names");
}

static int read_fixed(struct reading *reading, hid_t attribute, hid_t type, size_t count, struct names *names)
{
    size_t size = H5Tget_size(type) + 1;
    if (size > NAME_BYTES_MOST)
        return fail(reading, "names", "longer than any layer's");
    hid_t wanted = H5Tcopy(H5T_C_S1);
    H5Tset_size(wanted, size);
    H5Tset_cset(wanted, H5Tget_cset(type));
    char *text = calloc(count, size);
    int status = text ? 0 : error_memory(reading->error, "names");
    if (status == 0 && H5Aread(attribute, wanted, text) < 0)
        status = fail(reading, "names", "can't be read: the file is broken");
    for (size_t i = 0; status == 0 && i < count; i++) {
        text[(i + 1) * size - 1] = '\0';
        status = add_name(reading, names, text + i * size);
    }
    free(text);
    H5Tclose(wanted);
    return status;
}

static int read_variable(struct reading *reading, hid_t attribute, hid_t type, hid_t space, size_t count,
                         struct names *names)
{
    hid_t wanted = H5Tcopy(H5T_C_S1);
    H5Tset_size(wanted, H5T_VARIABLE);
    H5Tset_cset(wanted, H5Tget_cset(type));
    char **text = calloc(count, sizeof *text);
    int status = text ? 0 : error_memory(reading->error, "names");
    if (status == 0 && H5Aread(attribute, wanted, text) < 0)
        status = fail(reading, "names", "can't be read: the file is broken");
    for (size_t i = 0; status == 0 && i < count; i++)
        status = text[i] ? add_name(reading, names, text[i]) : fail(reading, "names", "one is missing");
    if (text)
        H5Dvlen_reclaim(wanted, space, H5P_DEFAULT, text);
    free(text);
    H5Tclose(wanted);
    return status;
}

/* Adds the attribute's texts. No names at all are written as no numbers at all. */
static int read_attribute(struct reading *reading, hid_t object, const char *name, struct names *names)
{
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return fail(reading, name, "can't be read: the file is broken");
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    int status = 0;
    if (type < 0 || count < 0 || count > NAMES_MOST)
        status = fail(reading, name, "no list of names");
    else if (count > 0 && H5Tget_class(type) != H5T_STRING)
        status = fail(reading, name, "no list of names");
    else if (count > 0 && H5Tis_variable_str(type) > 0)
        status = read_variable(reading, attribute, type, space, (size_t)count, names);
    else if (count > 0)
        status = read_fixed(reading, attribute, type, (size_t)count, names);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

/* A list too long for one attribute is in NAME0, NAME1, …. */
static int read_names(struct reading *reading, hid_t object, const char *name, struct names *names)
{
    if (H5Aexists(object, name) > 0)
        return read_attribute(reading, object, name, names);
    for (size_t i = 0; names->count < NAMES_MOST; i++) {
        AUTO_FREE char *part = text_format("%s%zu", name, i);
        if (!part)
            return error_memory(reading->error, "names");
        if (H5Aexists(object, part) <= 0)
            return i ? 0 : fail(reading, name, "there is no such attribute: not a file that Keras wrote");
        if (read_attribute(reading, object, part, names) < 0)
            return -1;
    }
    return fail(reading, name, "more names than any network has");
}

static int take_shape(struct reading *reading, hid_t dataset, const char *name, struct keras_tensor *tensor)
{
    hsize_t dims[KERAS_DIMS];
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    int rank = H5Sget_simple_extent_ndims(space), status = 0;
    if (H5Tget_class(type) != H5T_FLOAT)
        status = fail(reading, name, "expected floating-point numbers");
    else if (rank < 1 || rank > KERAS_DIMS)
        status = fail(reading, name, "expected one to four dimensions");
    else if (H5Sget_simple_extent_dims(space, dims, NULL) != rank)
        status = fail(reading, name, "its shape can't be read: the file is broken");
    tensor->dim_count = rank > 0 ? (size_t)rank : 0;
    tensor->count = 1;
    for (size_t d = 0; status == 0 && d < tensor->dim_count; d++) {
        tensor->dims[d] = dims[d];
        if (dims[d] == 0 || dims[d] > reading->values_left ||
            __builtin_mul_overflow(tensor->count, tensor->dims[d], &tensor->count) ||
            tensor->count > reading->values_left)
            status = fail(reading, name, "more values than a file of this size can hold, or none");
    }
    H5Tclose(type);
    H5Sclose(space);
    return status;
}

static bool is_within_file(hid_t dataset)
{
    hid_t creation = H5Dget_create_plist(dataset);
    bool within =
        creation >= 0 && H5Pget_external_count(creation) == 0 && H5Pget_layout(creation) != H5D_VIRTUAL;
    H5Pclose(creation);
    return within;
}

static int read_values(struct reading *reading, hid_t dataset, const char *name, struct keras_tensor *tensor)
{
    if (!is_within_file(dataset))
        return fail(reading, name, "its values are in another file");
    if (take_shape(reading, dataset, name, tensor) < 0)
        return -1;
    reading->values_left -= tensor->count;
    tensor->data = malloc(tensor->count * sizeof *tensor->data);
    if (!tensor->data)
        return error_memory(reading->error, name);
    if (H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor->data) < 0)
        return fail(reading, name, "its values can't be read: the file is cut off or broken");
    return 0;
}

/* "vgg16/block1_conv1/kernel:0" is of block1_conv1; "block1_conv1_W_1:0" of the group it is in. */
static char *layer_of(const char *weight, const char *group)
{
    const char *end = strrchr(weight, '/');
    if (!end || end == weight)
        return strdup(group);
    const char *begin = end;
    while (begin > weight && begin[-1] != '/')
        begin--;
    return strndup(begin, (size_t)(end - begin));
}

static int add_tensor(struct reading *reading, hid_t group, const char *group_name, const char *name)
{
    struct keras_weights *weights = reading->weights;
    struct keras_tensor *tensors = reallocarray(weights->tensors, weights->count + 1, sizeof *tensors);
    if (!tensors)
        return error_memory(reading->error, name);
    weights->tensors = tensors;
    struct keras_tensor *tensor = &tensors[weights->count];
    *tensor = (struct keras_tensor){.layer = layer_of(name, group_name)};
    if (!tensor->layer)
        return error_memory(reading->error, name);
    for (size_t i = 0; i < weights->count; i++)
        tensor->number += strcmp(tensors[i].layer, tensor->layer) == 0;
    weights->count++;
    hid_t dataset = H5Dopen2(group, name, reading->datasets);
    if (dataset < 0)
        return fail(reading, name, "there is no such dataset: the file is cut off or broken");
    int status = read_values(reading, dataset, name, tensor);
    H5Dclose(dataset);
    return status;
}

static int read_layer(struct reading *reading, hid_t root, const char *name)
{
    struct names names = {0};
    hid_t group = H5Gopen2(root, name, reading->groups);
    if (group < 0)
        return fail(reading, name, "there is no such layer: the file is cut off or broken");
    int status = read_names(reading, group, "weight_names", &names);
    for (size_t i = 0; status == 0 && i < names.count; i++)
        status = add_tensor(reading, group, name, names.items[i]);
    names_free(&names);
    H5Gclose(group);
    return status;
}

static int read_root(struct reading *reading, hid_t file)
{
    struct names layers = {0};
    bool whole = H5Lexists(file, "model_weights", H5P_DEFAULT) > 0; /* of model.save, not of save_weights */
    if (!whole && H5Lexists(file, "layers", H5P_DEFAULT) > 0)
        return fail(reading, "layers",
                    "Keras 3's own format, which doesn't name layers as keras.applications does: save with "
                    "model.save(\"FILE.h5\")");
    hid_t root = whole ? H5Gopen2(file, "model_weights", reading->groups) : H5Gopen2(file, "/", H5P_DEFAULT);
    int status = root < 0 ? fail(reading, "model_weights", "can't be read: the file is broken")
                          : read_names(reading, root, "layer_names", &layers);
    for (size_t i = 0; status == 0 && i < layers.count; i++)
        status = read_layer(reading, root, layers.items[i]);
    names_free(&layers);
    H5Gclose(root);
    return status;
}

int keras_read(const char *path, struct keras_weights *weights, struct error *error)
{
    struct stat about;
    *weights = (struct keras_weights){0};
    if (stat(path, &about) < 0)
        return error_errno(error, errno, path);
    struct reading reading = {.path = path, .weights = weights, .error = error};
    reading.values_left = (uint64_t)about.st_size; /* four times what fits uncompressed */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return error_set(error, "%s: expected weights of Keras in HDF5 (.h5): no such file, or cut off",
                         path);
    reading.groups = H5Pcreate(H5P_GROUP_ACCESS);
    reading.datasets = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_elink_cb(reading.groups, refuse_link, NULL);
    H5Pset_elink_cb(reading.datasets, refuse_link, NULL);
    int status = read_root(&reading, file);
    H5Pclose(reading.groups);
    H5Pclose(reading.datasets);
    H5Fclose(file);
    return status;
}

void keras_free(struct keras_weights *weights)
{
    for (size_t i = 0; i < weights->count; i++) {
        free(weights->tensors[i].layer);
        free(weights->tensors[i].data);
    }
    free(weights->tensors);
    *weights = (struct keras_weights){0};
}

const struct keras_tensor *keras_find(const struct keras_weights *weights, const char *layer, size_t number)
{
    for (size_t i = 0; i < weights->count; i++)
        if (weights->tensors[i].number == number && strcmp(weights->tensors[i].layer, layer) == 0)
            return &weights->tensors[i];
    return NULL;
}
