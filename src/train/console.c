/* What people see of a training: on standard error while it goes on, on standard output when it is done. */
#include "base/text.h"
#include "base/units.h"
#include "train/program.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void console_start(struct console *console)
{
    progress_start(&console->progress);
}

void console_progress(void *context, const struct train_progress *progress)
{
    struct console *console = context;
    struct text detail = TEXT_INIT;
    if (!console->progress.shown)
        return;
    text_printf(&detail, "epoch %" PRIu64 "/%" PRIu64 "%s", progress->epoch, progress->epochs,
                progress->validating ? " validation" : "");
    text_printf(&detail, "  loss %.4f  accuracy %.1f %%", progress->loss, 100 * progress->accuracy);
    if (isfinite(progress->images_per_s))
        text_printf(&detail, "  %.0f images/s", progress->images_per_s);
    AUTO_FREE char *left = isfinite(progress->left_s) ? units_duration(progress->left_s) : NULL;
    if (left)
        text_printf(&detail, "  %s left", left);
    AUTO_FREE char *line = text_take(&detail);
    progress_update(&console->progress, (double)progress->done, (double)progress->total, line ? line : "");
}

void console_epoch(void *context, const struct train_epoch *epoch)
{
    struct console *console = context;
    progress_clear(&console->progress);
    AUTO_FREE char *wall = units_duration(epoch->wall_s);
    fprintf(stderr, "epoch %" PRIu64 "%s: loss %.4f, accuracy %.2f %%", epoch->epoch,
            epoch->cut ? " (cut short)" : "", epoch->loss, 100 * epoch->accuracy);
    if (isfinite(epoch->val_accuracy))
        fprintf(stderr, ", validation loss %.4f, accuracy %.2f %%", epoch->val_loss,
                100 * epoch->val_accuracy);
    fprintf(stderr, ", %.0f images/s, %s\n", (double)epoch->images / epoch->train_s, wall ? wall : "");
}

void console_warn(void *context, const char *message)
{
    struct console *console = context;
    progress_clear(&console->progress);
    fprintf(stderr, "warning: %s\n", message);
}

void console_describe(const struct training *training)
{
    const struct dataset *dataset = training->dataset;
    AUTO_FREE char *parameters = units_count(training->parameters);
    AUTO_FREE char *train = units_count(dataset->train.count);
    AUTO_FREE char *test = units_count(dataset->test.count);
    AUTO_FREE char *memory = units_bytes(training->memory_bytes);
    fprintf(stderr,
            "%s: %s parameters; %s: %s training and %s test images of %zu x %zu in %zu classes; %s, %zu "
            "thread%s, %s for the network\n",
            training->architecture, parameters ? parameters : "?", dataset->name, train ? train : "?",
            test ? test : "?", dataset->size, dataset->size, dataset->classes,
            precision_name(training->precision), training->threads, training->threads == 1 ? "" : "s",
            memory ? memory : "?");
    if (dataset->note)
        fprintf(stderr, "note: %s\n", dataset->note);
    if (dataset->skipped)
        fprintf(stderr, "skipped %zu file%s that can't be decoded:\n", dataset->skipped,
                dataset->skipped == 1 ? "" : "s");
    for (size_t i = 0; i < dataset->skipped_reason_count; i++)
        fprintf(stderr, "  %s\n", dataset->skipped_reasons[i]);
    if (dataset->skipped > dataset->skipped_reason_count)
        fprintf(stderr, "  … and %zu more\n", dataset->skipped - dataset->skipped_reason_count);
}

/* The last validation more closely, and which epoch was the best. */
static void print_scores(const struct training *training, FILE *stream)
{
    const struct train_result *result = &training->result;
    if (result->end == TRAIN_EARLY)
        fprintf(stream, "stopped early: no better %s in %" PRIu64 " epoch%s\n",
                monitor_name(training->train.monitor), training->train.patience,
                training->train.patience == 1 ? "" : "s");
    if (!result->best_epoch)
        return;
    const struct train_epoch *best = &result->epochs[result->best_epoch - 1];
    fprintf(stream, "best epoch by %s: %" PRIu64 " (loss %.4f, accuracy %.2f %%)",
            monitor_name(training->train.monitor), result->best_epoch, best->val_loss,
            100 * best->val_accuracy);
    const struct train_epoch *last = &result->epochs[result->epoch_count - 1];
    if (!isfinite(last->val_f1)) {
        fprintf(stream, "\n");
        return;
    }
    fprintf(stream, "; after epoch %" PRIu64, last->epoch);
    if (isfinite(last->val_top5))
        fprintf(stream, " top-5 accuracy %.2f %%,", 100 * last->val_top5);
    fprintf(stream, " macro F1 %.4f\n", last->val_f1);
}

void console_results(const struct training *training, FILE *stream)
{
    const struct train_result *result = &training->result;
    fprintf(stream, "epoch      loss  accuracy  val. loss  val. accuracy      time\n");
    for (size_t i = 0; i < result->epoch_count; i++) {
        const struct train_epoch *epoch = &result->epochs[i];
        AUTO_FREE char *wall = units_duration(epoch->wall_s);
        fprintf(stream, "%4" PRIu64 "%s  %8.4f  %6.2f %%", epoch->epoch, epoch->cut ? "*" : " ", epoch->loss,
                100 * epoch->accuracy);
        if (isfinite(epoch->val_accuracy))
            fprintf(stream, "   %8.4f       %6.2f %%", epoch->val_loss, 100 * epoch->val_accuracy);
        else
            fprintf(stream, "          -              -");
        fprintf(stream, "  %8s\n", wall ? wall : "");
    }
    if (result->epoch_count && result->epochs[result->epoch_count - 1].cut)
        fprintf(stream, "* cut short\n");
    print_scores(training, stream);
    if (training->saved_epoch)
        fprintf(stream, "weights of epoch %" PRIu64 " saved in %s\n", training->saved_epoch, training->save);
    AUTO_FREE char *wall = units_duration(result->wall_s);
    AUTO_FREE char *memory = units_bytes(program_peak_rss_bytes());
    AUTO_FREE char *features = units_duration(result->features_s);
    if (isfinite(result->features_s))
        fprintf(stream, "features of the frozen base computed once, in %s\n", features ? features : "?");
    fprintf(stream, "%" PRIu64 " steps in %s", result->steps_done, wall ? wall : "?");
    if (isfinite(result->images_per_s))
        fprintf(stream, ", %.1f images/s", result->images_per_s);
    if (result->train_s > 0)
        fprintf(stream,
                ", loader: %.2f %% of training spent waiting for data, %.1f %% of a core to prepare it",
                100 * result->waited_s / result->train_s, 100 * result->loader_busy_s / result->train_s);
    fprintf(stream, ", %s of memory at the most\n", memory ? memory : "?");
}
