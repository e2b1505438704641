#include "record/remarks.h"

#include "base/text.h"
#include "base/units.h"
#include "record/windows.h"

static void note_left_out(struct record *record, struct account *account)
{
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct channel *channel = &record->channels[i];
        uint64_t left_out = account_left_out(account, i);
        if (left_out)
            record_note(
                record,
                text_format("%s/%s: %llu absurd readings were left out; the ones around them fitted together",
                            channel->meter, channel->name, (unsigned long long)left_out));
    }
}

static void note_sleep(struct record *record, struct account *account)
{
    double asleep_s = account_asleep_s(account);
    AUTO_FREE char *asleep = asleep_s > 0 ? units_duration(asleep_s) : NULL;
    if (asleep)
        record_note(
            record,
            text_format("the machine was suspended for %s: what it drew then was not measured", asleep));
}

void remarks_add(struct record *record, struct account *account, struct registry *registry)
{
    note_left_out(record, account);
    note_sleep(record, account);
    char *later = registry_later_note(registry);
    if (later)
        record_note(record, later);
}
