/*
 * sticky_row.h
 *	  leadroute.sticky_lead: which leads have come with a key.
 *
 * A row is a lead under one of its keys, written in the transaction that stores
 * or decides the lead; a lead that is decided again has another row with the
 * later decision.  Rows are not changed: who owns the lead now is what the
 * journal says, see lr_journal_lead_of.
 */
#ifndef LR_STICKY_ROW_H
#define LR_STICKY_ROW_H

#include "access/genam.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "postgres_ext.h"

typedef struct LrStickyRow
{
	int64		id;				/* of the decision */
	TimestampTz at;
	int32		routed_table;
	int32		member;			/* that the decision chose; 0: none */
	char	   *lead_key;
	bool		open;			/* its transaction may be rolled back yet */
	bool		mine;			/* it is this transaction's */
} LrStickyRow;

typedef struct LrStickyScan
{
	Relation	rel;
	SysScanDesc sys;
	SnapshotData snapshot;
} LrStickyScan;

/*
 * Rows of a key, the latest decision first, those of open and prepared
 * transactions too.  id: that decision's alone; 0: all.
 */
extern void lr_sticky_scan_begin(LrStickyScan *scan, int32 router,
								 const uint8 *key, int64 id);
extern bool lr_sticky_scan_next(LrStickyScan *scan, LrStickyRow *row);
extern void lr_sticky_scan_end(LrStickyScan *scan);

/* Appends a row; unless it is there already, if so asked. */
extern void lr_sticky_row_add(int32 router, const uint8 *key,
							  const LrStickyRow *row, bool unless_there);

#endif							/* LR_STICKY_ROW_H */
