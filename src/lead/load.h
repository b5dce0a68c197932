/*
 * load.h
 *	  What a lead counts in its owner's load: routed_table.load.
 *
 * While an assignment is open, its owner's load contains the load of its
 * journal row and of the events about it: closing gives back what that is, not
 * what the expression says by then.
 */
#ifndef LR_LOAD_H
#define LR_LOAD_H

#include "journal/journal.h"
#include "lead/table.h"
#include "roster/roster.h"

/*
 * Load of a lead if it is open.  What is no number from 0 on, counts as 1;
 * *detail tells it.
 */
extern int	lr_lead_load(LrTable *table, TupleTableSlot *row, char **detail);

/* What an assignment counts now; its rows are written. */
extern int	lr_assignment_load(int64 assignment, int load);

#endif							/* LR_LOAD_H */
