/*
 * lint_places.c
 *	  Which rules lint compares with which; see lint.h.
 *
 * A rule can be a proof against another only if it is true for every lead for
 * which the other one is.  So every lead of the other one is in a place of the
 * rule index under which the first one is filed.  The rules are filed as for
 * leads (rule_build.h), and a rule looks up the places that its own condition
 * asks for, one point of each: who is not found there, and is filed, is no
 * proof.  Those that are not filed are met by whoever mentions one of their
 * columns.
 *
 * Places whose constants are of another type cannot be told apart here: all
 * rules on the column are met.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "explain/lint.h"
#include "rule/rule_build.h"

/*
 * Pairs of rules that are compared at most: each takes microseconds, and rules
 * that all overlap are as many pairs as their number squared.
 */
#define MAX_PAIRS	1000000

/* Who is looking, and for whom. */
typedef struct Look
{
	LrLint	   *lint;
	LrLintRule *rule;
	bool		later;
} Look;

int
lr_lint_order(const void *a, const void *b)
{
	const LrLintRule *x = *(LrLintRule *const *) a;
	const LrLintRule *y = *(LrLintRule *const *) b;

	return lr_rule_order(x->priority, x->condition != NULL, x->name,
						 y->priority, y->condition != NULL, y->name);
}

/* ---------- filing ---------- */

/* A rule that stands nowhere in the image is put where others look. */
static void
put_aside(LrLint *lint, LrLintRule *rule)
{
	int			column = -1;

	if (rule->columns == NULL)
		lint->everywhere = lappend(lint->everywhere, rule);
	while ((column = bms_next_member(rule->columns, column)) >= 0)
		lint->by_column[column] = lappend(lint->by_column[column], rule);
}

void
lr_lint_file(LrLint *lint)
{
	MemoryContext old = MemoryContextSwitchTo(lint->context);
	LrImageBuilder *builder = lr_image_begin();
	const int32 *rest;
	int			i;

	for (i = 0; i < lint->nrules; i++)
	{
		LrLintRule *rule = lint->rule[i];
		LrRuleRow	row = {0};

		if (!rule->known)
			continue;
		/* ranks follow places, for all have conditions or none matters */
		row.id = row.priority = i + 1;
		row.scope = lr_rule_unlimited;
		row.name = row.written_by = row.search_path = "";
		row.condition = rule->condition_says != NULL ? "" : NULL;
		lr_image_add(builder, &row, rule->condition_says);
	}
	lint->image = lr_image_finish(builder, lint->context);
	lint->everywhere = NIL;
	lint->by_column = (List **) palloc0((RelationGetNumberOfAttributes(lint->rel) + 1 -
										 FirstLowInvalidHeapAttributeNumber) *
										sizeof(List *));
	rest = LR_IMAGE_AT(lint->image, lint->image->rest, int32);
	for (i = 0; i < lint->image->nrest; i++)
		put_aside(lint, lint->rule[lr_image_rule(lint->image, rest[i])->id - 1]);
	memset(lint->seen_by, 0, lint->nrules * sizeof(int));
	MemoryContextSwitchTo(old);
}

/* ---------- looking up ---------- */

static void
meet(const Look *look, LrLintRule *other)
{
	LrLint	   *lint = look->lint;
	const LrLintRule *rule = look->rule;

	if (look->later ?
		other->place <= rule->place || other->priority != rule->priority :
		other->place >= rule->place)
		return;
	if (lint->seen_by[other->place] == rule->place + 1)
		return;
	lint->seen_by[other->place] = rule->place + 1;
	lint->candidate[lint->ncandidates++] = other;
}

static void
meet_rank(const Look *look, int rank)
{
	LrLint	   *lint = look->lint;

	meet(look, lint->rule[lr_image_rule(lint->image, rank)->id - 1]);
}

static void
meet_posting(const Look *look, const LrPosting *posting)
{
	const int32 *ranks = lr_posting_ranks(look->lint->image, posting);
	int			i;

	for (i = 0; i < posting->n; i++)
		meet_rank(look, ranks[i]);
}

static void
meet_list(const Look *look, List *rules)
{
	ListCell   *lc;

	foreach(lc, rules)
		meet(look, (LrLintRule *) lfirst(lc));
}

/* Those under places of one hash; others may be among them. */
static void
meet_hash(const Look *look, const LrImageColumn *column, uint32 hash)
{
	const LrImageEntry *entry;
	uint32		at = 0;

	if (column->nentries == 0)
		return;
	while ((entry = lr_image_bucket(look->lint->image, column, hash,
									&at)) != NULL)
		if (entry->hash == hash)
			meet_posting(look, &entry->posting);
}

/* A point of what a filing asks for, among the bounds of a RANGE column. */
static int32
point_of(const LrImage *image, const LrImageColumn *column,
		 const LrFiling *f)
{
	bool		from_low = f->kind == LR_FILE_EQUAL || f->has_low;
	FmgrInfo	order;
	int32		at;

	if (!from_low && !f->has_high)
		return LR_IMAGE_LOWEST;
	fmgr_info(column->order, &order);
	at = lr_image_locate(image, column, &order,
						 from_low ? f->low.value : f->high.value);
	if (f->kind == LR_FILE_RANGE && at % 2 == 0)
		at += from_low ? f->low_open : -(int) f->high_open;
	return at;
}

static void
meet_range(const Look *look, const LrImageColumn *column, const LrFiling *f)
{
	const LrImage *image = look->lint->image;
	const LrImageInterval *interval = LR_IMAGE_AT(image, column->intervals,
												  LrImageInterval);
	const LrConstant *c = f->kind == LR_FILE_RANGE && !f->has_low ? &f->high :
		&f->low;
	int			room = 64;
	int32	   *ranks;
	int			n;
	int			i;

	if (c->type != column->type || f->collation != column->collation)
	{
		for (i = 0; i < column->nintervals; i++)
			meet_rank(look, interval[i].rank);
		return;
	}
	ranks = (int32 *) palloc(room * sizeof(int32));
	n = lr_image_stab(image, column, point_of(image, column, f), &ranks, &room);
	for (i = 0; i < n; i++)
		meet_rank(look, ranks[i]);
	pfree(ranks);
}

/* Those that are filed under what one filing of the rule asks for. */
static void
meet_filing(const Look *look, const LrFiling *f)
{
	const LrImage *image = look->lint->image;
	const LrImageColumn *column = LR_IMAGE_AT(image, image->columns,
											  LrImageColumn);
	int			i;

	for (i = 0; i < image->ncolumns; i++, column++)
	{
		if (column->attno != f->attno)
			continue;
		switch ((LrFilingKind) column->kind)
		{
			case LR_FILE_EQUAL:
				if (f->kind == LR_FILE_EQUAL)
					meet_hash(look, column,
							  DatumGetUInt32(OidFunctionCall1Coll(f->order,
																  f->collation,
																  f->low.value)));
				break;
			case LR_FILE_PREFIX:
				if (f->kind == LR_FILE_PREFIX)
					meet_hash(look, column,
							  lr_prefix_hash(VARDATA_ANY(DatumGetPointer(f->low.value)),
											 VARSIZE_ANY_EXHDR(DatumGetPointer(f->low.value))));
				break;
			case LR_FILE_RANGE:
				if (f->kind == LR_FILE_EQUAL || f->kind == LR_FILE_RANGE)
					meet_range(look, column, f);
				break;
			case LR_FILE_NULL:
				if (f->kind == LR_FILE_NULL)
					meet_hash(look, column, 0);
				break;
		}
	}
}

static void
meet_condition(const Look *look, const LrCondition *condition)
{
	ListCell   *lc;
	ListCell   *lf;

	foreach(lc, condition->choices)
		foreach(lf, ((LrChoice *) lfirst(lc))->filings)
			meet_filing(look, (LrFiling *) lfirst(lf));
}

bool
lr_lint_meet(LrLint *lint, LrLintRule *rule, bool later)
{
	Look		look = {lint, rule, later};
	int			column = -1;
	ListCell   *lc;

	lint->ncandidates = 0;
	meet_list(&look, lint->everywhere);
	while ((column = bms_next_member(rule->columns, column)) >= 0)
		meet_list(&look, lint->by_column[column]);
	if (rule->condition_says != NULL)
		meet_condition(&look, rule->condition_says);
	foreach(lc, rule->arms_say)
		meet_condition(&look, (LrCondition *) lfirst(lc));
	/* those who look from behind have been seen by the same rule */
	for (column = 0; column < lint->ncandidates; column++)
		lint->seen_by[lint->candidate[column]->place] = 0;
	lint->npairs += lint->ncandidates;
	if (lint->npairs > MAX_PAIRS)
	{
		lint->npairs -= lint->ncandidates;
		lint->ncandidates = 0;
		return false;
	}
	qsort(lint->candidate, lint->ncandidates, sizeof(LrLintRule *),
		  lr_lint_order);
	return true;
}
