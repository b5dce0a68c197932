/*
 * evaluate.h
 *	  Evaluating stored expressions over one lead.
 *
 * Errors in expressions cost the rule, not the lead.  Expressions that cannot
 * raise are evaluated as they are; from the first one that can, all run
 * inside one internal subtransaction, and only an error makes a new one.
 *
 * Between lr_evaluation_begin and lr_evaluation_end nothing may be reserved
 * or written: it would belong to the internal subtransaction.
 */
#ifndef LR_EVALUATE_H
#define LR_EVALUATE_H

#include "utils/resowner.h"

#include "lead/table.h"

typedef struct LrEvaluation
{
	LrTable    *table;
	const struct LrRouter *router;	/* that decides; NULL: it is not known yet */
	const double *score;		/* of the lead; NULL: it has none */
	ExprContext *econtext;
	Bitmapset  *generated;		/* columns computed in the row */
	MemoryContext context;
	ResourceOwner owner;
	bool		open;			/* the subtransaction */
	char	   *error;			/* of the last expression; NULL: none */
} LrEvaluation;

extern void lr_evaluation_begin(LrEvaluation *ev, LrTable *table,
								TupleTableSlot *row);
extern void lr_evaluation_end(LrEvaluation *ev);

/* The value of an expression; NULL, and ev->error, where it raises. */
extern Datum lr_evaluate(LrEvaluation *ev, LrExpr *expr, bool *isnull);

/*
 * The same of an expression over lead and member (see facts.h).  What it gives
 * by reference is good until the next lead.
 */
extern Datum lr_evaluate_member(LrEvaluation *ev, LrExpr *expr,
								TupleTableSlot *member, bool *isnull);

/*
 * Computes the generated columns that an expression uses: the server does that
 * only after the BEFORE triggers.  One that fails is NULL; *detail tells it.
 */
extern void lr_evaluate_generated(LrEvaluation *ev, const LrExpr *expr,
								  char **detail);

/*
 * The value of one expression by itself, of a type that is passed by value.
 * false: it raises; *detail tells that of what, and the value is NULL.
 */
extern bool lr_evaluate_alone(LrTable *table, TupleTableSlot *row, LrExpr *expr,
							  const char *what, Datum *value, bool *isnull,
							  char **detail);

/* A row copied, so that values can be put into it; the values are not. */
extern TupleTableSlot *lr_copy_row(LrTable *table, TupleTableSlot *row);

/* Adds "what: error" to a detail, unless it says so already. */
extern void lr_add_detail(char **detail, const char *what, const char *error);

/* The score of the lead over which an expression is evaluated now; NULL: none. */
extern const double *lr_evaluated_score(void);

/*
 * Whether an expression that may run a user's function is being evaluated:
 * nothing may be decided meanwhile.  And a transaction callback for the end of
 * levels >= nest.
 */
extern bool lr_evaluating(void);
extern void lr_evaluating_abort(int nest);

#endif							/* LR_EVALUATE_H */
