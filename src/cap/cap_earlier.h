/*
 * cap_earlier.h
 *	  Leads that a cap has to count though they came before it.
 *
 * A counter begins in the middle of a window when it is needed for the first
 * time: its cap is new, or counts something else than before; shared memory is
 * new, and no checkpoint says it; a member's zone has changed.  Then the journal
 * tells what the window has had: the rows that the cap would have counted, had
 * it been there.  Under a cap with a condition these are the rows whose lead, as
 * its table has it now, makes the condition true (cap_judge.h), and those that
 * name the cap in another window.
 *
 * A serializable transaction takes no predicate locks for it, which would make it,
 * or others, fail: it reads with a snapshot that takes none, and asks row by row
 * whether the latest one sees it (leadroute.row_seen).  So it does without the index
 * that says where the window begins.
 *
 * Where somebody keeps a lead table for himself its leads are not counted, until a
 * later try (LrCapCount.retry_at); problem tells.
 *
 * What is read is good as long as no lead can come that does not know of the cap
 * and was not seen.  Such leads are
 *	  of transactions that are open when it is read; it is read once more when
 *		all of them have ended.  Nobody waits for them.
 *	  of statements that have read the configuration before the cap came, and
 *		have no lead yet.  Whoever begins to count raises LrDatabase.caps_begun
 *		before he looks who is open; who decides a lead by a router that was last
 *		found to be current before that (LrRouter.caps_begun) notes the lead
 *		(caps_missed), and what is counted by then is read once more when its
 *		transaction has ended.  To count again raises nothing, and looks only for
 *		such leads that are open still, so that this ends.
 *	  decided while the cap is there for the transaction alone that has made it
 *		and counts already: others find their router to be current.  Its commit
 *		notes all of them and raises caps_begun, when it is visible and before its
 *		messages are out: who knows of the cap by then looks whether he is current.
 *		If it was prepared, that is done by whoever finds first that it has
 *		committed (prepared.h), at the latest before he goes by a router with caps
 *		that he has read since (lr_caps_read).
 */
#ifndef LR_CAP_EARLIER_H
#define LR_CAP_EARLIER_H

#include "cap/cap.h"

/*
 * Counts from the journal the leads that came before the caps, where that has
 * not been done.
 */
extern void lr_caps_count_earlier(const LrCapCheck *check);

/*
 * Transactions that were open when something was counted have ended: it is to
 * be counted again.
 */
extern void lr_caps_settle(LrDatabase *db);

/* Whether this transaction counts by caps that nobody else knows yet. */
extern bool lr_caps_own(void);

/*
 * A transaction that does has committed: it is visible.  db->lock held.
 */
extern void lr_caps_known(LrDatabase *db);

/* This transaction has committed; it has ended. */
extern void lr_caps_commit(void);
extern void lr_caps_forget(void);

#endif							/* LR_CAP_EARLIER_H */
