#include "shop.h"

#include "base/file.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct shop *shop_open(const struct rapl_zone *zones, size_t count)
{
    struct shop *shop = calloc(1, sizeof *shop);
    if (!shop)
        return NULL;
    shop->folder = strdup("/tmp/joulery-cli-XXXXXX");
    shop->tree = count ? rapl_tree_make(zones, count) : NULL;
    if (shop->folder && mkdtemp(shop->folder))
        return shop;
    rapl_tree_free(shop->tree);
    free(shop->folder);
    free(shop);
    return NULL;
}

int shop_close(struct shop *shop)
{
    AUTO_FREE char *command = text_format("rm -rf %s", shop->folder);
    int status = system(command);
    if (shop->tree)
        rapl_tree_free(shop->tree);
    free(shop->folder);
    free(shop->error);
    free(shop->output);
    free(shop);
    return status;
}

char *slurp(const struct shop *shop, const char *name)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = file_join(shop->folder, name);
    char *content = file_read(path, 1u << 24, NULL, &error);
    if (!content)
        fail_msg("%s", error_text(&error));
    return content;
}

int shop_script(struct shop *shop, const char *script)
{
    const char *folder = getenv("JOULERY_BIN");
    assert_non_null(folder);
    AUTO_FREE char *path = file_join(shop->folder, "script");
    AUTO_FREE char *whole = text_format(
        "cd %s\nexport XDG_STATE_HOME=%s/state JOULERY_SYSFS=%s\nJ=%s/joulery\n%s\n", shop->folder,
        shop->folder, shop->tree ? rapl_tree_sysfs(shop->tree) : "/nonexistent", folder, script);
    struct error error = ERROR_INIT;
    assert_int_equal(file_write(path, whole, strlen(whole), &error), 0);
    AUTO_FREE char *command = text_format("cd %s && exec sh ./script >out 2>err </dev/null", shop->folder);
    int status = system(command);
    free(shop->error);
    free(shop->output);
    shop->error = shop->output = NULL;
    shop->error = slurp(shop, "err");
    shop->output = slurp(shop, "out");
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

int joulery(struct shop *shop, const char *arguments)
{
    AUTO_FREE char *script = text_format("$J %s", arguments);
    return shop_script(shop, script);
}

/* Each run of white space as one space. */
static char *in_one_line(const char *text)
{
    struct text line = TEXT_INIT;
    text_append(&line, "");
    while (*(text += strspn(text, " \n"))) {
        size_t size = strcspn(text, " \n");
        text_append(&line, " ");
        text_append_bytes(&line, text, size);
        text += size;
    }
    return text_take(&line);
}

void says(const struct shop *shop, const char *words)
{
    AUTO_FREE char *error = in_one_line(shop->error), *expected = in_one_line(words);
    if (!strstr(error, expected + (words[0] != ' ')))
        fail_msg("expected '%s' in:\n%s", words, shop->error);
}

json_t *load(const struct shop *shop, const char *name)
{
    AUTO_FREE char *content = slurp(shop, name);
    json_error_t error;
    json_t *json = json_loads(content, 0, &error);
    if (!json)
        fail_msg("%s: %s", name, error.text);
    return json;
}
