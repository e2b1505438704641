/* file.h: small files read whole, paths joined, files written so that a reader never sees half of one. */
#ifndef JOULERY_BASE_FILE_H
#define JOULERY_BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Reads at most `limit` bytes; more is an error. The data is followed by a zero byte that `*size` does not
 * count. The caller frees it. */
char *file_read(const char *path, size_t limit, size_t *size, struct error *error);

/* "directory/name"; the caller frees it; NULL if memory ran out. */
char *file_join(const char *directory, const char *name);

/* Writes to a temporary file beside `path`, syncs and renames it over `path`; on failure the old file stays.
 * `path` "-" writes to standard output. */
int file_write(const char *path, const void *data, size_t size, struct error *error);

/* The same for one of many files that can be made again: the disk is not waited for. */
int file_write_many(const char *path, const void *data, size_t size, struct error *error);

/* The same for contents that come piece by piece. Until file_writer_finish the old file is untouched;
 * file_writer_drop leaves it so. Regular files only. Both free the writer; drop takes NULL. */
struct file_writer;
struct file_writer *file_writer_open(const char *path, struct error *error);
int file_writer_put(struct file_writer *writer, const void *data, size_t size, struct error *error);
int file_writer_finish(struct file_writer *writer, struct error *error);
void file_writer_drop(struct file_writer *writer);

/* Whether file_write could write there, found out without writing: better known before hours of work than
 * after. */
int file_check_writable(const char *path, struct error *error);

/* Makes the folders of `path` that are missing, for their owner alone (as the XDG base directory
 * specification wants it); what follows the last slash is the file's name. */
int file_make_folders(const char *path, struct error *error);

bool file_exists(const char *path);

/* The folder of the running program (for finding joulery-train beside joulery); the caller frees it. */
char *file_program_directory(struct error *error);

#endif
