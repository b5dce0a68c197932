/*
 * route_batch.h
 *	  Deciding many stored leads with few statements.
 *
 * A batch is leads by their keys.  One statement locks those that nobody else
 * has locked and that have no owner still, each is decided and journaled, and
 * one UPDATE writes the owners.  All this is one subtransaction: when something
 * fails in it, it is rolled back and done again in two halves, down to the lead
 * whose fault it is, so one lead that cannot be updated costs itself alone.
 *
 * The row lock serialises everybody who touches a lead: what is decided here
 * was looked at again under it.  SKIP LOCKED waits for nobody, so two of these
 * side by side share the leads between them.
 */
#ifndef LR_ROUTE_BATCH_H
#define LR_ROUTE_BATCH_H

#include "lead/lead_keys.h"

/* Which leads are meant, and on whose behalf. */
typedef struct LrWanted
{
	Oid			caller;			/* whose filter it is, and who acts in the journal */
	const char *filter;			/* SQL over the lead; NULL: all */
	const char *search_path;	/* of the caller */
	bool		again;			/* those too that were decided before, without owner */
	bool		at_once;		/* deferred constraints are checked with the batch */
} LrWanted;

/* What became of leads. */
typedef struct LrRouted
{
	int64		assigned;		/* have an owner now */
	int64		waiting;		/* decided, without owner: held, suppressed, … */
	int64		passed;			/* need no decision (any more) */
	int64		failed;
	int64		filter_failed;	/* of passed: the filter raised an error */
	int64		failed_in_row;	/* the last ones */
	char	   *error;			/* the first one, in the context of the tally */
	char	   *error_key;
	char	   *filter_error;
	MemoryContext context;
} LrRouted;

/* The filter, checked and compiled in this context; NULL: there is none. */
extern LrExpr *lr_filter_compile(LrTable *table, const LrWanted *wanted);

/*
 * Whether a lead without owner is meant, as its row and the journal are; counts
 * a filter's error.  key: the lead's, canonical.
 */
extern bool lr_lead_wanted(LrTable *table, const LrWanted *wanted,
						   LrExpr *filter, TupleTableSlot *row,
						   const char *key, LrRouted *routed);

/* SQL: the lead lr_lead has no owner; its parameter, if any, is $param. */
extern char *lr_without_owner(LrTable *table, int param, Oid *type,
							  Datum *value);

/*
 * Decides a batch; the table is locked by the caller.  busy[i]: somebody else
 * has locked the lead; it was left alone.
 */
extern void lr_route_batch(LrTable *table, const LrWanted *wanted,
						   const LrKeys *keys, bool *busy, LrRouted *routed);

#endif							/* LR_ROUTE_BATCH_H */
