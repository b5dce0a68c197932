/*
 * prepared.h
 *	  What prepared transactions hold of the counters.
 *
 * COMMIT PREPARED and ROLLBACK PREPARED call nobody back.  So before PREPARE
 * the reservations are copied into an array keyed by xid, and whoever needs to
 * know, or the launcher, settles those that have ended: committed, they stay;
 * else they go back.
 *
 * It has ended when its locks are gone.  COMMIT PREPARED becomes visible first,
 * then sends its invalidation messages, then gives its locks back; who is told of
 * members that have come or gone (late.h) must find that the messages are out.
 * In between what it has reserved stays reserved, which others are used to.  Only
 * that caps of its own are known from now on (cap_earlier.h) is told as soon as
 * it is visible.
 *
 * Until PREPARE has succeeded they are its session's: if it fails, that session
 * takes the entries out and gives back what it holds itself.  In between the
 * transaction counts as ended for others; so they settle only what has been
 * handed over.
 */
#ifndef LR_PREPARED_H
#define LR_PREPARED_H

#include "roster/roster.h"

/* shared->lock and db->lock held; false: the array is full. */
extern bool lr_prepared_add(LrDatabase *db, TransactionId xid,
							LrCounterKind kind, int slot, int64 amount,
							int64 before);

/* The same, for a transaction found prepared while loading.  Takes the locks. */
extern bool lr_prepared_enter(LrDatabase *db, TransactionId xid,
							  LrCounterKind kind, int slot, int64 amount,
							  int64 before);

/* Takes all entries of a transaction out.  shared->lock and db->lock held. */
extern void lr_prepared_drop(LrDatabase *db, TransactionId xid);

/*
 * Takes all entries of a database out, before it is loaded: nobody has
 * reservations in it then but transactions that loading finds prepared.
 */
extern void lr_prepared_clear(LrDatabase *db);

/* PREPARE has succeeded.  Takes the locks. */
extern void lr_prepared_hand_over(LrDatabase *db, TransactionId xid);

/*
 * Settles prepared transactions that have ended: their reservations stay or
 * go back.  Cheap when there are none.
 */
extern void lr_settle_prepared(LrDatabase *db);

/* The same in all databases of the server. */
extern void lr_settle_all(void);

#endif							/* LR_PREPARED_H */
