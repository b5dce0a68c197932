/*
 * postpone.h
 *	  Leads that are not decided in their INSERT: routed_table.decide_at, and
 *	  ready_when (see ready.h).
 *
 *	  commit	a deferred constraint trigger (zz_leadroute_commit) decides at the
 *				end of the transaction, on the row as it is then
 *	  worker	the lead is held at once, for nothing but the worker, which is told
 *				at the commit; it decides such leads in the order of their arrival
 *
 * An owner that the app gives is kept and journalled in the INSERT in any case.
 */
#ifndef LR_POSTPONE_H
#define LR_POSTPONE_H

#include "commands/trigger.h"

#include "decide/decide.h"

/*
 * The decision not to decide a new lead in its INSERT, of a table that
 * postpones; false: it is to be decided now.
 */
extern bool lr_postpone(LrDecideRequest *request, LrDecision *decision);

/* The decision that a lead waits to be ready; it is not. */
extern void lr_wait(const LrDecideRequest *request, LrDecision *decision);

/*
 * At the end of the transaction that has inserted the trigger's row: decides the
 * lead, if it is still there, has no owner, and is not in the journal.  SET
 * CONSTRAINTS … IMMEDIATE makes that the end of the statement.
 */
extern void lr_decide_at_commit(TriggerData *td, const char *name);

#endif							/* LR_POSTPONE_H */
