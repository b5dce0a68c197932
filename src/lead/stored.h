/*
 * stored.h
 *	  Deciding a lead that is stored already, and what the journal says of it.
 *
 * For route, assign, the worker and route_all: whoever calls has locked the
 * lead's row, acts as the table's owner (lr_lead_become), and sets the owner.
 */
#ifndef LR_STORED_H
#define LR_STORED_H

#include "lead/binding.h"
#include "decide/decide.h"
#include "lead/outcome.h"

/* In all that follows, known: the journal may have a current row of the lead. */

/* What a row says of a lead, and what the lead's calls have said of it. */
extern void lr_stored_facts(LrTable *table, TupleTableSlot *row, bool known,
							LrFacts *facts);

/* What is asked of the decision core about it. */
extern void lr_stored_request(LrTable *table, LrBinding *b,
							  const LrFacts *facts, char *detail,
							  LrDecideRequest *request);

/*
 * Decides a lead without owner, and reserves.  released: why its quarantine ends
 * now; NULL: it does not.  detail: what the journal's begins with; NULL: nothing.
 */
extern void lr_stored_decide(LrTable *table, LrBinding *b,
							 const LrFacts *facts, bool known,
							 const char *released, char *detail,
							 LrDecision *decision);

/* The same of one that is taken from its owner: whoever but him. */
extern void lr_stored_decide_without(LrTable *table, LrBinding *b,
									 const LrFacts *facts,
									 const LrMember *without, char *detail,
									 LrDecision *decision);

/*
 * Writes what the lead's own columns receive, and with_owner its owner; nothing,
 * if that is nothing.  Before the decision is written: its detail may change.
 */
extern void lr_stored_write(LrTable *table, LrBinding *b,
							const LrFacts *facts, bool with_owner,
							LrDecision *decision);

/*
 * Writes the decision.  False: the journal says so already, and nothing has
 * changed.
 */
extern bool lr_stored_settle(LrEntry *e, bool known);

#endif							/* LR_STORED_H */
