/*
 * method.h
 *	  Who of a team gets a lead: eligibility, the choice, the reservation.
 */
#ifndef LR_METHOD_H
#define LR_METHOD_H

#include "base/bits.h"
#include "config/config.h"
#include "decide/passed.h"
#include "roster/reserve.h"

/*
 * The order of a team by method best_match, see ranking.h.  Places are numbers
 * from 0: the highest rank first, the same rank the same place; the last one is
 * of those without a rank, if there are any: NULL, NaN, or an error.
 */
typedef struct LrRanking
{
	int			n;				/* of the team */
	int			nplaces;
	int		   *place;			/* of each member, by index */
	int		   *order;			/* members by place, then by index */
	double	   *rank;			/* by place; NaN: none */
	const char *error;			/* of the first member with one; NULL: none */
} LrRanking;

/* What a choice starts from; clock and seed are arguments, see style. */
typedef struct LrPickRequest
{
	LrDatabase *db;
	const LrRouter *router;
	LrTeam	   *team;
	char		method;
	bool		ignore_limits;
	bool		keeps_turns;	/* last_turn stays as it is */
	bool		dry_run;		/* explain: reserve nothing, give out no id */
	bool		in_line;		/* to nobody who is fresh, see held.h */
	int			load;			/* what the lead counts */
	int32		month;			/* by_target: of now, see month.h; else 0 */
	const bool *usable;			/* by member index: owner column can hold it */
	int32		without;		/* member.id of who is not to have it; 0: nobody */
	const uint8 *fitting;		/* bits.h: whom the lead fits; NULL: everybody */
	struct LrBoardSet *set;		/* of these, see board_set.h; NULL: look at each */
	const uint8 *reached;		/* whom team_member.condition lets it reach; NULL: all */
	const uint8 *raised;		/* for whom member_condition raised; NULL: nobody */
	const LrRanking *ranking;	/* of best_match; NULL: nobody has a rank */
	uint64		people;			/* LrRouter.people_seen */
	TimestampTz now;
	uint64		seed;
	const struct LrCapCheck *caps;	/* that the lead concerns; NULL: none */
} LrPickRequest;

/* One member as the choice saw it, for explain. */
typedef struct LrCandidate
{
	LrMember   *member;
	LrPassedOver state;			/* why == LR_CAN: could take it */
	bool		has_measure;
	double		measure;
	double		share;
	int64		load;
} LrCandidate;

typedef struct LrPick
{
	int			chosen;			/* index in the team; -1: nobody can */
	int			fits;			/* members that are not gone for good and fit */
	int			candidates;		/* members that can take it */
	uint64		hash;			/* of who these and the accruing ones are, not all */
	bool		has_measure;
	double		measure;		/* see journal.measure */
	int64		seq;			/* if nobody was chosen: free_seq of this look */
	bool		withheld;		/* and whether somebody was kept for others, */
	bool		own_way;		/* or refused for what other leads may not meet */
	int			npassed;
	LrPassedOver *passed;		/* at most lr_passed_over_limit */
	int			passed_count;
	int			passed_rest[LR_PASSED_CODES];	/* beyond the limit, by reason */
	LrReservation reservation;	/* applied, if somebody was chosen */
	TimestampTz available_from; /* nobody was: somebody comes; DT_NOEND: not */
	LrCandidate *all;			/* of each member, dry runs only */
	bool		same_set;		/* candidates as at the rotation's last decision;
								 * dry runs only */
	const struct LrCapCheck *caps;	/* as in the request */
	LrPassedOver reached;		/* a cap: why nobody can take it; else LR_CAN */
} LrPick;

/* The first member from i on whom the lead fits; n: none. */
static inline int
lr_next_fitting(const LrPickRequest *request, int i)
{
	return request->fitting == NULL ? i :
		lr_bits_next(request->fitting, i, request->team->n);
}

/*
 * Chooses and reserves under one lock.  Results live in the current context.
 * Ties: see choice.c.
 */
extern void lr_pick(const LrPickRequest *request, LrPick *pick);

#endif							/* LR_METHOD_H */
