#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

int library_load(const struct library *library, void *api, struct error *error)
{
    void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return error_set(error, "%s is not installed, which %s need: on Debian: sudo apt install %s",
                         library->name, library->what, library->package);
    for (size_t i = 0; i < library->count; i++) {
        void *address = dlsym(handle, library->symbols[i].name);
        if (!address)
            return error_set(error, "%s lacks %s: install a newer %s", library->file,
                             library->symbols[i].name, library->name);
        memcpy((char *)api + library->symbols[i].at, &address, sizeof address);
    }
    return 0;
}
