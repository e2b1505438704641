#include "exchange/codecarbon.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEADER_BYTES_MOST 65536

/* What a row is made of. */
struct row {
    const struct record *record;
    const struct codecarbon_options *options;
    struct energy_totals totals;
    double factor; /* PUE; 1 without a place */
};

/* ---- values: a new string, "" for what is not known, NULL without memory ---- */

static char *number(double value)
{
    return isfinite(value) ? text_format("%.17g", value) : strdup("");
}

static double software_j(const struct row *row)
{
    return row->totals.software_j * row->factor;
}

static double scope_j(const struct row *row, enum channel_scope scope)
{
    return record_scope_totals(row->record, 0, scope).software_j;
}

static char *energy(const struct row *row, enum channel_scope scope)
{
    return number(scope_j(row, scope) * row->factor / J_PER_KWH);
}

static char *power(const struct row *row, enum channel_scope scope)
{
    return number(row->record->wall_s > 0 ? scope_j(row, scope) / row->record->wall_s : NAN);
}

static double emissions_kg(const struct row *row)
{
    const struct location *at = row->options->location;
    double hourly = row->options->intensity_g_per_kwh;
    return at ? carbon_emissions_kg(row->totals.software_j, row->factor,
                                    hourly > 0 ? hourly : at->intensity_g_per_kwh)
              : NAN;
}

/* Local time without a zone, as CodeCarbon writes it: of the end of the run. */
static char *timestamp(const struct row *row)
{
    time_t seconds = (time_t)(row->record->started_wall_ns / NS_PER_S + (int64_t)row->record->wall_s);
    struct tm local;
    if (!localtime_r(&seconds, &local))
        return strdup("");
    return text_format("%04d-%02d-%02dT%02d:%02d:%02d", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday,
                       local.tm_hour, local.tm_min, local.tm_sec);
}

static char *project(const struct row *row)
{
    return text_utf8(row->options->project, strlen(row->options->project));
}
static char *run_id(const struct row *row)
{
    (void)row;
    return codecarbon_new_id();
}
static char *experiment_id(const struct row *row)
{
    return strdup(row->options->experiment);
}
static char *duration(const struct row *row)
{
    return number(row->record->wall_s);
}
static char *emissions(const struct row *row)
{
    return number(emissions_kg(row));
}
static char *emissions_rate(const struct row *row)
{
    return number(row->record->wall_s > 0 ? emissions_kg(row) / row->record->wall_s : NAN);
}
static char *cpu_power(const struct row *row)
{
    return power(row, SCOPE_CPU);
}
static char *gpu_power(const struct row *row)
{
    return power(row, SCOPE_GPU);
}
static char *ram_power(const struct row *row)
{
    return power(row, SCOPE_DRAM);
}
static char *cpu_energy(const struct row *row)
{
    return energy(row, SCOPE_CPU);
}
static char *gpu_energy(const struct row *row)
{
    return energy(row, SCOPE_GPU);
}
static char *ram_energy(const struct row *row)
{
    return energy(row, SCOPE_DRAM);
}
static char *energy_consumed(const struct row *row)
{
    return number(software_j(row) / J_PER_KWH);
}
static char *country_name(const struct row *row)
{
    return strdup(row->options->location ? row->options->location->name : "");
}
static char *country_iso_code(const struct row *row)
{
    return strdup(row->options->location ? row->options->location->country : "");
}
static char *os(const struct row *row)
{
    return text_utf8(row->record->host.kernel, strlen(row->record->host.kernel));
}
static char *version(const struct row *row)
{
    return text_format("joulery %s", row->record->host.version);
}
static char *cpu_count(const struct row *row)
{
    uint32_t count = row->record->host.logical_cpus;
    return count ? text_format("%" PRIu32, count) : strdup("");
}
static char *cpu_model(const struct row *row)
{
    return text_utf8(row->record->host.cpu_model, strlen(row->record->host.cpu_model));
}
static char *ram_total_size(const struct row *row)
{
    uint64_t bytes = row->record->host.memory_bytes;
    return number(bytes ? (double)bytes / (1u << 30) : NAN);
}
static char *tracking_mode(const struct row *row)
{
    (void)row;
    return strdup("machine");
}
static char *pue(const struct row *row)
{
    return number(row->options->location ? row->factor : NAN);
}

struct column {
    const char *name;
    char *(*value)(const struct row *row); /* NULL: not known to Joulery */
};

/* In CodeCarbon's order. */
static const struct column columns[] = {
    {"timestamp", timestamp},
    {"project_name", project},
    {"run_id", run_id},
    {"experiment_id", experiment_id},
    {"duration", duration},
    {"emissions", emissions},
    {"emissions_rate", emissions_rate},
    {"cpu_power", cpu_power},
    {"gpu_power", gpu_power},
    {"ram_power", ram_power},
    {"cpu_energy", cpu_energy},
    {"gpu_energy", gpu_energy},
    {"ram_energy", ram_energy},
    {"energy_consumed", energy_consumed},
    {"water_consumed", NULL},
    {"country_name", country_name},
    {"country_iso_code", country_iso_code},
    {"region", NULL},
    {"cloud_provider", NULL},
    {"cloud_region", NULL},
    {"os", os},
    {"python_version", NULL},
    {"codecarbon_version", version},
    {"cpu_count", cpu_count},
    {"cpu_model", cpu_model},
    {"gpu_count", NULL},
    {"gpu_model", NULL},
    {"longitude", NULL},
    {"latitude", NULL},
    {"ram_total_size", ram_total_size},
    {"tracking_mode", tracking_mode},
    {"cpu_utilization_percent", NULL},
    {"gpu_utilization_percent", NULL},
    {"ram_utilization_percent", NULL},
    {"ram_used_gb", NULL},
    {"on_cloud", NULL},
    {"pue", pue},
    {"wue", NULL},
};

#define COLUMNS (sizeof columns / sizeof *columns)

static const struct column *find_column(const char *name)
{
    for (size_t i = 0; i < COLUMNS; i++)
        if (strcmp(columns[i].name, name) == 0)
            return &columns[i];
    return NULL;
}

char *codecarbon_new_id(void)
{
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != sizeof b)
        return NULL;
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    return text_format("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
                       b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
                       b[15]);
}

/* ---- the header that is there ---- */

/* The header of an open file; count 0: the file is empty. */
static int read_header(int descriptor, struct csv_row *header, struct error *error)
{
    *header = (struct csv_row){0};
    char *text = malloc(HEADER_BYTES_MOST);
    ssize_t size = text ? pread(descriptor, text, HEADER_BYTES_MOST, 0) : 0;
    int result = 0;
    if (!text)
        result = error_memory(error, "header");
    else if (size < 0)
        result = error_set(error, "%s", strerror(errno));
    else if (size > 0) {
        static const char mark[] = "\xef\xbb\xbf"; /* byte order mark, which spreadsheets write */
        size_t skip = size >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
        result = csv_parse_row(text + skip, (size_t)size - skip, header, error);
    }
    free(text);
    return result;
}

static int check_header(const struct csv_row *header, struct error *error)
{
    static const char *const needed[] = {"duration", "energy_consumed"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        bool found = false;
        for (size_t f = 0; f < header->count; f++)
            found = found || strcmp(header->fields[f], needed[i]) == 0;
        if (!found)
            return error_set(
                error,
                "its first line names no column '%s': expected a file with CodeCarbon's columns, "
                "or a new one",
                needed[i]);
    }
    return 0;
}

int codecarbon_check(const char *path, struct error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0 && errno == ENOENT)
        return file_check_writable(path, error);
    if (descriptor < 0 || access(path, W_OK) < 0) {
        error_errno(error, errno, path);
        if (descriptor >= 0)
            close(descriptor);
        return -1;
    }
    struct csv_row header = {0};
    struct stat status;
    int result = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)
                     ? read_header(descriptor, &header, error)
                     : error_set(error, "expected an ordinary file");
    if (result == 0 && header.count)
        result = check_header(&header, error);
    csv_row_free(&header);
    close(descriptor);
    return result < 0 ? error_prefix(error, "%s", path) : 0;
}

/* ---- the row ---- */

static void append_header(struct text *out)
{
    for (size_t i = 0; i < COLUMNS; i++)
        csv_append(out, columns[i].name, i == 0);
    text_append(out, "\n");
}

static void append_value(struct text *out, const struct row *row, const struct column *column, bool first)
{
    AUTO_FREE char *value = column && column->value ? column->value(row) : strdup("");
    out->failed = out->failed || !value;
    if (value)
        csv_append(out, value, first);
}

static void append_row(struct text *out, const struct row *row, const struct csv_row *header)
{
    size_t count = header->count ? header->count : COLUMNS;
    for (size_t i = 0; i < count; i++)
        append_value(out, row, header->count ? find_column(header->fields[i]) : &columns[i], i == 0);
    text_append(out, header->crlf ? "\r\n" : "\n");
}

/* The last line may lack its end. */
static bool ends_within_line(int descriptor, off_t size)
{
    char last = '\n';
    return size > 0 && pread(descriptor, &last, 1, size - 1) == 1 && last != '\n';
}

static int write_whole(int descriptor, const char *data, size_t size, off_t before, struct error *error)
{
    size_t done = 0;
    while (done < size) {
        ssize_t wrote = write(descriptor, data + done, size - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            const char *reason = strerror(errno);
            /* half a row would spoil the file */
            if (ftruncate(descriptor, before) < 0)
                return error_set(error, "%s, and half a row was left at its end", reason);
            return error_set(error, "%s", reason);
        }
        done += (size_t)wrote;
    }
    return 0;
}

static int append_locked(int descriptor, const struct row *row, struct error *error)
{
    struct stat status;
    struct csv_row header;
    if (fstat(descriptor, &status) < 0)
        return error_set(error, "%s", strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(error, "expected an ordinary file");
    if (read_header(descriptor, &header, error) < 0)
        return -1;
    struct text out = TEXT_INIT;
    int result = header.count ? check_header(&header, error) : 0;
    if (result == 0) {
        if (ends_within_line(descriptor, status.st_size))
            text_append(&out, "\n");
        if (header.count == 0)
            append_header(&out);
        append_row(&out, row, &header);
        result = out.failed ? error_memory(error, "row")
                            : write_whole(descriptor, out.data, out.length, status.st_size, error);
    }
    text_free(&out);
    csv_row_free(&header);
    return result;
}

int codecarbon_append(const char *path, const struct record *record, const struct codecarbon_options *options,
                      struct error *error)
{
    const struct row row = {.record = record,
                            .options = options,
                            .totals = record_totals(record, 0),
                            .factor = options->location ? options->pue : 1};
    int descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return error_errno(error, errno, path);
    int result;
    do
        result = flock(descriptor, LOCK_EX);
    while (result < 0 && errno == EINTR);
    result = result < 0 ? error_set(error, "can't be locked: %s", strerror(errno))
                        : append_locked(descriptor, &row, error);
    if (close(descriptor) < 0 && result == 0)
        result = error_set(error, "%s", strerror(errno));
    return result < 0 ? error_prefix(error, "%s", path) : 0;
}
