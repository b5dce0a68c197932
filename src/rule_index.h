/*
 * rule_index.h
 *	  Which rules can match a lead at all, by the equalities they contain.
 *
 * A rule is filed under its first conjunct of the form col = const or
 * col IN (consts); a lead looks up its own values and gets, in the order in
 * which rules are tried, those that can match and those that are not filed.
 */
#ifndef LR_RULE_INDEX_H
#define LR_RULE_INDEX_H

#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "nodes/primnodes.h"

typedef struct LrRuleIndex LrRuleIndex;

/* An index over n rules, in the current context; rules are added in order. */
extern LrRuleIndex *lr_rule_index_make(int n);

/* Files rule i; tree NULL: it matches everything or must always be tried. */
extern void lr_rule_index_add(LrRuleIndex *index, int i, Expr *tree);

/* Where a search stands; lives on the caller's stack. */
#define LR_MAX_POSTINGS 17
typedef struct LrRuleSearch
{
	int			n;
	const int  *at[LR_MAX_POSTINGS];
	const int  *end[LR_MAX_POSTINGS];
} LrRuleSearch;

extern void lr_rule_search_begin(LrRuleSearch *search, LrRuleIndex *index,
								 TupleTableSlot *row);

/* The next rule that may match; -1: there is none. */
extern int	lr_rule_search_next(LrRuleSearch *search);

#endif							/* LR_RULE_INDEX_H */
