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
 *
 * What the worker is told outlives the server:
 * - Loading tells it to look at all leads beyond the checkpoint, and from where the
 *	 checkpoint says that it still had to look (lr_late_pending).  That is read
 *	 after the cut has been determined.  Who has stored leads below it has ended by
 *	 then, and has noted what he tells in the same hold of db->lock in which his ids
 *	 were settled (lr_late_ended).
 * - Until who has saved members has told, no cut is beyond what he tells
 *	 (lr_settled_hold).  That cannot be had for an old snapshot, which may not see
 *	 leads that a checkpoint contains already: should the server die between such
 *	 a commit and the worker's look, leads up to that checkpoint are not looked at.
 * - What a prepared transaction has to tell loading does not know.  Of one that has
 *	 saved members, which is found by their rows, it is everything; of others their
 *	 own leads.
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

/*
 * The transaction has committed and is visible; its ids are settled in the same
 * hold of db->lock.
 */
extern void lr_late_ended(LrDatabase *db);

/* And its messages are out.  db->lock held. */
extern void lr_late_commit(LrDatabase *db);

/* From where the worker has yet to look; 0: nowhere.  db->lock held. */
extern int64 lr_late_pending(const LrDatabase *db);

/* The worker looks from there, 0: nowhere, and nobody else.  db->lock held. */
extern int64 lr_late_begin(LrDatabase *db);

/* It has; from that id on, 0: none, it is to look again.  db->lock held. */
extern void lr_late_again(LrDatabase *db, int64 from, TimestampTz at);

/* Forgets all of this transaction. */
extern void lr_late_end(void);

#endif							/* LR_LATE_H */
