/*
 * condition.h
 *	  What a condition says about single columns.
 *
 * A condition is a conjunction.  Of each conjunct it is found out, where that
 * is possible,
 * - checks: calls f(column, constant), or IS [NOT] NULL, of which at least one
 *	 must be true for the conjunct to be true, and one is if it is;
 * - filings: places of the rule index (a value, an interval, a prefix, NULL)
 *	 of which a lead must be in at least one for the conjunct to be true.
 *
 * Everything here is made of functions of the server that are immutable and
 * raise nothing, and of constants: so it means the same in every session, it
 * needs nobody's rights and no compilation, and it outlives the backend.
 */
#ifndef LR_CONDITION_H
#define LR_CONDITION_H

#include "access/attnum.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "nodes/primnodes.h"

/* A constant: how its datum is stored. */
typedef struct LrConstant
{
	Datum		value;
	int16		len;
	bool		byval;
	Oid			type;
} LrConstant;

typedef struct LrCheck
{
	AttrNumber	attno;
	bool		negated;		/* IS NOT NULL */
	Oid			func;			/* InvalidOid: IS [NOT] NULL */
	Oid			collation;
	LrConstant	constant;
} LrCheck;

typedef enum LrFilingKind
{
	LR_FILE_EQUAL,				/* column = low */
	LR_FILE_RANGE,				/* low <[=] column <[=] high */
	LR_FILE_PREFIX,				/* column begins with the bytes of low */
	LR_FILE_NULL				/* column IS NULL */
} LrFilingKind;

typedef struct LrFiling
{
	LrFilingKind kind;
	AttrNumber	attno;
	Oid			collation;
	Oid			probe;			/* EQUAL: hash of the column; RANGE: column to constant */
	Oid			order;			/* EQUAL: hash of a constant; RANGE: constant to constant */
	Oid			equal;			/* EQUAL: column = constant */
	LrConstant	low;
	LrConstant	high;
	bool		has_low;
	bool		has_high;
	bool		low_open;		/* the bound itself is outside */
	bool		high_open;
} LrFiling;

typedef struct LrConjunct
{
	List	   *checks;			/* of LrCheck, one must be true; NIL: not expressible */
} LrConjunct;

/* One way to file the rule: under all of these places. */
typedef struct LrChoice
{
	Bitmapset  *covers;			/* conjuncts */
	bool		exact;			/* being there means that they are true */
	List	   *filings;		/* of LrFiling; NIL: they can never be true */
} LrChoice;

typedef struct LrCondition
{
	bool		never;			/* cannot be true */
	List	   *conjuncts;		/* of LrConjunct */
	List	   *choices;		/* of LrChoice */
} LrCondition;

/*
 * Analyses a planned condition.  The result lives in the current context and
 * holds nothing of the tree.
 */
extern LrCondition *lr_condition_analyse(Expr *tree);

#endif							/* LR_CONDITION_H */
