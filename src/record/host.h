/* host.h: the machine a run was measured on. */
#ifndef JOULERY_RECORD_HOST_H
#define JOULERY_RECORD_HOST_H

#include "record/record.h"

/* Fills every field; what cannot be found out is "unknown" or 0. */
int host_describe(const struct meter_setup *setup, struct host *host, struct error *error);

void host_free(struct host *host);

/* ${XDG_STATE_HOME:-~/.local/state}/joulery/KIND-HOST.json, where what is known of a host is kept; the caller
 * frees it. NULL and `error`: there is no home to put it in. */
char *host_state_path(const char *kind, const char *host, struct error *error);

#endif
