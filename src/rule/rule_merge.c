/*
 * rule_merge.c
 *	  Taking over the rules of an image into another one; see rule_build.h.
 *
 * They are filed as they are in the old image, from which their places are
 * read back: no condition is compiled, so a merge needs no catalog and nobody's
 * rights, and costs a small part of a build.  So everything that a draft says
 * of a place must be in the image.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/compat.h"
#include "rule/rule_draft.h"

static void
row_of_image(const LrImage *image, int rank, LrRuleRow *row)
{
	const LrImageRule *from = lr_image_rule(image, rank);
	const LrImageMore *more = lr_image_more(image, rank);

	row->id = from->id;
	row->version = from->version;
	row->priority = more->priority;
	row->team = from->team;
	row->method = from->method;
	row->overflow = from->overflow;
	row->overflow_team = more->overflow_team;
	row->scope = *lr_image_scope(image, from);
	row->name = lr_image_name(image, rank);
	row->condition = LR_IMAGE_TEXT(image, more->condition);
	row->team_expr = LR_IMAGE_TEXT(image, more->team_expr);
	row->member_expr = LR_IMAGE_TEXT(image, more->member_expr);
	row->member_condition = LR_IMAGE_TEXT(image, more->member_condition);
	row->member_rank = LR_IMAGE_TEXT(image, more->member_rank);
	row->written_by = LR_IMAGE_TEXT(image, more->written_by);
	row->search_path = LR_IMAGE_TEXT(image, more->search_path);
}

/*
 * Files a rule (NULL: left out) under one more place.  Images that had room
 * for all kinds of places, each by itself, may have too many together: a rule
 * that finds none is tried always, and evaluated, since its checks do not say
 * what its places said.
 */
static void
take_over(LrImageBuilder *b, LrDraftRule *rule, const LrFiling *f)
{
	if (rule == NULL || rule->unfiled)
		return;
	if (rule->choices == NULL)
		rule->choices = (LrDraftChoice *) palloc0(sizeof(LrDraftChoice));
	if (lr_draft_place(b, rule, rule->choices, f))
		return;
	rule->unfiled = true;
	rule->choices = NULL;
	rule->flags |= LR_RULE_EVALUATE;
}

static void
take_over_intervals(LrImageBuilder *b, LrDraftRule **rules,
					const LrImage *image, const LrImageColumn *column,
					const LrFiling *start)
{
	const LrImageInterval *interval = LR_IMAGE_AT(image, column->intervals,
												  LrImageInterval);
	int			i;

	for (i = 0; i < column->nintervals; i++)
	{
		LrFiling	f = *start;

		/* an open low end stands right after its bound, a high one before */
		f.has_low = interval[i].low != LR_IMAGE_LOWEST;
		f.has_high = interval[i].high != LR_IMAGE_HIGHEST;
		if (f.has_low)
		{
			f.low_open = interval[i].low & 1;
			f.low.value = lr_image_bound(image, column,
										 (interval[i].low - f.low_open) / 2);
		}
		if (f.has_high)
		{
			f.high_open = interval[i].high & 1;
			f.high.value = lr_image_bound(image, column,
										  (interval[i].high + f.high_open) / 2);
		}
		take_over(b, rules[interval[i].rank], &f);
	}
}

static void
take_over_entries(LrImageBuilder *b, LrDraftRule **rules,
				  const LrImage *image, const LrImageColumn *column,
				  const LrFiling *start)
{
	const LrImageEntry *entry;
	uint32		at = 0;

	while ((entry = lr_image_entry(image, column, &at)) != NULL)
	{
		const int32 *ranks = lr_posting_ranks(image, &entry->posting);
		LrFiling	f = *start;
		int			i;

		if (column->kind != LR_FILE_NULL)
			f.low.value = lr_image_value(image, entry->value, column->byval);
		for (i = 0; i < entry->posting.n; i++)
			take_over(b, rules[ranks[i]], &f);
	}
}

static void
take_over_column(LrImageBuilder *b, LrDraftRule **rules, const LrImage *image,
				 const LrImageColumn *column)
{
	LrFiling	f;

	memset(&f, 0, sizeof(f));
	f.kind = (LrFilingKind) column->kind;
	f.attno = column->attno;
	f.collation = column->collation;
	f.probe = column->probe;
	f.order = column->order;
	f.equal = column->equal;
	f.low.type = column->type;
	f.low.len = column->len;
	f.low.byval = column->byval;
	f.high = f.low;
	if (f.kind == LR_FILE_RANGE)
		take_over_intervals(b, rules, image, column, &f);
	else
		take_over_entries(b, rules, image, column, &f);
}

void
lr_image_add_all(LrImageBuilder *b, const LrImage *image, const uint8 *dead)
{
	LrDraftRule **rules = (LrDraftRule **)
		MemoryContextAllocHuge(CurrentMemoryContext,
							   (image->nrules + 1) * sizeof(LrDraftRule *));
	const LrImageColumn *columns = LR_IMAGE_AT(image, image->columns,
											   LrImageColumn);
	int			i;

	for (i = 0; i < image->nrules; i++)
	{
		rules[i] = NULL;
		if (lr_rank_is_in(dead, i))
			continue;
		rules[i] = lr_draft_rule(b);
		rules[i]->image = image;
		rules[i]->from = lr_image_rule(image, i);
		rules[i]->flags = rules[i]->from->flags & ~LR_RULE_PLAIN;
		row_of_image(image, i, &rules[i]->row);
	}
	for (i = 0; i < image->ncolumns; i++)
		take_over_column(b, rules, image, &columns[i]);
	pfree(rules);
}
