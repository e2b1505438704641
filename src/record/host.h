/* host.h: the machine a run was measured on. */
#ifndef JOULERY_RECORD_HOST_H
#define JOULERY_RECORD_HOST_H

#include "record/record.h"

/* Fills every field; what cannot be found out is "unknown" or 0. */
int host_describe(const struct meter_setup *setup, struct host *host, struct error *error);

#endif
