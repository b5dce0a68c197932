/*
 * take.h
 *	  A lead for a member whom no method has chosen: given, by hand, adopted.
 */
#ifndef LR_TAKE_H
#define LR_TAKE_H

#include "cap/cap.h"

/*
 * Reserves load for a member; it counts under caps (NULL: none concern it),
 * whether they are reached or not.  member may be NULL.  Gives out the id of the
 * journal row.
 */
extern void lr_take(const LrRouter *router, LrMember *member, int load,
					bool touch_turn, const LrCapCheck *caps,
					LrReservation *reservation);

#endif							/* LR_TAKE_H */
