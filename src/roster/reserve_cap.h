/*
 * reserve_cap.h
 *	  What one level of a transaction has taken from the counters of caps, by
 *	  counter and window.  For reserve.c.
 *
 * The invariants are those of reserve.h: what is taken counts at once and goes
 * back if the level is rolled back; what is given back counts for others until
 * the transaction commits.  Room is made before; callbacks do not allocate.
 */
#ifndef LR_RESERVE_CAP_H
#define LR_RESERVE_CAP_H

#include "cap/cap_count.h"

typedef struct LrCapHold
{
	int			slot;
	uint32		key;			/* of the window */
	int64		taken;
	int64		released;		/* to be added when we commit; not above 0 */
} LrCapHold;

/* All zero: nothing is held. */
typedef struct LrCapHolds
{
	int			n;
	int			room;
	LrCapHold  *hold;
	int			nbuckets;		/* power of 2, at least twice room */
	int		   *bucket;			/* index into hold + 1; 0: empty */
} LrCapHolds;

/* Makes room for more holds. */
extern void lr_cap_holds_grow(LrCapHolds *holds, int more);

/* The hold on a counter, made if missing: there is room. */
extern LrCapHold *lr_cap_hold(LrCapHolds *holds, int slot, uint32 key);

/* The same if there is one, else NULL. */
extern LrCapHold *lr_cap_hold_find(const LrCapHolds *holds, int slot,
								   uint32 key);

/* Gives back what was taken; whether that was anything.  db->lock held. */
extern bool lr_cap_holds_return(const LrCapHolds *holds);

/* Gives back what a commit gives back, in the same way. */
extern bool lr_cap_holds_commit(const LrCapHolds *holds);

/* Adds to the holds of the level above, which has room. */
extern void lr_cap_holds_merge(const LrCapHolds *from, LrCapHolds *to);

/* Copies them for a prepared transaction; false: no room.  Both locks held. */
extern bool lr_cap_holds_enter(const LrCapHolds *holds, LrDatabase *db,
							   TransactionId xid);

extern void lr_cap_holds_free(LrCapHolds *holds);

#endif							/* LR_RESERVE_CAP_H */
