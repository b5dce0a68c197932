/*
 * ready.h
 *	  New leads that wait for more to be known of them: routed_table.ready_when
 *	  and ready_within.
 *
 * A lead that is not ready when it would be decided first is stored without
 * owner and waits: kind held, reason not_ready, pool_entry.state waiting.  It is
 * decided
 * - in the UPDATE that makes it ready (redecide.h);
 * - by the worker, when it has waited for ready_within: as it is then;
 * - by route, which waits for nothing.
 * Nobody has been looked for: it stands in no line (held.h), and has its place
 * among those that are held by the id of the decision that follows.
 *
 * pool_entry.available_from says when the worker is to look at it; how long it
 * waits follows from its journal row and from what ready_within is by then, so
 * the worker puts available_from right where it finds it wrong.
 */
#ifndef LR_READY_H
#define LR_READY_H

#include "decide/decide.h"
#include "base/scan.h"

/* The reason in the journal of those that wait. */
#define LR_NOT_READY	"not_ready"

/* ready_when of a table, and how long to wait for it. */
typedef struct LrReady
{
	LrExpr	   *when;			/* NULL: broken */
	char	   *broken;
	int64		within;			/* microseconds; -1: without end */
} LrReady;

/* From a row of routed_table; NULL: its leads do not wait. */
extern LrReady *lr_ready_read(LrTable *table, LrScan *scan, Relation rel);

/*
 * Whether a lead of a table whose leads may wait is ready.  One whose
 * expression fails is: it is decided with what there is, and *detail tells.
 */
extern bool lr_is_ready(LrTable *table, TupleTableSlot *row, char **detail);

/* Until when a lead waits that began to at this time; DT_NOEND: without end. */
extern TimestampTz lr_waits_until(const LrTable *table, TimestampTz since);

/* How long that is, in words. */
extern char *lr_ready_within_words(const LrTable *table);

#endif							/* LR_READY_H */
