#include "train/evaluate.h"

#include <math.h>

int evaluate(struct network *network, struct loader *loader, const struct evaluate_watch *watch,
             struct confusion *confusion, struct scores *scores, struct error *error)
{
    uint64_t total = loader_batches(loader), images = 0, correct = 0, top5 = 0;
    double loss = 0;
    confusion_clear(confusion);
    loader_start(loader, 0);
    for (uint64_t done = 0; done < total; done++) {
        if (watch->stop && watch->stop(watch->context))
            return 1;
        const struct batch *batch = loader_next(loader);
        struct step_result step;
        if (network_evaluate(network, batch->images, batch->labels, batch->count, &step, error) < 0)
            return -1;
        loss += step.loss * (double)batch->count;
        correct += step.correct;
        top5 += step.top5;
        images += batch->count;
        confusion_add(confusion, batch->labels, step.predictions, batch->count);
        if (watch->batch)
            watch->batch(watch->context, done + 1, total);
    }
    double all = (double)images;
    *scores = (struct scores){.loss = images ? loss / all : NAN,
                              .accuracy = images ? (double)correct / all : NAN,
                              .top5 = images && confusion->outputs > 5 ? (double)top5 / all : NAN,
                              .macro_f1 = confusion_macro_f1(confusion),
                              .images = images};
    return 0;
}
