/* file_tree.h: a folder of small files that plays /sys or /proc. Whatever fails aborts the test program. */
#ifndef JOULERY_TESTS_METER_FILE_TREE_H
#define JOULERY_TESTS_METER_FILE_TREE_H

struct file_tree;

/* In a new temporary folder, which file_tree_free removes. */
struct file_tree *file_tree_make(void);
const char *file_tree_root(const struct file_tree *tree);
/* Writes a file, making its folders. One that is there is written in place: whoever has it open reads the new
 * content; numbers of the same length are never seen half. */
void file_tree_write(const struct file_tree *tree, const char *path, const char *content);
/* A symbolic link; `target` is below the root. */
void file_tree_link(const struct file_tree *tree, const char *path, const char *target);
/* Removes a file. */
void file_tree_remove(const struct file_tree *tree, const char *path);
/* Takes away everybody's permission to read a file. */
void file_tree_deny(const struct file_tree *tree, const char *path);
void file_tree_free(struct file_tree *tree);

#endif
