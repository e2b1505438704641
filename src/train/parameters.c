#include "train/parameters.h"

#include "base/text.h"
#include "nn/graph.h"
#include "weights/safetensors.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MOST = 4 };

/* The first names and how many there are. */
struct names {
    struct text text;
    size_t count;
};

static void add_name(struct names *names, const char *name)
{
    AUTO_FREE char *shown = text_printable(name);
    if (names->count < SHOWN_MOST)
        text_printf(&names->text, "%s%s", names->count ? ", " : "", shown ? shown : "?");
    else if (names->count == SHOWN_MOST)
        text_append(&names->text, ", …");
    names->count++;
}

struct load {
    struct network *network;
    const struct parameters_source *source;
    struct safetensors *file;
    struct tensor *whole; /* the architecture's own tensors */
    size_t whole_count;
    bool skips_head;
    struct names missing, extra, left_out;
};

static bool fits(const struct network_tensor *tensor, const struct safetensor *found)
{
    if (tensor->dim_count != found->dim_count)
        return false;
    for (size_t d = 0; d < tensor->dim_count; d++)
        if (tensor->dims[d] != found->dims[d])
            return false;
    return true;
}

/* " (it was saved as vgg16)" */
static char *said_of_itself(const struct load *load)
{
    const char *architecture = safetensors_metadata(load->file, PARAMETERS_ARCHITECTURE);
    AUTO_FREE char *shown = architecture ? text_printable(architecture) : NULL;
    return shown ? text_format(" (it was saved as %s)", shown) : text_format("%s", "");
}

static int error_shape(const struct load *load, const struct network_tensor *tensor,
                       const struct safetensor *found, struct error *error)
{
    AUTO_FREE char *expected = safetensors_shape(tensor->dims, tensor->dim_count);
    AUTO_FREE char *shape = safetensors_shape(found->dims, found->dim_count);
    const char *advice = tensor->head ? "give --classes and --head as they were for it"
                                      : "give --arch and --width as they were for it";
    AUTO_FREE char *said = said_of_itself(load);
    return error_set(error, "%s: tensor %s: %s expects %s, found %s: %s%s", load->source->path, tensor->name,
                     load->source->architecture, expected ? expected : "?", shape ? shape : "?", advice,
                     said ? said : "");
}

/* The head is loaded whole or not at all. */
static void decide_head(struct load *load)
{
    for (size_t i = 0; i < network_tensor_count(load->network); i++) {
        struct network_tensor tensor = network_tensor(load->network, i);
        const struct safetensor *found = safetensors_find(load->file, tensor.name);
        if (tensor.head && load->source->head_may_differ && !(found && fits(&tensor, found)))
            load->skips_head = true;
    }
}

static int check_tensors(struct load *load, struct error *error)
{
    for (size_t i = 0; i < network_tensor_count(load->network); i++) {
        struct network_tensor tensor = network_tensor(load->network, i);
        const struct safetensor *found = safetensors_find(load->file, tensor.name);
        if (tensor.head && load->skips_head)
            add_name(&load->left_out, tensor.name);
        else if (!found)
            add_name(&load->missing, tensor.name);
        else if (!fits(&tensor, found))
            return error_shape(load, &tensor, found, error);
    }
    return 0;
}

static bool is_of_network(const struct load *load, const char *name)
{
    for (size_t i = 0; i < network_tensor_count(load->network); i++)
        if (strcmp(network_tensor(load->network, i).name, name) == 0)
            return true;
    return false;
}

/* Of the head that the architecture has itself. */
static bool is_of_own_head(const struct load *load, const char *name)
{
    for (size_t i = 0; i < load->whole_count; i++)
        if (load->whole[i].node > load->source->whole->base && strcmp(load->whole[i].name, name) == 0)
            return true;
    return false;
}

/* What torchvision's files hold besides. */
static bool is_passed_over(const char *name)
{
    static const char *const starts[] = {"aux1.", "aux2.", "AuxLogits."};
    static const char counter[] = "num_batches_tracked";
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    return length >= sizeof counter - 1 && strcmp(name + length - (sizeof counter - 1), counter) == 0;
}

static void find_extra(struct load *load)
{
    for (size_t i = 0; i < safetensors_count(load->file); i++) {
        const char *name = safetensors_tensor(load->file, i)->name;
        if (!is_of_network(load, name) && !is_of_own_head(load, name) && !is_passed_over(name))
            add_name(&load->extra, name);
    }
}

static int check_names(struct load *load, struct error *error)
{
    find_extra(load);
    if (!load->missing.count && !load->extra.count)
        return 0;
    struct text said = TEXT_INIT;
    if (load->missing.count)
        text_printf(&said, "%zu tensor%s missing (%s)", load->missing.count,
                    load->missing.count == 1 ? " is" : "s are", load->missing.text.data);
    if (load->extra.count)
        text_printf(&said, "%s%zu %s not of it (%s)", load->missing.count ? ", " : "", load->extra.count,
                    load->extra.count == 1 ? "is" : "are", load->extra.text.data);
    AUTO_FREE char *list = text_take(&said);
    AUTO_FREE char *itself = said_of_itself(load);
    return error_set(error, "%s: no weights of %s as it is built here: %s: give the --arch%s they are of%s",
                     load->source->path, load->source->architecture, list ? list : "names differ",
                     load->source->head_may_differ ? "" : " and the --head", itself ? itself : "");
}

int parameters_check(const char *name, const float *data, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(data[i]))
            return error_set(error, "tensor %s: value %zu is %f", name, i, (double)data[i]);
    return 0;
}

static int set_tensor(struct load *load, const struct network_tensor *tensor, struct error *error)
{
    float *data = malloc(tensor->count * sizeof *data);
    if (!data)
        return error_memory(error, tensor->name);
    int status = safetensors_read(load->file, safetensors_find(load->file, tensor->name), data, error);
    if (status == 0 && parameters_check(tensor->name, data, tensor->count, error) < 0)
        status = error_prefix(error, "%s", load->source->path);
    if (status == 0)
        status = network_set_tensor(load->network, tensor->name, data, tensor->count, error);
    free(data);
    return status;
}

static int load_all(struct load *load, struct error *error)
{
    if (safetensors_metadata(load->file, "joulery.checkpoint"))
        return error_set(error,
                         "%s: a checkpoint: go on from it with --checkpoint FILE --resume, or give what "
                         "--save wrote",
                         load->source->path);
    if (load->source->whole)
        load->whole = graph_tensors(load->source->whole, &load->whole_count, error);
    if (load->source->whole && !load->whole)
        return -1;
    decide_head(load);
    if (check_tensors(load, error) < 0 || check_names(load, error) < 0)
        return -1;
    for (size_t i = 0; i < network_tensor_count(load->network); i++) {
        struct network_tensor tensor = network_tensor(load->network, i);
        if (!(tensor.head && load->skips_head) && set_tensor(load, &tensor, error) < 0)
            return -1;
    }
    return 0;
}

int parameters_load(struct network *network, const struct parameters_source *source, char **note,
                    struct error *error)
{
    struct load load = {.network = network, .source = source};
    *note = NULL;
    load.file = safetensors_open(source->path, error);
    if (!load.file)
        return -1;
    int status = load_all(&load, error);
    if (status == 0 && load.left_out.count)
        *note = text_format("the head starts anew: that of %s is another (%zu tensor%s: %s)", source->path,
                            load.left_out.count, load.left_out.count == 1 ? "" : "s",
                            load.left_out.text.data ? load.left_out.text.data : "?");
    text_free(&load.missing.text);
    text_free(&load.extra.text);
    text_free(&load.left_out.text);
    if (load.whole)
        graph_tensors_free(load.whole, load.whole_count);
    safetensors_close(load.file);
    return status;
}

static int fill(void *context, size_t entry, float *data, struct error *error)
{
    const struct network *network = context;
    struct network_tensor tensor = network_tensor(network, entry);
    if (network_get_tensor(network, tensor.name, data, tensor.count, error) < 0)
        return -1;
    return parameters_check(tensor.name, data, tensor.count, error);
}

int parameters_save(const struct network *network, const char *path, const char *const *metadata,
                    struct error *error)
{
    size_t count = network_tensor_count(network);
    struct safetensors_entry *entries = calloc(count + 1, sizeof *entries);
    if (!entries)
        return error_memory(error, path);
    for (size_t i = 0; i < count; i++) {
        struct network_tensor tensor = network_tensor(network, i);
        entries[i] = (struct safetensors_entry){tensor.name, tensor.dims, tensor.dim_count};
    }
    struct safetensors_contents contents = {entries, count, metadata, fill, (void *)network};
    int status = safetensors_write(path, &contents, error);
    free(entries);
    return status;
}

/* ---- a copy in memory ---- */

struct parameters_copy {
    size_t count;
    float **tensors;
};

struct parameters_copy *parameters_copy_new(const struct network *network, struct error *error)
{
    struct parameters_copy *copy = calloc(1, sizeof *copy);
    size_t count = network_tensor_count(network);
    if (copy)
        copy->tensors = calloc(count + 1, sizeof *copy->tensors);
    bool enough = copy && copy->tensors;
    for (size_t i = 0; enough && i < count; i++) {
        struct network_tensor tensor = network_tensor(network, i);
        copy->count = i + 1;
        if (!tensor.frozen)
            enough = (copy->tensors[i] = malloc(tensor.count * sizeof(float))) != NULL;
    }
    if (enough)
        return copy;
    parameters_copy_free(copy);
    error_memory(error, "the best epoch's weights");
    return NULL;
}

void parameters_copy_free(struct parameters_copy *copy)
{
    if (!copy)
        return;
    for (size_t i = 0; i < copy->count; i++)
        free(copy->tensors[i]);
    free(copy->tensors);
    free(copy);
}

int parameters_copy_take(struct parameters_copy *copy, const struct network *network, struct error *error)
{
    for (size_t i = 0; i < copy->count; i++) {
        struct network_tensor tensor = network_tensor(network, i);
        if (copy->tensors[i] &&
            network_get_tensor(network, tensor.name, copy->tensors[i], tensor.count, error) < 0)
            return -1;
    }
    return 0;
}

int parameters_copy_restore(const struct parameters_copy *copy, struct network *network, struct error *error)
{
    for (size_t i = 0; i < copy->count; i++) {
        struct network_tensor tensor = network_tensor(network, i);
        if (copy->tensors[i] &&
            network_set_tensor(network, tensor.name, copy->tensors[i], tensor.count, error) < 0)
            return -1;
    }
    return 0;
}

float *parameters_copy_tensor(const struct parameters_copy *copy, size_t tensor)
{
    return copy->tensors[tensor];
}
