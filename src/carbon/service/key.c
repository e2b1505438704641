#include "carbon/service/driver.h"

#include "base/file.h"
#include "base/secret_file.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_BYTES_MOST 4096
#define KEY_IN_URL      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

/* The rest of the line that begins with the service's name, into `key`. */
static void take_line(const char *text, const char *name, char *key)
{
    size_t length = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        size_t bytes = strcspn(line, "\r\n");
        size_t blanks = strncmp(line, name, length) == 0 ? strspn(line + length, " \t") : 0;
        size_t begin = length + blanks;
        if (blanks == 0 || begin >= bytes || bytes - begin > KEY_BYTES_MOST)
            continue;
        memcpy(key, line + begin, bytes - begin);
        key[bytes - begin] = '\0';
        return;
    }
}

static int read_key_file(const struct service *service, char *key, struct error *error)
{
    const char *config = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
    AUTO_FREE char *path = config && config[0] == '/' ? text_format("%s/joulery/keys", config)
                           : home && home[0] == '/'   ? text_format("%s/.config/joulery/keys", home)
                                                      : NULL;
    char text[KEYS_BYTES_MOST + 1];
    size_t size;
    if (!path || !file_exists(path))
        return 0;
    int result = secret_file_read(path, text, KEYS_BYTES_MOST, &size, error);
    if (result == 0)
        take_line(text, service->name, key);
    explicit_bzero(text, sizeof text);
    return result;
}

int service_find_key(const struct service *service, char *key, struct error *error)
{
    key[0] = '\0';
    if (!service->key_variable)
        return 0;
    const char *given = secure_getenv(service->key_variable);
    if (given && strlen(given) > KEY_BYTES_MOST)
        return error_set(error, "%s: longer than %d bytes: that is no key", service->key_variable,
                         KEY_BYTES_MOST);
    if (given)
        memcpy(key, given, strlen(given) + 1);
    else if (read_key_file(service, key, error) < 0)
        return -1;
    bool pair = service->login_url != NULL;
    bool good = *key && !strpbrk(key, "\r\n") && (!pair || (strchr(key, ' ') && strchr(key, ' ') > key));
    if (good && service->key_in_url && key[strspn(key, KEY_IN_URL)])
        return error_set(error, "the key of %s is letters, digits and '-': what was found is none",
                         service->title);
    if (good)
        return 0;
    return error_set(
        error,
        "%s wants %s: in the environment, %s, or in ~/.config/joulery/keys, a line '%s %s' (chmod 600)",
        service->title, pair ? "a user and a password" : "a key", service->key_variable, service->name,
        service->key_form);
}
