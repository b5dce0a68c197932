/*
 * terms.h
 *	  An expression over lead and member taken apart: what depends on the lead
 *	  alone, what on the member alone, and the rest.
 *
 * A term is a largest part of the expression that reads one of the two only and
 * is plain: immutable, cannot raise, needs nobody's rights.  The rest reads
 * nothing but terms.  So members whose terms are the same, bit by bit, are a
 * class for which it has one value; and where the rest is immutable, too, leads
 * with the same terms have the same value for everybody.
 */
#ifndef LR_TERMS_H
#define LR_TERMS_H

#include "lib/stringinfo.h"

#include "expression/expr.h"

/* The terms of one of the two. */
typedef struct LrTermList
{
	int			n;
	ExprState **state;
	TupleTableSlot *slot;		/* their values */
} LrTermList;

typedef struct LrTerms
{
	LrTermList	lead;
	LrTermList	member;
	LrExpr		rest;			/* leads' terms: outer row; members': inner row */
	bool		immutable;		/* the rest is */
} LrTerms;

/*
 * Takes an expression apart, in the current context; NULL: it reads what
 * changes with each lead (open_leads).  The expression knows then whether it
 * reads measures.
 */
extern LrTerms *lr_terms_make(LrExpr *expr);

/*
 * Computes the terms of the lead in ecxt_scantuple, or of the member in
 * ecxt_innertuple, into their slot, and adds them to a key: the same bytes, the
 * same terms.  Values live in the per-tuple memory.
 */
extern void lr_terms_compute(LrTermList *list, ExprContext *econtext,
							 StringInfo key);

/* Adds a value to a key. */
extern void lr_key_add(StringInfo key, Datum value, bool isnull, bool byval,
					   int16 len);

#endif							/* LR_TERMS_H */
