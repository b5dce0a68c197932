/*
 * recheck.h
 *	  Leads that are not qualified, judged again in the UPDATE that changes them.
 *
 * BEFORE ROW decides, and puts owner, status and score into the row; AFTER ROW
 * writes the journal.  In between the decision is kept here, with what it has
 * reserved: other triggers may suppress the row, and then it goes back when the
 * statement has ended.  The row is locked from before the first until the end of
 * the transaction, so of two sessions that change a lead the second one finds
 * what the first has made of it.
 */
#ifndef LR_RECHECK_H
#define LR_RECHECK_H

#include "access/htup.h"
#include "commands/trigger.h"

#include "outcome.h"

/*
 * BEFORE ROW UPDATE of a lead that has no owner, and none is given: row is to be
 * stored.  Returns it with what was decided; itself: there is nothing to judge.
 */
extern HeapTuple lr_recheck(TriggerData *td, LrTable *table, LrLeaf *leaf,
							const char *name, HeapTuple row);

/*
 * AFTER ROW UPDATE: the decision that was kept for a lead, if the row has the owner that it chose; NULL: none.
 * new->owner is then the former one: the change is no reassignment by hand.
 */
extern struct LrRecheck *lr_recheck_stored(LrTable *table, const LrFacts *old,
										   LrFacts *new);

/* Writes it into the journal, once what else has changed is there. */
extern void lr_recheck_confirm(struct LrRecheck *recheck, LrTable *table,
							   const LrFacts *new);

/* Whether any decision is kept. */
extern bool lr_rechecks_wait(void);

/*
 * A statement has ended, its AFTER triggers included (NULL: the transaction is
 * about to): what it has not stored goes back.
 */
extern void lr_rechecks_end(const void *statement);

/* Transaction callbacks: forgets what levels >= nest keep; hands it up. */
extern void lr_rechecks_abort(int nest);
extern void lr_rechecks_commit_sub(int nest);

#endif							/* LR_RECHECK_H */
