/*
 * journal_current.c
 *	  What is current about a lead: finding it, ending it, changing it.
 *
 * Invariants
 * - Whoever looks at the current row of a lead holds the lead's row lock, so
 *	 that nobody else is changing it.
 * - Updated in place are projections only: superseded, ended_at, what has
 *	 happened to the lead (closed_at, responded_at, …), what it tells of itself
 *	 (captured_at, source, value, outcome) and the key.  What moves a counter is
 *	 a row of its own, see journal.c.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/append.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/generation.h"
#include "config/changes.h"
#include "journal/journal_row.h"
#include "lead/load.h"
#include "lead/ready.h"
#include "leadroute.h"
#include "roster/reserve.h"

/* The transaction in which a key last got a second current row. */
static LocalTransactionId conflict_lxid = InvalidLocalTransactionId;

/* A bigint column of a row; NULL as 0. */
static int64
id_of(Relation rel, HeapTuple row, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(row, column + 1, RelationGetDescr(rel),
									 &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* A scan over the current rows of a lead, own ones of this command included. */
static SysScanDesc
scan_current(Relation rel, int32 routed_table, const char *lead_key,
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

/* A scan over the pool entries of a lead. */
static SysScanDesc
scan_pool(Relation rel, Datum routed_table, Datum lead_key, ScanKeyData key[2])
{
	ScanKeyInit(&key[0], P_ROUTED_TABLE + 1, BTEqualStrategyNumber, F_INT4EQ,
				routed_table);
	ScanKeyEntryInitialize(&key[1], 0, P_LEAD_KEY + 1, BTEqualStrategyNumber,
						   TEXTOID, C_COLLATION_OID, F_TEXTEQ, lead_key);
	return systable_beginscan(rel, lr_relid("pool_entry_pkey"), true,
							  SnapshotSelf, 2, key);
}

/* The highest id that a scan finds; ends it. */
static int64
latest_of(Relation rel, SysScanDesc sys, int column)
{
	int64		latest = 0;
	HeapTuple	row;

	while ((row = systable_getnext(sys)) != NULL)
		latest = Max(latest, id_of(rel, row, column));
	systable_endscan(sys);
	return latest;
}

/* Removes the pool entry of a lead that this decision made, if there is one. */
static void
leave_pool(int32 routed_table, const char *lead_key, int64 id)
{
	Relation	rel = table_open(lr_relid("pool_entry"), RowExclusiveLock);
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	tuple;

	sys = scan_pool(rel, Int32GetDatum(routed_table),
					CStringGetTextDatum(lead_key), key);
	while ((tuple = systable_getnext(sys)) != NULL)
		if (id_of(rel, tuple, P_ASSIGNMENT) == id)
			lr_remove(rel, &tuple->t_self);
	systable_endscan(sys);
	table_close(rel, NoLock);
}

/*
 * Ends the current row of a key, but the one with this id: another lead has
 * the key now.  A row may have been written by this very command.
 */
static void
end_others(Relation rel, int32 table, const char *key, int64 id)
{
	TupleDesc	desc = RelationGetDescr(rel);
	ScanKeyData skey[2];
	SysScanDesc sys;
	HeapTuple	old;

	sys = scan_current(rel, table, key, skey);
	while ((old = systable_getnext(sys)) != NULL)
	{
		Datum		values[J_COLUMNS] = {0};
		bool		nulls[J_COLUMNS] = {false};
		bool		replace[J_COLUMNS] = {false};
		bool		isnull;
		int64		old_id = id_of(rel, old, J_ID);
		bool		closed;
		bool		no_member;
		int32		member;
		int			load;
		HeapTuple	ended;

		if (old_id == id)
			continue;
		conflict_lxid = lr_my_lxid();
		(void) heap_getattr(old, J_CLOSED_AT + 1, desc, &closed);
		closed = !closed;
		load = DatumGetInt32(heap_getattr(old, J_LOAD + 1, desc, &isnull));
		member = DatumGetInt32(heap_getattr(old, J_MEMBER + 1, desc,
											&no_member));
		if (lr_waits(DatumGetChar(heap_getattr(old, J_KIND + 1, desc,
											   &isnull))))
			leave_pool(table, key, old_id);
		values[J_SUPERSEDED] = BoolGetDatum(true);
		values[J_ENDED_AT] = TimestampTzGetDatum(lr_now());
		replace[J_SUPERSEDED] = replace[J_ENDED_AT] = true;
		ended = heap_modify_tuple(old, desc, values, nulls, replace);
		lr_rows_changeable();
		lr_replace(rel, &old->t_self, ended);
		lr_rows_changed();
		load = closed ? 0 : lr_assignment_load(old_id, load);
		if (!no_member && load != 0)
		{
			LrDatabase *db = lr_database();

			lr_reserve_load(lr_member_slot(db, member), -load);
			lr_event_add(LR_EVENT_RELEASED,
						 DatumGetInt32(heap_getattr(old, J_ROUTER + 1, desc,
													&isnull)),
						 table, key, old_id, member, -load, NULL);
		}
	}
	systable_endscan(sys);
}


/* The current row of a lead in rel, copied; NULL: none. */
static HeapTuple
find_current(Relation rel, int32 routed_table, const char *lead_key)
{
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	tuple;

	sys = scan_current(rel, routed_table, lead_key, key);
	tuple = systable_getnext(sys);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(sys);
	return tuple;
}

/*
 * A key that has a current row gets another: its lead must have gone while
 * no trigger looked (leadroute.routing = off, a disabled trigger), or goes in
 * this very statement, whose AFTER triggers are still to come.  The row of the
 * older decision ends now: mostly the one that was there, but a batch of an
 * outer level may be written after that of an inner one.
 */
void
lr_current_conflict(Relation rel, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	int32		table = DatumGetInt32(heap_getattr(row, J_ROUTED_TABLE + 1,
												   desc, &isnull));
	char	   *key = TextDatumGetCString(heap_getattr(row, J_LEAD_KEY + 1,
													   desc, &isnull));
	ScanKeyData skey[2];

	end_others(rel, table, key,
			   latest_of(rel, scan_current(rel, table, key, skey), J_ID));
}

/* The same for a pool entry that such a lead has left behind. */
void
lr_pool_conflict(Relation rel, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	Datum		table = heap_getattr(row, P_ROUTED_TABLE + 1, desc, &isnull);
	Datum		lead_key = heap_getattr(row, P_LEAD_KEY + 1, desc, &isnull);
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	other;
	int64		latest = latest_of(rel, scan_pool(rel, table, lead_key, key),
								   P_ASSIGNMENT);

	lr_rows_changeable();
	sys = scan_pool(rel, table, lead_key, key);
	while ((other = systable_getnext(sys)) != NULL)
		if (id_of(rel, other, P_ASSIGNMENT) != latest)
			lr_remove(rel, &other->t_self);
	systable_endscan(sys);
	lr_rows_changed();
}

/* Pool entries that have just been written by decisions that ended before. */
void
lr_pool_forget_ended(HeapTuple *rows, int n)
{
	Relation	journal = table_open(lr_relid("journal"), RowExclusiveLock);
	Relation	pool = table_open(lr_relid("pool_entry"), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(pool);
	int			i;

	lr_rows_changeable();
	for (i = 0; i < n; i++)
	{
		bool		isnull;
		int32		table = DatumGetInt32(heap_getattr(rows[i],
													   P_ROUTED_TABLE + 1,
													   desc, &isnull));
		char	   *key = TextDatumGetCString(heap_getattr(rows[i],
														   P_LEAD_KEY + 1,
														   desc, &isnull));
		HeapTuple	current = find_current(journal, table, key);
		int64		id = id_of(pool, rows[i], P_ASSIGNMENT);

		if (current == NULL || id_of(journal, current, J_ID) != id)
			leave_pool(table, key, id);
	}
	table_close(pool, NoLock);
	table_close(journal, NoLock);
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
	HeapTuple	tuple = find_current(rel, routed_table, lead_key);
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
	while ((row = systable_getnext(sys)) != NULL && id_of(rel, row, J_ID) != id)
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

	return row == NULL ? 0 : id_of(rel, row, J_PREVIOUS_ID);
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
						id_of(rel, released, J_PREVIOUS_ID));
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
	HeapTuple	tuple = find_current(rel, routed_table, lead_key);

	table_close(rel, NoLock);
	if (tuple == NULL)
		return false;
	heap_freetuple(tuple);
	return true;
}

bool
lr_journal_had_conflict(void)
{
	return conflict_lxid == lr_my_lxid();
}

/* Replaces columns of the row at tid. */
static void
change_row(ItemPointer tid, Datum *values, bool *nulls, bool *replace)
{
	Relation	rel = table_open(lr_relid("journal"), RowExclusiveLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	HeapTuple	old;
	bool		should_free;

	if (!table_tuple_fetch_row_version(rel, tid, SnapshotAny, slot))
		elog(ERROR, "journal row has gone");
	old = ExecFetchSlotHeapTuple(slot, false, &should_free);
	lr_replace(rel, tid, heap_modify_tuple(old, RelationGetDescr(rel), values,
										   nulls, replace));
	lr_rows_changed();
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
}

/*
 * A lead waits (again), a held one in the order of its decision; one that is to
 * be ready first, until the worker has looked how long.  No test does.
 */
static void
enter_pool(int32 routed_table, const char *lead_key, const LrCurrent *current)
{
	LrEntry		e = {0};

	if (current->is_test)
		return;
	e.routed_table = routed_table;
	e.router = current->router;
	e.lead_key = lead_key;
	e.kind = current->kind;
	e.rule = current->rule;
	e.team = current->kind == LR_KIND_TRIAGE ? current->team : -1;
	e.id = current->id;
	e.at = lr_now();
	e.held.waits = current->waits;
	e.held.until = e.at;
	lr_pool_add(&e);
}

/* Replaces columns of the pool entry of a lead that this decision made. */
static void
change_entry(int32 routed_table, const char *lead_key, int64 id,
			 Datum *values, bool *nulls, bool *replace)
{
	Relation	rel = table_open(lr_relid("pool_entry"), RowExclusiveLock);
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	tuple;
	HeapTuple	changed;

	lr_rows_see();
	sys = scan_pool(rel, Int32GetDatum(routed_table),
					CStringGetTextDatum(lead_key), key);
	while ((tuple = systable_getnext(sys)) != NULL &&
		   id_of(rel, tuple, P_ASSIGNMENT) != id)
		;
	if (tuple != NULL)
	{
		changed = heap_modify_tuple(tuple, RelationGetDescr(rel), values, nulls,
									replace);
		if (!lr_same_row(RelationGetDescr(rel), tuple, changed))
		{
			lr_replace(rel, &tuple->t_self, changed);
			lr_rows_changed();
		}
	}
	systable_endscan(sys);
	table_close(rel, NoLock);
}

void
lr_journal_wait_until(int32 routed_table, const char *lead_key, int64 id,
					  TimestampTz until)
{
	Datum		values[P_COLUMNS] = {0};
	bool		nulls[P_COLUMNS] = {false};
	bool		replace[P_COLUMNS] = {false};

	values[P_AVAILABLE_FROM] = TimestampTzGetDatum(until);
	replace[P_AVAILABLE_FROM] = true;
	change_entry(routed_table, lead_key, id, values, nulls, replace);
	lr_lead_waits(until);
}

void
lr_journal_end(int32 routed_table, const char *lead_key,
			   const LrCurrent *current, TimestampTz at)
{
	Datum		values[J_COLUMNS] = {0};
	bool		nulls[J_COLUMNS] = {false};
	bool		replace[J_COLUMNS] = {false};
	ItemPointerData tid = current->tid;

	values[J_SUPERSEDED] = BoolGetDatum(true);
	values[J_ENDED_AT] = TimestampTzGetDatum(at);
	replace[J_SUPERSEDED] = replace[J_ENDED_AT] = true;
	change_row(&tid, values, nulls, replace);
	if (lr_waits(current->kind))
		leave_pool(routed_table, lead_key, current->id);
}

void
lr_journal_held_again(const LrEntry *e, int64 id)
{
	Relation	rel = table_open(lr_relid("pool_entry"), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	tuple;

	lr_rows_see();
	sys = scan_pool(rel, Int32GetDatum(e->routed_table),
					CStringGetTextDatum(e->lead_key), key);
	while ((tuple = systable_getnext(sys)) != NULL)
	{
		Datum		values[P_COLUMNS] = {0};
		bool		nulls[P_COLUMNS] = {false};
		bool		replace[P_COLUMNS] = {false};

		if (id_of(rel, tuple, P_ASSIGNMENT) != id ||
			(id_of(rel, tuple, P_LINE) == e->held.line &&
			 id_of(rel, tuple, P_WAY) == e->held.way))
			continue;
		nulls[P_LINE] = e->held.line == 0;
		nulls[P_WAY] = e->held.way == 0;
		nulls[P_RULE] = e->rule == 0;
		nulls[P_TEAM] = e->team == -1;
		values[P_LINE] = Int64GetDatum(e->held.line);
		values[P_WAY] = Int64GetDatum(e->held.way);
		values[P_RULE] = Int32GetDatum(e->rule);
		values[P_TEAM] = Int32GetDatum(e->team);
		replace[P_LINE] = replace[P_WAY] = true;
		replace[P_RULE] = replace[P_TEAM] = true;
		lr_replace(rel, &tuple->t_self,
				   heap_modify_tuple(tuple, desc, values, nulls, replace));
		lr_rows_changed();
	}
	systable_endscan(sys);
	table_close(rel, NoLock);
	lr_lead_held(&e->held);
}

void
lr_journal_happened(int32 routed_table, const char *lead_key,
					const LrCurrent *current, const TimestampTz *when,
					const bool *change, TimestampTz at,
					const LrTold *told, const bool *told_change)
{
	Datum		values[J_COLUMNS] = {0};
	bool		nulls[J_COLUMNS] = {false};
	bool		replace[J_COLUMNS] = {false};
	ItemPointerData tid = current->tid;
	int			i;

	for (i = 0; i < LR_WHENS; i++)
		lr_set_happened(values, nulls, i, when[i], at);
	replace[J_CLOSED_AT] = change[LR_CLOSED];
	replace[J_RESPONDED_AT] = change[LR_RESPONDED];
	replace[J_CONVERTED_AT] = change[LR_CONVERTED];
	replace[J_ACCEPTED_AT] = change[LR_ACCEPTED];
	if (told != NULL)
	{
		lr_set_told(values, nulls, told);
		replace[J_CAPTURED_AT] = told_change[LR_CAPTURED_AT];
		replace[J_SOURCE] = told_change[LR_SOURCE];
		replace[J_VALUE] = told_change[LR_VALUE];
		replace[J_OUTCOME] = told_change[LR_OUTCOME];
	}
	/* what it came to ends with its being closed */
	if (change[LR_CLOSED] && when[LR_CLOSED] == LR_NOT_YET)
		nulls[J_OUTCOME] = replace[J_OUTCOME] = true;
	change_row(&tid, values, nulls, replace);
	if (!lr_waits(current->kind) || !change[LR_CLOSED])
		return;
	if (when[LR_CLOSED] != LR_NOT_YET)
		leave_pool(routed_table, lead_key, current->id);
	else
		enter_pool(routed_table, lead_key, current);
}

/* It goes on waiting for the same, in its order. */
static void
rekey_entry(int32 routed_table, const char *old_key, int64 id,
			const char *new_key)
{
	Datum		values[P_COLUMNS] = {0};
	bool		nulls[P_COLUMNS] = {false};
	bool		replace[P_COLUMNS] = {false};

	values[P_LEAD_KEY] = CStringGetTextDatum(new_key);
	replace[P_LEAD_KEY] = true;
	change_entry(routed_table, old_key, id, values, nulls, replace);
}

void
lr_journal_rekey(int32 routed_table, const char *old_key,
				 const LrCurrent *current, const char *new_key)
{
	Datum		values[J_COLUMNS] = {0};
	bool		nulls[J_COLUMNS] = {false};
	bool		replace[J_COLUMNS] = {false};
	ItemPointerData tid = current->tid;
	StringInfoData payload;
	Relation	rel;

	rel = table_open(lr_relid("journal"), RowExclusiveLock);
	end_others(rel, routed_table, new_key, current->id);
	table_close(rel, NoLock);
	values[J_LEAD_KEY] = CStringGetTextDatum(new_key);
	replace[J_LEAD_KEY] = true;
	change_row(&tid, values, nulls, replace);
	if (lr_waits(current->kind) && !current->closed)
		rekey_entry(routed_table, old_key, current->id, new_key);
	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"key\": ");
	escape_json(&payload, new_key);
	appendStringInfoChar(&payload, '}');
	lr_event_add(LR_EVENT_REKEYED, current->router, routed_table, old_key,
				 current->id, current->member, 0, payload.data);
}
