/*
 * journal.c
 *	  Writing the journal in batches; finding and ending what is current.
 *
 * Invariants
 * - Whatever moves a counter in shared memory is a row of journal (its load
 *	 and turn) or event (its load); recovery.c adds these up and gets the
 *	 counters.  Updated in place are projections only.
 * - A batch belongs to a nest level.  A flush writes the innermost batch, and
 *	 only if that is the current level's: written under an inner
 *	 subtransaction, outer rows would be lost with its rollback.  An inner
 *	 level that must see them writes them, and keeps them until it is sure
 *	 (Lent).
 * - Whoever looks at the current row of a lead holds the lead's row lock, so
 *	 that nobody else is changing it.
 * - The history of a lead is found from its key by indexes: what is current,
 *	 what has ended, and by previous_id what ended under another key.
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
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "append.h"
#include "compat.h"
#include "config.h"
#include "journal.h"
#include "late.h"
#include "leadroute.h"
#include "reserve.h"

/* Rows of one kind that may wait before they are written. */
#define BATCH_ROWS	1000

/* Bytes that hold a full batch. */
#define LARGE_BATCH	(512 * 1024)

/* Columns of leadroute.journal, from 0. */
enum
{
	J_ID, J_ASSIGNED_AT, J_ROUTER, J_ROUTED_TABLE, J_RULE, J_RULE_VERSION,
	J_TEAM, J_MEMBER, J_LOAD, J_SHARE, J_HOP, J_KIND, J_METHOD, J_TURN,
	J_SUPERSEDED, J_LEAD_KEY, J_ROLE_NAME, J_TEAM_VERSION, J_MEASURE,
	J_CANDIDATES, J_PASSED_OVER, J_PASSED_OVER_COUNT, J_REASON, J_DETAIL,
	J_ACTOR, J_ENDED_AT, J_CLOSED_AT, J_PREVIOUS_ID, J_COLUMNS
};

/* Columns of leadroute.event. */
enum
{
	E_ID, E_AT, E_KIND, E_ROUTER, E_ROUTED_TABLE, E_ASSIGNMENT, E_MEMBER,
	E_LOAD, E_LEAD_KEY, E_ROLE_NAME, E_ACTOR, E_PAYLOAD, E_COLUMNS
};

/* Columns of leadroute.pool_entry. */
enum
{
	P_ROUTED_TABLE, P_LEAD_KEY, P_ROUTER, P_RULE, P_TEAM, P_STATE,
	P_ASSIGNMENT, P_ENTERED_AT, P_COLUMNS
};

typedef enum RowKind
{
	ROW_JOURNAL,
	ROW_EVENT,
	ROW_POOL,
	ROW_KINDS
} RowKind;

static const char *const row_table[] = {"journal", "event", "pool_entry"};

/* Rows of one nest level. */
typedef struct Batch
{
	struct Batch *up;
	int			nest;
	MemoryContext context;		/* rows and arrays; reset by a flush */
	bool		large;			/* see reset_batch */
	int			n[ROW_KINDS];
	int			room[ROW_KINDS];
	HeapTuple  *row[ROW_KINDS];
	int			copied[ROW_KINDS];	/* of n, behind the last row of up */
} Batch;

/*
 * Rows of an outer level that an inner one had to write, because it looks at
 * them.  They go back into their batch if what has written them is rolled
 * back.
 */
typedef struct Lent
{
	struct Lent *next;
	Batch	   *batch;
	int			nest;			/* level they are written under */
	int			n[ROW_KINDS];
	int			room[ROW_KINDS];
	HeapTuple  *row[ROW_KINDS];
} Lent;

static Batch *innermost = NULL;
static Lent *lents = NULL;
static bool flushing = false;	/* rows of the innermost batch are in use */
static TupleDesc row_desc[ROW_KINDS][J_COLUMNS + 1];	/* see desc_of */
static int64 row_desc_of;		/* incarnation they are of */
static CommandId written_cid = InvalidCommandId;
static LocalTransactionId conflict_lxid = InvalidLocalTransactionId;

/* Who acts; the innermost pair of calls. */
typedef struct Acting
{
	struct Acting *up;
	int			nest;
	Oid			role;
} Acting;

static Acting *acting = NULL;
static Oid	role_oid = InvalidOid;
static char *role_name = NULL;

void
lr_journal_act_as(Oid role)
{
	Acting	   *a = (Acting *) MemoryContextAlloc(TopTransactionContext,
												  sizeof(Acting));

	a->up = acting;
	a->nest = GetCurrentTransactionNestLevel();
	a->role = role;
	acting = a;
}

void
lr_journal_act_end(void)
{
	Acting	   *a = acting;

	acting = a->up;
	pfree(a);
}

/* A role may have got another name. */
static void
roles_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	role_oid = InvalidOid;
}

void
lr_journal_init(void)
{
	CacheRegisterSyscacheCallback(AUTHOID, roles_changed, (Datum) 0);
}

/* Name of the role that acts, cached. */
static const char *
acting_role(void)
{
	Oid			user = acting != NULL ? acting->role : GetUserId();

	if (role_name == NULL || role_oid != user)
	{
		char	   *name = GetUserNameFromId(user, false);

		if (role_name)
			pfree(role_name);
		role_name = MemoryContextStrdup(TopMemoryContext, name);
		role_oid = user;
	}
	return role_name;
}

/* The first n columns of a table, kept for this session. */
static TupleDesc
make_desc(RowKind kind, int n)
{
	static const int columns[] = {J_COLUMNS, E_COLUMNS, P_COLUMNS};
	Relation	rel = table_open(lr_relid(row_table[kind]), RowExclusiveLock);
	MemoryContext old;
	TupleDesc	desc;
	int			i;

	if (RelationGetDescr(rel)->natts < columns[kind])
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("leadroute's SQL objects are older than its library"),
				 errhint("Run ALTER EXTENSION leadroute UPDATE.")));
	old = MemoryContextSwitchTo(TopMemoryContext);
	desc = CreateTemplateTupleDesc(n);
	for (i = 1; i <= n; i++)
		TupleDescCopyEntry(desc, i, RelationGetDescr(rel), i);
	MemoryContextSwitchTo(old);
	table_close(rel, NoLock);
	return desc;
}

/*
 * What a row is formed by: a row ends with its last column that is not NULL,
 * and the server reads the missing ones as NULL.
 */
static TupleDesc
desc_of(RowKind kind, const bool *nulls, int columns)
{
	if (row_desc_of != lr_incarnation())
	{
		memset(row_desc, 0, sizeof(row_desc));
		row_desc_of = lr_incarnation();
	}
	while (nulls[columns - 1])
		columns--;
	if (row_desc[kind][columns] == NULL)
		row_desc[kind][columns] = make_desc(kind, columns);
	return row_desc[kind][columns];
}

/* ---------- batches ---------- */

static Batch *
current_batch(void)
{
	int			nest = GetCurrentTransactionNestLevel();
	Batch	   *batch;

	if (innermost != NULL && innermost->nest == nest)
		return innermost;
	batch = (Batch *) MemoryContextAllocZero(TopTransactionContext,
											 sizeof(Batch));
	batch->context = AllocSetContextCreate(TopTransactionContext,
										   "leadroute batch",
										   ALLOCSET_DEFAULT_SIZES);
	batch->nest = nest;
	batch->up = innermost;
	innermost = batch;
	return batch;
}

/*
 * A batch that was full will be full again: from then on its context keeps one
 * block that holds it all, instead of asking the system for memory each time.
 */
static void
reset_batch(Batch *batch, bool was_full)
{
	int			kind;

	if (was_full && !batch->large)
	{
		MemoryContextDelete(batch->context);
		batch->context = AllocSetContextCreate(TopTransactionContext,
											   "leadroute batch", 0,
											   LARGE_BATCH, LARGE_BATCH);
		batch->large = true;
	}
	else
		MemoryContextReset(batch->context);
	for (kind = 0; kind < ROW_KINDS; kind++)
	{
		batch->n[kind] = batch->room[kind] = 0;
		batch->row[kind] = NULL;
	}
}

/* Appends n rows' worth of room. */
static void
grow_batch(Batch *batch, RowKind kind, int more)
{
	int			room = Max(batch->room[kind], 8);

	while (batch->n[kind] + more > room)
		room *= 2;
	if (room == batch->room[kind])
		return;
	if (batch->row[kind] == NULL)
		batch->row[kind] = (HeapTuple *) MemoryContextAlloc(batch->context,
															room * sizeof(HeapTuple));
	else
		batch->row[kind] = (HeapTuple *) repalloc(batch->row[kind],
												  room * sizeof(HeapTuple));
	batch->room[kind] = room;
}

static void
add_row(RowKind kind, Datum *values, bool *nulls, int columns)
{
	Batch	   *batch = current_batch();
	TupleDesc	desc = desc_of(kind, nulls, columns);
	MemoryContext old;

	grow_batch(batch, kind, 1);
	old = MemoryContextSwitchTo(batch->context);
	batch->row[kind][batch->n[kind]++] = heap_form_tuple(desc, values, nulls);
	MemoryContextSwitchTo(old);
	/* what a conflict adds during a flush waits for the end of it */
	if (batch->n[kind] >= BATCH_ROWS && !flushing)
		lr_journal_flush();
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

/* Removes the pool entry of a lead, if it has one. */
static void
leave_pool(int32 routed_table, const char *lead_key)
{
	Relation	rel = table_open(lr_relid("pool_entry"), RowExclusiveLock);
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	tuple;

	sys = scan_pool(rel, Int32GetDatum(routed_table),
					CStringGetTextDatum(lead_key), key);
	while ((tuple = systable_getnext(sys)) != NULL)
		lr_remove(rel, &tuple->t_self);
	systable_endscan(sys);
	table_close(rel, NoLock);
}

/*
 * Ends the current row of a key, but the one with this id: another lead has
 * the key now.
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
		int64		old_id = DatumGetInt64(heap_getattr(old, J_ID + 1, desc,
														&isnull));
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
		if (DatumGetChar(heap_getattr(old, J_KIND + 1, desc,
									  &isnull)) == LR_KIND_HELD)
			leave_pool(table, key);
		values[J_SUPERSEDED] = BoolGetDatum(true);
		values[J_ENDED_AT] = TimestampTzGetDatum(lr_now());
		replace[J_SUPERSEDED] = replace[J_ENDED_AT] = true;
		ended = heap_modify_tuple(old, desc, values, nulls, replace);
		lr_replace(rel, &old->t_self, ended);
		if (!no_member && !closed && load != 0)
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
 * this very statement, whose AFTER triggers are still to come.  The old row
 * ends now.
 */
static void
resolve_conflict(Relation rel, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	Datum		table = heap_getattr(row, J_ROUTED_TABLE + 1, desc, &isnull);
	Datum		key = heap_getattr(row, J_LEAD_KEY + 1, desc, &isnull);
	Datum		id = heap_getattr(row, J_ID + 1, desc, &isnull);

	end_others(rel, DatumGetInt32(table), TextDatumGetCString(key),
			   DatumGetInt64(id));
}

/* The same for a pool entry that such a lead has left behind. */
static void
resolve_pool_conflict(Relation rel, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	old;

	sys = scan_pool(rel, heap_getattr(row, P_ROUTED_TABLE + 1, desc, &isnull),
					heap_getattr(row, P_LEAD_KEY + 1, desc, &isnull), key);
	while ((old = systable_getnext(sys)) != NULL)
		if (!ItemPointerEquals(&old->t_self, &row->t_self))
			lr_remove(rel, &old->t_self);
	systable_endscan(sys);
}

static void
write_rows(RowKind kind, HeapTuple *rows, int n)
{
	static const LrConflictFn resolve[] = {
		resolve_conflict, NULL, resolve_pool_conflict
	};

	written_cid = GetCurrentCommandId(true);
	lr_append(row_table[kind], rows, n, resolve[kind]);
}

void
lr_journal_flush(void)
{
	Batch	   *batch = innermost;
	bool		full = false;
	int			kind;

	if (flushing || batch == NULL ||
		batch->nest != GetCurrentTransactionNestLevel())
		return;
	flushing = true;
	for (kind = 0; kind < ROW_KINDS; kind++)
	{
		HeapTuple  *rows = batch->row[kind];
		int			n = batch->n[kind];

		if (n == 0)
			continue;
		full |= n >= BATCH_ROWS;
		/* what a conflict adds meanwhile goes into a list of its own */
		batch->row[kind] = NULL;
		batch->n[kind] = batch->room[kind] = 0;
		write_rows(kind, rows, n);
	}
	flushing = false;
	for (kind = 0; kind < ROW_KINDS; kind++)
		if (batch->n[kind] > 0)
			break;
	if (kind < ROW_KINDS)
		lr_journal_flush();
	else
		reset_batch(batch, full);
}

/* Writes what outer levels have waiting, under this one. */
static void
lend_outer_rows(void)
{
	int			nest = GetCurrentTransactionNestLevel();
	Batch	   *batch;

	for (batch = innermost; batch != NULL; batch = batch->up)
	{
		Lent	   *lent;
		int			kind;

		if (batch->nest == nest || batch->n[ROW_JOURNAL] +
			batch->n[ROW_EVENT] + batch->n[ROW_POOL] == 0)
			continue;
		lent = (Lent *) MemoryContextAlloc(TopTransactionContext,
										   sizeof(Lent));
		lent->batch = batch;
		lent->nest = nest;
		memcpy(lent->n, batch->n, sizeof(lent->n));
		memcpy(lent->room, batch->room, sizeof(lent->room));
		memcpy(lent->row, batch->row, sizeof(lent->row));
		memset(batch->n, 0, sizeof(batch->n));
		memset(batch->room, 0, sizeof(batch->room));
		memset(batch->row, 0, sizeof(batch->row));
		lent->next = lents;
		lents = lent;
		for (kind = 0; kind < ROW_KINDS; kind++)
			if (lent->n[kind] > 0)
				write_rows(kind, lent->row[kind], lent->n[kind]);
	}
}

/* Rows that were written under levels >= nest wait again.  Only unlinks. */
static void
take_back_lent(int nest)
{
	while (lents != NULL && lents->nest >= nest)
	{
		Lent	   *lent = lents;

		lents = lent->next;
		if (lent->batch->nest >= nest)
			continue;
		memcpy(lent->batch->n, lent->n, sizeof(lent->n));
		memcpy(lent->batch->room, lent->room, sizeof(lent->room));
		memcpy(lent->batch->row, lent->row, sizeof(lent->row));
	}
}

/* What was written under a level that commits is the one above's. */
static void
hand_up_lent(int nest)
{
	Lent	  **link = &lents;

	while (*link != NULL)
	{
		Lent	   *lent = *link;

		lent->nest = Min(lent->nest, nest - 1);
		if (lent->nest <= lent->batch->nest)
			*link = lent->next;
		else
			link = &lent->next;
	}
}

void
lr_journal_abort(int nest)
{
	take_back_lent(nest);
	/* the contexts go with the transaction's own */
	while (innermost != NULL && innermost->nest >= nest)
	{
		Batch	   *batch = innermost;

		innermost = batch->up;
		if (nest > 0)
		{
			MemoryContextDelete(batch->context);
			pfree(batch);
		}
	}
	while (acting != NULL && acting->nest >= nest)
		acting = acting->up;
	flushing = false;
	if (nest == 0)
		written_cid = InvalidCommandId;
}

/* Copies rows that are not copied yet behind the last one of the level above. */
static void
copy_up(Batch *batch, RowKind kind)
{
	Batch	   *up = batch->up;

	if (batch->copied[kind] == batch->n[kind])
		return;
	grow_batch(up, kind, batch->n[kind]);
	while (batch->copied[kind] < batch->n[kind])
	{
		int			i = batch->copied[kind];
		MemoryContext old = MemoryContextSwitchTo(up->context);

		up->row[kind][up->n[kind] + i] = heap_copytuple(batch->row[kind][i]);
		MemoryContextSwitchTo(old);
		batch->copied[kind]++;
	}
}

/* Whether the batch of a level that ends is to be added to the one above. */
static bool
is_to_merge(Batch *batch, int nest)
{
	return batch != NULL && batch->nest == nest && batch->up != NULL &&
		batch->up->nest == nest - 1;
}

/*
 * While the level can still fail: what it hands up is copied, so that its
 * commit needs no memory.
 */
void
lr_journal_prepare_sub(int nest)
{
	int			kind;

	if (!is_to_merge(innermost, nest))
		return;
	for (kind = 0; kind < ROW_KINDS; kind++)
	{
		innermost->copied[kind] = 0;
		copy_up(innermost, kind);
	}
}

void
lr_journal_commit_sub(int nest)
{
	Batch	   *batch = innermost;
	int			kind;

	hand_up_lent(nest);
	if (batch == NULL || batch->nest != nest)
		return;
	if (!is_to_merge(batch, nest))
	{
		batch->nest = nest - 1;
		return;
	}
	for (kind = 0; kind < ROW_KINDS; kind++)
	{
		/* others' callbacks may have added some since */
		copy_up(batch, kind);
		batch->up->n[kind] += batch->n[kind];
	}
	innermost = batch->up;
	MemoryContextDelete(batch->context);
}

/* ---------- rows ---------- */

static void
set_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL || text[0] == '\0';
	if (!nulls[column])
		values[column] = CStringGetTextDatum(text);
}

static void
set_int(Datum *values, bool *nulls, int column, int32 value, int32 null_value)
{
	nulls[column] = value == null_value;
	values[column] = Int32GetDatum(value);
}

/* The four numbers of each passed-over member as bigint[]. */
static Datum
passed_array(const LrEntry *e)
{
	int			n = e->npassed * 4;
	Datum	   *elements = (Datum *) palloc(n * sizeof(Datum));
	int			i;

	for (i = 0; i < n; i++)
		elements[i] = Int64GetDatum(e->passed_over[i]);
	return PointerGetDatum(construct_array(elements, n, INT8OID, 8,
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
bitmap_datum(const uint8 *bits, int bytes)
{
	bytea	   *value;

	/* trailing zero bytes say nothing */
	while (bytes > 0 && bits[bytes - 1] == 0)
		bytes--;
	value = (bytea *) palloc(VARHDRSZ + bytes);
	SET_VARSIZE(value, VARHDRSZ + bytes);
	memcpy(VARDATA(value), bits, bytes);
	return PointerGetDatum(value);
}

static void
add_pool_entry(const LrEntry *e)
{
	Datum		values[P_COLUMNS];
	bool		nulls[P_COLUMNS] = {false};

	values[P_ROUTED_TABLE] = Int32GetDatum(e->routed_table);
	values[P_LEAD_KEY] = CStringGetTextDatum(e->lead_key);
	values[P_ROUTER] = Int32GetDatum(e->router);
	set_int(values, nulls, P_RULE, e->rule, 0);
	set_int(values, nulls, P_TEAM, e->team, -1);
	values[P_STATE] = CStringGetTextDatum("held");
	values[P_ASSIGNMENT] = Int64GetDatum(e->id);
	values[P_ENTERED_AT] = TimestampTzGetDatum(e->at);
	add_row(ROW_POOL, values, nulls, P_COLUMNS);
	lr_lead_held();
}

void
lr_journal_add(const LrEntry *e)
{
	Datum		values[J_COLUMNS];
	bool		nulls[J_COLUMNS] = {false};

	values[J_ID] = Int64GetDatum(e->id);
	values[J_ASSIGNED_AT] = TimestampTzGetDatum(e->at);
	values[J_ROUTER] = Int32GetDatum(e->router);
	values[J_ROUTED_TABLE] = Int32GetDatum(e->routed_table);
	set_int(values, nulls, J_RULE, e->rule, 0);
	set_int(values, nulls, J_RULE_VERSION, e->rule_version, 0);
	set_int(values, nulls, J_TEAM, e->team, -1);
	set_int(values, nulls, J_MEMBER, e->member, 0);
	values[J_LOAD] = Int32GetDatum(e->load);
	values[J_SHARE] = Int16GetDatum(1);
	values[J_HOP] = Int16GetDatum((int16) Min(e->hop, PG_INT16_MAX));
	values[J_KIND] = CharGetDatum(e->kind);
	nulls[J_METHOD] = e->method == '\0';
	values[J_METHOD] = CharGetDatum(e->method);
	values[J_TURN] = BoolGetDatum(e->turn);
	values[J_SUPERSEDED] = BoolGetDatum(false);
	values[J_LEAD_KEY] = CStringGetTextDatum(e->lead_key);
	values[J_ROLE_NAME] = CStringGetTextDatum(acting_role());
	nulls[J_TEAM_VERSION] = e->team_version == 0;
	values[J_TEAM_VERSION] = Int64GetDatum(e->team_version);
	nulls[J_MEASURE] = !e->has_measure;
	values[J_MEASURE] = Float8GetDatum(e->measure);
	nulls[J_CANDIDATES] = e->candidates == NULL;
	if (e->candidates)
		values[J_CANDIDATES] = bitmap_datum(e->candidates, e->candidate_bytes);
	nulls[J_PASSED_OVER] = e->npassed == 0;
	if (e->npassed)
		values[J_PASSED_OVER] = passed_array(e);
	set_int(values, nulls, J_PASSED_OVER_COUNT, e->passed_count, 0);
	set_text(values, nulls, J_REASON, e->reason);
	set_text(values, nulls, J_DETAIL, e->detail);
	set_text(values, nulls, J_ACTOR, lr_actor);
	nulls[J_ENDED_AT] = true;
	nulls[J_CLOSED_AT] = !e->closed;
	values[J_CLOSED_AT] = TimestampTzGetDatum(e->at);
	nulls[J_PREVIOUS_ID] = e->previous_id == 0;
	values[J_PREVIOUS_ID] = Int64GetDatum(e->previous_id);
	if (e->member == 0 &&
		(e->kind == LR_KIND_GIVEN || e->kind == LR_KIND_MANUAL))
		lr_late_lead(e->id);
	add_row(ROW_JOURNAL, values, nulls, J_COLUMNS);
	if (e->kind == LR_KIND_HELD && !e->closed)
		add_pool_entry(e);
}

void
lr_event_add(const char *kind, int32 router, int32 routed_table,
			 const char *lead_key, int64 assignment, int32 member, int load,
			 const char *payload)
{
	Datum		values[E_COLUMNS];
	bool		nulls[E_COLUMNS] = {false};

	values[E_ID] = Int64GetDatum(lr_reserve_id());
	values[E_AT] = TimestampTzGetDatum(lr_now());
	values[E_KIND] = CStringGetTextDatum(kind);
	values[E_ROUTER] = Int32GetDatum(router);
	set_int(values, nulls, E_ROUTED_TABLE, routed_table, 0);
	nulls[E_ASSIGNMENT] = assignment == 0;
	values[E_ASSIGNMENT] = Int64GetDatum(assignment);
	set_int(values, nulls, E_MEMBER, member, 0);
	values[E_LOAD] = Int32GetDatum(load);
	set_text(values, nulls, E_LEAD_KEY, lead_key);
	values[E_ROLE_NAME] = CStringGetTextDatum(acting_role());
	set_text(values, nulls, E_ACTOR, lr_actor);
	nulls[E_PAYLOAD] = payload == NULL;
	if (payload)
		values[E_PAYLOAD] = DirectFunctionCall1(jsonb_in,
												CStringGetDatum(payload));
	add_row(ROW_EVENT, values, nulls, E_COLUMNS);
}

/* ---------- what is current ---------- */

/* Makes rows of this transaction, waiting or just written, changeable. */
static void
see_own_rows(void)
{
	lr_journal_flush();
	lend_outer_rows();
	if (written_cid != InvalidCommandId &&
		written_cid == GetCurrentCommandId(false))
		CommandCounterIncrement();
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

bool
lr_journal_current(int32 routed_table, const char *lead_key,
				   LrCurrent *current)
{
	Relation	rel;
	TupleDesc	desc;
	HeapTuple	tuple;
	bool		isnull;

	see_own_rows();
	rel = table_open(lr_relid("journal"), RowExclusiveLock);
	desc = RelationGetDescr(rel);
	tuple = find_current(rel, routed_table, lead_key);
	if (tuple != NULL)
	{
		current->tid = tuple->t_self;
		current->id = DatumGetInt64(heap_getattr(tuple, J_ID + 1, desc, &isnull));
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
		(void) heap_getattr(tuple, J_CLOSED_AT + 1, desc, &isnull);
		current->closed = !isnull;
		heap_freetuple(tuple);
	}
	table_close(rel, NoLock);
	return tuple != NULL;
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
	written_cid = GetCurrentCommandId(true);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
}

/* A held lead waits (again), in the order of its decision. */
static void
enter_pool(int32 routed_table, const char *lead_key, const LrCurrent *current)
{
	LrEntry		e = {0};

	e.routed_table = routed_table;
	e.router = current->router;
	e.lead_key = lead_key;
	e.team = -1;
	e.id = current->id;
	e.at = lr_now();
	add_pool_entry(&e);
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
	if (current->kind == LR_KIND_HELD)
		leave_pool(routed_table, lead_key);
}

void
lr_journal_close(int32 routed_table, const char *lead_key,
				 const LrCurrent *current, bool closed, TimestampTz at)
{
	Datum		values[J_COLUMNS] = {0};
	bool		nulls[J_COLUMNS] = {false};
	bool		replace[J_COLUMNS] = {false};
	ItemPointerData tid = current->tid;

	values[J_CLOSED_AT] = TimestampTzGetDatum(at);
	nulls[J_CLOSED_AT] = !closed;
	replace[J_CLOSED_AT] = true;
	change_row(&tid, values, nulls, replace);
	if (current->kind == LR_KIND_HELD && closed)
		leave_pool(routed_table, lead_key);
	else if (current->kind == LR_KIND_HELD)
		enter_pool(routed_table, lead_key, current);
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
	if (current->kind == LR_KIND_HELD && !current->closed)
	{
		leave_pool(routed_table, old_key);
		enter_pool(routed_table, new_key, current);
	}
	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"key\": ");
	escape_json(&payload, new_key);
	appendStringInfoChar(&payload, '}');
	lr_event_add(LR_EVENT_REKEYED, current->router, routed_table, old_key,
				 current->id, current->member, 0, payload.data);
}
