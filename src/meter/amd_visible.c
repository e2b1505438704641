#include "meter/amd_visible.h"

#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MOST 4096

void kfd_node_parse(const char *properties, struct kfd_node *node)
{
    *node = (struct kfd_node){0};
    const struct {
        const char *key;
        uint64_t *value;
    } keys[] = {{"simd_count ", &node->simd_count},
                {"domain ", &node->domain},
                {"location_id ", &node->location_id},
                {"unique_id ", &node->unique_id}};
    while (*properties) {
        size_t length = strcspn(properties, "\n");
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            size_t start = strlen(keys[i].key);
            if (strncmp(properties, keys[i].key, start) != 0)
                continue;
            AUTO_FREE char *number = strndup(properties + start, length - start);
            if (number)
                text_to_u64(number, keys[i].value);
        }
        properties += length + (properties[length] == '\n');
    }
}

/* A position in chosen[0..count), or `count` if there is none of that name. */
static size_t find_named(const char *name, const struct kfd_node *nodes, const size_t *chosen, size_t count)
{
    uint64_t position;
    if (text_to_u64(name, &position) == 0)
        return position < count ? (size_t)position : count;
    for (size_t i = 0; i < count; i++) {
        char known[32];
        snprintf(known, sizeof known, "GPU-%016" PRIx64, nodes[chosen[i]].unique_id);
        if (nodes[chosen[i]].unique_id && strcasecmp(name, known) == 0)
            return i;
    }
    return count;
}

void amd_visible_filter(const char *list, const struct kfd_node *nodes, size_t *chosen, size_t *count)
{
    if (!list || !*list)
        return;
    size_t kept = 0;
    size_t *before = calloc(*count + 1, sizeof *before);
    for (size_t i = 0; before && i < *count; i++)
        before[i] = chosen[i];
    while (before && kept < *count) {
        size_t length = strcspn(list, ",");
        AUTO_FREE char *name = strndup(list, length);
        size_t at = name ? find_named(name, nodes, before, *count) : *count;
        if (at == *count)
            break;
        chosen[kept++] = before[at];
        if (list[length] == '\0')
            break;
        list += length + 1;
    }
    free(before);
    *count = kept;
}

static int compare_numbers(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* The numbers that are the names of a folder's entries, in order; the caller frees them. */
static uint64_t *list_numbers(const char *folder, size_t *count)
{
    *count = 0;
    DIR *directory = opendir(folder);
    uint64_t *numbers = calloc(NODES_MOST, sizeof *numbers);
    struct dirent *entry;
    while (directory && numbers && *count < NODES_MOST && (entry = readdir(directory)))
        *count += text_to_u64(entry->d_name, &numbers[*count]) == 0;
    if (directory)
        closedir(directory);
    if (*count)
        qsort(numbers, *count, sizeof *numbers, compare_numbers);
    return numbers;
}

/* The kernel's GPUs; *count 0 where it has no list. NULL: memory ran out. */
static struct kfd_node *list_nodes(const char *sysfs, size_t *count)
{
    *count = 0;
    AUTO_FREE char *folder = file_join(sysfs, "class/kfd/kfd/topology/nodes");
    size_t numbered = 0;
    uint64_t *numbers = folder ? list_numbers(folder, &numbered) : NULL;
    struct kfd_node *nodes = numbers ? calloc(numbered + 1, sizeof *nodes) : NULL;
    for (size_t i = 0; nodes && i < numbered; i++) {
        struct error ignored = ERROR_INIT;
        AUTO_FREE char *path = text_format("%s/%" PRIu64 "/properties", folder, numbers[i]);
        AUTO_FREE char *text = path ? file_read(path, 1u << 16, NULL, &ignored) : NULL;
        error_clear(&ignored);
        if (!text) /* a GPU that this cgroup must not use */
            continue;
        kfd_node_parse(text, &nodes[*count]);
        *count += nodes[*count].simd_count > 0;
    }
    free(numbers);
    return nodes;
}

static bool is_at(const struct kfd_node *node, const char *address)
{
    char known[64];
    snprintf(known, sizeof known, "%04" PRIx64 ":%02x:%02x.%u", node->domain,
             (unsigned)(node->location_id >> 8 & 0xff), (unsigned)(node->location_id >> 3 & 0x1f),
             (unsigned)(node->location_id & 7));
    return strcasecmp(known, address) == 0;
}

static void mark_ours(const struct kfd_node *nodes, const size_t *chosen, size_t chosen_count, bool listed,
                      const char *const *addresses, size_t count, bool *ours)
{
    for (size_t i = 0; i < count; i++) {
        ours[i] = false;
        for (size_t k = 0; k < chosen_count && !ours[i]; k++)
            ours[i] = listed ? is_at(&nodes[chosen[k]], addresses[i]) : chosen[k] == i;
    }
}

int amd_visible(const char *sysfs, const char *rocr_list, const char *hip_list, const char *const *addresses,
                size_t count, bool *ours)
{
    size_t node_count;
    struct kfd_node *nodes = list_nodes(sysfs, &node_count);
    bool listed = node_count > 0;
    if (nodes && !listed) { /* the same number of nodes of which nothing is known */
        free(nodes);
        nodes = calloc(count + 1, sizeof *nodes);
        node_count = count;
    }
    size_t *chosen = calloc(node_count + 1, sizeof *chosen);
    int result = nodes && chosen ? 0 : -1;
    bool given = (rocr_list && *rocr_list) || (hip_list && *hip_list);
    for (size_t i = 0; i < count; i++)
        ours[i] = true;
    if (result == 0 && given) {
        for (size_t i = 0; i < node_count; i++)
            chosen[i] = i;
        amd_visible_filter(rocr_list, nodes, chosen, &node_count);
        amd_visible_filter(hip_list, nodes, chosen, &node_count);
        mark_ours(nodes, chosen, node_count, listed, addresses, count, ours);
    }
    free(nodes);
    free(chosen);
    return result;
}
