/*
 * lead_state.h
 *	  What an attached table says by its own SQL of where a lead stands: which
 *	  router is to decide it, and what has happened to it.
 *
 * Errors are no errors of the statement: *detail tells them.
 */
#ifndef LR_LEAD_STATE_H
#define LR_LEAD_STATE_H

#include "executor/tuptable.h"

#include "lead/table.h"

/*
 * When what has happened to a lead (LrTable.when): fills an array by LrWhen with
 * times, LR_NOT_YET or LR_SOME_TIME.  An error counts as not yet.
 */
extern void lr_lead_when(LrTable *table, TupleTableSlot *row,
						 TimestampTz *when, char **detail);

/* The lead's router; NULL: none, or an error. */
extern char *lr_lead_router(LrTable *table, TupleTableSlot *row, char **detail);

#endif							/* LR_LEAD_STATE_H */
