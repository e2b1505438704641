#include "weights/safetensors.h"

#include "base/text.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH_BYTES = 8, DIMS_MOST = 32 };
#define HEADER_MOST ((uint64_t)100000000)
#define METADATA    "__metadata__"

struct safetensors {
    char *path;
    json_t *header;
    struct safetensor *tensors;
    size_t count;
    const unsigned char *values;
    size_t values_size;
    void *map; /* NULL: the caller's memory */
    size_t map_size;
};

typedef float convert_function(const unsigned char *bytes);

static float from_f32(const unsigned char *bytes)
{
    uint32_t bits;
    float value;
    memcpy(&bits, bytes, sizeof bits);
    bits = le32toh(bits);
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float from_f64(const unsigned char *bytes)
{
    uint64_t bits;
    double value;
    memcpy(&bits, bytes, sizeof bits);
    bits = le64toh(bits);
    memcpy(&value, &bits, sizeof value);
    return (float)value;
}

static float from_bf16(const unsigned char *bytes)
{
    const unsigned char wide[] = {0, 0, bytes[0], bytes[1]};
    return from_f32(wide);
}

static float from_f16(const unsigned char *bytes)
{
    unsigned bits = bytes[0] | (unsigned)bytes[1] << 8;
    int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
    float size = ldexpf((float)(fraction + 1024), exponent - 25);
    if (exponent == 0)
        size = ldexpf((float)fraction, -24);
    else if (exponent == 31)
        size = fraction ? NAN : INFINITY;
    return bits >> 15 ? -size : size;
}

/* All of the format whose values fill whole bytes; those without a conversion are no weights. */
static const struct type {
    const char *name;
    size_t bytes;
    convert_function *convert;
} types[] = {{"F32", 4, from_f32}, {"F16", 2, from_f16}, {"BF16", 2, from_bf16}, {"F64", 8, from_f64},
             {"I64", 8, NULL},     {"U64", 8, NULL},     {"I32", 4, NULL},       {"U32", 4, NULL},
             {"I16", 2, NULL},     {"U16", 2, NULL},     {"I8", 1, NULL},        {"U8", 1, NULL},
             {"BOOL", 1, NULL},    {"F8_E5M2", 1, NULL}, {"F8_E4M3", 1, NULL},   {"F8_E8M0", 1, NULL},
             {"C64", 8, NULL}};

static const struct type *find_type(const char *name)
{
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

char *safetensors_shape(const size_t *dims, size_t dim_count)
{
    struct text text = TEXT_INIT;
    if (dim_count == 0)
        text_append(&text, "scalar");
    for (size_t d = 0; d < dim_count; d++)
        text_printf(&text, "%s%zu", d ? "x" : "", dims[d]);
    return text_take(&text);
}

/* Names come from outside: control characters don't reach a terminal. */
static int tensor_error(const struct safetensors *file, const char *name, const char *what,
                        struct error *error)
{
    AUTO_FREE char *shown = text_printable(name);
    return error_set(error, "%s: tensor %s: %s", file->path, shown ? shown : "?", what);
}

static bool size_of(const json_t *json, size_t *size)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0)
        return false;
    *size = (size_t)json_integer_value(json);
    return true;
}

static int parse_shape(const struct safetensors *file, const json_t *shape, struct safetensor *tensor,
                       struct error *error)
{
    tensor->count = 1;
    tensor->dim_count = json_array_size(shape);
    if (!json_is_array(shape) || tensor->dim_count > DIMS_MOST)
        return tensor_error(file, tensor->name, "expected a shape of at most 32 dimensions", error);
    tensor->dims = calloc(tensor->dim_count + 1, sizeof *tensor->dims);
    if (!tensor->dims)
        return error_memory(error, file->path);
    for (size_t d = 0; d < tensor->dim_count; d++) {
        if (!size_of(json_array_get(shape, d), &tensor->dims[d]))
            return tensor_error(file, tensor->name, "its shape: expected whole numbers from 0", error);
        if (__builtin_mul_overflow(tensor->count, tensor->dims[d], &tensor->count))
            return tensor_error(file, tensor->name, "its shape has more values than memory could", error);
    }
    return 0;
}

static int parse_offsets(const struct safetensors *file, const json_t *offsets, size_t value_bytes,
                         struct safetensor *tensor, struct error *error)
{
    size_t bytes;
    if (json_array_size(offsets) != 2 || !size_of(json_array_get(offsets, 0), &tensor->begin) ||
        !size_of(json_array_get(offsets, 1), &tensor->end) || tensor->begin > tensor->end)
        return tensor_error(file, tensor->name, "data_offsets: expected [begin, end]", error);
    AUTO_FREE char *said = NULL;
    if (tensor->end > file->values_size) {
        said =
            text_format("ends at byte %zu of the values, of which the file has %zu: it is cut off or broken",
                        tensor->end, file->values_size);
        return tensor_error(file, tensor->name, said ? said : "is cut off", error);
    }
    if (__builtin_mul_overflow(tensor->count, value_bytes, &bytes) || bytes != tensor->end - tensor->begin) {
        said = text_format("%zu values of %s: expected %zu bytes each, found %zu in all", tensor->count,
                           tensor->type, value_bytes, tensor->end - tensor->begin);
        return tensor_error(file, tensor->name, said ? said : "its shape doesn't fit its bytes", error);
    }
    return 0;
}

static int parse_tensor(const struct safetensors *file, const json_t *json, struct safetensor *tensor,
                        struct error *error)
{
    const struct type *type = find_type(json_string_value(json_object_get(json, "dtype")));
    if (!type)
        return tensor_error(file, tensor->name, "expected a dtype as F32 or BF16", error);
    tensor->type = type->name;
    if (parse_shape(file, json_object_get(json, "shape"), tensor, error) < 0)
        return -1;
    return parse_offsets(file, json_object_get(json, "data_offsets"), type->bytes, tensor, error);
}

static int by_place(const void *left, const void *right)
{
    const struct safetensor *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

static int check_places(struct safetensors *file, struct error *error)
{
    size_t at = 0;
    if (file->count)
        qsort(file->tensors, file->count, sizeof *file->tensors, by_place);
    for (size_t i = 0; i < file->count; i++) {
        const struct safetensor *tensor = &file->tensors[i];
        if (tensor->begin < at)
            return tensor_error(file, tensor->name, "its values overlap another tensor's", error);
        if (tensor->begin > at)
            return tensor_error(file, tensor->name, "there is a gap before its values", error);
        at = tensor->end;
    }
    if (at != file->values_size)
        return error_set(error, "%s: the tensors end at byte %zu of the values, the file at %zu", file->path,
                         at, file->values_size);
    return 0;
}

static int check_metadata(const struct safetensors *file, struct error *error)
{
    json_t *metadata = json_object_get(file->header, METADATA), *value;
    const char *key;
    if (metadata && !json_is_object(metadata))
        return error_set(error, "%s: " METADATA ": expected an object", file->path);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return error_set(error, "%s: " METADATA ": expected texts only", file->path);
    }
    return 0;
}

static int parse_tensors(struct safetensors *file, struct error *error)
{
    const char *key;
    json_t *value;
    if (check_metadata(file, error) < 0)
        return -1;
    file->tensors = calloc(json_object_size(file->header) + 1, sizeof *file->tensors);
    if (!file->tensors)
        return error_memory(error, file->path);
    json_object_foreach(file->header, key, value)
    {
        if (strcmp(key, METADATA) == 0)
            continue;
        struct safetensor *tensor = &file->tensors[file->count++];
        tensor->name = key;
        if (parse_tensor(file, value, tensor, error) < 0)
            return -1;
    }
    return check_places(file, error);
}

/* A zip archive, or a pickle of protocol 2 and later: what torch.save writes. */
static bool is_pickle(const unsigned char *bytes, size_t size)
{
    return size >= 2 && (memcmp(bytes, "PK", 2) == 0 ||
                         (bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5 && (size < 8 || bytes[7] != 0)));
}

static int error_pickle(const char *path, struct error *error)
{
    return error_set(error,
                     "%s: a file of torch.save, which can run any program when it is read. Make safetensors "
                     "of it where you trust it:\n  python3 -c 'import sys, torch, safetensors.torch as s\n"
                     "s.save_file(torch.load(sys.argv[1], weights_only=True), sys.argv[2])' IN.pth "
                     "OUT.safetensors",
                     path);
}

static int parse_header(struct safetensors *file, const unsigned char *bytes, size_t size,
                        struct error *error)
{
    uint64_t length;
    if (is_pickle(bytes, size))
        return error_pickle(file->path, error);
    if (size < LENGTH_BYTES)
        return error_set(error, "%s: %zu bytes: expected safetensors, which begins with 8 bytes of length",
                         file->path, size);
    memcpy(&length, bytes, sizeof length);
    length = le64toh(length);
    if (length > HEADER_MOST || length > size - LENGTH_BYTES)
        return error_set(error,
                         "%s: a header of %llu bytes in a file of %zu: it is cut off or no safetensors file",
                         file->path, (unsigned long long)length, size);
    if (length == 0 || bytes[LENGTH_BYTES] != '{')
        return error_set(error, "%s: no safetensors file: expected a header that begins with {", file->path);
    json_error_t wrong;
    file->header =
        json_loadb((const char *)bytes + LENGTH_BYTES, (size_t)length, JSON_REJECT_DUPLICATES, &wrong);
    if (!file->header) {
        AUTO_FREE char *said = text_printable(wrong.text);
        return error_set(error, "%s: header: %s", file->path, said ? said : "no JSON");
    }
    file->values = bytes + LENGTH_BYTES + length;
    file->values_size = size - LENGTH_BYTES - (size_t)length;
    return parse_tensors(file, error);
}

struct safetensors *safetensors_parse(const char *name, const void *bytes, size_t size, struct error *error)
{
    struct safetensors *file = calloc(1, sizeof *file);
    if (file)
        file->path = strdup(name);
    if (!file || !file->path) {
        error_memory(error, name);
        safetensors_close(file);
        return NULL;
    }
    if (parse_header(file, bytes, size, error) < 0) {
        safetensors_close(file);
        return NULL;
    }
    return file;
}

static struct safetensors *open_descriptor(const char *path, int descriptor, struct error *error)
{
    struct stat status;
    if (fstat(descriptor, &status) < 0) {
        error_errno(error, errno, path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        error_set(error, "%s: expected a safetensors file, found %s", path,
                  S_ISREG(status.st_mode) ? "an empty file" : "no regular file");
        return NULL;
    }
    size_t size = (size_t)status.st_size;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (map == MAP_FAILED) {
        error_errno(error, errno, path);
        return NULL;
    }
    struct safetensors *file = safetensors_parse(path, map, size, error);
    if (!file) {
        munmap(map, size);
        return NULL;
    }
    file->map = map;
    file->map_size = size;
    return file;
}

struct safetensors *safetensors_open(const char *path, struct error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        error_errno(error, errno, path);
        return NULL;
    }
    struct safetensors *file = open_descriptor(path, descriptor, error);
    close(descriptor);
    return file;
}

void safetensors_close(struct safetensors *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->count; i++)
        free(file->tensors[i].dims);
    free(file->tensors);
    json_decref(file->header);
    if (file->map)
        munmap(file->map, file->map_size);
    free(file->path);
    free(file);
}

const char *safetensors_path(const struct safetensors *file)
{
    return file->path;
}

size_t safetensors_count(const struct safetensors *file)
{
    return file->count;
}

const struct safetensor *safetensors_tensor(const struct safetensors *file, size_t number)
{
    return &file->tensors[number];
}

const struct safetensor *safetensors_find(const struct safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, METADATA), key));
}

int safetensors_read(const struct safetensors *file, const struct safetensor *tensor, float *data,
                     struct error *error)
{
    const struct type *type = find_type(tensor->type);
    const unsigned char *bytes = file->values + tensor->begin;
    if (!type->convert) {
        AUTO_FREE char *said = text_format("expected F32, F16, BF16 or F64, found %s", type->name);
        return tensor_error(file, tensor->name, said ? said : "no floating point", error);
    }
    for (size_t i = 0; i < tensor->count; i++)
        data[i] = type->convert(bytes + i * type->bytes);
    return 0;
}
