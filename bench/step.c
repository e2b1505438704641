/* bench_step: times training steps of one network on random data, beside the rate of a large matrix product
 * on the same threads.
 *
 *   bench_step [--json] ARCHITECTURE [SIZE [BATCH [STEPS [adam|sgd [THREADS [full|frozen|base
 * [fp32|bf16]]]]]]]
 *
 * full: everything learns. frozen: the base only infers, a head of 4096 and 4096 units learns. base: the
 * frozen base alone. The matrix product is of floats also beside bf16.
 *
 * DNNL_VERBOSE=1 beside it prints what each oneDNN primitive took. */
#include "base/clock.h"
#include "base/random.h"
#include "nn/graph.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double seconds(void)
{
    return (double)clock_boot_ns() / 1e9;
}

/* FLOP/s of the best of some products of n x n matrices. */
static double matrix_rate(size_t n)
{
    float *m = aligned_alloc(64, 3 * n * n * sizeof *m);
    double best = 0;
    if (!m)
        return 0;
    for (size_t i = 0; i < 3 * n * n; i++)
        m[i] = (float)(i % 13) - 6;
    for (int i = 0; i < 4; i++) {
        double start = seconds();
        dnnl_sgemm('N', 'N', (dnnl_dim_t)n, (dnnl_dim_t)n, (dnnl_dim_t)n, 1, m, (dnnl_dim_t)n, m + n * n,
                   (dnnl_dim_t)n, 0, m + 2 * n * n, (dnnl_dim_t)n);
        double rate = 2.0 * (double)n * (double)n * (double)n / (seconds() - start);
        best = rate > best ? rate : best;
    }
    free(m);
    return best;
}

static size_t argument(int argc, char **argv, int index, size_t otherwise)
{
    return argc > index ? (size_t)strtoul(argv[index], NULL, 10) : otherwise;
}

/* Of one image: forward, and twice that backward for what learns. */
static double flops_of_step(const struct graph *graph, bool base, bool frozen)
{
    double all = (double)graph_flops(graph), kept = 0;
    struct error error = ERROR_INIT;
    struct graph *lower = NULL, *head = NULL;
    if (!frozen || graph_split(graph, &lower, &head, &error))
        return 3 * all;
    kept = (double)graph_flops(lower);
    graph_free(lower);
    graph_free(head);
    return base ? kept : kept + 3 * (all - kept);
}

struct found {
    double step_s, first_s, open_s, images_per_s, loss, flops_per_s, product_flops_per_s;
    size_t planned_bytes, peak_bytes;
};

static void print_json(const char *architecture, size_t size, size_t batch, const struct found *f)
{
    printf(
        "{\"architecture\": \"%s\", \"size\": %zu, \"batch\": %zu, \"step_s\": %.9g, \"images_per_s\": %.9g, "
        "\"first_step_s\": %.9g, \"open_s\": %.9g, \"flops_per_s\": %.9g, \"product_flops_per_s\": %.9g, "
        "\"planned_bytes\": %zu, \"peak_rss_bytes\": %zu}\n",
        architecture, size, batch, f->step_s, f->images_per_s, f->first_s, f->open_s, f->flops_per_s,
        f->product_flops_per_s, f->planned_bytes, f->peak_bytes);
}

static void print_text(const char *architecture, size_t size, size_t batch, const struct found *f)
{
    printf(
        "%s %zux%zu batch %zu: %.2f ms a step, %.1f images/s, loss %.4f; first %.0f ms, opened in %.0f ms; "
        "%.0f GFLOP/s of %.0f; planned %.0f MiB, peak %.0f MiB\n",
        architecture, size, size, batch, f->step_s * 1e3, f->images_per_s, f->loss, f->first_s * 1e3,
        f->open_s * 1e3, f->flops_per_s / 1e9, f->product_flops_per_s / 1e9,
        (double)f->planned_bytes / 0x1p20, (double)f->peak_bytes / 0x1p20);
}

int main(int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    argc -= json;
    argv += json;
    if (argc < 2) {
        fprintf(stderr, "usage: bench_step [--json] ARCHITECTURE [SIZE [BATCH [STEPS [adam|sgd [THREADS "
                        "[full|frozen|base [fp32|bf16]]]]]]]\n");
        return 2;
    }
    size_t size = argument(argc, argv, 2, 32), batch = argument(argc, argv, 3, 32);
    size_t steps = argument(argc, argv, 4, 20), threads = argument(argc, argv, 6, 0);
    bool base = argc > 7 && strcmp(argv[7], "base") == 0;
    bool frozen = base || (argc > 7 && strcmp(argv[7], "frozen") == 0);
    bool bf16 = argc > 8 && strcmp(argv[8], "bf16") == 0;
    bool sgd = argc > 5 && strcmp(argv[5], "sgd") == 0;
    if (threads)
        omp_set_num_threads((int)threads);
    struct error error = ERROR_INIT;
    const size_t head[] = {4096, 4096};
    const struct zoo_options zoo = {.size = size,
                                    .classes = 10,
                                    .head = head,
                                    .head_count = frozen ? 2 : 0,
                                    .dropout = frozen ? 0.5 : 0,
                                    .freeze_base = frozen};
    struct graph *graph = zoo_build(argv[1], &zoo, &error);
    struct network_options options = {.batch = batch,
                                      .precision = bf16 ? PRECISION_BF16 : PRECISION_FP32,
                                      .seed = 1,
                                      .optimizer = {.kind = sgd ? OPTIMIZER_SGD : OPTIMIZER_ADAM,
                                                    .learning_rate = 1e-4,
                                                    .momentum = sgd ? 0.9 : 0}};
    double begin = seconds();
    struct network *network = graph ? network_new(graph, &options, &error) : NULL;
    if (!network) {
        fprintf(stderr, "bench_step: %s\n", error_text(&error));
        return 1;
    }
    double opened = seconds() - begin;
    float *images = malloc(batch * 3 * size * size * sizeof *images);
    int32_t *labels = malloc(batch * sizeof *labels);
    double *times = calloc(steps + 1, sizeof *times);
    float *features = calloc(batch, (network_feature_count(network) + 1) * sizeof *features);
    if (!images || !labels || !times || !features)
        return 1;
    struct random_stream random;
    random_seed(&random, 1, 0);
    for (size_t i = 0; i < batch * 3 * size * size; i++)
        images[i] = (float)random_normal(&random);
    for (size_t i = 0; i < batch; i++)
        labels[i] = (int32_t)random_below(&random, 10);
    struct step_result result = {0};
    for (size_t i = 0; i < steps + 1; i++) {
        double start = seconds();
        if (base ? network_features(network, images, batch, features, &error)
                 : network_train(network, images, labels, batch, &result, &error)) {
            fprintf(stderr, "bench_step: %s\n", error_text(&error));
            return 1;
        }
        times[i] = seconds() - start;
    }
    qsort(times + 1, steps, sizeof *times, by_value);
    double median = steps ? times[1 + steps / 2] : times[0];
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const struct found found = {.step_s = median,
                                .first_s = times[0],
                                .open_s = opened,
                                .images_per_s = (double)batch / median,
                                .loss = result.loss,
                                .flops_per_s = flops_of_step(graph, base, frozen) * (double)batch / median,
                                .product_flops_per_s = getenv("DNNL_VERBOSE") ? 0 : matrix_rate(4096),
                                .planned_bytes = network_memory_bytes(network),
                                .peak_bytes = (size_t)usage.ru_maxrss * 1024};
    (json ? print_json : print_text)(argv[1], size, batch, &found);
    network_free(network);
    graph_free(graph);
    free(features);
    free(images);
    free(labels);
    free(times);
    return 0;
}
