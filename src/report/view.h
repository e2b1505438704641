/* view.h: what of a run the audit holds for sound. */
#ifndef JOULERY_REPORT_VIEW_H
#define JOULERY_REPORT_VIEW_H

#include "audit/audit.h"

/* Its total by software, or by wattmeters, and the run as a whole. */
bool report_is_sound(const struct audited_run *audited, bool hardware);

#endif
