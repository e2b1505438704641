/* cifar.h: the binary version of CIFAR-10: records of one label byte and 3 x 32 x 32 bytes (red, green, blue
 * planes). Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version". */
#ifndef JOULERY_DATASET_CIFAR_H
#define JOULERY_DATASET_CIFAR_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { CIFAR_SIZE = 32, CIFAR_IMAGE = 3 * 32 * 32, CIFAR_RECORD = 1 + CIFAR_IMAGE, CIFAR_CLASSES = 10 };

/* Checks one batch file; `*count` is its number of records. */
int cifar_parse(const uint8_t *bytes, size_t size, size_t *count, struct error *error);

#endif
