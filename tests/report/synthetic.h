/* synthetic.h: a study's database with known figures, made through the store as a real study makes it. */
#ifndef JOULERY_TESTS_REPORT_SYNTHETIC_H
#define JOULERY_TESTS_REPORT_SYNTHETIC_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define SYNTHETIC_ARCHS  4
#define SYNTHETIC_EPOCHS 5

/* Of architecture a: the mean energy of a run and its accuracy. Repetitions go from energy x 0.98 and
 * accuracy - 0.01 to energy x 1.02 and accuracy + 0.01 in equal steps, so that means are these however many
 * there are; batch b of the second factor is energy x (1 + 0.25 b), accuracy - 0.02 b. */
extern const double synthetic_energy_j[SYNTHETIC_ARCHS];
extern const double synthetic_accuracy[SYNTHETIC_ARCHS];
/* The architecture's name, or with `hostile` what a page must show and never run. */
const char *synthetic_arch(size_t arch, bool hostile);

struct synthetic {
    size_t repetitions;
    size_t batches;  /* levels of a second factor; 0: there is none */
    bool silent;     /* no marks: no epochs, no accuracies */
    bool estimated;  /* a model instead of RAPL */
    bool hostile;    /* names, notes and outputs that try to break out of the page */
    bool apart;      /* the cores are beside the total */
    bool troubles;   /* one failed and one cut run beside the others, and a gap in one run */
    bool unfinished; /* no run at all */
    bool walled;     /* a wattmeter too: 60 W and 1.15 times the software's power */
    size_t traced;   /* runs with a power trace */
    const char *location;
};

int synthetic_store(const char *path, const struct synthetic *synthetic, struct error *error);

#endif
