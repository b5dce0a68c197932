/*
 * late.h
 *	  Members that come or go while leads of theirs are being stored.
 *
 * A lead whose owner is no member is journaled without one, and saving a
 * member adopts the leads that it owns; handing the leads of a member over who
 * has left moves those that it has.  Where a transaction that stores leads and
 * one of these overlap, neither sees the other.  So the later of their commits
 * tells the worker, which looks at such leads again:
 * - A transaction remembers how many commits had saved members or handed leads
 *	 over (lr_shared->member_saves, of all databases: one that is known before any
 *	 of them is) before it accepted the configuration first.
 * - A commit that has done that is counted when it is visible and its
 *	 invalidation messages are out; with the count, under db->lock, it tells
 *	 the worker the smallest id (db->late_from) that was not settled when it
 *	 looked for leads itself.
 * - A commit that has stored leads looks at the count when it is visible, under
 *	 db->lock, and tells the worker their smallest id if it has risen.
 * If the count was raised before that look, the storing one tells; if after,
 * the storing one was visible before the saving one told.
 */
#ifndef LR_LATE_H
#define LR_LATE_H

#include "roster/roster.h"

/* To be called before invalidation messages are accepted. */
extern void lr_late_accept(void);

/* This transaction journals a lead. */
extern void lr_late_lead(int64 id);

/*
 * This transaction has saved members, or one has left, and looks for their leads
 * next.
 */
extern void lr_late_members(LrDatabase *db);

/*
 * What a prepared transaction must tell at its commit: an id, negative if it has
 * only stored leads; 0: nothing.
 */
extern int64 lr_late_mark(void);

/* Tells it.  db->lock held. */
extern void lr_late_tell_mark(LrDatabase *db, int64 mark);

/* Tells the worker, counting as a saving commit.  db->lock held. */
extern void lr_late_tell(LrDatabase *db, int64 from);

/* The transaction has committed and its messages are out.  db->lock held. */
extern void lr_late_commit(LrDatabase *db);

/* Forgets all of this transaction. */
extern void lr_late_end(void);

#endif							/* LR_LATE_H */
