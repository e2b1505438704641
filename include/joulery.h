/* joulery.h: measure the energy of parts of your own program.
 *
 * Energies are in joules, powers in watts, times in seconds; what is not known is NAN, never 0. Uncertainties
 * are standard uncertainties. All functions are thread-safe but joulery_open and joulery_close of the same
 * handle. None prints, exits or raises a signal; the library's threads block all signals.
 *
 * Errors: a function that fails returns NULL, 0 or -1 as it says, and where `error` is not NULL sets `*error`
 * to a new string (or NULL without memory) that the caller frees with joulery_free. On success `*error` is
 * left alone.
 *
 * Under `joulery run` (JOULERY_SOCKET is set) that recorder measures: windows and metrics are sent to it as
 * marks, energies are NAN here and `recorded_elsewhere` is 1.
 *
 * fork: threads do not survive it. In the child every function given the parent's handle fails at once, sends
 * nothing and frees nothing. */
#ifndef JOULERY_H
#define JOULERY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct joulery;

struct joulery_options {
    size_t size; /* sizeof (struct joulery_options); members may be added at the end */
    const char *const
        *meters; /* instruments by name, as `joulery meters` lists them; NULL: the best there are */
    size_t meter_count;
    double rate_hz;        /* samples a second between the edges of windows; 0: 10 */
    double tdp_w;          /* thermal design power for the model of the CPU; 0: from its table */
    const char *json_path; /* joulery_close writes a joulery.run/1 document there; NULL: none */
    int measure_anyway;    /* 1: measure also under `joulery run` */
};

struct joulery_channel {
    const char *meter, *name;
    const char *scope;   /* "cpu", "dram", "gpu", "platform", "wall" */
    const char *kind;    /* "counter", "power", "model" (an estimate) */
    const char *part_of; /* the channel of the same meter that has this one's energy in it; NULL: none */
    int apart;           /* 1: never part of the total */
    double resolution;   /* J; W for a power */
    double update_s;     /* windows shorter than this are not known */
    double accuracy;     /* relative standard uncertainty */
    const char *accuracy_source;
};

struct joulery_energy {
    double energy_j, uncertainty_j; /* NAN: not known */
    double mean_w;
    double gap_s; /* time in the window that no trusted reading covers */
};

struct joulery_totals {
    double wall_s;
    double software_j,
        software_uncertainty_j; /* CPUs + DRAM + GPUs, nothing twice; NAN if a part is not known */
    double hardware_j, hardware_uncertainty_j; /* wattmeters; NAN without one */
    int estimated;                             /* 1: a model is in software_j */
    int recorded_elsewhere;                    /* 1: a recorder measures; the energies are with it */
};

const char *joulery_version(void);

/* Opens the instruments and starts sampling. `options` NULL: the defaults. NULL: nothing can be measured; the
 * error says why and what to do. The strings in `options` are copied or no longer needed after the call. */
struct joulery *joulery_open(const struct joulery_options *options, char **error);

/* The channels, in the order of the energies, until joulery_close. `*count` is 0 while a recorder measures.
 */
const struct joulery_channel *joulery_channels(const struct joulery *joulery, size_t *count);

/* Begins a window now; returns its number (> 0) for joulery_end, or 0. `name` has 1 to 256 bytes. Windows may
 * nest, overlap, repeat, and end in another thread; at most 99,999 at once. (Under a recorder windows nest:
 * an end also ends those that began after it.) */
int64_t joulery_begin(struct joulery *joulery, const char *name, int64_t index, char **error);

/* Ends a window now. `totals` and `energies` (room for every channel) may each be NULL; slow instruments are
 * read, and waited for, only if one is not, or the window goes into the document. -1: no such window is open.
 */
int joulery_end(struct joulery *joulery, int64_t window, struct joulery_totals *totals,
                struct joulery_energy *energies, char **error);

/* Says a finite metric of an open window; 0 as the window: of the whole run. A later value replaces an
 * earlier one. */
int joulery_mark(struct joulery *joulery, int64_t window, const char *metric, double value, char **error);
/* Says something in words. */
int joulery_note(struct joulery *joulery, const char *text, char **error);

/* Ends sampling, writes the document if one was asked for (the first 10,000 windows; -1 if it can't be
 * written), and frees everything, whatever it returns. Accepts NULL. */
int joulery_close(struct joulery *joulery, char **error);

void joulery_free(char *error);

#ifdef __cplusplus
}
#endif

#endif
