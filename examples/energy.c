/* The energy of parts of a program, by itself: cc energy.c $(pkg-config --cflags --libs joulery) && ./a.out
 */
#include <joulery.h>
#include <stdio.h>

static double work(int count)
{
    double sum = 0;
    for (int i = 1; i <= count; i++)
        sum += 1.0 / i;
    return sum;
}

int main(void)
{
    char *error = NULL;
    struct joulery *joulery = joulery_open(NULL, &error);
    if (!joulery) {
        fprintf(stderr, "energy: %s\n", error ? error : "out of memory");
        joulery_free(error);
        return 1;
    }
    for (int step = 1; step <= 3; step++) {
        struct joulery_totals totals;
        int64_t window = joulery_begin(joulery, "step", step, NULL);
        double sum = work(step * 20000000);
        if (joulery_end(joulery, window, &totals, NULL, NULL) < 0)
            break;
        if (totals.recorded_elsewhere)
            printf("step %d (%.1f): its energy is in the recorder's document\n", step, sum);
        else
            printf("step %d (%.1f): %.3f s, %.3f J +- %.3f J%s\n", step, sum, totals.wall_s,
                   totals.software_j, totals.software_uncertainty_j, totals.estimated ? ", estimated" : "");
    }
    joulery_close(joulery, NULL);
    return 0;
}
