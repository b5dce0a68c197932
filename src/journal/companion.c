/*
 * companion.c
 *	  Rows that the journal refers to.  See companion.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/transam.h"
#include "access/xact.h"
#include "storage/procarray.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/append.h"
#include "base/generation.h"
#include "base/incarnation.h"
#include "journal/companion.h"
#include "roster/roster.h"

/*
 * Raised when what a session remembers may be no more: a (sub)transaction that
 * has rows of its own is rolled back or prepared, SQL has written the tables, the
 * extension is another.
 */
static uint64 epoch = 1;
static bool own_rows = false;	/* of the present transaction */
static int64 incarnation = 0;
static int64 rewritten = 0;

uint64
lr_companion_epoch(void)
{
	LrDatabase *db = lr_database_slot();

	/* read without the lock: written by a commit that we may as well precede */
	if (incarnation != lr_incarnation() || rewritten != db->rewritten)
	{
		incarnation = lr_incarnation();
		rewritten = db->rewritten;
		epoch++;
	}
	return epoch;
}

void
lr_companion_rewritten(void)
{
	epoch++;
}

void
lr_companion_abort(void)
{
	if (own_rows)
		epoch++;
}

void
lr_companion_end(void)
{
	own_rows = false;
}

void
lr_companion_append(const char *table, Datum *values, bool *nulls)
{
	own_rows = true;
	lr_append_values(table, values, nulls);
}

bool
lr_companion_usable(HeapTuple row)
{
	TransactionId xmin = HeapTupleHeaderGetXmin(row->t_data);

	if (TransactionIdIsCurrentTransactionId(xmin))
	{
		own_rows = true;
		return true;
	}
	/* what the session remembers was there before this transaction, or is usable */
	return !IsolationUsesXactSnapshot() ||
		!XidInMVCCSnapshot(xmin, GetTransactionSnapshot());
}

/* Whether a row is of a transaction that is not rolled back. */
static bool
may_be_kept(HeapTuple row)
{
	TransactionId xmin = HeapTupleHeaderGetXmin(row->t_data);

	return TransactionIdIsCurrentTransactionId(xmin) ||
		TransactionIdIsInProgress(xmin) || TransactionIdDidCommit(xmin);
}

HeapTuple
lr_companion_row(Relation rel, const char *index, int64 id, bool of_others)
{
	ScanKeyData key;
	SysScanDesc sys;
	HeapTuple	row;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	sys = systable_beginscan(rel, lr_relid(index), true,
							 of_others ? SnapshotAny : SnapshotSelf, 1, &key);
	/* after a crash an id is given again that a lost transaction had */
	while ((row = systable_getnext(sys)) != NULL && of_others &&
		   !may_be_kept(row))
		;
	if (row != NULL)
		row = heap_copytuple(row);
	systable_endscan(sys);
	return row;
}
