/* emissions.h: CodeCarbon's emissions.csv, read.
 *
 * Columns go by their names, as every version since 1.2 writes them
 * (codecarbon/output_methods/emissions_data.py; meaning and units in its docs/reference/output.md); an
 * earlier one lacks some. Energies come out in J and without the PUE that the file may have multiplied them
 * with. */
#ifndef JOULERY_EXCHANGE_EMISSIONS_H
#define JOULERY_EXCHANGE_EMISSIONS_H

#include "base/error.h"
#include "store/import.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMISSIONS_TOOL "codecarbon" /* what the store and the channels call it */

struct emissions_row {
    size_t line;
    char **values; /* as written, one a column */
    /* Into values; "" where the file has no such column. */
    const char *run_id, *timestamp, *version, *os, *cpu_model;
    int64_t ended_wall_ns;                     /* the timestamp, which has no zone, taken as UTC */
    double duration_s;                         /* above 0 */
    double cpu_j, gpu_j, ram_j, total_j;       /* NAN: not in the file */
    double cpu_w, gpu_w, ram_w;                /* closing powers: of the last interval before the row */
    double cpu_count, gpu_count, ram_gib, pue; /* NAN: not in the file; pue: 1 */
    double tdp_w;                              /* of the processor's model; 0: not known */
    size_t
        since_line; /* duration and energies are what was added since that line; 0: they are the row's own */
};

struct emissions {
    char *name; /* the file's, for messages */
    char **columns;
    size_t column_count;
    struct emissions_row *rows; /* in the file's order */
    size_t row_count;
    bool cumulative; /* some rows were differenced */
};

/* CodeCarbon goes on counting within one run_id, so that each further row of it, from flush() or a tracker
 * used again, holds all that came before: such rows are differenced. They are left as they are where the
 * memory's energy, which only grows, falls from one to the next, and in files of tasks, which hold
 * differences.
 *
 * Errors, by file and line: no CodeCarbon header, a row of another length, what is no number or no time, a
 * duration that isn't above 0. The caller frees with emissions_free after 0. */
int emissions_parse(const char *name, const char *text, size_t size, struct emissions *file,
                    struct error *error);
void emissions_free(struct emissions *file);

/* The row as a run: channels codecarbon/cpu, gpu and ram, each of unknown uncertainty, and all values of the
 * row. `sockets`: how many processors the machine has, which the file does not say; 0: not known. The caller
 * frees it with imported_run_free, after -1 too. */
int emissions_to_run(const struct emissions *file, const struct emissions_row *row, uint32_t sockets,
                     struct imported_run *run, struct error *error);

#endif
