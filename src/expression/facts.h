/*
 * facts.h
 *	  What expressions know of a member: the columns of leadroute.member_facts.
 *
 * They are configuration, but for what is measured (measured.h): a router's are
 * read once, with the state of the configuration that the router shows, and stay
 * with it.
 */
#ifndef LR_FACTS_H
#define LR_FACTS_H

#include "executor/tuptable.h"

#include "config/config.h"

typedef struct LrFacts
{
	TupleDesc	desc;			/* of leadroute.member_facts */
	AttrNumber	open_leads;		/* the columns that are measured */
	AttrNumber	response_rate;
	AttrNumber	conversion_rate;
	Datum	  **value;			/* by member index, then by column */
	bool	  **isnull;
	TupleTableSlot *slot;
} LrFacts;

/*
 * Reads them unless they are there.  The caller finds out whether the router is
 * still current, see lr_router_is_current.
 */
extern void lr_facts_need(LrRouter *router);

/*
 * A member as a row for lr_evaluate_member; good until the next call.  What is
 * measured is of now.  lr_facts_need has been called.
 */
extern TupleTableSlot *lr_facts_row(LrRouter *router, LrMember *m);

/*
 * Whether an expression reads what changes from lead to lead (open_leads, or the
 * whole row); and what changes when members are measured (measured.h).
 */
extern void lr_facts_read_by(Node *node, bool *live, bool *measured);

#endif							/* LR_FACTS_H */
