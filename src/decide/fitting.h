/*
 * fitting.h
 *	  Whom of a team a lead fits: rule.member_condition, team_member.condition.
 */
#ifndef LR_FITTING_H
#define LR_FITTING_H

#include "lead/binding.h"
#include "expression/evaluate.h"

/* Bitmaps (bits.h) by index in the team. */
typedef struct LrFitting
{
	const uint8 *fits;			/* NULL: everybody */
	const uint8 *reached;		/* by team_member.condition; NULL: everybody */
	const uint8 *raised;		/* for whom member_condition raised; NULL: nobody */
	const char *error;			/* of the first member with one; NULL: none */
	int			n;				/* of the team */
	uint64		serial;			/* of what is remembered; 0: it is not */
	struct LrBoardSet *set;		/* of fits, if it is remembered; else NULL */
	const struct LrRanking *ranking;	/* filled by who needs it, see ranking.h */
} LrFitting;

/*
 * Between lr_evaluation_begin and lr_evaluation_end.  bound: the rule, if it has
 * a member_condition, else NULL.  An error for one member costs this member, a
 * condition that cannot be compiled whom it concerns.  afresh: without what is
 * remembered, for dry runs.  *detail: see lr_evaluate_generated.
 *
 * What is found stays until the second next call.
 */
extern void lr_fitting_find(LrEvaluation *ev, LrBinding *b, LrBoundRule *bound,
							LrTeam *team, bool afresh, LrFitting *fitting,
							char **detail);

/* Whom of the team it fits, not all, in a number. */
extern uint64 lr_fitting_hash(const LrFitting *fitting, int n);

#endif							/* LR_FITTING_H */
