/*
 * outcome.h
 *	  What becomes of a lead after its decision, learnt from UPDATE, DELETE
 *	  and TRUNCATE of the app's own table.
 */
#ifndef LR_OUTCOME_H
#define LR_OUTCOME_H

#include "journal/journal.h"
#include "lead/load.h"
#include "lead/table.h"

/* What matters of a lead's row. */
typedef struct LrFacts
{
	char	   *key;
	char	   *owner;			/* canonical text; NULL: nobody */
	char	   *router;			/* name; NULL: not routed */
	bool		closed;
	int			load;			/* if it is open */
	TimestampTz when[LR_WHENS]; /* by LrWhen, see lr_lead_when */
	LrTold	   *told;			/* by lr_facts_told; NULL: nothing */
	TupleTableSlot *row;		/* while the caller has it; else NULL */
} LrFacts;

/* Whether the lead had an owner under this row, a member or not. */
extern bool lr_had_owner(const LrCurrent *current);

/* Whether an assignment counts in a load while its lead is open. */
extern bool lr_has_load(const LrCurrent *current);

extern void lr_facts(LrTable *table, TupleTableSlot *row, LrFacts *facts);

/* The same and what the lead tells of itself: for a row that is or will be stored. */
extern void lr_facts_told(LrTable *table, TupleTableSlot *row, LrFacts *facts);

/*
 * Where the table has no SQL that says when leads are closed, the journal's
 * current row says it (leadroute.close).
 */
extern void lr_facts_closed(LrTable *table, LrFacts *facts,
							const LrCurrent *current);

/* Whether a column has another value, to the byte, in two rows of one layout. */
extern bool lr_column_differs(TupleDesc desc, AttrNumber attno,
							  TupleTableSlot *old, TupleTableSlot *new);

/* Whether an update may have changed any of the facts; cheap. */
extern bool lr_facts_may_differ(LrTable *table, TupleTableSlot *old,
								TupleTableSlot *new);

/* A stored lead has changed, by whoever but leadroute itself. */
extern void lr_outcome_changed(LrTable *table, LrFacts *old, LrFacts *new);

/*
 * A lead is closed, or open again, by what its current row says: load and
 * event.  open_load: what it counts if it is open.
 */
extern void lr_outcome_count(LrTable *table, const char *key,
							 const LrCurrent *current, bool closed,
							 int open_load, const char *payload);

/* A stored lead was deleted. */
extern void lr_outcome_deleted(LrTable *table, const LrFacts *old);

/*
 * Ends the current assignment of a lead, at that time, and gives its load back; to_others: it
 * goes to somebody else, so its turn in the rotation and its places under caps
 * go back, too.  kind is the event's.  Returns false if there was none.
 */
extern bool lr_outcome_end(int32 routed_table, const char *key,
						   LrCurrent *current, const char *kind,
						   bool to_others, TimestampTz at);

/*
 * A stored lead has been decided: ends what was current and writes the entry
 * down, under entry->lead_key; false: the journal says so already.
 */
extern bool lr_outcome_decided(LrEntry *entry);

/* Ends all current assignments of a table.  Returns how many. */
extern int64 lr_outcome_end_all(int32 routed_table, const char *kind);

#endif							/* LR_OUTCOME_H */
