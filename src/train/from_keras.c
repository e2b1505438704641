#include "train/from_keras.h"

#include "base/text.h"
#include "nn/graph.h"
#include "weights/keras.h"
#include "weights/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 224, ALIASES = 3, NAME_BYTES = 64, SHOWN_MOST = 4 };

/* A tensor's layer in Keras, as it has been called over the years; "" where there are no more names. */
struct aliases {
    char names[ALIASES][NAME_BYTES];
};

struct family {
    const char *architecture, *telling; /* a layer that only it has */
    const char *telling_before;         /* as it was called once, or NULL */
    struct aliases (*aliases)(const struct tensor *tensor, const size_t *blocks);
    size_t blocks[5]; /* convolutions in each of VGG's */
};

/* "features.7.weight": torchvision counts convolutions, ReLUs and poolings. */
static struct aliases vgg_aliases(const struct tensor *tensor, const size_t *blocks)
{
    static const struct {
        size_t number;
        const char *layer;
    } dense[] = {{0, "fc1"}, {3, "fc2"}, {6, "predictions"}};
    struct aliases aliases = {0};
    size_t number, at = 0;
    if (sscanf(tensor->name, "classifier.%zu.", &number) == 1)
        for (size_t i = 0; i < sizeof dense / sizeof *dense; i++)
            if (dense[i].number == number)
                snprintf(aliases.names[0], NAME_BYTES, "%s", dense[i].layer);
    if (sscanf(tensor->name, "features.%zu.", &number) != 1)
        return aliases;
    for (size_t block = 0; block < 5; block++, at++)
        for (size_t i = 0; i < blocks[block]; i++, at += 2)
            if (at == number)
                snprintf(aliases.names[0], NAME_BYTES, "block%zu_conv%zu", block + 1, i + 1);
    return aliases;
}

/* The network here has the names of Keras since 2019; before, conv3_block2_1_bn was bn3b_branch2a. */
static struct aliases resnet_aliases(const struct tensor *tensor, const size_t *blocks)
{
    static const char *const branches[] = {"branch1", "branch2a", "branch2b", "branch2c"};
    struct aliases aliases = {0};
    size_t stage, block, part, length = strcspn(tensor->name, ".");
    char kind[8];
    (void)blocks;
    snprintf(aliases.names[0], NAME_BYTES, "%.*s", (int)length, tensor->name);
    const char *name = aliases.names[0];
    if (strcmp(name, "conv1_conv") == 0)
        snprintf(aliases.names[1], NAME_BYTES, "conv1");
    else if (strcmp(name, "conv1_bn") == 0)
        snprintf(aliases.names[1], NAME_BYTES, "bn_conv1");
    else if (strcmp(name, "predictions") == 0) {
        snprintf(aliases.names[1], NAME_BYTES, "probs");
        snprintf(aliases.names[2], NAME_BYTES, "fc1000");
    } else if (sscanf(name, "conv%zu_block%zu_%zu_%7s", &stage, &block, &part, kind) == 4 && part < 4)
        snprintf(aliases.names[1], NAME_BYTES, "%s%zu%c_%s", strcmp(kind, "bn") == 0 ? "bn" : "res", stage,
                 (char)('a' + block - 1), branches[part]);
    return aliases;
}

static const struct family families[] = {
    {"vgg19", "block5_conv4", NULL, vgg_aliases, {2, 2, 4, 4, 4}},
    {"vgg16", "block5_conv3", NULL, vgg_aliases, {2, 2, 3, 3, 3}},
    {"resnet50_v1", "conv5_block3_3_conv", "res5c_branch2c", resnet_aliases, {0}},
};

static const struct family *family_of(const struct keras_weights *weights)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (keras_find(weights, families[i].telling, 0) ||
            (families[i].telling_before && keras_find(weights, families[i].telling_before, 0)))
            return &families[i];
    return NULL;
}

struct conversion {
    const char *path;
    const struct family *family;
    struct keras_weights weights;
    bool *used; /* of the weights */
    struct tensor *tensors;
    size_t tensor_count, base;
    const struct keras_tensor **sources; /* of the tensors; NULL: left out */
    size_t *written;                     /* numbers of the tensors that are */
    size_t written_count;
};

static const struct keras_tensor *source_of(const struct conversion *conversion, const struct tensor *tensor)
{
    static const size_t numbers[] = {
        [TENSOR_WEIGHT] = 0, [TENSOR_BIAS] = 1, [TENSOR_RUNNING_MEAN] = 2, [TENSOR_RUNNING_VAR] = 3};
    struct aliases aliases = conversion->family->aliases(tensor, conversion->family->blocks);
    const struct keras_tensor *source = NULL;
    for (size_t i = 0; i < ALIASES && !source && aliases.names[i][0]; i++)
        source = keras_find(&conversion->weights, aliases.names[i], numbers[tensor->role]);
    return source;
}

/* The place of each dimension of ours in theirs. */
static const size_t *order_of(size_t dim_count)
{
    static const size_t kernel[] = {3, 2, 0, 1}, dense[] = {1, 0}, vector[] = {0};
    return dim_count == 4 ? kernel : dim_count == 2 ? dense : vector;
}

static bool fits(const struct tensor *tensor, const struct keras_tensor *source)
{
    size_t dims = (size_t)tensor->dim_count;
    const size_t *order = order_of(dims);
    bool same = source->dim_count == dims && dims != 3;
    for (size_t d = 0; same && d < dims; d++)
        same = tensor->dims[d] == source->dims[order[d]];
    return same;
}

static int error_shape(const struct conversion *conversion, const struct tensor *tensor,
                       const struct keras_tensor *source, struct error *error)
{
    size_t expected[KERAS_DIMS], dims = (size_t)tensor->dim_count;
    for (size_t d = 0; d < dims; d++)
        expected[order_of(dims)[d]] = tensor->dims[d];
    AUTO_FREE char *wanted = safetensors_shape(expected, dims);
    AUTO_FREE char *shape = safetensors_shape(source->dims, source->dim_count);
    return error_set(error, "%s: layer %s: expected %s, found %s: not %s as keras.applications has it",
                     conversion->path, source->layer, wanted ? wanted : "?", shape ? shape : "?",
                     conversion->family->architecture);
}

/* All of the base must be there; the head, as in files called "notop" and in networks with another one, need
 * not. */
static int find_sources(struct conversion *conversion, struct error *error)
{
    bool head = true;
    for (size_t i = 0; i < conversion->tensor_count; i++) {
        const struct tensor *tensor = &conversion->tensors[i];
        const struct keras_tensor *source = source_of(conversion, tensor);
        bool in_head = tensor->node > conversion->base;
        if (in_head)
            head = head && source && fits(tensor, source);
        else if (!source)
            return error_set(error, "%s: layer %s is missing: not %s as keras.applications has it",
                             conversion->path,
                             conversion->family->aliases(tensor, conversion->family->blocks).names[0],
                             conversion->family->architecture);
        else if (!fits(tensor, source))
            return error_shape(conversion, tensor, source, error);
        conversion->sources[i] = source;
    }
    for (size_t i = 0; i < conversion->tensor_count; i++) {
        if (conversion->tensors[i].node > conversion->base && !head)
            continue;
        conversion->written[conversion->written_count++] = i;
        conversion->used[conversion->sources[i] - conversion->weights.tensors] = true;
    }
    return 0;
}

static void reorder_kernel(const struct tensor *tensor, const struct keras_tensor *source, bool blue_first,
                           float *data)
{
    size_t outs = tensor->dims[0], ins = tensor->dims[1], pixels = tensor->dims[2] * tensor->dims[3];
    for (size_t o = 0; o < outs; o++)
        for (size_t i = 0; i < ins; i++)
            for (size_t p = 0; p < pixels; p++) {
                size_t from = blue_first ? ins - 1 - i : i;
                data[(o * ins + i) * pixels + p] = source->data[(p * ins + from) * outs + o];
            }
}

/* `pixels` of each channel that was flattened. */
static void reorder_dense(const struct tensor *tensor, const struct keras_tensor *source, size_t pixels,
                          float *data)
{
    size_t outs = tensor->dims[0], ins = tensor->dims[1], channels = ins / pixels;
    for (size_t o = 0; o < outs; o++)
        for (size_t c = 0; c < channels; c++)
            for (size_t p = 0; p < pixels; p++)
                data[(o * channels + c) * pixels + p] = source->data[(p * channels + c) * outs + o];
}

static int fill(void *context, size_t entry, float *data, struct error *error)
{
    const struct conversion *conversion = context;
    size_t number = conversion->written[entry];
    const struct tensor *tensor = &conversion->tensors[number];
    const struct keras_tensor *source = conversion->sources[number];
    (void)error;
    if (tensor->dim_count == 4)
        reorder_kernel(tensor, source, number == 0, data);
    else if (tensor->dim_count == 2)
        reorder_dense(tensor, source, strcmp(tensor->name, "classifier.0.weight") == 0 ? 49 : 1, data);
    else
        memcpy(data, source->data, tensor->count * sizeof *data);
    return 0;
}

static char *left_out(const struct conversion *conversion)
{
    struct text text = TEXT_INIT;
    size_t count = 0;
    const char *last = "";
    for (size_t i = 0; i < conversion->weights.count; i++) {
        const char *layer = conversion->weights.tensors[i].layer;
        if (conversion->used[i] || strcmp(layer, last) == 0)
            continue;
        last = layer;
        AUTO_FREE char *shown = text_printable(layer);
        if (count < SHOWN_MOST)
            text_printf(&text, "%s%s", count ? ", " : "", shown ? shown : "?");
        else if (count == SHOWN_MOST)
            text_append(&text, ", …");
        count++;
    }
    return count ? text_take(&text) : NULL;
}

/* More stages than it has: ResNet101 and the like have all of its layers. */
static int refuse_deeper(const struct conversion *conversion, struct error *error)
{
    static const char *const deeper[] = {"conv3_block5_1_conv", "conv4_block7_1_conv"};
    for (size_t i = 0; i < sizeof deeper / sizeof *deeper; i++)
        if (keras_find(&conversion->weights, deeper[i], 0))
            return error_set(error, "%s: layer %s: a deeper network than ResNet50, which is not known here",
                             conversion->path, deeper[i]);
    return 0;
}

static int write_file(struct conversion *conversion, const char *output, double width, size_t classes,
                      struct error *error)
{
    struct safetensors_entry *entries = calloc(conversion->written_count + 1, sizeof *entries);
    AUTO_FREE char *outputs = text_format("%zu", classes);
    AUTO_FREE char *scale = text_format("%.17g", width);
    AUTO_FREE char *size = text_format("%d", SIZE);
    if (!entries || !outputs || !scale || !size) {
        free(entries);
        return error_memory(error, output);
    }
    for (size_t i = 0; i < conversion->written_count; i++) {
        const struct tensor *tensor = &conversion->tensors[conversion->written[i]];
        entries[i] = (struct safetensors_entry){tensor->name, tensor->dims, (size_t)tensor->dim_count};
    }
    const char *const metadata[] = {"format",
                                    "pt",
                                    "joulery.version",
                                    JOULERY_VERSION,
                                    "joulery.architecture",
                                    conversion->family->architecture,
                                    "joulery.size",
                                    size,
                                    "joulery.classes",
                                    outputs,
                                    "joulery.width",
                                    scale,
                                    "joulery.head",
                                    "",
                                    "joulery.normalization",
                                    "caffe",
                                    NULL};
    const struct safetensors_contents contents = {entries, conversion->written_count, metadata, fill,
                                                  conversion};
    int status = safetensors_write(output, &contents, error);
    free(entries);
    return status;
}

/* Outputs of the last layer, or what ImageNet has. */
static size_t classes_of(const struct keras_weights *weights)
{
    static const char *const names[] = {"predictions", "probs", "fc1000"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct keras_tensor *kernel = keras_find(weights, names[i], 0);
        if (kernel && kernel->dim_count == 2 && kernel->dims[1] > 1 && kernel->dims[1] < 1 << 20)
            return kernel->dims[1];
    }
    return 1000;
}

static int convert(struct conversion *conversion, const char *output, double width, struct from_keras *found,
                   struct error *error)
{
    conversion->family = family_of(&conversion->weights);
    if (!conversion->family)
        return error_set(error,
                         "%s: expected weights of keras.applications' VGG16, VGG19 or ResNet50; found "
                         "layers of none of them",
                         conversion->path);
    if (refuse_deeper(conversion, error) < 0)
        return -1;
    size_t classes = classes_of(&conversion->weights);
    const struct zoo_options zoo = {.classes = classes, .size = SIZE, .width = width};
    struct graph *graph = zoo_build(conversion->family->architecture, &zoo, error);
    if (!graph)
        return -1;
    conversion->base = graph->base;
    conversion->tensors = graph_tensors(graph, &conversion->tensor_count, error);
    graph_free(graph);
    if (!conversion->tensors)
        return -1;
    conversion->used = calloc(conversion->weights.count + 1, sizeof *conversion->used);
    conversion->sources = calloc(conversion->tensor_count + 1, sizeof *conversion->sources);
    conversion->written = calloc(conversion->tensor_count + 1, sizeof *conversion->written);
    if (!conversion->used || !conversion->sources || !conversion->written)
        return error_memory(error, conversion->path);
    if (find_sources(conversion, error) < 0 || write_file(conversion, output, width, classes, error) < 0)
        return -1;
    bool head = conversion->written_count == conversion->tensor_count;
    *found = (struct from_keras){.architecture = conversion->family->architecture,
                                 .classes = head ? classes : 0,
                                 .tensors = conversion->written_count,
                                 .head = head,
                                 .left_out = left_out(conversion)};
    return 0;
}

int from_keras(const char *path, const char *output, double width, struct from_keras *found,
               struct error *error)
{
    struct conversion conversion = {.path = path};
    *found = (struct from_keras){0};
    int status = keras_read(path, &conversion.weights, error);
    if (status == 0)
        status = convert(&conversion, output, width, found, error);
    if (conversion.tensors)
        graph_tensors_free(conversion.tensors, conversion.tensor_count);
    free(conversion.used);
    free(conversion.sources);
    free(conversion.written);
    keras_free(&conversion.weights);
    return status;
}
