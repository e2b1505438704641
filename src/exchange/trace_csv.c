#include "exchange/trace_csv.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK_BYTES       65536
#define BLOCK_PATIENCE_NS (2 * NS_PER_S)
#define GZIP_WINDOW_BITS  (15 + 16)

struct trace_csv {
    char *path;
    int descriptor;
    int failure; /* errno of what went wrong; 0: nothing */
    bool packed;
    off_t good; /* bytes of whole blocks */
    int64_t flushed_ns;
    struct text rows;
    struct text packed_block;
};

/* One gzip member. */
static int pack(struct trace_csv *trace)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return -1;
    stream.next_in = (unsigned char *)trace->rows.data;
    stream.avail_in = (unsigned)trace->rows.length;
    trace->packed_block.length = 0;
    int status = Z_OK;
    while (status == Z_OK) {
        unsigned char piece[16384];
        stream.next_out = piece;
        stream.avail_out = sizeof piece;
        status = deflate(&stream, Z_FINISH);
        text_append_bytes(&trace->packed_block, piece, sizeof piece - stream.avail_out);
    }
    deflateEnd(&stream);
    return status == Z_STREAM_END && !trace->packed_block.failed ? 0 : -1;
}

/* write(2) where a limit on the size of files (RLIMIT_FSIZE) is an error like a full disk, and not the end of
 * the program: its signal is for this thread alone and is taken back. */
static ssize_t write_within_limit(int descriptor, const char *bytes, size_t size)
{
    sigset_t too_large, before, pending;
    sigemptyset(&too_large);
    sigaddset(&too_large, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &too_large, &before);
    bool earlier = sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1;
    ssize_t wrote = write(descriptor, bytes, size);
    int number = errno;
    if (wrote < 0 && number == EFBIG && !earlier)
        sigtimedwait(&too_large, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return wrote;
}

static int write_block(struct trace_csv *trace, const struct text *block)
{
    size_t done = 0;
    while (done < block->length) {
        ssize_t wrote = write_within_limit(trace->descriptor, block->data + done, block->length - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            trace->failure = errno;
            /* half a block would make all of a gzip file suspect; on a pipe there is nothing to take back */
            (void)!ftruncate(trace->descriptor, trace->good);
            return -1;
        }
        done += (size_t)wrote;
    }
    trace->good += (off_t)block->length;
    return 0;
}

static int flush(struct trace_csv *trace)
{
    trace->flushed_ns = clock_boot_ns();
    if (trace->failure || trace->rows.length == 0)
        return trace->failure ? -1 : 0;
    if (trace->rows.failed || (trace->packed && pack(trace) < 0)) {
        trace->failure = ENOMEM;
        return -1;
    }
    int result = write_block(trace, trace->packed ? &trace->packed_block : &trace->rows);
    trace->rows.length = 0;
    return result;
}

struct trace_csv *trace_csv_open(const char *path, struct error *error)
{
    struct trace_csv *trace = calloc(1, sizeof *trace);
    size_t length = strlen(path);
    if (trace) {
        *trace = (struct trace_csv){.path = strdup(path),
                                    .descriptor = -1,
                                    .packed = length > 3 && strcmp(path + length - 3, ".gz") == 0};
        text_append(&trace->rows, "time_s,meter,channel,power_w,wall_s,run\n");
    }
    if (!trace || !trace->path) {
        error_memory(error, "trace");
        if (trace)
            text_free(&trace->rows);
        free(trace);
        return NULL;
    }
    trace->descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (trace->descriptor < 0)
        error_errno(error, errno, path);
    if (trace->descriptor >= 0 && flush(trace) == 0)
        return trace;
    struct error known = ERROR_INIT;
    trace_csv_close(trace, trace->descriptor < 0 ? &known : error);
    error_clear(&known);
    return NULL;
}

static void append_sample(struct text *rows, const struct channel *channel, const struct trace_sample *sample,
                          uint64_t run)
{
    text_printf(rows, "%.6f", sample->start_s);
    csv_append(rows, channel->meter, false);
    csv_append(rows, channel->name, false);
    text_printf(rows, ",%.6g,%.6f,%" PRIu64 "\n", sample->power_w, sample->wall_s, run);
}

int trace_csv_add(struct trace_csv *trace, const struct channel *channels, const struct trace_sample *samples,
                  size_t count, uint64_t run)
{
    if (trace->failure)
        return -1;
    for (size_t i = 0; i < count; i++)
        append_sample(&trace->rows, &channels[samples[i].channel], &samples[i], run);
    bool due = clock_boot_ns() - trace->flushed_ns > BLOCK_PATIENCE_NS;
    return due || trace->rows.length >= BLOCK_BYTES ? flush(trace) : 0;
}

int trace_csv_close(struct trace_csv *trace, struct error *error)
{
    if (!trace)
        return 0;
    flush(trace);
    if (trace->descriptor >= 0 && close(trace->descriptor) < 0 && !trace->failure)
        trace->failure = errno;
    int result = 0;
    if (trace->failure)
        result = error_set(error, "%s: %s: the trace ends there", trace->path, strerror(trace->failure));
    text_free(&trace->rows);
    text_free(&trace->packed_block);
    free(trace->path);
    free(trace);
    return result;
}
