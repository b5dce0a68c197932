/*
 * journal_current.c
 *	  What is current about a lead, and what was before it: finding the rows, and
 *	  reading them.  journal_change.c ends and changes them.
 *
 * Invariant: whoever looks at the current row of a lead holds the lead's row
 * lock, so that nobody else is changing it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/generation.h"
#include "journal/journal_row.h"
#include "lead/ready.h"

int64
lr_row_id(Relation rel, HeapTuple row, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(row, column + 1, RelationGetDescr(rel),
									 &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

SysScanDesc
lr_current_scan(Relation rel, int32 routed_table, const char *lead_key,
				ScanKeyData key[2])
{
	ScanKeyEntryInitialize(&key[0], 0, J_LEAD_KEY + 1, BTEqualStrategyNumber,
						   TEXTOID, C_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(lead_key));
	ScanKeyInit(&key[1], J_ROUTED_TABLE + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(routed_table));
	return systable_beginscan(rel, lr_relid("journal_current"), true,
							  SnapshotSelf, 2, key);
}

int64
lr_row_latest(Relation rel, SysScanDesc sys, int column)
{
	int64		latest = 0;
	HeapTuple	row;

	while ((row = systable_getnext(sys)) != NULL)
		latest = Max(latest, lr_row_id(rel, row, column));
	systable_endscan(sys);
	return latest;
}

HeapTuple
lr_current_find(Relation rel, int32 routed_table, const char *lead_key)
{
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	tuple;

	sys = lr_current_scan(rel, routed_table, lead_key, key);
	tuple = systable_getnext(sys);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(sys);
	return tuple;
}

struct varlena *
lr_bitmap_of(HeapTuple row, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(row, column + 1, desc, &isnull);

	return isnull ? NULL : (struct varlena *) PG_DETOAST_DATUM_COPY(value);
}

/* The turn that a row has taken, or its place in a target; NULL: none. */
static LrTurn *
turn_of(HeapTuple row, TupleDesc desc)
{
	bool		isnull;
	bool		no_month;
	bool		taken = DatumGetBool(heap_getattr(row, J_TURN + 1, desc, &isnull));
	Datum		month = heap_getattr(row, J_TARGET_MONTH + 1, desc, &no_month);
	Datum		set;
	LrTurn	   *turn;

	if (!taken && no_month)
		return NULL;
	turn = (LrTurn *) palloc(sizeof(LrTurn));
	turn->turn = taken;
	turn->month = no_month ? 0 : DatumGetInt32(month);
	turn->team = DatumGetInt32(heap_getattr(row, J_TEAM + 1, desc, &isnull));
	turn->version = DatumGetInt64(heap_getattr(row, J_TEAM_VERSION + 1, desc,
											   &isnull));
	set = heap_getattr(row, J_CANDIDATE_SET + 1, desc, &isnull);
	turn->set = isnull ? 0 : DatumGetInt64(set);
	turn->candidates = lr_bitmap_of(row, desc, J_CANDIDATES);
	turn->accruing = lr_bitmap_of(row, desc, J_ACCRUING);
	return turn;
}

static void
read_caps(HeapTuple tuple, TupleDesc desc, LrCurrent *current)
{
	bool		isnull;
	Datum		caps = heap_getattr(tuple, J_CAPS + 1, desc, &isnull);
	ArrayType  *array;

	current->ncaps = 0;
	current->caps = NULL;
	if (isnull)
		return;
	array = DatumGetArrayTypePCopy(caps);
	current->ncaps = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	current->caps = (int64 *) ARR_DATA_PTR(array);
}

static void
read_told(HeapTuple tuple, TupleDesc desc, LrTold *told)
{
	bool		isnull;
	Datum		value;

	memset(told, 0, sizeof(*told));
	told->captured_at = DatumGetTimestampTz(heap_getattr(tuple, J_CAPTURED_AT + 1,
														 desc,
														 &told->isnull[LR_CAPTURED_AT]));
	value = heap_getattr(tuple, J_SOURCE + 1, desc, &told->isnull[LR_SOURCE]);
	if (!told->isnull[LR_SOURCE])
		told->source = TextDatumGetCString(value);
	value = heap_getattr(tuple, J_VALUE + 1, desc, &told->isnull[LR_VALUE]);
	if (!told->isnull[LR_VALUE])
		told->value = PointerGetDatum(DatumGetNumericCopy(value));
	value = heap_getattr(tuple, J_OUTCOME + 1, desc, &isnull);
	if (!isnull)
		told->outcome = TextDatumGetCString(value);
}

static char *
text_of(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column + 1, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/*
 * Whether a lead that is held waits to be ready; what the criteria said of one
 * that they keep back, or that is in triage.
 */
static void
read_reason(HeapTuple tuple, TupleDesc desc, LrCurrent *current)
{
	Datum		score;
	bool		isnull;
	char	   *reason;

	current->has_score = current->waits = false;
	current->reason = current->detail = NULL;
	if (current->kind == LR_KIND_HELD)
	{
		reason = text_of(tuple, desc, J_REASON);
		current->waits = reason != NULL && strcmp(reason, LR_NOT_READY) == 0;
	}
	if (!lr_kept_back(current->kind) && current->kind != LR_KIND_TRIAGE)
		return;
	score = heap_getattr(tuple, J_SCORE + 1, desc, &isnull);
	current->has_score = !isnull;
	if (!isnull)
		current->score = DatumGetFloat8(score);
	current->reason = text_of(tuple, desc, J_REASON);
	current->detail = text_of(tuple, desc, J_DETAIL);
}

/* On whose list a lead is. */
static void
read_triage(HeapTuple tuple, TupleDesc desc, LrCurrent *current)
{
	bool		isnull;

	current->rule = current->team = 0;
	if (current->kind != LR_KIND_TRIAGE)
		return;
	current->rule = DatumGetInt32(heap_getattr(tuple, J_RULE + 1, desc, &isnull));
	current->team = DatumGetInt32(heap_getattr(tuple, J_TEAM + 1, desc, &isnull));
}

/* The same without rows that wait to be written. */
static bool
read_current(int32 routed_table, const char *lead_key, LrCurrent *current)
{
	Relation	rel = table_open(lr_relid("journal"), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	HeapTuple	tuple = lr_current_find(rel, routed_table, lead_key);
	bool		isnull;

	if (tuple != NULL)
	{
		current->tid = tuple->t_self;
		current->id = DatumGetInt64(heap_getattr(tuple, J_ID + 1, desc, &isnull));
		current->at = DatumGetTimestampTz(heap_getattr(tuple, J_ASSIGNED_AT + 1,
													   desc, &isnull));
		current->router = DatumGetInt32(heap_getattr(tuple, J_ROUTER + 1, desc,
													 &isnull));
		current->load = DatumGetInt32(heap_getattr(tuple, J_LOAD + 1, desc,
												   &isnull));
		current->hop = DatumGetInt16(heap_getattr(tuple, J_HOP + 1, desc,
												  &isnull));
		current->kind = DatumGetChar(heap_getattr(tuple, J_KIND + 1, desc,
												  &isnull));
		current->member = DatumGetInt32(heap_getattr(tuple, J_MEMBER + 1, desc,
													 &isnull));
		if (isnull)
			current->member = 0;
		current->closed_at = DatumGetTimestampTz(heap_getattr(tuple, J_CLOSED_AT + 1,
															  desc, &isnull));
		current->closed = !isnull;
		(void) heap_getattr(tuple, J_RESPONDED_AT + 1, desc, &isnull);
		current->responded = !isnull;
		(void) heap_getattr(tuple, J_CONVERTED_AT + 1, desc, &isnull);
		current->converted = !isnull;
		current->mine = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
		current->turn = turn_of(tuple, desc);
		current->previous_id = DatumGetInt64(heap_getattr(tuple, J_PREVIOUS_ID + 1,
														  desc, &isnull));
		if (isnull)
			current->previous_id = 0;
		read_caps(tuple, desc, current);
		read_told(tuple, desc, &current->told);
		read_reason(tuple, desc, current);
		read_triage(tuple, desc, current);
		(void) heap_getattr(tuple, J_RELEASED + 1, desc, &isnull);
		current->released = !isnull;
		(void) heap_getattr(tuple, J_IS_TEST + 1, desc, &isnull);
		current->is_test = !isnull;
		heap_freetuple(tuple);
	}
	table_close(rel, NoLock);
	return tuple != NULL;
}

bool
lr_journal_current(int32 routed_table, const char *lead_key,
				   LrCurrent *current)
{
	lr_rows_see();
	return read_current(routed_table, lead_key, current);
}

/* A past row of a lead, copied; NULL: not found. */
static HeapTuple
find_past(Relation rel, int32 routed_table, const char *lead_key, int64 id)
{
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	row;

	ScanKeyEntryInitialize(&key[0], 0, J_LEAD_KEY + 1, BTEqualStrategyNumber,
						   TEXTOID, C_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(lead_key));
	ScanKeyInit(&key[1], J_ROUTED_TABLE + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(routed_table));
	sys = systable_beginscan(rel, lr_relid("journal_past"), true, SnapshotSelf,
							 2, key);
	while ((row = systable_getnext(sys)) != NULL && lr_row_id(rel, row, J_ID) != id)
		;
	if (row != NULL)
		row = heap_copytuple(row);
	systable_endscan(sys);
	return row;
}

/* The decision that a past one of a lead superseded; 0: none, or not found. */
static int64
previous_of(Relation rel, int32 routed_table, const char *lead_key, int64 id)
{
	HeapTuple	row = find_past(rel, routed_table, lead_key, id);

	return row == NULL ? 0 : lr_row_id(rel, row, J_PREVIOUS_ID);
}

int32
lr_journal_given_up_by(int32 routed_table, const char *lead_key,
					   const LrCurrent *current)
{
	Relation	rel;
	HeapTuple	released = NULL;
	HeapTuple	had = NULL;
	int32		member = 0;
	bool		isnull;

	if (!lr_waits(current->kind) || current->previous_id == 0)
		return 0;
	rel = table_open(lr_relid("journal"), RowExclusiveLock);
	released = find_past(rel, routed_table, lead_key, current->previous_id);
	if (released != NULL &&
		DatumGetChar(heap_getattr(released, J_KIND + 1, RelationGetDescr(rel),
								  &isnull)) == LR_KIND_RELEASED)
		had = find_past(rel, routed_table, lead_key,
						lr_row_id(rel, released, J_PREVIOUS_ID));
	if (had != NULL)
	{
		member = DatumGetInt32(heap_getattr(had, J_MEMBER + 1,
											RelationGetDescr(rel), &isnull));
		if (isnull)
			member = 0;
	}
	table_close(rel, NoLock);
	return member;
}

/* Whether decision id is among those that led to a current row. */
static bool
has_led_to(int64 id, int32 routed_table, const char *lead_key,
		   const LrCurrent *current)
{
	Relation	rel;
	int64		at = current->previous_id;

	if (current->id == id)
		return true;
	rel = table_open(lr_relid("journal"), RowExclusiveLock);
	/* ids rise */
	while (at > id)
		at = previous_of(rel, routed_table, lead_key, at);
	table_close(rel, NoLock);
	return at == id;
}

bool
lr_journal_lead_of(int32 routed_table, const char *lead_key, int64 id,
				   bool mine, LrCurrent *current)
{
	if (!read_current(routed_table, lead_key, current) &&
		!(mine && lr_journal_current(routed_table, lead_key, current)))
		return false;
	return has_led_to(id, routed_table, lead_key, current);
}

int64
lr_journal_since(int32 routed_table, const char *lead_key)
{
	Relation	rel;
	LrCurrent	current;
	int64		first;
	int64		previous;

	if (!lr_journal_current(routed_table, lead_key, &current))
		return PG_INT64_MAX;
	rel = table_open(lr_relid("journal"), RowExclusiveLock);
	first = current.id;
	for (previous = current.previous_id; previous != 0;
		 previous = previous_of(rel, routed_table, lead_key, previous))
		first = previous;
	table_close(rel, NoLock);
	return first;
}

bool
lr_journal_known(int32 routed_table, const char *lead_key)
{
	Relation	rel = table_open(lr_relid("journal"), RowExclusiveLock);
	HeapTuple	tuple = lr_current_find(rel, routed_table, lead_key);

	table_close(rel, NoLock);
	if (tuple == NULL)
		return false;
	heap_freetuple(tuple);
	return true;
}

