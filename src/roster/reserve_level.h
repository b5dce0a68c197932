/*
 * reserve_level.h
 *	  What one (sub)transaction level holds.  For reserve.c and the rooms of its
 *	  kinds of holds, reserve_team.c and reserve_cap.c, alone.
 */
#ifndef LR_RESERVE_LEVEL_H
#define LR_RESERVE_LEVEL_H

#include "roster/reserve.h"
#include "roster/reserve_cap.h"

typedef struct LrTeamHold LrTeamHold;

/* What one level took from one member. */
typedef struct LrLoadHold
{
	int			slot;
	int64		load;			/* added to the shared counter */
	int64		released;		/* to be added when we commit; <= 0, all levels together */
	int64		turn_before;	/* last_turn before, see note_turn; -1: untouched */
	int64		turn_set;		/* last_turn as this level left it */
	bool		turn_mixed;		/* others had turns between those of this level */
} LrLoadHold;

/* All of it; the levels above are those of outer subtransactions. */
typedef struct LrLevel
{
	struct LrLevel *up;
	uint64		serial;			/* of this level, in this backend */
	int			nest;			/* transaction nest level */
	LrTeamHold *teams;			/* see reserve_team.h */
	int			nloads;
	int			room;
	LrLoadHold *loads;
	int			nbuckets;		/* power of 2, at least twice room */
	int		   *bucket;			/* index into loads + 1; 0: empty */
	LrCapHolds	caps;
} LrLevel;

/* The innermost; NULL: nothing is held.  It changes in reserve.c. */
extern LrLevel *lr_top_level;

#endif							/* LR_RESERVE_LEVEL_H */
