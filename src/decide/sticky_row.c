/*
 * sticky_row.c
 *	  leadroute.sticky_lead: which leads have come with a key; see sticky_row.h.
 *
 * Read with SnapshotDirty: what is committed, what is this transaction's own,
 * and what others have written and may yet roll back.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "base/append.h"
#include "base/generation.h"
#include "decide/sticky_row.h"
#include "roster/claim.h"

/* Columns of leadroute.sticky_lead, from 0. */
enum
{
	S_ID, S_AT, S_KEY, S_ROUTER, S_ROUTED_TABLE, S_MEMBER, S_LEAD_KEY,
	S_COLUMNS
};

StaticAssertDecl(LR_KEY_BYTES == UUID_LEN, "a key is stored as a uuid");

void
lr_sticky_scan_begin(LrStickyScan *scan, int32 router, const uint8 *key,
					 int64 id)
{
	ScanKeyData skey[3];

	InitDirtySnapshot(scan->snapshot);
	scan->rel = table_open(lr_relid("sticky_lead"), AccessShareLock);
	ScanKeyInit(&skey[0], S_KEY + 1, BTEqualStrategyNumber, F_UUID_EQ,
				PointerGetDatum(key));
	ScanKeyInit(&skey[1], S_ROUTER + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(router));
	ScanKeyInit(&skey[2], S_ID + 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(id));
	scan->sys = systable_beginscan(scan->rel, lr_relid("sticky_lead_find"),
								   true, &scan->snapshot, id != 0 ? 3 : 2,
								   skey);
}

bool
lr_sticky_scan_next(LrStickyScan *scan, LrStickyRow *row)
{
	HeapTuple	tuple = systable_getnext(scan->sys);
	TupleDesc	desc = RelationGetDescr(scan->rel);
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return false;
	/* set by the visibility check of this very row */
	row->open = TransactionIdIsValid(scan->snapshot.xmin);
	row->mine = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
	row->id = DatumGetInt64(heap_getattr(tuple, S_ID + 1, desc, &isnull));
	row->at = DatumGetTimestampTz(heap_getattr(tuple, S_AT + 1, desc, &isnull));
	row->routed_table = DatumGetInt32(heap_getattr(tuple, S_ROUTED_TABLE + 1,
												   desc, &isnull));
	row->lead_key = TextDatumGetCString(heap_getattr(tuple, S_LEAD_KEY + 1,
													 desc, &isnull));
	row->member = DatumGetInt32(heap_getattr(tuple, S_MEMBER + 1, desc,
											 &isnull));
	if (isnull)
		row->member = 0;
	return true;
}

void
lr_sticky_scan_end(LrStickyScan *scan)
{
	systable_endscan(scan->sys);
	table_close(scan->rel, AccessShareLock);
}

static bool
is_there(int32 router, const uint8 *key, const LrStickyRow *row)
{
	LrStickyScan scan;
	LrStickyRow there;
	bool		found = false;

	lr_sticky_scan_begin(&scan, router, key, row->id);
	while (!found && lr_sticky_scan_next(&scan, &there))
		found = (there.mine || !there.open) &&
			there.routed_table == row->routed_table &&
			strcmp(there.lead_key, row->lead_key) == 0;
	lr_sticky_scan_end(&scan);
	return found;
}

void
lr_sticky_row_add(int32 router, const uint8 *key, const LrStickyRow *row,
				  bool unless_there)
{
	Datum		values[S_COLUMNS];
	bool		nulls[S_COLUMNS] = {false};

	if (unless_there && is_there(router, key, row))
		return;
	values[S_ID] = Int64GetDatum(row->id);
	values[S_AT] = TimestampTzGetDatum(row->at);
	values[S_KEY] = PointerGetDatum(key);
	values[S_ROUTER] = Int32GetDatum(router);
	values[S_ROUTED_TABLE] = Int32GetDatum(row->routed_table);
	nulls[S_MEMBER] = row->member == 0;
	values[S_MEMBER] = Int32GetDatum(row->member);
	values[S_LEAD_KEY] = CStringGetTextDatum(row->lead_key);
	lr_append_values("sticky_lead", values, nulls);
}
