/* sheets.h: the data sheets that `joulery meters --characterise` made of this machine's channels, kept as
 * joulery.characteristics/1 (docs/json.md), and used by every later run. */
#ifndef JOULERY_RECORD_SHEETS_H
#define JOULERY_RECORD_SHEETS_H

#include "record/record.h"

#define RESPONSE_P_MOST 0.01

/* Each NAN where the readings don't tell. */
struct characteristics {
    double update_s;          /* real update period; no better than the readings come */
    double smallest_step;     /* smallest change seen, J or W: the resolution is this or finer */
    double averaging_s;       /* KIND_POWER: a reading is the mean of about this long */
    double lag_s;             /* from the load to what the averaging leaves of the delay */
    double response_w;        /* power under the load above power without */
    double response_p;        /* chance of such a response without any; above RESPONSE_P_MOST: none seen */
    double read_s;            /* median time that one read of the instrument takes */
    double idle_w;            /* mean power at rest */
    double idle_sd_w;         /* standard deviation of means over 1 s at rest */
    double idle_reading_sd_w; /* the same over 0.1 s: of the power between readings of a usual run */
};

struct sheet {
    char *meter, *name; /* of the channel */
    enum channel_kind kind;
    struct characteristics found;
};

struct sheets {
    char *host, *cpu_model; /* of the machine they were made on */
    char *made;             /* UTC, ISO 8601 */
    double wall_s;          /* how long it took */
    struct sheet *sheets;
    size_t count;
};

#define SHEETS_MOST       4096
#define SHEETS_BYTES_MOST (1u << 20)

/* ${XDG_STATE_HOME:-~/.local/state}/joulery/characteristics-HOST.json; the caller frees it. NULL and `error`:
 * there is no home to put it in. */
char *sheets_path(const char *host, struct error *error);

/* An object with each figure, null where it is not known. NULL if memory ran out. */
json_t *characteristics_to_json(const struct characteristics *found);
/* NULL if memory ran out. */
json_t *sheets_to_json(const struct sheets *sheets);

/* Strict: the schema, every member of its type, each figure null or within what is possible. Members it does
 * not know are ignored. */
int sheets_parse(const char *text, size_t size, struct sheets *sheets, struct error *error);
void sheets_free(struct sheets *sheets);

/* Makes the folder if need be. Stored sheets of this machine's other channels are kept: not every instrument
 * is characterised each time. */
int sheets_save(const struct sheets *sheets, const char *path, struct error *error);

/* Corrects update_s, averaging_s and resolution of the channels that have a sheet; returns how many. A stated
 * resolution gives way only to a finer one: a busy channel moves by many steps at once. */
size_t sheets_apply(const struct sheets *sheets, struct channel *channels, size_t count);

/* Applies this machine's stored sheets, if there are any, to the record's channels from `first` on. Sheets of
 * another machine or that can't be read are left alone, with a note. */
void sheets_apply_stored(const struct meter_setup *setup, struct record *record);

/* Whether a window is long enough to be told apart: two updates, and a power's averaging. */
bool channel_resolves(const struct channel *channel, double wall_s);

/* Of a window that the channel can't resolve, the energy may be anything from nothing to twice as much: its
 * standard uncertainty is at least that of such a uniform distribution, energy / sqrt(3). */
void channel_widen(const struct channel *channel, double wall_s, struct channel_energy *energy);

#endif
