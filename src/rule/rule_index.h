/*
 * rule_index.h
 *	  Which rules can match a lead, in the order in which they are tried.
 *
 * An index is one or two images (rule_image.h) as this backend calls into
 * them: a base, and a delta of rules that have changed since.  A rule of the
 * base that has changed is dead there.  Both are searched together.
 */
#ifndef LR_RULE_INDEX_H
#define LR_RULE_INDEX_H

#include "executor/tuptable.h"

#include "rule/rule_image.h"

typedef struct LrRuleIndex LrRuleIndex;

/* A rule of an index: number of its image, and its rank there. */
typedef struct LrRuleRef
{
	int			layer;			/* -1: no rule */
	int			rank;
} LrRuleRef;

/*
 * An index over a base and a delta (NULL: none), in the current context.  The
 * images and dead (a bitmap over the ranks of the base; NULL: none is) stay as
 * long.
 */
extern LrRuleIndex *lr_rule_index_open(const LrImage *base,
									   const LrImage *delta,
									   const uint8 *dead);

extern const LrImage *lr_rule_index_image(const LrRuleIndex *index, int layer);

/* Postings to merge; more than that are allocated. */
#define LR_SEARCH_STREAMS	16

typedef struct LrRuleStream
{
	const int32 *at;
	const int32 *end;
} LrRuleStream;

/* Where a search stands in one image. */
typedef struct LrLayerSearch
{
	int			n;
	int			room;
	LrRuleStream *stream;
	LrRuleStream first[LR_SEARCH_STREAMS];
	int			head;			/* next rank; -1: not looked for, -2: at the end */
	int			last;			/* rank handed out last */
} LrLayerSearch;

/* Where a search stands; lives on the caller's stack and is not copied. */
typedef struct LrRuleSearch
{
	LrRuleIndex *index;
	TupleTableSlot *row;		/* NULL: all rules */
	LrLayerSearch layer[2];
} LrRuleSearch;

/*
 * Starts a search for the rules that the row can match; row NULL: for all.
 * The row must stay as it is, and so the current context, until its end.
 */
extern void lr_rule_search_begin(LrRuleSearch *search, LrRuleIndex *index,
								 TupleTableSlot *row);

/*
 * The next rule, in order; false: there is none.  All that the checks say of
 * it is true; unless LR_RULE_EVALUATE is set, so is its condition.
 */
extern bool lr_rule_search_next(LrRuleSearch *search, LrRuleRef *found);

/*
 * Whether a rule stands under a place that the row of a search is in, or is
 * tried always; the search has only begun.  If so, and it is not found, its
 * checks are not all true.
 */
extern bool lr_rule_search_meets(const LrRuleSearch *search,
								 const LrRuleRef *ref);

#endif							/* LR_RULE_INDEX_H */
