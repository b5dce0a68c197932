/*
 * journal_change.c
 *	  Ending and changing the current row of a lead.
 *
 * Invariants
 * - Updated in place are projections only: superseded, ended_at, what has
 *	 happened to the lead (closed_at, responded_at, …), what it tells of itself
 *	 (captured_at, source, value, outcome) and the key.  What moves a counter is
 *	 a row of its own, see journal.c.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/append.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/generation.h"
#include "journal/journal_row.h"
#include "lead/load.h"
#include "roster/reserve.h"

/* The transaction in which a key last got a second current row. */
static LocalTransactionId conflict_lxid = InvalidLocalTransactionId;

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

	sys = lr_current_scan(rel, table, key, skey);
	while ((old = systable_getnext(sys)) != NULL)
	{
		Datum		values[J_COLUMNS] = {0};
		bool		nulls[J_COLUMNS] = {false};
		bool		replace[J_COLUMNS] = {false};
		bool		isnull;
		int64		old_id = lr_row_id(rel, old, J_ID);
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
			lr_pool_leave(table, key, old_id);
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
			   lr_row_latest(rel, lr_current_scan(rel, table, key, skey), J_ID));
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
		lr_pool_leave(routed_table, lead_key, current->id);
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
		lr_pool_leave(routed_table, lead_key, current->id);
	else
		lr_pool_enter(routed_table, lead_key, current);
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
		lr_pool_rekey(routed_table, old_key, current->id, new_key);
	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"key\": ");
	escape_json(&payload, new_key);
	appendStringInfoChar(&payload, '}');
	lr_event_add(LR_EVENT_REKEYED, current->router, routed_table, old_key,
				 current->id, current->member, 0, payload.data);
}
