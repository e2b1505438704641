/* secret_file.h: small files with credentials, which nobody but their owner may read. */
#ifndef JOULERY_BASE_SECRET_FILE_H
#define JOULERY_BASE_SECRET_FILE_H

#include "base/error.h"

#include <stddef.h>

/* Reads at most `most` bytes of a regular file that belongs to the caller and that only he may read into
 * `text`, which has room for one more: a zero byte follows them. More bytes are an error. No error repeats
 * what is in it. The caller wipes `text`, after -1 too. */
int secret_file_read(const char *path, char *text, size_t most, size_t *size, struct error *error);

#endif
