/*
 * cap_count.h
 *	  What caps have counted, in shared memory.
 *
 * Terms
 *	  counter	of a cap, or of one member under a cap that each member has for
 *				itself: a slot with the window it is in and the one before.
 *	  used		leads counted under the cap: rows of the journal that name it in
 *				caps, less events that do, plus open reservations.
 *	  earlier	leads of the window that do not name the cap, because they came
 *				before it did; counted from the journal when the counter is
 *				first needed, see cap_earlier.c.
 *
 * Invariants, under db->lock
 * - used + earlier of a window is what its cap's limit is compared with, in the
 *	 same hold of the lock in which a lead is added.
 * - Windows of a counter only move on.  Who comes with a window that is older
 *	 than the one before (his clock was put back by more than a window) finds
 *	 it full: what it has counted is not known any more.
 * - What is given back goes to the window that it was taken from; if that is
 *	 none of the two, nobody needs it any more.
 */
#ifndef LR_CAP_COUNT_H
#define LR_CAP_COUNT_H

#include "cap/cap_window.h"
#include "base/compat.h"
#include "roster/roster.h"

/* In the place of a slot: the cap does not concern this member. */
#define LR_CAP_NONE		(-2)

/* One lead's hold on a counter. */
typedef struct LrCapTaken
{
	int			slot;
	LrCapWindow window;
	int64		tag;			/* as journal.caps has it */
} LrCapTaken;

/*
 * How journal.caps and event.caps name a counter: cap.id, whether each member
 * has one, the window.  The member is the row's.
 */
#define LR_CAP_TAG(cap, each, key) \
	(((int64) (cap) << 32) | ((each) ? INT64CONST(1) << 31 : 0) | (int64) (key))
#define LR_CAP_TAG_CAP(tag)		((int32) ((tag) >> 32))
#define LR_CAP_TAG_EACH(tag)	(((tag) & (INT64CONST(1) << 31)) != 0)
#define LR_CAP_TAG_KEY(tag)		((uint32) ((tag) & 0x7fffffff))

/*
 * Whether a slot is still that of a cap: one that is gone limits nobody and
 * counts nothing, and its slot may be another's by now (cap_free.h).
 */
static inline bool
lr_cap_slot_is(int slot, int32 cap)
{
	return lr_cap_slots[slot].cap == cap &&
		lr_cap_slots[slot].db == lr_me()->pin - 1;
}

/* What is counted in a window, used and earlier.  PG_INT64_MAX: not known. */
extern int64 lr_cap_counted(const LrCapSlot *slot, const LrCapWindow *window);

/*
 * The counts of a window, which becomes one of the counter's two if it is none
 * yet; NULL: it is too old.
 */
extern LrCapCount *lr_cap_enter(LrCapSlot *slot, const LrCapWindow *window);

/* What a counter says may have changed.  All of them: of a database. */
extern void lr_cap_touched(int slot);
extern void lr_caps_touched(LrDatabase *db);

/* Adds to what is used in a window. */
extern void lr_cap_add(int slot, uint32 key, int64 amount);

/*
 * Whether leads that came before the cap have been counted in this window, or
 * need not be.
 */
extern bool lr_cap_complete(const LrCapSlot *slot, const LrCapWindow *window);

/* Whether they have been, and are to be once more. */
extern bool lr_cap_counts_again(const LrCapSlot *slot,
								const LrCapWindow *window);

#endif							/* LR_CAP_COUNT_H */
