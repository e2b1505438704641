#include "calibrate/wave.h"

#include "base/clock.h"
#include "calibrate/load.h"

#include <stdbool.h>
#include <stdlib.h>

double wave_span_s(struct random_stream *random, double least_s)
{
    return least_s * (1 + 2 * random_uniform(random));
}

void wave_wait(int64_t until_ns, void (*tell)(void *context, const char *phase), void *context,
               const char *phase)
{
    for (int64_t now_ns; (now_ns = clock_boot_ns()) < until_ns;) {
        tell(context, phase);
        clock_sleep_until(now_ns + NS_PER_S / 10 < until_ns ? now_ns + NS_PER_S / 10 : until_ns);
    }
}

int wave_make(struct load_wave *wave, int64_t until_ns, void (*tell)(void *context, const char *phase),
              void *context, struct error *error)
{
    struct random_stream random;
    random_seed(&random, (uint64_t)clock_wall_ns(), 0); /* independent of whatever the instruments do */
    size_t most = (size_t)((double)(until_ns - clock_boot_ns()) / NS_PER_S / wave->least_s) + 4;
    wave->edges_ns = calloc(most, sizeof *wave->edges_ns);
    wave->count = 0;
    struct load *load = wave->edges_ns ? load_open(error) : NULL;
    int result = load ? 0 : wave->edges_ns ? -1 : error_memory(error, "load");
    for (bool on = true; result == 0 && wave->count < most && clock_boot_ns() < until_ns; on = !on) {
        wave->edges_ns[wave->count++] = clock_boot_ns();
        result = load_set(load, LOAD_COMPUTE, on ? (double)load_threads(load) : 0, error);
        int64_t next_ns = clock_boot_ns() + (int64_t)(wave_span_s(&random, wave->least_s) * NS_PER_S);
        wave_wait(next_ns < until_ns ? next_ns : until_ns, tell, context, on ? "load on" : "load off");
    }
    load_close(load);
    return result;
}
