/*
 * condition_parts.h
 *	  Which part of a rule's condition is not true for a lead, for explain.
 *
 * A part is what the top level of the condition joins by AND, as it is
 * written.  Each is compiled and evaluated like the whole: with the rights and
 * the search_path of the rule's writer.  Parts after the first that is false
 * or raises are not evaluated: those before may be there to guard them.
 */
#ifndef LR_CONDITION_PARTS_H
#define LR_CONDITION_PARTS_H

#include "lead/binding.h"
#include "expression/evaluate.h"

typedef enum LrTruth
{
	LR_TRUE,
	LR_FALSE,
	LR_UNKNOWN,					/* NULL */
	LR_RAISES,
	LR_NOT_EVALUATED
} LrTruth;

typedef struct LrPart
{
	char	   *text;
	LrTruth		truth;
	char	   *error;			/* RAISES: the message */
	bool		hidden;			/* it, or one before, reads what the caller may
								 * not: say no more */
	List	   *values;			/* of char *: column = value */
} LrPart;

/*
 * The parts (of LrPart) of a rule's condition over a row.  score: the lead's;
 * NULL: none.  visible: by column number - 1, what the caller may read; NULL: all.
 */
extern List *lr_condition_parts(LrTable *table, LrBinding *b,
								const LrRule *rule, TupleTableSlot *row,
								const double *score, const bool *visible);

/*
 * The first part of a rule's member_condition that is not true for a member, in
 * words; NULL: there is nothing that the caller may be told.
 */
extern char *lr_member_part(LrTable *table, LrBinding *b, const LrRule *rule,
							LrMember *member, TupleTableSlot *row,
							const double *score, const bool *visible);

/* Whether the caller may read all that a compiled expression reads. */
extern bool lr_expr_is_visible(const LrExpr *expr, TupleDesc desc,
							   const bool *visible);

#endif							/* LR_CONDITION_PARTS_H */
