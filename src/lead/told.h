/*
 * told.h
 *	  What a lead tells of itself for the journal: when it was captured, where
 *	  it came from, what it is worth.  Nothing is decided by it.
 */
#ifndef LR_TOLD_H
#define LR_TOLD_H

#include "executor/tuptable.h"

#include "lead/table.h"

/* Of what may change, beside the tellings: what it came to, see leadroute.close. */
#define LR_OUTCOME	LR_TELLINGS
#define LR_TOLDS	(LR_TELLINGS + 1)

typedef struct LrTold
{
	bool		said[LR_TELLINGS];	/* the table has SQL for it, without an error */
	bool		isnull[LR_TELLINGS];
	TimestampTz captured_at;
	char	   *source;
	Datum		value;			/* numeric */
	char	   *outcome;		/* NULL: not said */
} LrTold;

struct LrEntry;
struct LrCurrent;

/*
 * What the row of a lead tells, in this context; NULL: its table has no SQL for
 * that.  Errors go to *detail and leave unsaid what they are about.
 */
extern LrTold *lr_told(LrTable *table, TupleTableSlot *row, char **detail);

/* Nothing of it is known. */
extern LrTold *lr_told_nothing(void);

/*
 * The lead has another row from now on: what its own SQL does not say, and the
 * former row does, is told on, above all when it was captured.
 */
extern void lr_told_on(struct LrEntry *entry, const struct LrCurrent *former);

/* Which of what a lead tells its current row does not say, into change. */
extern bool lr_told_differs(const LrTold *told, const struct LrCurrent *current,
							bool change[LR_TOLDS]);

#endif							/* LR_TOLD_H */
