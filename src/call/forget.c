/*
 * forget.c
 *	  forget: a person is erased from the journal and its companions, counts stay.
 *
 * What counts moves nothing: member, load, turn, times, source and value of the
 * rows stay, and recovery.c adds up what it did.  Erased are detail (which may
 * tell values of the lead), the keys by which the person is known again, and the
 * key of the lead, once it is in its table no more: as long as it is there, the
 * key is what says whose it is.  Then each of its rows has forgotten-<id of the
 * first one> for a key, so that they are still the rows of one lead.
 *
 * Locks: the lead's row, if there is one, as everybody who changes its rows in
 * the journal; rows of a lead that is gone nobody changes but another forget,
 * and these wait for each other.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/acting.h"
#include "base/append.h"
#include "base/clock.h"
#include "base/generation.h"
#include "base/guc.h"
#include "base/scan.h"
#include "decide/sticky_row.h"
#include "journal/journal_row.h"
#include "lead/lead.h"
#include "lead/outcome.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_forget);

typedef struct Forgetting
{
	int32		table;
	List	   *keys;			/* that the lead has or had; text */
	List	   *ids;			/* of its decisions; int64 * */
	List	   *before;			/* ids of those under keys not known yet */
	char	   *new_key;		/* what its rows have for a key afterwards */
	int64		rows;			/* changed or removed */
} Forgetting;

static bool
has_id(List *ids, int64 id)
{
	ListCell   *lc;

	foreach(lc, ids)
		if (*(int64 *) lfirst(lc) == id)
			return true;
	return false;
}

static List *
add_id(List *ids, int64 id)
{
	int64	   *copy = (int64 *) palloc(sizeof(int64));

	*copy = id;
	return lappend(ids, copy);
}

static bool
has_key(List *keys, const char *key)
{
	ListCell   *lc;

	foreach(lc, keys)
		if (strcmp((char *) lfirst(lc), key) == 0)
			return true;
	return false;
}

/* The text of a key as the journal has it, of a lead that may not exist. */
static char *
canonical_key(LrTable *table, const char *key)
{
	Oid		   *types = (Oid *) palloc(table->nkeys * sizeof(Oid));
	Datum	   *values = (Datum *) palloc(table->nkeys * sizeof(Datum));
	TupleTableSlot *slot = MakeSingleTupleTableSlot(table->desc,
													&TTSOpsVirtual);
	int			i;

	(void) lr_key_where(table, key, types, values);
	memset(slot->tts_isnull, true, table->desc->natts * sizeof(bool));
	for (i = 0; i < table->nkeys; i++)
	{
		slot->tts_values[table->key[i] - 1] = values[i];
		slot->tts_isnull[table->key[i] - 1] = false;
	}
	return lr_table_key(table, ExecStoreVirtualTuple(slot));
}

/* ---------- which rows ---------- */

/* A scan over the rows of a lead in an index that begins with key and table. */
static SysScanDesc
scan_key(Relation rel, const char *index, int key_column, int table_column,
		 const char *key, int32 table, ScanKeyData skey[2])
{
	ScanKeyEntryInitialize(&skey[0], 0, key_column + 1, BTEqualStrategyNumber,
						   TEXTOID, C_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(key));
	ScanKeyInit(&skey[1], table_column + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(table));
	return systable_beginscan(rel, lr_relid(index), true, SnapshotSelf, 2, skey);
}

/* All rows of such a scan: those that are replaced come up in it again. */
static List *
rows_of_key(Relation rel, const char *index, int key_column,
			int table_column, const char *key, int32 table)
{
	ScanKeyData skey[2];
	SysScanDesc sys = scan_key(rel, index, key_column, table_column, key,
							   table, skey);
	List	   *rows = NIL;
	HeapTuple	row;

	while ((row = systable_getnext(sys)) != NULL)
		rows = lappend(rows, heap_copytuple(row));
	systable_endscan(sys);
	return rows;
}

/* Keys that the lead had before a decision: events tell of each change. */
static void
find_keys(Forgetting *f, int64 id)
{
	LrScan		scan;

	lr_scan_begin_long(&scan, "event", "event_assignment", "assignment", id);
	while (lr_scan_next(&scan))
	{
		bool		isnull;
		Datum		value = lr_scan_datum_at(&scan, E_LEAD_KEY + 1, &isnull);

		if (!isnull && !has_key(f->keys, TextDatumGetCString(value)))
			f->keys = lappend(f->keys, TextDatumGetCString(value));
	}
	lr_scan_end(&scan);
}

/* Takes in the decisions under a key: all, or those that are known to be its. */
static bool
find_decisions(Forgetting *f, const char *key, bool all)
{
	static const char *const index[] = {"journal_current", "journal_past"};
	Relation	rel = table_open(lr_relid("journal"), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	bool		news = false;
	int			i;

	for (i = 0; i < 2; i++)
	{
		ScanKeyData skey[2];
		SysScanDesc sys = scan_key(rel, index[i], J_LEAD_KEY, J_ROUTED_TABLE,
								   key, f->table, skey);
		HeapTuple	row;

		while ((row = systable_getnext(sys)) != NULL)
		{
			bool		isnull;
			int64		id = DatumGetInt64(heap_getattr(row, J_ID + 1, desc,
														&isnull));

			if (has_id(f->ids, id) || !(all || has_id(f->before, id)))
				continue;
			news = true;
			f->ids = add_id(f->ids, id);
			id = DatumGetInt64(heap_getattr(row, J_PREVIOUS_ID + 1, desc,
											&isnull));
			if (!isnull)
				f->before = add_id(f->before, id);
		}
		systable_endscan(sys);
	}
	table_close(rel, NoLock);
	return news;
}

/* All decisions about the lead, under whatever key. */
static void
find_all(Forgetting *f)
{
	bool		news = find_decisions(f, (char *) linitial(f->keys), true);

	while (news)
	{
		List	   *ids = list_copy(f->ids);
		ListCell   *lc;

		foreach(lc, ids)
			find_keys(f, *(int64 *) lfirst(lc));
		news = false;
		foreach(lc, f->keys)
			news |= find_decisions(f, (char *) lfirst(lc), false);
	}
}

/* ---------- erasing ---------- */

static void
erase_decisions(Forgetting *f, const char *key)
{
	static const char *const index[] = {"journal_current", "journal_past"};
	Relation	rel = table_open(lr_relid("journal"), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	int			i;

	for (i = 0; i < 2; i++)
	{
		List	   *rows = rows_of_key(rel, index[i], J_LEAD_KEY,
									   J_ROUTED_TABLE, key, f->table);
		ListCell   *lc;

		foreach(lc, rows)
		{
			HeapTuple	row = (HeapTuple) lfirst(lc);
			Datum		values[J_COLUMNS] = {0};
			bool		nulls[J_COLUMNS] = {false};
			bool		replace[J_COLUMNS] = {false};
			bool		isnull;

			if (!has_id(f->ids, DatumGetInt64(heap_getattr(row, J_ID + 1, desc,
														   &isnull))))
				continue;
			values[J_LEAD_KEY] = CStringGetTextDatum(f->new_key);
			nulls[J_DETAIL] = true;
			replace[J_LEAD_KEY] = replace[J_DETAIL] = true;
			lr_replace(rel, &row->t_self,
					   heap_modify_tuple(row, desc, values, nulls, replace));
			f->rows++;
		}
		lr_rows_changed();
		lr_rows_changeable();
	}
	table_close(rel, NoLock);
}

/* A payload without what tells of the lead. */
static Datum
erased(Datum payload)
{
	payload = DirectFunctionCall2(jsonb_delete, payload,
								  CStringGetTextDatum("key"));
	return DirectFunctionCall2(jsonb_delete, payload,
							   CStringGetTextDatum("error"));
}

static void
erase_events(Forgetting *f, const char *key)
{
	Relation	rel = table_open(lr_relid("event"), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *rows = rows_of_key(rel, "event_lead", E_LEAD_KEY,
								   E_ROUTED_TABLE, key, f->table);
	ListCell   *lc;

	foreach(lc, rows)
	{
		HeapTuple	row = (HeapTuple) lfirst(lc);
		Datum		values[E_COLUMNS] = {0};
		bool		nulls[E_COLUMNS] = {false};
		bool		replace[E_COLUMNS] = {false};
		bool		isnull;
		Datum		value;

		value = heap_getattr(row, E_ASSIGNMENT + 1, desc, &isnull);
		/* of no decision: under the key that it has or had last */
		if (isnull ? strcmp(key, (char *) linitial(f->keys)) != 0 :
			!has_id(f->ids, DatumGetInt64(value)))
			continue;
		values[E_LEAD_KEY] = CStringGetTextDatum(f->new_key);
		replace[E_LEAD_KEY] = replace[E_PAYLOAD] = true;
		value = heap_getattr(row, E_PAYLOAD + 1, desc, &nulls[E_PAYLOAD]);
		if (!nulls[E_PAYLOAD])
			values[E_PAYLOAD] = erased(value);
		lr_replace(rel, &row->t_self,
				   heap_modify_tuple(row, desc, values, nulls, replace));
		f->rows++;
	}
	lr_rows_changed();
	lr_rows_changeable();
	table_close(rel, NoLock);
}

/* By what the person was known again; reads the whole table. */
static void
erase_sticky(Forgetting *f)
{
	Relation	rel = table_open(lr_relid("sticky_lead"), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	AttrNumber	key_column = get_attnum(RelationGetRelid(rel), "lead_key");
	ScanKeyData key;
	SysScanDesc sys;
	HeapTuple	row;

	ScanKeyInit(&key, get_attnum(RelationGetRelid(rel), "routed_table"),
				BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(f->table));
	sys = systable_beginscan(rel, InvalidOid, false, SnapshotSelf, 1, &key);
	while ((row = systable_getnext(sys)) != NULL)
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (!has_key(f->keys, TextDatumGetCString(heap_getattr(row, key_column,
															   desc, &isnull))))
			continue;
		lr_remove(rel, &row->t_self);
		f->rows++;
	}
	systable_endscan(sys);
	table_close(rel, NoLock);
}

Datum
lr_forget(PG_FUNCTION_ARGS)
{
	Forgetting	f = {0};
	LrTable    *table;
	LrRights	rights;
	LrCurrent	current;
	char	   *key;
	ListCell   *lc;
	bool		is_there;
	int64		first = PG_INT64_MAX;

	lr_require_preload();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("lead_table and key must not be null")));
	table = lr_table_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)), RowShareLock);
	key = lr_key_argument(fcinfo, 1);
	lr_act_as(GetUserId());
	lr_lead_become(table, true, &rights);
	SPI_connect();
	lr_settle_prepared(lr_database());
	is_there = lr_lead_fetch(table, key, true) != NULL;
	key = canonical_key(table, key);
	LockRelationOid(lr_relid("journal"), ShareUpdateExclusiveLock);
	lr_rows_see();
	/* it went while no trigger looked */
	if (!is_there)
		(void) lr_outcome_end(table->id, key, &current, LR_EVENT_DELETED,
							  false, lr_now());
	lr_rows_see();
	f.table = table->id;
	f.keys = list_make1(key);
	find_all(&f);
	foreach(lc, f.ids)
		first = Min(first, *(int64 *) lfirst(lc));
	f.new_key = is_there ? key : psprintf("forgotten-%lld",
										  (long long) (f.ids != NIL ? first : 0));
	foreach(lc, f.keys)
	{
		erase_decisions(&f, (char *) lfirst(lc));
		erase_events(&f, (char *) lfirst(lc));
	}
	erase_sticky(&f);
	lr_rows_changed();
	lr_rows_changeable();
	if (is_there)
		ereport(NOTICE,
				(errmsg("lead %s is still in table \"%s\": its key is kept",
						key, table->name),
				 errhint("Call forget again when it is deleted.")));
	SPI_finish();
	lr_resign(&rights);
	lr_act_end();
	lr_table_unpin(table);
	PG_RETURN_INT64(f.rows);
}
