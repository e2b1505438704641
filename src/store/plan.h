/* plan.h: what plan.c and merge.c share. Only for src/store/. */
#ifndef JOULERY_STORE_PLAN_H
#define JOULERY_STORE_PLAN_H

/* "factors, seed": the members that two fingerprints don't share; the caller frees it. */
char *plan_differing_members(const char *stored, const char *given);

#endif
