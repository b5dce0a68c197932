/*
 * reserve_team.h
 *	  What the levels of a transaction have taken from the credits of teams, and
 *	  from what their members have received in a month.  For reserve.c alone.
 *
 * Amounts are kept by composition: of a team that was changed meanwhile, its
 * former seats get back what they gave.  A hold of credits follows the team's
 * board, if it has one (LrBoardHold); amount_of says what a seat has got by all
 * of it.  Nothing but lr_team_hold_prepare allocates; but for it and merge, free
 * and forget, db->lock is held.
 */
#ifndef LR_RESERVE_TEAM_H
#define LR_RESERVE_TEAM_H

#include "roster/reserve_level.h"

/* Makes what the level needs for one more reservation; see lr_reserve_prepare. */
extern void lr_team_hold_prepare(LrLevel *level, LrTeam *team, int32 month);

/* Moves the credits of a reservation, sign 1, or takes it back, -1. */
extern void lr_team_turn(const LrReservation *r, int sign);

/* The same for what the chosen one has received in its month. */
extern void lr_team_receive(const LrReservation *r, int sign);

/* Gives back all that a level holds of teams. */
extern void lr_team_holds_return(LrLevel *level);

/* Adds it to the level above, and leaves none. */
extern void lr_team_holds_merge(LrLevel *from, LrLevel *to);

extern void lr_team_holds_free(LrLevel *level);

/* The transaction has ended, and its memory with it. */
extern void lr_team_holds_forget(void);

/* Copies it into the array of prepared transactions; false: no room. */
extern bool lr_team_holds_enter(const LrLevel *level, LrDatabase *db,
								TransactionId xid);

#endif							/* LR_RESERVE_TEAM_H */
