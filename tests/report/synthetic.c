#include "synthetic.h"

#include "base/clock.h"
#include "base/text.h"
#include "store/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const double synthetic_energy_j[SYNTHETIC_ARCHS] = {812, 2410, 5230, 6120};
const double synthetic_accuracy[SYNTHETIC_ARCHS] = {0.54, 0.78, 0.74, 0.81};
static const double power_w[SYNTHETIC_ARCHS] = {31, 52, 64, 58};

#define DRAM_SHARE 0.125 /* of the total: exact in binary, so that sums come out as they should */
#define HOSTILE    "</script><img src=x onerror=\"window.hacked=1\"><b>&amp;"

const char *synthetic_arch(size_t arch, bool hostile)
{
    static const char *const names[SYNTHETIC_ARCHS] = {"lenet5", "resnet18", "vgg16", "resnet50"};
    return hostile && arch == 2 ? HOSTILE : names[arch];
}

/* Everything of one run; strings are literals or live in the struct. */
struct made {
    struct record record;
    struct channel channels[4];
    struct window windows[1 + SYNTHETIC_EPOCHS];
    struct channel_energy energies[1 + SYNTHETIC_EPOCHS][4];
    struct metric metrics[SYNTHETIC_EPOCHS][4];
    struct gap gap;
    char *command[4];
    char *notes[1];
};

/* From -1 for the first repetition to 1 for the last. */
static double offset(const struct synthetic *synthetic, const struct planned_run *planned)
{
    double last = (double)synthetic->repetitions;
    return last > 1 ? (2 * (double)planned->repetition - last - 1) / (last - 1) : 0;
}

static void make_channels(struct made *made, const struct synthetic *synthetic)
{
    char *source = "stated by the synthetic study";
    if (synthetic->estimated) {
        made->channels[0] = (struct channel){.meter = "model",
                                             .name = "cpu",
                                             .scope = SCOPE_CPU,
                                             .kind = KIND_MODEL,
                                             .accuracy = 0.3,
                                             .accuracy_source = source};
        made->record.channel_count = 1;
    } else {
        made->channels[0] = (struct channel){.meter = "rapl",
                                             .name = "package-0",
                                             .scope = SCOPE_CPU,
                                             .kind = KIND_COUNTER,
                                             .resolution = 6.1e-5,
                                             .range_j = 262143.3,
                                             .accuracy = 0.02,
                                             .accuracy_source = source};
        made->channels[1] = (struct channel){.meter = "rapl",
                                             .name = "package-0/core",
                                             .part_of = "package-0",
                                             .scope = SCOPE_CPU,
                                             .kind = KIND_COUNTER,
                                             .resolution = 6.1e-5,
                                             .range_j = 262143.3,
                                             .accuracy = 0.02,
                                             .accuracy_source = source};
        made->channels[2] = (struct channel){.meter = "rapl",
                                             .name = "dram-0",
                                             .scope = SCOPE_DRAM,
                                             .kind = KIND_COUNTER,
                                             .resolution = 6.1e-5,
                                             .range_j = 65535.9,
                                             .accuracy = 0.02,
                                             .accuracy_source = source};
        made->record.channel_count = 3;
    }
    if (synthetic->walled)
        made->channels[made->record.channel_count++] = (struct channel){.meter = "wattmeter",
                                                                        .name = "plug",
                                                                        .scope = SCOPE_WALL,
                                                                        .kind = KIND_COUNTER,
                                                                        .resolution = 3.6,
                                                                        .accuracy = 0.01,
                                                                        .accuracy_source = source};
    made->channels[1].apart = synthetic->apart;
    made->record.channels = made->channels;
}

static void make_energies(struct made *made, size_t window, double energy_j)
{
    bool model = made->channels[0].kind == KIND_MODEL;
    double package_j = model ? energy_j : energy_j * (1 - DRAM_SHARE);
    double wall_s = made->windows[window].wall_s;
    double shares[] = {package_j, package_j * 0.75, energy_j * DRAM_SHARE, 60 * wall_s + 1.15 * energy_j};
    for (size_t c = 0; c < made->record.channel_count; c++)
        made->energies[window][c] =
            (struct channel_energy){true, shares[c], shares[c] * made->channels[c].accuracy, 0};
    made->windows[window].energies = made->energies[window];
}

static void make_epoch(struct made *made, size_t epoch, double accuracy, double energy_j)
{
    struct window *window = &made->windows[1 + epoch];
    double learnt = accuracy * (1 - exp(-1.1 * (double)(epoch + 1))) / (1 - exp(-1.1 * SYNTHETIC_EPOCHS));
    double wall_s = made->record.wall_s * 0.9 / SYNTHETIC_EPOCHS;
    *window = (struct window){.name = "epoch",
                              .index = (int64_t)epoch + 1,
                              .start_s = made->record.wall_s * 0.08 + wall_s * (double)epoch,
                              .wall_s = wall_s,
                              .complete = true,
                              .metrics = made->metrics[epoch],
                              .metric_count = 4};
    const struct metric metrics[] = {{"loss", 2.3 * (1 - learnt)},
                                     {"accuracy", learnt + 0.02},
                                     {"val_loss", 2.4 * (1 - learnt)},
                                     {"val_accuracy", learnt}};
    memcpy(made->metrics[epoch], metrics, sizeof metrics);
    made->record.window_count = 2 + epoch;
    make_energies(made, 1 + epoch, energy_j * 0.9 / SYNTHETIC_EPOCHS);
}

static void make_run(struct made *made, const struct synthetic *synthetic, size_t arch, size_t batch,
                     const struct planned_run *planned)
{
    double energy_j =
        synthetic_energy_j[arch] * (1 + 0.02 * offset(synthetic, planned)) * (1 + 0.25 * (double)batch);
    double accuracy = synthetic_accuracy[arch] + 0.01 * offset(synthetic, planned) - 0.02 * (double)batch;
    *made = (struct made){
        .command = {"joulery", "train", "--arch", (char *)synthetic_arch(arch, synthetic->hostile)},
        .notes = {synthetic->hostile ? HOSTILE : "the CPU ran at 2.4 to 3.1 GHz"}};
    struct record *record = &made->record;
    *record = (struct record){
        .command = made->command,
        .command_count = 4,
        .started_wall_ns = 1795000000 * NS_PER_S + planned->position * 90 * NS_PER_S,
        .wall_s = energy_j / power_w[arch],
        .windows = made->windows,
        .window_count = 1,
        .notes = made->notes,
        .note_count = 1,
        .host = {synthetic->hostile ? HOSTILE : "bench", "Intel(R) Xeon(R) Gold 6338", "6.1.0-28-amd64",
                 "Debian GNU/Linux 12", "none", JOULERY_VERSION, 1, 32, 64ULL << 30},
        .rate_hz = 10,
        .recorder_cpu_s = energy_j / power_w[arch] * 0.0021,
        .recorder_peak_rss_bytes = 5242880,
        .output_tail = "epoch 5/5\n",
    };
    make_channels(made, synthetic);
    made->windows[0] =
        (struct window){.name = "run", .parent = -1, .wall_s = record->wall_s, .complete = true};
    make_energies(made, 0, energy_j);
    for (size_t epoch = 0; epoch < SYNTHETIC_EPOCHS && !synthetic->silent; epoch++)
        make_epoch(made, epoch, accuracy, energy_j);
}

/* 10 samples a second with a ripple of zero mean; nothing from 40 to 45 % of the run. */
static int add_trace(struct store *store, int64_t run, const struct record *record, struct error *error)
{
    size_t steps = (size_t)(record->wall_s * 10), count = 0;
    struct trace_sample *samples = calloc(steps * record->channel_count + 1, sizeof *samples);
    if (!samples)
        return error_memory(error, "trace");
    for (size_t i = 0; i < steps; i++) {
        double at = (double)i / (double)steps;
        if (at >= 0.4 && at < 0.45)
            continue;
        for (uint32_t c = 0; c < record->channel_count; c++) {
            double mean_w = record->windows[0].energies[c].energy_j / record->wall_s;
            double wave = 1 + 0.12 * sin(at * 70 + c) + 0.04 * sin(at * 997);
            samples[count++] =
                (struct trace_sample){c, (double)i / 10, 0.1, mean_w * (at < 0.06 ? 0.5 : wave)};
        }
    }
    int result = store_add_trace(store, run, samples, count, error);
    free(samples);
    return result;
}

static int add_done(struct store *store, const struct synthetic *synthetic, const struct planned_run *planned,
                    size_t arch, struct error *error)
{
    struct made made;
    int64_t run;
    size_t batches = synthetic->batches ? synthetic->batches : 1;
    make_run(&made, synthetic, arch, (size_t)planned->position / SYNTHETIC_ARCHS % batches, planned);
    if (synthetic->troubles && planned->position == 0) {
        made.gap = (struct gap){0, made.record.wall_s * 0.4, made.record.wall_s * 0.05, "no reading"};
        made.record.gaps = &made.gap;
        made.record.gap_count = 1;
        made.energies[0][0].gap_s = made.gap.wall_s;
    }
    if (store_begin_run(store, planned->position, &run, error) < 0)
        return -1;
    if ((size_t)planned->position < synthetic->traced && add_trace(store, run, &made.record, error) < 0)
        return -1;
    return store_end_run(store, run, &made.record, error);
}

static int add_troubles(struct store *store, const struct synthetic *synthetic,
                        const struct planned_run *plan, struct error *error)
{
    int64_t run;
    struct made made;
    make_run(&made, synthetic, 0, 0, plan);
    made.record.exit_status = 1;
    made.record.window_count = 1;
    made.record.output_tail = synthetic->hostile ? HOSTILE "\xff\xfe\x01" : "RuntimeError: out of memory\n";
    if (store_begin_run(store, plan->position, &run, error) < 0 || store_cut_run(store, run, error) < 0 ||
        store_begin_run(store, plan->position, &run, error) < 0)
        return -1;
    return store_end_run(store, run, &made.record, error);
}

struct plan {
    struct planned_run *runs;
    size_t *archs; /* of runs[i] */
    size_t count;
};

static void free_plan(struct plan *plan)
{
    for (size_t i = 0; plan->runs && i < plan->count; i++) {
        for (size_t f = 0; plan->runs[i].factors && f < plan->runs[i].factor_count; f++) {
            free(plan->runs[i].factors[f].factor);
            free(plan->runs[i].factors[f].level);
        }
        free(plan->runs[i].factors);
    }
    free(plan->runs);
    free(plan->archs);
}

/* Positions go through the architectures in steps that visit each in turn, as a shuffled order would. */
static int make_plan(struct plan *plan, const struct synthetic *synthetic, struct error *error)
{
    size_t batches = synthetic->batches ? synthetic->batches : 1, kinds = SYNTHETIC_ARCHS * batches;
    size_t more = synthetic->troubles ? 1 : 0;
    plan->count = kinds * synthetic->repetitions + more;
    plan->runs = calloc(plan->count, sizeof *plan->runs);
    plan->archs = calloc(plan->count, sizeof *plan->archs);
    if (!plan->runs || !plan->archs)
        return error_memory(error, "plan");
    for (size_t i = 0; i < plan->count; i++) {
        struct planned_run *run = &plan->runs[i];
        bool extra = i + more >= plan->count && more; /* the run that will fail */
        plan->archs[i] = extra ? 0 : i % SYNTHETIC_ARCHS;
        run->position = (int64_t)i;
        run->repetition = extra ? (int64_t)synthetic->repetitions + 1 : (int64_t)(i / kinds) + 1;
        run->factor_count = synthetic->batches ? 2 : 1;
        run->factors = calloc(run->factor_count, sizeof *run->factors);
        if (!run->factors)
            return error_memory(error, "plan");
        run->factors[0] =
            (struct plan_factor){strdup("arch"), strdup(synthetic_arch(plan->archs[i], synthetic->hostile))};
        if (synthetic->batches)
            run->factors[1] = (struct plan_factor){
                strdup("batch"), text_format("%d", 32 << (extra ? 0 : i / SYNTHETIC_ARCHS % batches))};
    }
    return 0;
}

static int fill(struct store *store, const struct synthetic *synthetic, struct plan *plan,
                struct error *error)
{
    struct study_identity study = {
        .name = synthetic->hostile ? "quick" HOSTILE : "quick",
        .question = "Which of four networks buys the most accuracy per joule?",
        .definition = "name: quick\nfactors:\n  arch: [lenet5, resnet18, vgg16, resnet50]\nrepetitions: 3\n",
        .fingerprint = "{}",
        .location = (char *)synthetic->location,
        .seed = 42,
    };
    size_t cut;
    if (make_plan(plan, synthetic, error) < 0 ||
        store_put_study(store, &study, plan->runs, plan->count, error) < 0 ||
        store_claim(store, &cut, error) < 0)
        return -1;
    size_t done = synthetic->unfinished ? 0 : plan->count - (synthetic->troubles ? 1 : 0);
    for (size_t i = 0; i < done; i++)
        if (add_done(store, synthetic, &plan->runs[i], plan->archs[i], error) < 0)
            return -1;
    return synthetic->troubles ? add_troubles(store, synthetic, &plan->runs[plan->count - 1], error) : 0;
}

int synthetic_store(const char *path, const struct synthetic *synthetic, struct error *error)
{
    struct store *store = store_open(path, STORE_WRITE, error);
    if (!store)
        return -1;
    struct plan plan = {0};
    int result = fill(store, synthetic, &plan, error);
    free_plan(&plan);
    store_close(store);
    return result;
}
