/*
 * cap_free.h
 *	  Giving back the slots of caps that are gone.
 *
 * Who looks is whoever writes a checkpoint, when the configuration has changed.
 * It goes in two steps, since slots are known by number to others:
 *
 * 1. Of a cap that is not in its table any more, also not in that of a
 *	  transaction that is open, the slots are marked (LrCapSlot.cap < 0).  A
 *	  statement that still goes by the cap finds its slot marked, or another's,
 *	  under db->lock (lr_cap_slot_is): the cap limits nobody and counts nothing.
 *	  What transactions have taken from or will give back to such a slot, they
 *	  still add to it, where it meets no window.
 * 2. When all transactions have ended that had anything before it was marked,
 *	  and may name the slot in what they hold, it is free (LrCapCount.open_below
 *	  of now says which ids they have).  Who names a slot in what it holds has
 *	  been given an id before, and has found it unmarked since, under db->lock:
 *	  a decision in the hold in which it gets its id, who gives back by
 *	  lr_cap_slot_find.
 *
 * Who has found no slot for a cap tries again when any have been freed
 * (LrShared.caps_freed).
 */
#ifndef LR_CAP_FREE_H
#define LR_CAP_FREE_H

#include "roster/roster.h"

extern void lr_caps_free_gone(LrDatabase *db);

#endif							/* LR_CAP_FREE_H */
