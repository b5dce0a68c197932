/*
 * append.c
 *	  Writing leadroute's own tables through table and index access methods.
 *
 * BRIN: rows of one batch land on neighbouring pages, so it is enough to
 * summarise the rows with the extreme values of each page, where the page's
 * range has a summary at all.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/append.h"
#include "base/brin_range.h"
#include "base/compat.h"
#include "base/generation.h"

/* Rows passed to the table access method at once. */
#define APPEND_CHUNK	1000

/* One index entry for a row.  Returns false if a unique key may be taken. */
static bool
insert_entry(Relation rel, Relation index, IndexInfo *info, HeapTuple row)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];
	TupleDesc	desc = RelationGetDescr(rel);
	bool		unique = index->rd_index->indisunique;
	int			i;

	/* our indexes have plain columns only */
	for (i = 0; i < info->ii_NumIndexAttrs; i++)
		values[i] = heap_getattr(row, info->ii_IndexAttrNumbers[i], desc,
								 &nulls[i]);
	return index_insert(index, values, nulls, &row->t_self, rel,
						unique ? UNIQUE_CHECK_PARTIAL : UNIQUE_CHECK_NO,
						false, info) || !unique;
}

static void
insert_or_resolve(Relation rel, Relation index, IndexInfo *info, HeapTuple row,
				  LrConflictFn on_conflict)
{
	if (insert_entry(rel, index, info, row))
		return;
	if (on_conflict == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("duplicate key in leadroute's table \"%s\"",
						RelationGetRelationName(rel))));
	on_conflict(rel, row);
}

/*
 * The rows from first to before last, all on one heap page, hold no value of
 * a column that lies outside those of the two rows found here.
 */
static void
extremes(TupleDesc desc, AttrNumber column, HeapTuple *rows, int first,
		 int last, int *lowest, int *highest)
{
	int64		low = PG_INT64_MAX;
	int64		high = PG_INT64_MIN;
	int			i;

	*lowest = *highest = first;
	for (i = first; i < last; i++)
	{
		bool		isnull;
		int64		value = DatumGetInt64(heap_getattr(rows[i], column, desc,
													   &isnull));

		if (value < low)
		{
			low = value;
			*lowest = i;
		}
		if (value > high)
		{
			high = value;
			*highest = i;
		}
	}
}

/*
 * Summarises rows that lie on one page: those with the extreme values, each
 * once.  The columns of a BRIN index of ours are bigint and timestamps.
 */
static void
summarize_page(Relation rel, Relation index, IndexInfo *info, HeapTuple *rows,
			   int first, int last)
{
	int			done[2 * INDEX_MAX_KEYS];
	int			ndone = 0;
	int			c;
	int			i;

	for (c = 0; c < info->ii_NumIndexAttrs; c++)
	{
		int			extreme[2];
		int			e;

		extremes(RelationGetDescr(rel), info->ii_IndexAttrNumbers[c],
				 rows, first, last, &extreme[0], &extreme[1]);
		for (e = 0; e < 2; e++)
		{
			for (i = 0; i < ndone && done[i] != extreme[e]; i++)
				;
			if (i < ndone)
				continue;
			(void) insert_entry(rel, index, info, rows[extreme[e]]);
			done[ndone++] = extreme[e];
		}
	}
}

static void
summarize(Relation rel, Relation index, IndexInfo *info, HeapTuple *rows, int n)
{
	int			first;
	int			last;

	for (first = 0; first < n; first = last)
	{
		BlockNumber block = ItemPointerGetBlockNumber(&rows[first]->t_self);

		for (last = first; last < n &&
			 ItemPointerGetBlockNumber(&rows[last]->t_self) == block; last++)
			;
		if (!lr_brin_unsummarized(index, block))
			summarize_page(rel, index, info, rows, first, last);
	}
}

/*
 * What the access methods ask of an index of ours.  BuildIndexInfo would copy
 * the predicate as well: every row that is appended satisfies that of a unique
 * one; another one holds the rows that have a value in its first column.
 */
static IndexInfo *
plain_index_info(Relation index)
{
	IndexInfo  *info = makeNode(IndexInfo);
	int			i;

	info->ii_NumIndexAttrs = index->rd_index->indnatts;
	info->ii_NumIndexKeyAttrs = index->rd_index->indnkeyatts;
	for (i = 0; i < info->ii_NumIndexAttrs; i++)
		info->ii_IndexAttrNumbers[i] = index->rd_index->indkey.values[i];
	info->ii_Unique = index->rd_index->indisunique;
	info->ii_ReadyForInserts = index->rd_index->indisready;
	info->ii_Am = index->rd_rel->relam;
	info->ii_Context = CurrentMemoryContext;
	return info;
}

/* Whether a row has a value in the first column of an index. */
static bool
has_value(Relation rel, const IndexInfo *info, HeapTuple row)
{
	return !heap_attisnull(row, info->ii_IndexAttrNumbers[0],
						   RelationGetDescr(rel));
}

static void
insert_into_index(Relation rel, Oid indexoid, HeapTuple *rows, int n,
				  LrConflictFn on_conflict)
{
	Relation	index = index_open(indexoid, RowExclusiveLock);
	IndexInfo  *info = plain_index_info(index);
	bool		some = !info->ii_Unique &&
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);
	int			i;

	if (index->rd_rel->relam == BRIN_AM_OID)
		summarize(rel, index, info, rows, n);
	else
		for (i = 0; i < n; i++)
			if (!some || has_value(rel, info, rows[i]))
				insert_or_resolve(rel, index, info, rows[i], on_conflict);
	lr_index_insert_cleanup(index, info);
	index_close(index, NoLock);
}

/*
 * Slots to hand rows of a table to its access method in, kept for the session:
 * making them anew for each batch costs more than the rows.
 */
typedef struct SlotPool
{
	Oid			relid;
	TupleDesc	desc;			/* a copy: no resource owner counts its pins */
	TupleTableSlot *slot[APPEND_CHUNK];
} SlotPool;

/* As many as there are tables that are written in batches. */
#define SLOT_POOLS	3
static SlotPool *slot_pools[SLOT_POOLS];

static SlotPool *
slot_pool(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	SlotPool   *pool;
	MemoryContext old;
	int			i;

	for (i = 0; i < SLOT_POOLS && slot_pools[i] != NULL; i++)
	{
		pool = slot_pools[i];
		if (pool->relid == relid &&
			pool->desc->natts == RelationGetDescr(rel)->natts)
			return pool;
	}
	/* another extension's tables are there: begin again */
	if (i == SLOT_POOLS)
	{
		memset(slot_pools, 0, sizeof(slot_pools));
		i = 0;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	pool = (SlotPool *) palloc0(sizeof(SlotPool));
	pool->relid = relid;
	pool->desc = CreateTupleDescCopy(RelationGetDescr(rel));
	MemoryContextSwitchTo(old);
	slot_pools[i] = pool;
	return pool;
}

static TupleTableSlot *
pooled_slot(SlotPool *pool, int i)
{
	TupleTableSlot *slot = pool->slot[i];

	if (slot == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		slot = pool->slot[i] = MakeSingleTupleTableSlot(pool->desc,
														&TTSOpsHeapTuple);
		MemoryContextSwitchTo(old);
	}
	/* an error may have left it with a row whose memory has gone since */
	((HeapTupleTableSlot *) slot)->tuple = NULL;
	slot->tts_flags |= TTS_FLAG_EMPTY;
	slot->tts_flags &= ~TTS_FLAG_SHOULDFREE;
	return slot;
}

/* Appends rows to the table; the slots own them afterwards (no copies). */
static void
append_to_table(Relation rel, HeapTuple *rows, int n)
{
	CommandId	cid = GetCurrentCommandId(true);
	SlotPool   *pool;
	int			i;

	if (n == 1)
	{
		heap_insert(rel, rows[0], cid, 0, NULL);
		return;
	}
	pool = slot_pool(rel);
	for (i = 0; i < n; i++)
		ExecStoreHeapTuple(rows[i], pooled_slot(pool, i), true);
	heap_multi_insert(rel, pool->slot, n, cid, 0, NULL);
	for (i = 0; i < n; i++)
		rows[i]->t_self = pool->slot[i]->tts_tid;
}

static void
append_chunk(Relation rel, HeapTuple *rows, int n, LrConflictFn on_conflict)
{
	ListCell   *lc;
	List	   *indexes;
	Oid			past = lr_relid("journal_past");

	append_to_table(rel, rows, n);
	indexes = RelationGetIndexList(rel);
	foreach(lc, indexes)
		/* what is appended has not ended */
		if (lfirst_oid(lc) != past)
			insert_into_index(rel, lfirst_oid(lc), rows, n, on_conflict);
	list_free(indexes);
}

void
lr_append(const char *table, HeapTuple *rows, int n, LrConflictFn on_conflict)
{
	Relation	rel = table_open(lr_relid(table), RowExclusiveLock);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "leadroute append",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int			done;

	for (done = 0; done < n; done += APPEND_CHUNK)
	{
		append_chunk(rel, rows + done, Min(APPEND_CHUNK, n - done),
					 on_conflict);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	table_close(rel, NoLock);
}

void
lr_append_values(const char *table, Datum *values, bool *nulls)
{
	Relation	rel = table_open(lr_relid(table), RowExclusiveLock);
	HeapTuple	row = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	table_close(rel, NoLock);
	lr_append(table, &row, 1, NULL);
	heap_freetuple(row);
}

void
lr_replace(Relation rel, ItemPointer tid, HeapTuple row)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *rri = makeNode(ResultRelInfo);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel),
													&TTSOpsHeapTuple);
	LrUpdateIndexes update = LR_NO_INDEX_UPDATE;

	/* no range table: nothing but the relation is asked for */
	InitResultRelInfo(rri, rel, 0, NULL, 0);
	ExecOpenIndices(rri, false);
	ExecStoreHeapTuple(row, slot, false);
	simple_table_tuple_update(rel, tid, slot, InvalidSnapshot, &update);
	if (rri->ri_NumIndices > 0 && update != LR_NO_INDEX_UPDATE)
		list_free(lr_insert_index_tuples(rri, slot, estate, update));
	ExecCloseIndices(rri);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
}

void
lr_remove(Relation rel, ItemPointer tid)
{
	simple_table_tuple_delete(rel, tid, InvalidSnapshot);
}
