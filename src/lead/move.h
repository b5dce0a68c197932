/*
 * move.h
 *	  Leads whose row an UPDATE moves to another partition.
 *
 * The server fires BEFORE ROW UPDATE on the old partition, BEFORE ROW INSERT
 * on the new one, and at the end of the statement AFTER ROW DELETE and INSERT,
 * no AFTER ROW UPDATE.  The lead is the same: what it was and what it has
 * become is kept here from the first to the last of these.
 */
#ifndef LR_MOVE_H
#define LR_MOVE_H

#include "lead/frame.h"
#include "lead/outcome.h"

/* A row that has left its partition; its AFTER ROW DELETE is still to come. */
typedef struct LrMove
{
	struct LrMove *next;
	int			nest;
	int32		table;			/* routed_table.id */
	bool		stored;			/* on the new partition */
	LrFacts		old;
	LrFacts		new;
} LrMove;

/* A row of this partition, at tid, is being updated: it may leave. */
extern void lr_move_expect(LrFrame *frame, Relation rel, ItemPointer tid,
						   TupleTableSlot *old, TupleTableSlot *new);

/*
 * The row that a statement inserts into rel, if it is the one that was
 * expected; NULL: it is a new lead.
 */
extern LrMove *lr_move_arrives(LrFrame *frame, Relation rel,
							   TupleTableSlot *row, const char *key);

/*
 * The row is stored in its new partition; not NULL: as a trigger has changed it
 * since it arrived.
 */
extern void lr_move_stored(LrMove *move, LrTable *table, TupleTableSlot *changed);

/* Whether the version of a row at tid has been replaced or deleted. */
extern bool lr_version_is_gone(Oid leaf, ItemPointer tid);

/* Takes the move of a deleted row off the list; NULL: it did not move. */
extern LrMove *lr_move_leaves(LrTable *table, const char *key);

/* Transaction callback: forgets moves of nest levels >= nest. */
extern void lr_moves_abort(int nest);

#endif							/* LR_MOVE_H */
