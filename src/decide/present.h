/*
 * present.h
 *	  Who of a team can take a lead, as far as can be said without the counters:
 *	  who is active, not away, in its working time, and has counters.
 */
#ifndef LR_PRESENT_H
#define LR_PRESENT_H

#include "decide/method.h"

/*
 * The answer for a big team, kept while it stays the same: for one state of the
 * people, between two ends or beginnings of absences or working time.
 */
typedef struct LrRoll
{
	uint64		people;			/* LrRouter.people_seen; 0: never called */
	TimestampTz since;			/* the moments that it is good for */
	TimestampTz until;			/* exclusive */
	int			fits;			/* members that are not gone for good */
	bool		limits;			/* somebody has a capacity */
	uint8	   *can;			/* bitmap by index, in whole eight bytes */
	uint8	   *why;			/* LrPassed of each member */
	int64	   *away_until;		/* of who is away or closed */
} LrRoll;

/*
 * Fills in why (LR_CAN: nothing speaks against it) and, of who is away or has
 * not its working time, from when on neither is so (DT_NOEND: never), by index,
 * of those whom the lead fits.  Hours are limits, so ignore_limits passes over
 * them.  Returns how many of those are not gone for good.
 */
extern int	lr_who_is_present(const LrPickRequest *request, uint8 *why,
							  int64 *away_until);

/* Whether a member has not its working time, wherever it is. */
extern bool lr_is_off_duty(const LrTeam *team, int i, TimestampTz now);

/* From when on a member is neither away from a team nor off; DT_NOEND: never. */
extern TimestampTz lr_available_from(const LrTeam *team, int i, TimestampTz at);

/* Why a member whom the lead does not fit cannot have it. */
extern LrPassed lr_why_unfit(const LrPickRequest *request, int i);

/* The roll of a team; calls it when it is not good any more. */
extern const LrRoll *lr_roll_call(const LrPickRequest *request);

#endif							/* LR_PRESENT_H */
