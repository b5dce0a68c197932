/*
 * trial.h
 *	  What is told of the rules that a decision has tried: in the detail of its
 *	  journal row, in the event feed, and by a dry run all of it.
 */
#ifndef LR_TRIAL_H
#define LR_TRIAL_H

#include "decide/decide.h"

/* Says in the detail what became of a rule; of the first ones only. */
extern void lr_trial_note(LrDecision *decision, LrRule *rule, const char *what);

/* Tells the event feed about an error of a rule, now and then. */
extern void lr_trial_report(const LrDecideRequest *request, LrBoundRule *bound,
							const char *error);

/* Adds what became of a rule, for the caller of a dry run. */
extern LrTrial *lr_trial_add(LrDecision *decision, LrRule *rule, LrTried tried,
							 char *error, const LrExpr *said_by);

#endif							/* LR_TRIAL_H */
