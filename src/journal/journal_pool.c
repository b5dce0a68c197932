/*
 * journal_pool.c
 *	  What waits: the pool entries of leads.
 *
 * A lead that is held, or on a triage list, has a pool entry, which names the
 * decision that left it so.  Whoever changes it holds the lead's row lock, as for
 * its current row, see journal_current.c.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/append.h"
#include "base/clock.h"
#include "base/generation.h"
#include "config/changes.h"
#include "journal/journal_row.h"
#include "roster/due.h"

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

void
lr_pool_leave(int32 routed_table, const char *lead_key, int64 id)
{
	Relation	rel = table_open(lr_relid("pool_entry"), RowExclusiveLock);
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	tuple;

	sys = scan_pool(rel, Int32GetDatum(routed_table),
					CStringGetTextDatum(lead_key), key);
	while ((tuple = systable_getnext(sys)) != NULL)
		if (lr_row_id(rel, tuple, P_ASSIGNMENT) == id)
			lr_remove(rel, &tuple->t_self);
	systable_endscan(sys);
	table_close(rel, NoLock);
}

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
	int64		latest = lr_row_latest(rel, scan_pool(rel, table, lead_key, key),
								   P_ASSIGNMENT);

	lr_rows_changeable();
	sys = scan_pool(rel, table, lead_key, key);
	while ((other = systable_getnext(sys)) != NULL)
		if (lr_row_id(rel, other, P_ASSIGNMENT) != latest)
			lr_remove(rel, &other->t_self);
	systable_endscan(sys);
	lr_rows_changed();
}

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
		HeapTuple	current = lr_current_find(journal, table, key);
		int64		id = lr_row_id(pool, rows[i], P_ASSIGNMENT);

		if (current == NULL || lr_row_id(journal, current, J_ID) != id)
			lr_pool_leave(table, key, id);
	}
	table_close(pool, NoLock);
	table_close(journal, NoLock);
}

void
lr_pool_enter(int32 routed_table, const char *lead_key, const LrCurrent *current)
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
		   lr_row_id(rel, tuple, P_ASSIGNMENT) != id)
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

		if (lr_row_id(rel, tuple, P_ASSIGNMENT) != id ||
			(lr_row_id(rel, tuple, P_LINE) == e->held.line &&
			 lr_row_id(rel, tuple, P_WAY) == e->held.way))
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
lr_pool_rekey(int32 routed_table, const char *old_key, int64 id,
			  const char *new_key)
{
	Datum		values[P_COLUMNS] = {0};
	bool		nulls[P_COLUMNS] = {false};
	bool		replace[P_COLUMNS] = {false};

	values[P_LEAD_KEY] = CStringGetTextDatum(new_key);
	replace[P_LEAD_KEY] = true;
	change_entry(routed_table, old_key, id, values, nulls, replace);
}
