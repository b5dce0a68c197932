/*
 * due.h
 *	  When a database's worker has something to do, and who is told.
 *
 * A worker is there only while there is work.  What is due is kept in the
 * database's slot, under db->lock:
 *	  checkpoint_due	a checkpoint is to be written; DT_NOEND: no transaction
 *						that has ended since the last one has handed out ids
 *	  held_due			held leads are to be decided again; DT_NOEND: none is
 *						held
 *	  ready_due			leads have waited long enough to be ready (ready.h), or
 *						all that wait are to be looked at (ready_look); DT_NOEND:
 *						none waits, or none of them for a certain time
 *	  late_due			leads are to be adopted late (late.h); DT_NOEND: none
 *	  measure_due		members are to be measured (measured.h); DT_NOEND: nobody
 *						has asked, or not since
 * None counts while the journal is being restored (db->restored).
 *
 * Whoever makes the earliest of them earlier sets the latch of the worker, or
 * of the launcher where there is no worker.  A worker that ends takes its latch
 * away under the same lock under which it has seen that nothing is due; so no
 * wake-up is lost.  A transaction does so when its locks are gone and its
 * invalidation messages are out: the worker must see what has changed.
 *
 * A latch of a process that has ended in between may be set: it belongs to
 * shared memory, and whoever has it now wakes up for nothing.
 */
#ifndef LR_DUE_H
#define LR_DUE_H

#include "roster/roster.h"

/* When the worker has something to do next; DT_NOEND: never.  db->lock held. */
extern TimestampTz lr_due(const LrDatabase *db);

/*
 * Makes one of these times not later than at.  Returns the latch to be set
 * once db->lock, which is held, is released; NULL: nobody needs to know.
 */
extern Latch *lr_due_at(LrDatabase *db, TimestampTz *due, TimestampTz at);

/*
 * What a prepared transaction leaves to be done once it has committed.  Of one that
 * was found prepared after a restart it may be anything.
 */
#define LR_LEAVES_HELD		1	/* leads are held */
#define LR_LEAVES_LOOK		2	/* held leads are to be looked at */
#define LR_LEAVES_LOOK_WAITING	4	/* all that wait to be ready are */
#define LR_LEAVES_CAPS		8	/* it counts by caps that nobody else knows yet */
#define LR_LEAVES_ANYTHING	15

/* The same of this transaction, which is about to be prepared. */
extern int	lr_due_leaves(void);

/* If leads of it wait: when the first of them is due; else DT_NOEND. */
extern TimestampTz lr_due_ready(void);

/* What a prepared transaction that has ended brings about. */
typedef struct LrSettled
{
	int			leaves;			/* nothing, if it was rolled back */
	bool		freed;			/* somebody may be able to take leads */
	bool		waits;			/* leads wait, */
	TimestampTz ready;			/* one of them until then */
} LrSettled;

extern void lr_due_settled(LrDatabase *db, const LrSettled *settled);

/*
 * What this transaction brings about for the worker, once it has ended.
 * lr_place_freed: somebody may be able to take leads who could not before.
 * lr_look_at_held: the same, where it is not sure that held ones are known of.
 * lr_lead_held: a lead is held from now on.
 */
extern void lr_place_freed(void);
extern void lr_look_at_held(void);
struct LrHeld;
extern void lr_lead_held(const struct LrHeld *held);

/*
 * The same for leads that wait to be ready: one does, at most until then by the
 * clock of decisions; all are to be looked at, since what they wait for has
 * changed, or is not known.
 */
extern void lr_lead_waits(TimestampTz until);
extern void lr_look_at_waiting(void);

/* It is prepared: its entry says what it leaves (lr_due_leaves). */
extern void lr_due_prepared(void);

/* It has committed, and has told nobody yet what it has changed. */
extern void lr_due_committed(void);

/* How long held leads may wait for a moment by the clock of decisions, usec. */
extern int64 lr_held_wait(TimestampTz until);

/* This transaction has used measures that are old. */
extern void lr_measures_wanted(void);

/* The transaction has handed out ids in this slot.  For reserve.c. */
extern void lr_ids_ended(LrDatabase *db, bool prepared);

extern void lr_due_init(void);

#endif							/* LR_DUE_H */
