/*
 * ranking.h
 *	  Who of a team goes first by method best_match: rule.member_rank.
 */
#ifndef LR_RANKING_H
#define LR_RANKING_H

#include "lead/binding.h"
#include "expression/evaluate.h"
#include "decide/method.h"

/*
 * Between lr_evaluation_begin and lr_evaluation_end.  An error for one member
 * costs its rank, not the lead; a rank that cannot be compiled costs everybody's.
 * afresh: without what is remembered, for dry runs.  *detail: see
 * lr_evaluate_generated.
 *
 * What is found stays until the second next call.
 */
extern const LrRanking *lr_ranking_find(LrEvaluation *ev, LrBinding *b,
										LrBoundRule *bound, LrTeam *team,
										bool afresh, char **detail);

#endif							/* LR_RANKING_H */
