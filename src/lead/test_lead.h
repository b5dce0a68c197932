/*
 * test_lead.h
 *	  Test leads: router.test_when, SQL over the lead.
 *
 * Whether a lead is a test is asked whenever something is decided about it,
 * and stands in that row of the journal.  Rules decide it by a dry run: what
 * a real lead would get at that moment, with nothing reserved.
 *
 * Invariant: a row with is_test has no load, turn, month, caps or sticky key,
 * and never an entry in pool_entry; so nothing that adds up the journal, and
 * nothing that is given back when the row ends, moves by it.
 */
#ifndef LR_TEST_LEAD_H
#define LR_TEST_LEAD_H

#include "decide/decide.h"

/*
 * Whether a lead is a test now.  An error means that it is none; *detail tells
 * it.  Outside of an evaluation.
 */
extern bool lr_test_when_is_true(LrTable *table, LrBinding *b,
								 TupleTableSlot *row, char **detail);

static inline bool
lr_is_test(LrTable *table, LrBinding *b, TupleTableSlot *row, char **detail)
{
	return b->router->test_when != NULL &&
		lr_test_when_is_true(table, b, row, detail);
}

/* A dry run's decision as that about a stored lead, which counts nowhere. */
extern void lr_test_decided(LrDecision *decision);

#endif							/* LR_TEST_LEAD_H */
