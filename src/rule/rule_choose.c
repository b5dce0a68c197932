/*
 * rule_choose.c
 *	  Which places each new rule is filed under; see rule_build.h.
 *
 * A rule takes the choice whose most crowded place is the least crowded.  How
 * crowded a place is, is counted over all rules that ask for it, before any of
 * them has chosen, and over those of the image beside: so it does not depend
 * on the order in which rules were added.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "rule/rule_draft.h"

/*
 * More overlapping intervals than this are not collected lead by lead: the
 * rules are then tried in their order, and the first match ends it.
 */
#define MAX_OVERLAP		256

/* Where the ends of all intervals are, to count how many contain a point. */
static void
measure_ranges(LrDraftColumn *column)
{
	Size		size = column->n * sizeof(int32);
	int			nbounds;
	int			i;

	pfree(lr_draft_bounds(column, false, &nbounds));
	column->lows = (int32 *) MemoryContextAllocHuge(CurrentMemoryContext, size);
	column->highs = (int32 *) MemoryContextAllocHuge(CurrentMemoryContext, size);
	for (i = 0; i < column->n; i++)
	{
		column->lows[i] = column->places[i]->low;
		column->highs[i] = column->places[i]->high;
	}
	qsort(column->lows, column->n, sizeof(int32), lr_compare_int32);
	qsort(column->highs, column->n, sizeof(int32), lr_compare_int32);
}

/* How many ask for a hash; others that share its slot are counted with it. */
static void
measure_hashes(LrDraftColumn *column)
{
	int			i;

	column->mask = pg_nextpower2_32(Max(64, 2 * column->n)) - 1;
	column->crowd = (int32 *) MemoryContextAllocExtended(CurrentMemoryContext,
														 ((Size) column->mask + 1) *
														 sizeof(int32),
														 MCXT_ALLOC_HUGE |
														 MCXT_ALLOC_ZERO);
	for (i = 0; i < column->n; i++)
		column->crowd[column->places[i]->hash & column->mask]++;
}

/* Number of elements of a sorted array below (or at) a value. */
static int
count_below(const int32 *sorted, int n, int32 value, bool or_at)
{
	int			low = 0;
	int			high = n;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (sorted[middle] < value || (or_at && sorted[middle] == value))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* How many rules of the other image are found at a place. */
static int
crowd_beside(const LrImage *image, LrDraftColumn *column,
			 const LrDraftPlace *place)
{
	const LrImageColumn *c = lr_image_column(image, &column->head);
	const LrFiling *f = &place->filing;
	const LrImageEntry *entry;
	uint32		at = 0;
	int			n = 0;

	if (c == NULL)
		return 0;
	if (c->kind == LR_FILE_RANGE)
	{
		int			room = MAX_OVERLAP;
		int32	   *found;

		if (!f->has_low && !f->has_high)
			return c->nintervals;
		found = (int32 *) palloc(room * sizeof(int32));
		n = lr_image_stab(image, c,
						  lr_image_locate(image, c, &column->order_fn,
										  f->has_low ? f->low.value :
										  f->high.value),
						  &found, &room);
		pfree(found);
		return n;
	}
	while ((entry = lr_image_bucket(image, c, place->hash, &at)) != NULL)
		if (entry->hash == place->hash)
			n += entry->posting.n;
	return n;
}

/* How many rules a lead would find at this place; -1: too many. */
static double
crowd(LrImageBuilder *b, const LrDraftPlace *place)
{
	static const double tie[] = {
		[LR_FILE_EQUAL] = 0,
		[LR_FILE_RANGE] = 0.2,
		[LR_FILE_PREFIX] = 0.1,
		[LR_FILE_NULL] = 0.3
	};
	LrDraftColumn *column = &b->columns[place->column];
	bool		is_range = column->head.kind == LR_FILE_RANGE;
	double		n;

	if (is_range)
	{
		int32		at = place->filing.has_low ? place->low : place->high;

		n = count_below(column->lows, column->n, at, true) -
			count_below(column->highs, column->n, at, false);
	}
	else
		n = column->crowd[place->hash & column->mask];
	if (b->beside != NULL)
		n += crowd_beside(b->beside, column, place);
	if (is_range && n > MAX_OVERLAP)
		return -1;
	return n + tie[column->head.kind];
}

/* The most crowded place of a choice; -1: it must not be taken. */
static double
cost(LrImageBuilder *b, const LrDraftChoice *choice)
{
	double		worst = 0;
	LrDraftPlace *place;

	for (place = choice->places; place != NULL; place = place->next)
	{
		double		n = crowd(b, place);

		if (n < 0)
			return -1;
		worst = Max(worst, n);
	}
	return worst;
}

static void
choose(LrImageBuilder *b, LrDraftRule *rule)
{
	LrDraftChoice *choice;
	LrDraftPlace *place;
	double		best = 0;

	for (choice = rule->choices; choice != NULL; choice = choice->next)
	{
		/* an image's way to file needs no second thought */
		double		n = choice->from == NULL ? 0 : cost(b, choice);

		if (n >= 0 && (rule->chosen == NULL || n < best))
		{
			rule->chosen = choice;
			best = n;
		}
	}
	if (rule->chosen != NULL)
		for (place = rule->chosen->places; place != NULL; place = place->next)
			place->taken = true;
}

void
lr_draft_choose(LrImageBuilder *b)
{
	int			i;

	for (i = 0; i < b->ncolumns; i++)
	{
		if (b->columns[i].head.kind == LR_FILE_RANGE)
			measure_ranges(&b->columns[i]);
		else
			measure_hashes(&b->columns[i]);
	}
	for (i = 0; i < b->nrules; i++)
		choose(b, b->rules[i]);
}
