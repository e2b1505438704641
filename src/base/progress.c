#include "base/progress.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_WIDTH 24

void progress_start(struct progress *progress)
{
    const char *terminal = getenv("TERM");
    *progress =
        (struct progress){.shown = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0};
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

void progress_update(struct progress *progress, double done, double total, const char *detail)
{
    int64_t now = clock_boot_ns();
    if (!progress->shown || now < progress->next_ns)
        return;
    progress->next_ns = now + NS_PER_S / 10;
    progress->drawn = true;
    double share = total > 0 ? done / total : 0;
    if (share > 1)
        share = 1;
    int filled = (int)(share * BAR_WIDTH);
    char bar[BAR_WIDTH + 1];
    memset(bar, '-', BAR_WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[BAR_WIDTH] = '\0';
    AUTO_FREE char *line = text_format("[%s] %3d%% %s", bar, (int)(share * 100), detail);
    if (line)
        fprintf(stderr, "\r%.*s\033[K", terminal_columns() - 1, line);
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
    progress->next_ns = 0;
}
