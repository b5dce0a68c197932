/*
 * rule_draft.c
 *	  Collecting the rules of an image, and the places that each of them may be
 *	  filed under; see rule_build.h.
 *
 * Nothing is decided here, and nothing written: a place that is collected only
 * asks to be considered.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "rule/rule_draft.h"

LrImageBuilder *
lr_image_begin(void)
{
	LrImageBuilder *b = (LrImageBuilder *) palloc0(sizeof(LrImageBuilder));

	b->room = 64;
	b->rules = (LrDraftRule **) palloc(b->room * sizeof(LrDraftRule *));
	b->calls_room = 16;
	b->calls = (LrImageCall *) palloc(b->calls_room * sizeof(LrImageCall));
	return b;
}

void
lr_image_beside(LrImageBuilder *b, const LrImage *image)
{
	b->beside = image;
}

LrDraftRule *
lr_draft_rule(LrImageBuilder *b)
{
	LrDraftRule *rule = (LrDraftRule *) palloc0(sizeof(LrDraftRule));

	if (b->nrules == b->room)
		b->rules = (LrDraftRule **) repalloc_huge(b->rules, (b->room *= 2) *
												  sizeof(LrDraftRule *));
	b->rules[b->nrules++] = rule;
	return rule;
}

/* The column that a place belongs to; -1: there are too many. */
static int
find_column(LrImageBuilder *b, const LrFiling *f)
{
	const LrConstant *c = f->kind == LR_FILE_RANGE && !f->has_low ? &f->high :
		&f->low;
	LrDraftColumn *column = &b->columns[b->ncolumns];
	LrImageColumn head;
	int			i;

	memset(&head, 0, sizeof(head));
	head.kind = f->kind;
	head.attno = f->attno;
	head.collation = f->collation;
	head.probe = f->probe;
	head.order = f->order;
	head.equal = f->equal;
	head.type = c->type;
	head.len = c->len;
	head.byval = c->byval;
	for (i = 0; i < b->ncolumns; i++)
		if (lr_image_same_column(&b->columns[i].head, &head))
			return i;
	if (b->ncolumns == LR_MAX_COLUMNS)
		return -1;
	column->head = head;
	if (OidIsValid(f->order))
		fmgr_info(f->order, &column->order_fn);
	column->room = 16;
	column->places = (LrDraftPlace **) palloc(column->room *
											  sizeof(LrDraftPlace *));
	return b->ncolumns++;
}

static uint32
hash_place(LrDraftColumn *column, const LrFiling *f)
{
	switch ((LrFilingKind) column->head.kind)
	{
		case LR_FILE_EQUAL:
			return DatumGetUInt32(FunctionCall1Coll(&column->order_fn,
													column->head.collation,
													f->low.value));
		case LR_FILE_PREFIX:
			return lr_prefix_hash(VARDATA_ANY(DatumGetPointer(f->low.value)),
								  VARSIZE_ANY_EXHDR(DatumGetPointer(f->low.value)));
		default:
			return 0;
	}
}

bool
lr_draft_place(LrImageBuilder *b, LrDraftRule *rule, LrDraftChoice *choice,
			   const LrFiling *f)
{
	int			i = find_column(b, f);
	LrDraftColumn *column;
	LrDraftPlace *place;

	if (i < 0)
		return false;
	column = &b->columns[i];
	place = (LrDraftPlace *) palloc0(sizeof(LrDraftPlace));
	place->rule = rule;
	place->column = i;
	place->filing = *f;
	place->hash = hash_place(column, f);
	place->next = choice->places;
	choice->places = place;
	if (column->n == column->room)
		column->places = (LrDraftPlace **) repalloc_huge(column->places,
														 (column->room *= 2) *
														 sizeof(LrDraftPlace *));
	column->places[column->n++] = place;
	return true;
}

static void
add_choice(LrImageBuilder *b, LrDraftRule *rule, const LrChoice *from)
{
	LrDraftChoice *choice = (LrDraftChoice *) palloc0(sizeof(LrDraftChoice));
	bool		complete = true;
	ListCell   *lc;

	choice->from = from;
	foreach(lc, from->filings)
		complete = complete && lr_draft_place(b, rule, choice,
											  (LrFiling *) lfirst(lc));
	if (complete)
	{
		choice->next = rule->choices;
		rule->choices = choice;
	}
}

void
lr_image_add(LrImageBuilder *b, const LrRuleRow *row,
			 const LrCondition *condition)
{
	LrDraftRule *rule = lr_draft_rule(b);
	ListCell   *lc;

	rule->row = *row;
	rule->condition = condition;
	if (row->condition == NULL)
		return;
	if (condition == NULL)
		rule->flags = LR_RULE_EVALUATE;
	else if (condition->never)
		rule->flags = LR_RULE_NEVER;
	else
		foreach(lc, condition->choices)
			add_choice(b, rule, (LrChoice *) lfirst(lc));
}

/* ---------- bounds ---------- */

static int
compare_bounds(const void *a, const void *b, void *arg)
{
	const LrDraftBound *x = (const LrDraftBound *) a;
	const LrDraftBound *y = (const LrDraftBound *) b;
	LrDraftColumn *column = (LrDraftColumn *) arg;

	return DatumGetInt32(FunctionCall2Coll(&column->order_fn,
										   column->head.collation,
										   x->constant->value,
										   y->constant->value));
}

LrDraftBound *
lr_draft_bounds(LrDraftColumn *column, bool taken_only, int *nbounds)
{
	LrDraftBound *bound = (LrDraftBound *)
		MemoryContextAllocHuge(CurrentMemoryContext,
							   (2 * column->n + 1) * sizeof(LrDraftBound));
	int			n = 0;
	int			distinct = 0;
	int			i;

	for (i = 0; i < column->n; i++)
	{
		LrDraftPlace *place = column->places[i];
		LrFiling   *f = &place->filing;

		if (taken_only && !place->taken)
			continue;
		place->low = LR_IMAGE_LOWEST;
		place->high = LR_IMAGE_HIGHEST;
		if (f->has_low)
		{
			bound[n].constant = &f->low;
			bound[n].where = &place->low;
			bound[n++].step = f->low_open ? 1 : 0;
		}
		if (f->has_high)
		{
			bound[n].constant = &f->high;
			bound[n].where = &place->high;
			bound[n++].step = f->high_open ? -1 : 0;
		}
	}
	qsort_arg(bound, n, sizeof(LrDraftBound), compare_bounds, column);
	for (i = 0; i < n; i++)
	{
		/* slots up to distinct - 1 are done with by now */
		if (i == 0 || compare_bounds(&bound[distinct - 1], &bound[i],
									 column) != 0)
			bound[distinct++].constant = bound[i].constant;
		*bound[i].where = 2 * (distinct - 1) + bound[i].step;
	}
	*nbounds = distinct;
	return bound;
}
