/*
 * reserve.h
 *	  What this transaction has taken from shared counters, by subtransaction,
 *	  and the giving back of it.
 *
 * Invariants
 * - A counter in shared memory is what committed rows of journal and event
 *	 say, plus what open and prepared transactions have reserved.
 * - What an open transaction gives back (it closes, deletes or moves a lead)
 *	 stays reserved for others until it commits: it may still be rolled back,
 *	 and nobody's load may exceed the capacity then.  The transaction itself
 *	 may give the place away at once.
 * - Every change of a shared counter by a transaction is noted at the level
 *	 of the subtransaction that makes it, in memory allocated before the lock
 *	 is taken; a callback only adds and subtracts.
 * - All reservations of a transaction are in one database slot.
 * - Amounts are aggregated by (level, counter), so a transaction's memory
 *	 depends on the number of members, not of leads.
 */
#ifndef LR_RESERVE_H
#define LR_RESERVE_H

#include "base/bits.h"
#include "cap/cap_count.h"
#include "config/config.h"
#include "roster/due.h"
#include "roster/prepared.h"
#include "roster/roster.h"

/* One decision's hold on the counters. */
typedef struct LrReservation
{
	int64		id;				/* of the journal row to come */
	int			member_slot;	/* LR_NO_SLOT: no load is concerned */
	int			load;
	int64		last_turn;		/* the slot's before; -1: was not touched */
	bool		turn;			/* credits were moved */
	LrTeam	   *team;			/* where, if turn or month */
	int			chosen;			/* index in the team */
	int32		month;			/* in which it counts by_target; 0: not */
	uint8	   *candidates;		/* bits.h; NULL: all of the team */
	uint8	   *accruing;		/* who has a share beside them; NULL: nobody */
	uint64		board;			/* candidates are those in of some parts of the */
	int64		moves;			/* board of this serial, then; 0: look at them */
	double		weight;			/* of the candidates, if board */
	int			nparts;
	uint16	   *parts;			/* NULL: all */
	int			ncaps;
	LrCapTaken *caps;			/* under which the lead counts */
} LrReservation;

/* The first from i on who has a share of a lead that not all of the n have. */
static inline int
lr_next_sharing(const LrReservation *r, int i, int n)
{
	int			next = lr_bits_next(r->candidates, i, n);

	return r->accruing == NULL ? next :
		Min(next, lr_bits_next(r->accruing, i, n));
}

/*
 * Makes room for one more reservation; may allocate.  To be called before
 * db->lock is taken, with the team whose credits may move (or NULL), or, by
 * month, what its members have received.
 */
extern void lr_reserve_prepare(LrTeam *team, int32 month);

/* The same for a reservation that counts under so many caps. */
extern void lr_reserve_prepare_caps(int n);

/* Applies a reservation, sign 1, or takes it back, -1.  db->lock held. */
extern void lr_reserve_apply(const LrReservation *r, int sign);

/* Takes one reservation of the current level back. */
extern void lr_reserve_return(const LrReservation *r);

/*
 * Moves load without a decision: closed, reopened, released, …  Negative: given
 * back when the transaction commits; what is taken after that by the same
 * transaction, is kept first.
 */
extern void lr_reserve_load(int member_slot, int load);

/* What this transaction will give back of a member's load; not above 0. */
extern int64 lr_reserve_released(int member_slot);

/* Whether it will give back any load. */
extern bool lr_reserve_releases(void);

/*
 * A lead counts under a cap no more, from the commit on: the counter and the
 * window that it was counted in.
 */
extern void lr_reserve_give_back_cap(int slot, uint32 key);

/* What this transaction will give back of it; not above 0. */
extern int64 lr_reserve_cap_released(int slot, uint32 key);

/*
 * This transaction writes the journal by SQL: the counters are loaded again
 * after its commit.
 */
extern void lr_journal_rewritten(void);

/*
 * This transaction has loaded the counters: with what it has written itself, so
 * that they are loaded again if it is rolled back.
 */
extern void lr_counters_loaded(void);

/* A fresh id outside of a decision. */
extern int64 lr_reserve_id(void);

/*
 * The ends of levels and of the transaction, for transaction.c alone.
 */

/* Before a subtransaction commits: room in the level above for what it holds. */
extern void lr_reserve_prepare_sub(int nest);

/* It has committed: what it holds is the level's above. */
extern void lr_reserve_commit_sub(int nest);

/* Levels >= nest are rolled back, 0: the transaction; what they hold goes back. */
extern void lr_reserve_abort(int nest);

/* The transaction has committed: what it gives back is given back. */
extern void lr_reserve_commit(void);

/*
 * Before PREPARE TRANSACTION: copies the holds where they outlive the session.
 * An error if there is no room.
 */
extern void lr_reserve_pre_prepare(void);

/* It is prepared: the copies are its own from now on. */
extern void lr_reserve_hand_over(void);

/* All is settled: committed, prepared or given back. */
extern void lr_reserve_end(bool committed);

#endif							/* LR_RESERVE_H */
