/*
 * redecide.h
 *	  A stored lead is decided anew in the UPDATE that changes it: the owner
 *	  stands in the row that this UPDATE stores.
 *
 * BEFORE ROW decides and reserves.  What the journal says changes when the row is
 * stored, which is looked for in the table itself (the version that the UPDATE
 * replaces has gone) before the statement's next row, and when it ends, before its
 * AFTER triggers run: they find the journal in agreement with the row.  A row
 * that was not stored gives its reservation back; so does one that a later
 * trigger has given another owner or key: what is stored counts, and AFTER ROW
 * follows it.  One that moves to another partition is stored when it has arrived
 * there: a trigger may still suppress it between the two, and the lead is gone.
 *
 * No loops: in an UPDATE by a trigger, a lead that this transaction has decided
 * already is not decided again.
 */
#ifndef LR_REDECIDE_H
#define LR_REDECIDE_H

#include "lead/frame.h"
#include "lead/outcome.h"

/* What makes a lead be decided anew. */
typedef struct LrAgain
{
	bool		released;		/* its owner was taken away: anybody but him */
	bool		changed;		/* only if it is a lead that was not qualified, or
								 * was to be ready first, or comes from another
								 * router */
	bool		status_set;		/* the UPDATE sets the status column itself */
	char	   *detail;			/* what the journal says of it; NULL: nothing */
} LrAgain;

/* The lead's row in the UPDATE; old and new in the root's layout. */
typedef struct LrUpdatedRow
{
	LrLeaf	   *leaf;
	ItemPointer tid;			/* of the version that is replaced */
	TupleTableSlot *old;
	TupleTableSlot *new;
	bool		must_have_owner;	/* its column cannot say nobody */
	bool		last_word;		/* no BEFORE trigger comes after ours */
} LrUpdatedRow;

/* What was decided, for the row; good until the next one. */
typedef struct LrRedecision
{
	LrDecision *decision;
	bool		sets_owner;		/* else it stays what the row says */
	Datum		owner;
	bool		isnull;
	MemoryContext context;		/* of the decision */
} LrRedecision;

/* Decides; false: nothing is decided, the row stays as it is. */
extern bool lr_redecide(LrFrame *frame, const LrUpdatedRow *row,
						const LrAgain *again, LrRedecision *result);

/*
 * A lead is decided (an entry that is not written down yet) that somebody has
 * given up or lost: he ends with a row of its own, of this id, which is smaller
 * than the decision's.
 */
extern void lr_note_released(const LrEntry *decided, int64 id,
							 LrCurrent *current);

/* The frame's last such row is stored or is not: the journal follows. */
extern void lr_redecided_settle(LrFrame *frame);

/* It is not stored: what was reserved goes back. */
extern void lr_redecided_drop(LrFrame *frame);

/* Whether the row that is being inserted may be that row, in another partition. */
extern bool lr_redecided_may_arrive(LrFrame *frame);

/* It is that row, and is stored there with this owner and key. */
extern void lr_redecided_arrived(LrFrame *frame, const LrFacts *stored);

#endif							/* LR_REDECIDE_H */
