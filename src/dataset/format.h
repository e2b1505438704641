/* format.h: what the formats of data sets share; inside the room only. */
#ifndef JOULERY_DATASET_FORMAT_H
#define JOULERY_DATASET_FORMAT_H

#include "dataset/dataset.h"

/* Each format fills in everything of `dataset` but name, channels, mean and deviation. `argument` is what
 * follows "NAME:" in the spec, or NULL. On failure the caller frees what was filled in. */
typedef int dataset_format_open(const char *argument, const struct dataset_options *options,
                                struct dataset *dataset, struct error *error);
dataset_format_open shapes_open, cifar_open, mnist_open, folder_open;

/* The size to make of images that are own_size x own_size. */
size_t dataset_target_size(const struct dataset_options *options, size_t own_size);

/* Allocates room for `count` images of dataset->size. Error: more than the machine's memory (both are named).
 */
int dataset_allocate(struct dataset *dataset, struct dataset_split *split, size_t count, struct error *error);

/* Allocates `classes` class names: copies of `names`, or "0", "1", … where names is NULL. */
int dataset_name_classes(struct dataset *dataset, const char *const *names, size_t classes,
                         struct error *error);

/* Fills `split`, already allocated, from raw planar images (split->count, channels, own_size, own_size),
 * channels 1 or 3, resizing and repeating grey. */
int dataset_fill(const struct dataset *dataset, struct dataset_split *split, const uint8_t *raw,
                 size_t channels, size_t own_size, size_t threads, struct error *error);

/* A permutation of 0 … count-1 for a split of 80 to 20 that is the same in every run; the caller frees it.
 * The first split_train_count(count) are for training. */
size_t *split_order(size_t count, uint64_t stream);
size_t split_train_count(size_t count);

/* Calls work(context, index) once for every index < count, on `threads` threads. */
void parallel_for(size_t count, size_t threads, void (*work)(void *context, size_t index), void *context);

#endif
