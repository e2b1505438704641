/* The site file. */
#include "base/file.h"
#include "base/text.h"
#include "meter/wall/transport.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

/* What a device's keys say, before a preset fills in the rest. */
struct entry {
    struct wall_device *device;
    char *preset, *address, *id, *power_unit, *energy_unit;
    double power_step, energy_step;   /* in their units */
    double power_scale, energy_scale; /* 0: 1 */
};

struct reading {
    const char *path;
    yaml_document_t *document;
    struct error *error;
};

static size_t line_of(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

static int fail(const struct reading *r, size_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(const struct reading *r, size_t line, const char *format, ...)
{
    va_list arguments;
    char *words = NULL;
    va_start(arguments, format);
    int length = vasprintf(&words, format, arguments);
    va_end(arguments);
    if (length < 0)
        return error_memory(r->error, r->path);
    error_set(r->error, "%s:%zu: %s", r->path, line, words);
    free(words);
    return -1;
}

static const char *scalar(const struct reading *r, const yaml_node_t *node, const char *what)
{
    const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
    if (text && *text && strlen(text) == node->data.scalar.length)
        return text;
    fail(r, line_of(node), "expected %s", what);
    return NULL;
}

/* ---- kinds of values ---- */

enum value_kind {
    VALUE_TEXT,
    VALUE_PLACE /* may be empty: all of the answer */,
    VALUE_NUMBER,
    VALUE_FLAG,
    VALUE_GROUP
};

struct key {
    const char *name, *what;
    enum value_kind kind;
    size_t at; /* in struct entry, or in its device where `of_device` */
    bool of_device;
    double least, most;
    const struct key *keys; /* of a group, ends with a NULL name */
};

#define OF_ENTRY(member)  offsetof(struct entry, member), false
#define OF_DEVICE(member) offsetof(struct wall_device, member), true

static const struct key power_keys[] = {
    {"at", "where the power stands, such as /power", VALUE_PLACE, OF_DEVICE(power.at), 0, 0, NULL},
    {"unit", "a unit of power: W, kW or mW", VALUE_TEXT, OF_ENTRY(power_unit), 0, 0, NULL},
    {"unit_at", "a JSON pointer to the unit", VALUE_TEXT, OF_DEVICE(power.unit_at), 0, 0, NULL},
    {"scale", "what one count is in the unit", VALUE_NUMBER, OF_ENTRY(power_scale), 1e-12, 1e12, NULL},
    {"digits_at", "where the count of decimals stands", VALUE_TEXT, OF_DEVICE(power.digits_at), 0, 0, NULL},
    {"step", "the smallest change, in the unit", VALUE_NUMBER, OF_ENTRY(power_step), 0, 1e9, NULL},
    {NULL, NULL, VALUE_TEXT, 0, false, 0, 0, NULL},
};
static const struct key energy_keys[] = {
    {"at", "where the energy stands, such as /total", VALUE_PLACE, OF_DEVICE(energy.at), 0, 0, NULL},
    {"unit", "a unit of energy: Wh, kWh, J or Wmin", VALUE_TEXT, OF_ENTRY(energy_unit), 0, 0, NULL},
    {"unit_at", "a JSON pointer to the unit", VALUE_TEXT, OF_DEVICE(energy.unit_at), 0, 0, NULL},
    {"scale", "what one count is in the unit", VALUE_NUMBER, OF_ENTRY(energy_scale), 1e-12, 1e12, NULL},
    {"digits_at", "where the count of decimals stands", VALUE_TEXT, OF_DEVICE(energy.digits_at), 0, 0, NULL},
    {"step", "the smallest change, in the unit", VALUE_NUMBER, OF_ENTRY(energy_step), 1e-9, 1e9, NULL},
    {NULL, NULL, VALUE_TEXT, 0, false, 0, 0, NULL},
};
static const struct key ok_keys[] = {
    {"at", "a JSON pointer such as /status", VALUE_TEXT, OF_DEVICE(ok_at), 0, 0, NULL},
    {"is", "what stands there when all is well", VALUE_TEXT, OF_DEVICE(ok_is), 0, 0, NULL},
    {NULL, NULL, VALUE_TEXT, 0, false, 0, 0, NULL},
};
static const struct key device_keys[] = {
    {"name", "a name", VALUE_TEXT, OF_DEVICE(name), 0, 0, NULL},
    {"preset", "the name of a preset", VALUE_TEXT, OF_ENTRY(preset), 0, 0, NULL},
    {"address", "a host name or address, with :port where it is not the usual one", VALUE_TEXT,
     OF_ENTRY(address), 0, 0, NULL},
    {"id", "which output, channel or entity", VALUE_TEXT, OF_ENTRY(id), 0, 0, NULL},
    {"url", "an address of " TRANSPORT_SCHEMES, VALUE_TEXT, OF_DEVICE(url), 0, 0, NULL},
    {"ca", "a file of certificates", VALUE_TEXT, OF_DEVICE(ca), 0, 0, NULL},
    {"credentials", "a file with user and password, or a token", VALUE_TEXT, OF_DEVICE(credentials), 0, 0,
     NULL},
    {"auth", "SNMPv3's MD5, SHA, SHA-256 or SHA-512", VALUE_TEXT, OF_DEVICE(auth), 0, 0, NULL},
    {"cipher", "SNMPv3's AES", VALUE_TEXT, OF_DEVICE(cipher), 0, 0, NULL},
    {"serial", "speed and framing, as 9600 8N1", VALUE_TEXT, OF_DEVICE(serial), 0, 0, NULL},
    {"time_at", "a JSON pointer to when it was true", VALUE_TEXT, OF_DEVICE(time_at), 0, 0, NULL},
    {"power", "where the power stands, as in {at: /power, unit: W}", VALUE_GROUP, 0, false, 0, 0, power_keys},
    {"energy", "where the energy counter stands, as in {at: /total, unit: Wh, step: 1}", VALUE_GROUP, 0,
     false, 0, 0, energy_keys},
    {"ok", "where success is told, as in {at: /status, is: ok}", VALUE_GROUP, 0, false, 0, 0, ok_keys},
    {"prefer_power", "true or false", VALUE_FLAG, OF_DEVICE(prefer_power), 0, 0, NULL},
    {"apart", "true or false", VALUE_FLAG, OF_DEVICE(apart), 0, 0, NULL},
    {"interval", "seconds from 0.05 to 3600", VALUE_NUMBER, OF_DEVICE(interval_s), 0.05, 3600, NULL},
    {"update", "seconds from 0 to 3600", VALUE_NUMBER, OF_DEVICE(update_s), 0, 3600, NULL},
    {"delay", "seconds from 0 to 600", VALUE_NUMBER, OF_DEVICE(delay_s), 0, 600, NULL},
    {"timeout", "seconds from 0.05 to 60", VALUE_NUMBER, OF_DEVICE(timeout_s), 0.05, 60, NULL},
    {"max_power", "watts, above 0", VALUE_NUMBER, OF_DEVICE(max_power_w), 1e-6, 1e9, NULL},
    {"accuracy", "a share from 0 to 1, as 0.01", VALUE_NUMBER, OF_DEVICE(accuracy), 0, 1, NULL},
    {NULL, NULL, VALUE_TEXT, 0, false, 0, 0, NULL},
};

static int read_mapping(const struct reading *r, const yaml_node_t *node, const struct key *keys,
                        struct entry *entry);

static int read_number(const struct reading *r, const yaml_node_t *node, const struct key *key,
                       double *number)
{
    const char *text = scalar(r, node, key->what);
    if (!text)
        return -1;
    if (text_to_double(text, number) == 0 && *number >= key->least && *number <= key->most)
        return 0;
    return fail(r, line_of(node), "%s: expected %s, found '%.40s'", key->name, key->what, text);
}

static int read_flag(const struct reading *r, const yaml_node_t *node, const struct key *key, bool *flag)
{
    const char *text = scalar(r, node, key->what);
    *flag = text && strcmp(text, "true") == 0;
    if (text && (*flag || strcmp(text, "false") == 0))
        return 0;
    return text ? fail(r, line_of(node), "%s: expected true or false, found '%.40s'", key->name, text) : -1;
}

static int read_text(const struct reading *r, const yaml_node_t *node, const struct key *key, char **copy)
{
    bool empty = key->kind == VALUE_PLACE && node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0;
    const char *text = empty ? "" : scalar(r, node, key->what);
    if (!text)
        return -1;
    *copy = strdup(text);
    return *copy ? 0 : error_memory(r->error, r->path);
}

static int read_value(const struct reading *r, const yaml_node_t *node, const struct key *key,
                      struct entry *entry)
{
    char *member = key->of_device ? (char *)entry->device + key->at : (char *)entry + key->at;
    if (key->kind == VALUE_GROUP)
        return read_mapping(r, node, key->keys, entry);
    if (key->kind == VALUE_NUMBER)
        return read_number(r, node, key, (double *)(void *)member);
    if (key->kind == VALUE_FLAG)
        return read_flag(r, node, key, (bool *)member);
    char **text = (char **)(void *)member;
    if (*text)
        return fail(r, line_of(node), "%s stands here twice", key->name);
    return read_text(r, node, key, text);
}

static int unknown_key(const struct reading *r, size_t line, const char *name, const struct key *keys)
{
    const char *names[32];
    size_t count = 0;
    for (; keys[count].name && count < sizeof names / sizeof *names; count++)
        names[count] = keys[count].name;
    const char *nearest = text_nearest(name, names, count);
    return nearest ? fail(r, line, "unknown key '%.40s' (did you mean %s?)", name, nearest)
                   : fail(r, line, "unknown key '%.40s': docs/instruments.md lists them", name);
}

static int read_mapping(const struct reading *r, const yaml_node_t *node, const struct key *keys,
                        struct entry *entry)
{
    if (node->type != YAML_MAPPING_NODE)
        return fail(r, line_of(node), "expected keys with values, as in name: plug");
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key_node = yaml_document_get_node(r->document, pair->key);
        const char *name = scalar(r, key_node, "a key");
        const struct key *key = keys;
        if (!name)
            return -1;
        while (key->name && strcmp(key->name, name) != 0)
            key++;
        if (!key->name)
            return unknown_key(r, line_of(key_node), name, keys);
        if (read_value(r, yaml_document_get_node(r->document, pair->value), key, entry) < 0)
            return -1;
    }
    return 0;
}

/* ---- presets ---- */

/* With {id} replaced. */
static char *fill_in(const char *text, const char *id)
{
    struct text filled = TEXT_INIT;
    for (const char *at; (at = strstr(text, "{id}")); text = at + strlen("{id}")) {
        text_append_bytes(&filled, text, (size_t)(at - text));
        text_append(&filled, id);
    }
    text_append(&filled, text);
    return text_take(&filled);
}

/* What the file says goes before what the preset does. */
static int fill(const struct reading *r, char **member, const char *text, const char *id)
{
    if (*member || !text)
        return 0;
    *member = fill_in(text, id);
    return *member ? 0 : error_memory(r->error, r->path);
}

static const struct wall_preset *find_preset(const struct reading *r, size_t line, const char *name)
{
    size_t count;
    const struct wall_preset *presets = wall_presets(&count);
    const char *names[64];
    for (size_t i = 0; i < count && i < sizeof names / sizeof *names; i++) {
        names[i] = presets[i].name;
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    }
    const char *nearest = text_nearest(name, names, count);
    if (nearest)
        fail(r, line, "unknown preset '%.40s' (did you mean %s?)", name, nearest);
    else
        fail(r, line, "unknown preset '%.40s': `joulery meters --presets` lists them", name);
    return NULL;
}

static int apply_preset(const struct reading *r, struct entry *entry)
{
    struct wall_device *d = entry->device;
    const struct wall_preset *p = find_preset(r, d->line, entry->preset);
    if (!p)
        return -1;
    const char *id = entry->id ? entry->id : p->id ? p->id : "0";
    if (!*id)
        return fail(r, d->line, "preset %s: expected an id: %s", p->name, p->what);
    if (!entry->address && !d->url)
        return fail(r, d->line, "preset %s: expected an address, as in address: 192.168.1.20", p->name);
    if (!d->url) {
        AUTO_FREE char *path = fill_in(p->path, id);
        bool whole = strstr(entry->address, "://");
        d->url = path ? text_format("%s%s%s%s",
                                    whole       ? ""
                                    : p->scheme ? p->scheme
                                                : "http",
                                    whole ? "" : "://", entry->address, path)
                      : NULL;
        if (!d->url)
            return error_memory(r->error, r->path);
    }
    bool own_power = d->power.at, own_energy = d->energy.at;
    if (fill(r, &d->power.at, p->power_at, id) < 0 || fill(r, &d->energy.at, p->energy_at, id) < 0 ||
        (!own_power && fill(r, &d->power.unit_at, p->unit_at, id) < 0) ||
        (!own_power && fill(r, &entry->power_unit, p->power_unit, id) < 0) ||
        (!own_energy && fill(r, &entry->energy_unit, p->energy_unit, id) < 0) ||
        (!own_power && fill(r, &d->power.digits_at, p->power_digits_at, id) < 0) ||
        (!own_energy && fill(r, &d->energy.digits_at, p->energy_digits_at, id) < 0) ||
        fill(r, &d->ok_at, p->ok_at, id) < 0 || fill(r, &d->ok_is, p->ok_is, id) < 0 ||
        fill(r, &d->time_at, p->time_at, id) < 0 || fill(r, &d->serial, p->serial, id) < 0)
        return -1;
    if (!own_power && entry->power_scale == 0)
        entry->power_scale = p->power_scale;
    if (!own_power && entry->power_step == 0)
        entry->power_step = p->power_step;
    if (!own_energy && entry->energy_scale == 0)
        entry->energy_scale = p->energy_scale;
    if (!own_energy && entry->energy_step == 0)
        entry->energy_step = p->energy_step;
    if (d->interval_s == 0)
        d->interval_s = p->interval_s;
    return 0;
}

/* ---- a device ---- */

static int set_factor(const struct reading *r, const struct wall_device *d, struct wall_quantity *quantity,
                      const char *unit, double scale, double step)
{
    bool power = quantity == &d->power;
    const char *what = power ? "power" : "energy";
    if (!quantity->at)
        return unit || step > 0 || scale > 0 || quantity->unit_at || quantity->digits_at
                   ? fail(r, d->line, "%s: expected at: with it, where it stands", what)
                   : 0;
    double in_unit = !unit ? 1 : power ? wall_power_unit(unit) : wall_energy_unit(unit);
    if (in_unit == 0)
        return fail(r, d->line, "%s: unknown unit '%.40s': expected %s", what, unit,
                    power ? "W, kW, mW or MW" : "J, kJ, MJ, mWh, Wh, kWh, MWh or Wmin");
    if (!unit && !quantity->unit_at)
        return fail(r, d->line, "%s: expected a unit, as in unit: %s", what, power ? "W" : "Wh");
    if (!power && step == 0)
        return fail(
            r, d->line,
            "energy: expected its step, the smallest change of the counter in its unit, as in step: 1");
    quantity->factor = (scale > 0 ? scale : 1) * in_unit;
    quantity->step = step * in_unit;
    return 0;
}

/* JSON pointers where the answer is JSON; elsewhere only what the transport understands. */
static int check_places(const struct reading *r, const struct wall_device *d)
{
    const struct transport *transport = transport_of(d->url);
    const struct {
        const char *what, *at;
    } pointers[] = {{"power: at", d->power.at},   {"power: unit_at", d->power.unit_at},
                    {"energy: at", d->energy.at}, {"energy: unit_at", d->energy.unit_at},
                    {"ok: at", d->ok_at},         {"time_at", d->time_at}};
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers && transport->json; i++)
        if (pointers[i].at && pointers[i].at[0] && pointers[i].at[0] != '/')
            return fail(r, d->line, "%s: expected a JSON pointer such as /power, found '%.40s'",
                        pointers[i].what, pointers[i].at);
    if (!transport->json && (d->power.unit_at || d->energy.unit_at || d->ok_at || d->time_at))
        return fail(r, d->line, "%s: unit_at, ok and time_at are for answers in JSON, not for %s", d->name,
                    transport->name);
    if (strcmp(transport->name, "snmp") != 0 &&
        (d->power.digits_at || d->energy.digits_at || d->auth || d->cipher))
        return fail(r, d->line, "%s: digits_at, auth and cipher are for SNMP alone", d->name);
    if (d->serial && !transport->serial)
        return fail(r, d->line, "%s: serial is for a meter on a serial line, not for %s", d->name,
                    transport->name);
    struct error error = ERROR_INIT;
    if (!transport->check || transport->check(d, &error) == 0)
        return 0;
    fail(r, d->line, "%s: %s", d->name, error_text(&error));
    error_clear(&error);
    return -1;
}

static int check_url(const struct reading *r, const struct wall_device *d)
{
    if (!d->url)
        return fail(r, d->line, "%s: expected a preset with an address, or a url", d->name);
    if (!transport_of(d->url))
        return fail(r, d->line, "%s: expected an address of " TRANSPORT_SCHEMES, d->name);
    const char *host = strstr(d->url, "://") + 3;
    if (memchr(host, '@', strcspn(host, "/?#")))
        return fail(r, d->line,
                    "%s: a user in the address would stand in logs: put it into a file and name that with "
                    "credentials: FILE",
                    d->name);
    for (const char *c = d->url; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127)
            return fail(r, d->line,
                        "%s: the address holds a character that must be written as %%20 or the like",
                        d->name);
    return 0;
}

static int finish_device(const struct reading *r, const struct wall_site *site, struct entry *entry)
{
    struct wall_device *d = entry->device;
    if (!d->name)
        return fail(r, d->line, "expected a name for the wattmeter, as in name: plug");
    for (const struct wall_device *other = site->devices; other < d; other++)
        if (strcmp(other->name, d->name) == 0)
            return fail(r, d->line, "a second wattmeter is called '%s': the first is in line %zu", d->name,
                        other->line);
    if (entry->preset ? apply_preset(r, entry) < 0 : entry->address || entry->id)
        return entry->preset ? -1 : fail(r, d->line, "%s: address and id go with a preset", d->name);
    if (check_url(r, d) < 0 ||
        set_factor(r, d, &d->power, entry->power_unit, entry->power_scale, entry->power_step) < 0 ||
        set_factor(r, d, &d->energy, entry->energy_unit, entry->energy_scale, entry->energy_step) < 0)
        return -1;
    if (!d->power.at && !d->energy.at)
        return fail(r, d->line, "%s: expected power: or energy:, and where they stand in the answer",
                    d->name);
    if (!d->ok_at != !d->ok_is)
        return fail(r, d->line, "%s: ok: expected both at: and is:", d->name);
    if (check_places(r, d) < 0)
        return -1;
    d->interval_s = d->interval_s > 0 ? d->interval_s : 1;
    d->update_s = d->update_s > 0 ? d->update_s : d->interval_s;
    d->timeout_s = d->timeout_s > 0 ? d->timeout_s : 2;
    d->accuracy_given = d->accuracy >= 0;
    d->accuracy = d->accuracy_given ? d->accuracy : 0.02;
    return 0;
}

static int read_device(const struct reading *r, const yaml_node_t *node, struct wall_site *site)
{
    if (site->count == WALL_DEVICES_MOST)
        return fail(r, line_of(node), "more than %d wattmeters", WALL_DEVICES_MOST);
    struct wall_device *grown = reallocarray(site->devices, site->count + 1, sizeof *grown);
    if (!grown)
        return error_memory(r->error, r->path);
    site->devices = grown;
    struct entry entry = {.device = &site->devices[site->count++]};
    *entry.device = (struct wall_device){.line = line_of(node), .accuracy = -1};
    int result = read_mapping(r, node, device_keys, &entry);
    if (result == 0)
        result = finish_device(r, site, &entry);
    free(entry.preset);
    free(entry.address);
    free(entry.id);
    free(entry.power_unit);
    free(entry.energy_unit);
    return result;
}

static int read_site(const struct reading *r, struct wall_site *site)
{
    const yaml_node_t *root = yaml_document_get_root_node(r->document);
    if (!root || root->type != YAML_MAPPING_NODE)
        return fail(r, root ? line_of(root) : 1, "expected the key wattmeters with a list of them");
    const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
    for (; pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(r->document, pair->value);
        const char *name = scalar(r, key, "a key");
        if (!name)
            return -1;
        if (strcmp(name, "wattmeters") != 0)
            return fail(r, line_of(key), "unknown key '%.40s': expected wattmeters", name);
        if (value->type != YAML_SEQUENCE_NODE)
            return fail(r, line_of(value), "wattmeters: expected a list, each with a dash before it");
        for (yaml_node_item_t *item = value->data.sequence.items.start; item < value->data.sequence.items.top;
             item++)
            if (read_device(r, yaml_document_get_node(r->document, *item), site) < 0)
                return -1;
    }
    return site->count ? 0 : fail(r, line_of(root), "no wattmeter is listed");
}

int wall_site_parse(const char *text, size_t size, const char *path, struct wall_site *site,
                    struct error *error)
{
    yaml_parser_t parser;
    yaml_document_t document;
    *site = (struct wall_site){.path = strdup(path)};
    if (!site->path || !yaml_parser_initialize(&parser)) {
        free(site->path);
        return error_memory(error, path);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    int result = 0;
    if (yaml_parser_load(&parser, &document)) {
        const struct reading r = {path, &document, error};
        result = read_site(&r, site);
        yaml_document_delete(&document);
    } else {
        result = error_set(error, "%s:%zu: no YAML: %s", path, parser.problem_mark.line + 1,
                           parser.problem ? parser.problem : "it can't be read");
    }
    yaml_parser_delete(&parser);
    if (result < 0)
        wall_site_free(site);
    return result;
}

/* Relative to the site file's folder. */
static char *beside(const char *site, const char *path)
{
    const char *slash = strrchr(site, '/');
    return path[0] == '/' || !slash ? strdup(path) : text_format("%.*s/%s", (int)(slash - site), site, path);
}

/* Whether it can be read is known now, and not after a run. */
static int find_certificates(const struct wall_site *site, struct wall_device *device, struct error *error)
{
    char *path = beside(site->path, device->ca);
    if (!path)
        return error_memory(error, site->path);
    free(device->ca);
    device->ca = path;
    if (access(path, R_OK) == 0)
        return 0;
    error_errno(error, errno, path);
    return error_prefix(error, "%s:%zu: ca", site->path, device->line);
}

static int read_files(struct wall_site *site, struct error *error)
{
    for (size_t i = 0; i < site->count; i++) {
        struct wall_device *device = &site->devices[i];
        if (device->ca && find_certificates(site, device, error) < 0)
            return -1;
        AUTO_FREE char *path = device->credentials ? beside(site->path, device->credentials) : NULL;
        if (!device->credentials)
            continue;
        if (!path)
            return error_memory(error, site->path);
        if (wall_secret_read(path, &device->secret, error) < 0)
            return error_prefix(error, "%s:%zu", site->path, device->line);
    }
    return 0;
}

int wall_site_read(const char *path, struct wall_site *site, struct error *error)
{
    size_t size;
    AUTO_FREE char *text = file_read(path, WALL_SITE_BYTES_MOST, &size, error);
    if (!text || wall_site_parse(text, size, path, site, error) < 0)
        return -1;
    if (read_files(site, error) == 0)
        return 0;
    wall_site_free(site);
    return -1;
}

static void free_quantity(struct wall_quantity *quantity)
{
    free(quantity->at);
    free(quantity->unit_at);
    free(quantity->digits_at);
}

void wall_site_free(struct wall_site *site)
{
    for (size_t i = 0; i < site->count; i++) {
        struct wall_device *device = &site->devices[i];
        free(device->name);
        free(device->url);
        free(device->ca);
        free(device->credentials);
        free(device->ok_at);
        free(device->ok_is);
        free(device->time_at);
        free(device->auth);
        free(device->cipher);
        free(device->serial);
        free_quantity(&device->power);
        free_quantity(&device->energy);
        wall_secret_free(&device->secret);
    }
    free(site->devices);
    free(site->path);
    *site = (struct wall_site){0};
}

char *wall_site_path(const char *given, struct error *error)
{
    const char *variable = given ? given : secure_getenv("JOULERY_SITE");
    if (variable && *variable) {
        char *path = strdup(variable);
        if (!path)
            error_memory(error, "site file");
        return path;
    }
    const char *config = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
    char *path = config && config[0] == '/' ? text_format("%s/joulery/site.yaml", config)
                 : home && home[0] == '/'   ? text_format("%s/.config/joulery/site.yaml", home)
                                            : NULL;
    if (path && file_exists(path))
        return path;
    free(path);
    return NULL;
}
