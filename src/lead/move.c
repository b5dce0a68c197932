/*
 * move.c
 *	  Leads whose row an UPDATE moves to another partition.  See move.h.
 *
 * The list lives in the transaction's memory: lr_moves_abort only unlinks.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "lead/move.h"

static LrMove *moves = NULL;	/* oldest first, the order of the deletes */
static LrMove **moves_end = &moves;

void
lr_move_expect(LrFrame *frame, Relation rel, ItemPointer tid,
			   TupleTableSlot *old, TupleTableSlot *new)
{
	LrTable    *table = frame->table;
	LrLeaf	   *leaf = lr_table_leaf(table, rel);
	LrUpdate   *update = &frame->update;
	MemoryContext context;

	if (update->context == NULL)
		update->context = AllocSetContextCreate(frame->context,
												"leadroute update",
												ALLOCSET_SMALL_SIZES);
	MemoryContextReset(update->context);
	update->leaf = InvalidOid;
	context = MemoryContextSwitchTo(update->context);
	update->old = (LrFacts *) palloc(sizeof(LrFacts));
	lr_facts(table, lr_table_root_row(table, leaf, old), update->old);
	update->new_key = lr_table_key(table, lr_table_root_row(table, leaf, new));
	MemoryContextSwitchTo(context);
	update->tid = *tid;
	update->leaf = RelationGetRelid(rel);
}

bool
lr_version_is_gone(Oid leaf, ItemPointer tid)
{
	Relation	rel = table_open(leaf, NoLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool		gone = !table_tuple_fetch_row_version(rel, tid, SnapshotSelf,
													  slot);

	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return gone;
}

/* In the transaction's memory: the frame, and with it the table, may have gone. */
static void
note_new(LrMove *move, LrTable *table, TupleTableSlot *row)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

	lr_facts_told(table, row, &move->new);
	move->new.row = NULL;
	if (move->new.router != NULL)
		move->new.router = pstrdup(move->new.router);
	MemoryContextSwitchTo(old);
}

LrMove *
lr_move_arrives(LrFrame *frame, Relation rel, TupleTableSlot *row,
				const char *key)
{
	LrUpdate   *update = &frame->update;
	LrFacts    *was = update->old;
	MemoryContext old;
	LrMove	   *move;

	/* not gone: a trigger has suppressed it, and this one is another lead */
	if (!OidIsValid(update->leaf) || update->leaf == RelationGetRelid(rel) ||
		strcmp(update->new_key, key) != 0 ||
		!lr_version_is_gone(update->leaf, &update->tid))
		return NULL;
	old = MemoryContextSwitchTo(TopTransactionContext);
	move = (LrMove *) palloc0(sizeof(LrMove));
	move->nest = GetCurrentTransactionNestLevel();
	move->table = frame->table->id;
	move->old.key = pstrdup(was->key);
	move->old.owner = was->owner ? pstrdup(was->owner) : NULL;
	move->old.router = was->router ? pstrdup(was->router) : NULL;
	move->old.closed = was->closed;
	memcpy(move->old.when, was->when, LR_WHENS * sizeof(TimestampTz));
	MemoryContextSwitchTo(old);
	note_new(move, frame->table, row);
	*moves_end = move;
	moves_end = &move->next;
	update->leaf = InvalidOid;
	return move;
}

void
lr_move_stored(LrMove *move, LrTable *table, TupleTableSlot *changed)
{
	move->stored = true;
	if (changed != NULL)
		note_new(move, table, changed);
}

LrMove *
lr_move_leaves(LrTable *table, const char *key)
{
	LrMove	  **link;

	for (link = &moves; *link != NULL; link = &(*link)->next)
		if ((*link)->table == table->id && strcmp((*link)->old.key, key) == 0)
		{
			LrMove	   *move = *link;

			*link = move->next;
			if (move->next == NULL)
				moves_end = link;
			return move;
		}
	return NULL;
}

void
lr_moves_abort(int nest)
{
	LrMove	  **link = &moves;

	while (*link != NULL)
	{
		if ((*link)->nest >= nest)
			*link = (*link)->next;
		else
			link = &(*link)->next;
	}
	moves_end = link;
}
