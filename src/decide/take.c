/*
 * take.c
 *	  A lead for a member whom no method has chosen.  See take.h.
 */
#include "postgres.h"

#include "decide/take.h"
#include "roster/reserve.h"
#include "roster/roster.h"

void
lr_take(const LrRouter *router, LrMember *member, int load, bool touch_turn,
		const LrCapCheck *caps, LrReservation *r)
{
	LrDatabase *db = lr_database();

	memset(r, 0, sizeof(*r));
	r->member_slot = member != NULL ? lr_slot_of_member(member) : LR_NO_SLOT;
	r->load = load;
	r->last_turn = -1;
	lr_reserve_prepare(NULL, 0);
	if (caps != NULL)
		lr_reserve_prepare_caps(caps->n);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	r->id = lr_next_id(db);
	lr_caps_decided(db, router, r->id);
	if (touch_turn && r->member_slot != LR_NO_SLOT)
		r->last_turn = lr_member_slots[r->member_slot].last_turn;
	if (caps != NULL)
		lr_caps_reserve(caps, 0, r);
	lr_reserve_apply(r, 1);
	LWLockRelease(db->lock);
}
