/*
 * match.h
 *	  Whether a rule takes a lead, and for which team.
 */
#ifndef LR_MATCH_H
#define LR_MATCH_H

#include "decide/decide.h"
#include "expression/evaluate.h"

/* Whether a rule takes the lead: in force, condition, percent. */
extern bool lr_match(const LrDecideRequest *request, LrEvaluation *ev,
					 LrBoundRule *bound, LrDecision *decision);

/*
 * The rule with its team, for a lead that it takes; NULL: it has none.  A copy
 * where the lead says which, since the rule is everybody's.
 */
extern LrRule *lr_match_target(const LrDecideRequest *request, LrEvaluation *ev,
							   LrBoundRule *bound, LrDecision *decision);

#endif							/* LR_MATCH_H */
