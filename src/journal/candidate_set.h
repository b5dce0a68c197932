/*
 * candidate_set.h
 *	  Durable sets of candidates, which rows of the journal refer to.
 */
#ifndef LR_CANDIDATE_SET_H
#define LR_CANDIDATE_SET_H

#include "journal/journal.h"

/* Who of a composition had a share of a lead, as it is stored. */
typedef struct LrStoredSet
{
	struct varlena *candidates; /* bytea; NULL: all */
	struct varlena *accruing;	/* bytea; NULL: nobody */
} LrStoredSet;

/*
 * id of the row that says who had a share of this decision; appends one when it
 * is worth it.  0: the journal's row is to say it.
 */
extern int64 lr_candidate_set(const LrEntry *entry);

/*
 * What a row says, in the current context; false: it is not there.  of_others: of
 * a transaction that is open or prepared, too.
 */
extern bool lr_candidate_set_read(int64 id, bool of_others, LrStoredSet *set);

#endif							/* LR_CANDIDATE_SET_H */
