/*
 * journal_batch.c
 *	  Rows of the journal and its companions that wait to be written.
 *
 * Invariants
 * - A batch belongs to a nest level.  A flush writes the innermost batch, and
 *	 only if that is the current level's: written under an inner
 *	 subtransaction, outer rows would be lost with its rollback.  An inner
 *	 level that must see them writes them, and keeps them until it is sure
 *	 (Lent).
 * - lr_journal_abort and lr_journal_commit_sub are called by transaction
 *	 callbacks: they free and unlink.  What a commit needs is allocated by
 *	 lr_journal_prepare_sub, while the level can still fail.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/append.h"
#include "base/generation.h"
#include "base/incarnation.h"
#include "base/row_form.h"
#include "journal/journal_row.h"

/*
 * Rows of one kind that may wait before they are written: few enough that what
 * is formed is still in the processor's cache when it is written (1,000 are
 * not, and cost 3 % of an INSERT of many leads).
 */
#define BATCH_ROWS	250

/* Bytes that hold a full batch. */
#define LARGE_BATCH	(128 * 1024)

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
static LrRowShape shape[ROW_KINDS];	/* kept for the session; n 0: not read */
static int64 shapes_of;			/* incarnation they are of */
static CommandId written_cid = InvalidCommandId;	/* last that wrote */

/* ---------- rows as they are stored ---------- */

static const int row_columns[] = {J_COLUMNS, E_COLUMNS, P_COLUMNS};

static void
read_shape(RowKind kind)
{
	Relation	rel = table_open(lr_relid(row_table[kind]), RowExclusiveLock);

	if (RelationGetDescr(rel)->natts < row_columns[kind])
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("leadroute's SQL objects are older than its library"),
				 errhint("Run ALTER EXTENSION leadroute UPDATE.")));
	lr_row_shape(RelationGetDescr(rel), row_columns[kind], &shape[kind]);
	table_close(rel, NoLock);
}

#ifdef USE_ASSERT_CHECKING
/* The server's own function makes the same row of it. */
static bool
is_formed_as_usual(RowKind kind, HeapTuple row, Datum *values, bool *nulls)
{
	Relation	rel = table_open(lr_relid(row_table[kind]), RowExclusiveLock);
	int			n = HeapTupleHeaderGetNatts(row->t_data);
	TupleDesc	desc = CreateTemplateTupleDesc(n);
	HeapTuple	usual;
	int			i;

	for (i = 1; i <= n; i++)
		TupleDescCopyEntry(desc, i, RelationGetDescr(rel), i);
	table_close(rel, NoLock);
	usual = heap_form_tuple(desc, values, nulls);
	return usual->t_len == row->t_len &&
		memcmp(usual->t_data, row->t_data, row->t_len) == 0;
}
#endif

/* In the current memory context. */
static HeapTuple
form_row(RowKind kind, Datum *values, bool *nulls)
{
	HeapTuple	row;

	if (shapes_of != lr_incarnation())
	{
		memset(shape, 0, sizeof(shape));
		shapes_of = lr_incarnation();
	}
	if (shape[kind].n == 0)
		read_shape(kind);
	row = lr_row_form(&shape[kind], values, nulls);
	Assert(is_formed_as_usual(kind, row, values, nulls));
	return row;
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

static bool
is_empty(const Batch *batch)
{
	return batch->n[ROW_JOURNAL] + batch->n[ROW_EVENT] + batch->n[ROW_POOL] == 0;
}

/* Nothing waits in it.  Frees only. */
static void
empty_batch(Batch *batch)
{
	int			kind;

	MemoryContextReset(batch->context);
	for (kind = 0; kind < ROW_KINDS; kind++)
	{
		batch->n[kind] = batch->room[kind] = 0;
		batch->row[kind] = NULL;
	}
}

/*
 * A batch that was full will be full again: from then on its context keeps one
 * block that holds it all, row behind row, instead of asking the system for
 * memory each time.
 */
static void
reset_batch(Batch *batch, bool was_full)
{
	if (was_full && !batch->large)
	{
		MemoryContextDelete(batch->context);
		batch->context = GenerationContextCreate(TopTransactionContext,
												 "leadroute batch", 0,
												 LARGE_BATCH, LARGE_BATCH);
		batch->large = true;
	}
	empty_batch(batch);
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

void
lr_row_add(RowKind kind, Datum *values, bool *nulls)
{
	Batch	   *batch = current_batch();
	MemoryContext old;

	grow_batch(batch, kind, 1);
	old = MemoryContextSwitchTo(batch->context);
	batch->row[kind][batch->n[kind]++] = form_row(kind, values, nulls);
	MemoryContextSwitchTo(old);
	/* what a conflict adds during a flush waits for the end of it */
	if (batch->n[kind] >= BATCH_ROWS && !flushing)
		lr_journal_flush();
}

/* ---------- writing ---------- */

static void
write_rows(RowKind kind, HeapTuple *rows, int n)
{
	static const LrConflictFn resolve[] = {
		lr_current_conflict, NULL, lr_pool_conflict
	};

	written_cid = GetCurrentCommandId(true);
	lr_append(row_table[kind], rows, n, resolve[kind]);
	if (kind == ROW_POOL && lr_journal_had_conflict())
		lr_pool_forget_ended(rows, n);
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

		if (batch->nest == nest || is_empty(batch))
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

void
lr_rows_changeable(void)
{
	if (written_cid != InvalidCommandId &&
		written_cid == GetCurrentCommandId(false))
		CommandCounterIncrement();
}

void
lr_rows_see(void)
{
	lr_journal_flush();
	lend_outer_rows();
	lr_rows_changeable();
}

void
lr_rows_changed(void)
{
	written_cid = GetCurrentCommandId(true);
}

/* ---------- the end of levels ---------- */

/* Rows that were written under levels >= nest wait again.  Only unlinks. */
static void
take_back_lent(int nest)
{
	while (lents != NULL && lents->nest >= nest)
	{
		Lent	   *lent = lents;

		lents = lent->next;
		if (lent->batch->nest < nest)
		{
			memcpy(lent->batch->n, lent->n, sizeof(lent->n));
			memcpy(lent->batch->room, lent->room, sizeof(lent->room));
			memcpy(lent->batch->row, lent->row, sizeof(lent->row));
		}
		pfree(lent);
	}
}

/*
 * What was written under a level that commits is the one above's.  Rows that
 * have come back to their own level are not needed any more.
 */
static void
hand_up_lent(int nest)
{
	Lent	  **link = &lents;

	while (*link != NULL)
	{
		Lent	   *lent = *link;
		Batch	   *batch = lent->batch;

		lent->nest = Min(lent->nest, nest - 1);
		if (lent->nest > batch->nest)
		{
			link = &lent->next;
			continue;
		}
		*link = lent->next;
		pfree(lent);
		/* unless the level that commits hands up rows of its own into it */
		if (batch == innermost || is_empty(innermost))
			empty_batch(batch);
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
	pfree(batch);
}
