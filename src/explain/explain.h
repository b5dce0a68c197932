/*
 * explain.h
 *	  What would be decided now, and why: the parts that explain is made of.
 *
 *	explain.c			the functions: who may ask, which lead, the frame
 *	explain_criteria.c	what each criterion says
 *	explain_rules.c		what became of each rule
 *	explain_members.c	what became of each member
 *	explain_format.c	text like EXPLAIN's, or JSON, from one walk
 *	new_lead.c			a lead that does not exist yet, from jsonb
 *
 * Nothing here changes anything: no turn, no reservation, no id, no row.
 */
#ifndef LR_EXPLAIN_H
#define LR_EXPLAIN_H

#include "funcapi.h"
#include "utils/jsonb.h"

#include "decide/decide.h"
#include "explain/explain_format.h"
#include "lead/outcome.h"

typedef struct LrExplain
{
	LrTable    *table;
	LrBinding  *binding;
	TupleTableSlot *row;
	LrFacts		facts;
	bool		is_new;			/* the lead does not exist yet */
	List	   *not_computed;	/* char *: columns with a volatile default */
	bool		waits;			/* to be ready, see ready.h: it is not */
	TimestampTz waits_until;	/* if so; DT_NOEND: without end */
	LrDecideRequest request;
	LrDecision	decision;
	LrLaps		laps;
	/* what the caller wants, and may see */
	int			max_rules;		/* listed; of the others it is counted why */
	char	   *rule;			/* this one alone; NULL: no certain one */
	int			max_members;	/* of a team */
	bool		timings;
	bool	   *visible;		/* columns, by number - 1; NULL: all */
} LrExplain;

/* What the criteria of the router say, where it has any. */
extern void lr_explain_criteria(LrOutput *out, const LrExplain *x);

/* What becomes of the rules of the router, written as a list. */
extern void lr_explain_rules(LrOutput *out, const LrExplain *x);

/* Who of the team of a rule that was tried could have the lead. */
extern void lr_explain_members(LrOutput *out, const LrExplain *x,
							   const LrTrial *trial);

/*
 * A row of the table as an INSERT of the columns in lead would find it before
 * triggers; *not_computed: names of columns left NULL because their default is
 * volatile.  Runs with the rights of the table's owner (lr_lead_become), SPI
 * connected; caller is who current_user in defaults means.
 */
extern TupleTableSlot *lr_new_lead(LrTable *table, Jsonb *lead, Oid caller,
								   List **not_computed);

#endif							/* LR_EXPLAIN_H */
