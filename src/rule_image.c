/*
 * rule_image.c
 *	  Building the image of a set of rules; see rule_image.h.
 *
 * First everything is collected: each rule with the ways to file it, each
 * column with the places that are asked for.  Then each rule takes the way
 * whose most crowded place is the least crowded, and the image is written.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "compat.h"
#include "rule_image.h"

/*
 * More overlapping intervals than this are not collected lead by lead: the
 * rules are then tried in their order, and the first match ends it.
 */
#define MAX_OVERLAP		256

/* Kinds of places on columns, and calls, that one image may have. */
#define MAX_COLUMNS		256
#define MAX_CALLS		4096

#define LOWEST			PG_INT32_MIN
#define HIGHEST			PG_INT32_MAX

typedef struct Rule Rule;

/* One place that a rule may be, or is, filed under. */
typedef struct Place
{
	struct Place *next;			/* of the same choice */
	Rule	   *rule;
	int			column;
	bool		taken;
	uint32		hash;
	int32		low;			/* see LrImageInterval */
	int32		high;
	LrFiling	filing;
} Place;

typedef struct Choice
{
	struct Choice *next;
	const LrChoice *from;		/* NULL: of an image */
	Place	   *places;
} Choice;

struct Rule
{
	LrRuleRow	row;
	int			rank;
	uint16		flags;
	const LrCondition *condition;	/* NULL: of an image, or not analysed */
	const LrImage *image;		/* where it comes from; NULL: it is new */
	const LrImageRule *from;
	Choice	   *choices;
	Choice	   *chosen;			/* NULL: in rest */
};

typedef struct Column
{
	LrFilingKind kind;
	AttrNumber	attno;
	Oid			collation;
	Oid			probe;
	Oid			order;
	Oid			equal;
	Oid			type;
	int16		len;
	bool		byval;
	FmgrInfo	order_fn;
	int			n;
	int			room;
	Place	  **places;
	uint32		mask;
	int32	   *crowd;			/* by hash: how many ask for it */
	int32	   *lows;			/* RANGE: ends, sorted */
	int32	   *highs;
} Column;

struct LrImageBuilder
{
	int			nrules;
	int			room;
	Rule	  **rules;
	int			ncolumns;
	Column		columns[MAX_COLUMNS];
	int			ncalls;
	int			calls_room;
	LrImageCall *calls;
	const LrImage *beside;
	/* what is being written */
	char	   *data;
	Size		size;
	Size		allocated;
	MemoryContext where;
	const char *shared_text[2]; /* the last ones written */
	LrOffset	shared_offset[2];
};

/* ---------- reading an image ---------- */

int
lr_compare_rules(const LrImage *a, const LrImageRule *x,
				 const LrImage *b, const LrImageRule *y)
{
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if ((x->condition == 0) != (y->condition == 0))
		return x->condition != 0 ? -1 : 1;
	return strcmp(LR_IMAGE_AT(a, x->name, char), LR_IMAGE_AT(b, y->name, char));
}

int
lr_image_find(const LrImage *image, int32 id)
{
	const int32 *by_id = LR_IMAGE_AT(image, image->by_id, int32);
	int			low = 0;
	int			high = image->nrules - 1;

	while (low <= high)
	{
		int			middle = low + (high - low) / 2;
		int32		found = lr_image_rule(image, by_id[middle])->id;

		if (found == id)
			return by_id[middle];
		if (found < id)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

int
lr_image_stab(const LrImage *image, const LrImageColumn *column, int32 at,
			  int32 **found, int *room)
{
	const LrImageInterval *interval = LR_IMAGE_AT(image, column->intervals,
												  LrImageInterval);
	struct
	{
		int			first;
		int			last;
	}			stack[64];
	int			depth = 0;
	int			n = 0;

	stack[depth].first = 0;
	stack[depth++].last = column->nintervals - 1;
	while (depth > 0)
	{
		int			first = stack[--depth].first;
		int			last = stack[depth].last;
		int			middle = first + (last - first) / 2;

		if (first > last || interval[middle].most < at)
			continue;
		if (interval[middle].low <= at)
		{
			if (interval[middle].high >= at)
			{
				if (n == *room)
				{
					*room *= 2;
					*found = (int32 *) repalloc_huge(*found,
													 *room * sizeof(int32));
				}
				(*found)[n++] = interval[middle].rank;
			}
			stack[depth].first = middle + 1;
			stack[depth++].last = last;
		}
		stack[depth].first = first;
		stack[depth++].last = middle - 1;
	}
	return n;
}

const LrImageEntry *
lr_image_bucket(const LrImage *image, const LrImageColumn *column,
				uint32 hash, uint32 *at)
{
	uint32		i = LR_IMAGE_AT(image, column->buckets,
								uint32)[(hash + (*at)++) & column->mask];

	return i == 0 ? NULL :
		LR_IMAGE_AT(image, column->entries, LrImageEntry) + (i - 1);
}

/* ---------- collecting ---------- */

LrImageBuilder *
lr_image_begin(void)
{
	LrImageBuilder *b = (LrImageBuilder *) palloc0(sizeof(LrImageBuilder));

	b->room = 64;
	b->rules = (Rule **) palloc(b->room * sizeof(Rule *));
	b->calls_room = 16;
	b->calls = (LrImageCall *) palloc(b->calls_room * sizeof(LrImageCall));
	return b;
}

void
lr_image_beside(LrImageBuilder *b, const LrImage *image)
{
	b->beside = image;
}

static Rule *
new_rule(LrImageBuilder *b)
{
	Rule	   *rule = (Rule *) palloc0(sizeof(Rule));

	if (b->nrules == b->room)
		b->rules = (Rule **) repalloc_huge(b->rules,
										   (b->room *= 2) * sizeof(Rule *));
	b->rules[b->nrules++] = rule;
	return rule;
}

/* The column that a place belongs to; -1: there are too many. */
static int
find_column(LrImageBuilder *b, const LrFiling *f)
{
	const LrConstant *c = f->kind == LR_FILE_RANGE && !f->has_low ? &f->high :
		&f->low;
	Column	   *column;
	int			i;

	for (i = 0; i < b->ncolumns; i++)
	{
		column = &b->columns[i];
		if (column->kind == f->kind && column->attno == f->attno &&
			column->collation == f->collation && column->probe == f->probe &&
			column->order == f->order && column->equal == f->equal &&
			(f->kind == LR_FILE_NULL || column->type == c->type))
			return i;
	}
	if (b->ncolumns == MAX_COLUMNS)
		return -1;
	column = &b->columns[b->ncolumns];
	column->kind = f->kind;
	column->attno = f->attno;
	column->collation = f->collation;
	column->probe = f->probe;
	column->order = f->order;
	column->equal = f->equal;
	column->type = c->type;
	column->len = c->len;
	column->byval = c->byval;
	if (OidIsValid(f->order))
		fmgr_info(f->order, &column->order_fn);
	column->room = 16;
	column->places = (Place **) palloc(column->room * sizeof(Place *));
	return b->ncolumns++;
}

static uint32
hash_prefix(const char *data, uint32 len)
{
	return hash_bytes((const unsigned char *) data, len);
}

static uint32
hash_place(Column *column, const LrFiling *f)
{
	switch (column->kind)
	{
		case LR_FILE_EQUAL:
			return DatumGetUInt32(FunctionCall1Coll(&column->order_fn,
													column->collation,
													f->low.value));
		case LR_FILE_PREFIX:
			return hash_prefix(VARDATA_ANY(DatumGetPointer(f->low.value)),
							   VARSIZE_ANY_EXHDR(DatumGetPointer(f->low.value)));
		default:
			return 0;
	}
}

/* Adds a place to a choice; false: there is no room for its column. */
static bool
add_place(LrImageBuilder *b, Rule *rule, Choice *choice, const LrFiling *f)
{
	int			i = find_column(b, f);
	Column	   *column;
	Place	   *place;

	if (i < 0)
		return false;
	column = &b->columns[i];
	place = (Place *) palloc0(sizeof(Place));
	place->rule = rule;
	place->column = i;
	place->filing = *f;
	place->hash = hash_place(column, f);
	place->next = choice->places;
	choice->places = place;
	if (column->n == column->room)
		column->places = (Place **) repalloc_huge(column->places,
												  (column->room *= 2) *
												  sizeof(Place *));
	column->places[column->n++] = place;
	return true;
}

static void
add_choice(LrImageBuilder *b, Rule *rule, const LrChoice *from)
{
	Choice	   *choice = (Choice *) palloc0(sizeof(Choice));
	bool		complete = true;
	ListCell   *lc;

	choice->from = from;
	foreach(lc, from->filings)
		complete = complete && add_place(b, rule, choice,
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
	Rule	   *rule = new_rule(b);
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

/* ---------- taking over an image ---------- */

static void
row_of_image(const LrImage *image, const LrImageRule *from, LrRuleRow *row)
{
	row->id = from->id;
	row->version = from->version;
	row->priority = from->priority;
	row->team = from->team;
	row->method = from->method;
	row->overflow = from->overflow;
	row->scope = from->scope;
	row->name = LR_IMAGE_TEXT(image, from->name);
	row->condition = LR_IMAGE_TEXT(image, from->condition);
	row->team_expr = LR_IMAGE_TEXT(image, from->team_expr);
	row->member_expr = LR_IMAGE_TEXT(image, from->member_expr);
	row->written_by = LR_IMAGE_TEXT(image, from->written_by);
	row->search_path = LR_IMAGE_TEXT(image, from->search_path);
}

static void
take_over(LrImageBuilder *b, Rule *rule, const LrFiling *f)
{
	if (rule == NULL)
		return;
	if (rule->choices == NULL)
		rule->choices = (Choice *) palloc0(sizeof(Choice));
	if (!add_place(b, rule, rule->choices, f))
		elog(ERROR, "too many kinds of places in a rule index");
}

static void
take_over_posting(LrImageBuilder *b, Rule **rules, const LrImage *image,
				  const LrPosting *posting, const LrFiling *f)
{
	const int32 *rank = posting->n == 1 ? &posting->first :
		LR_IMAGE_AT(image, (LrOffset) posting->first, int32);
	int			i;

	for (i = 0; i < posting->n; i++)
		take_over(b, rules[rank[i]], f);
}

static void
set_bound(const LrImage *image, const LrImageColumn *column, int32 end,
		  LrConstant *c)
{
	LrOffset   *bounds = LR_IMAGE_AT(image, column->entries, LrOffset);
	Datum	   *values = LR_IMAGE_AT(image, column->entries, Datum);
	int			i = (end - (end & 1)) / 2;

	if (column->byval)
		c->value = values[i];
	else
		c->value = lr_image_value(image, bounds[i], false);
	c->len = column->len;
	c->byval = column->byval;
	c->type = column->type;
}

static void
take_over_intervals(LrImageBuilder *b, Rule **rules, const LrImage *image,
					const LrImageColumn *column, const LrFiling *start)
{
	const LrImageInterval *interval = LR_IMAGE_AT(image, column->intervals,
												  LrImageInterval);
	int			i;

	for (i = 0; i < column->nintervals; i++)
	{
		LrFiling	f = *start;

		/* an open low end stands right after its bound, a high one before */
		f.has_low = interval[i].low != LOWEST;
		f.has_high = interval[i].high != HIGHEST;
		if (f.has_low)
		{
			f.low_open = interval[i].low & 1;
			set_bound(image, column, interval[i].low, &f.low);
		}
		if (f.has_high)
		{
			f.high_open = interval[i].high & 1;
			set_bound(image, column, interval[i].high + f.high_open, &f.high);
		}
		take_over(b, rules[interval[i].rank], &f);
	}
}

static void
take_over_column(LrImageBuilder *b, Rule **rules, const LrImage *image,
				 const LrImageColumn *column)
{
	const LrImageEntry *entry = LR_IMAGE_AT(image, column->entries,
											LrImageEntry);
	LrFiling	f;
	int			i;

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
	if (column->kind == LR_FILE_RANGE)
	{
		take_over_intervals(b, rules, image, column, &f);
		return;
	}
	for (i = 0; i < column->nentries; i++)
	{
		if (column->kind != LR_FILE_NULL)
			f.low.value = lr_image_value(image, entry[i].value, column->byval);
		take_over_posting(b, rules, image, &entry[i].posting, &f);
	}
}

void
lr_image_add_all(LrImageBuilder *b, const LrImage *image, const uint8 *dead)
{
	Rule	  **rules = (Rule **) MemoryContextAllocHuge(CurrentMemoryContext,
														 (image->nrules + 1) *
														 sizeof(Rule *));
	int			i;

	for (i = 0; i < image->nrules; i++)
	{
		const LrImageRule *from = lr_image_rule(image, i);

		rules[i] = NULL;
		if (dead != NULL && (dead[i / 8] & (1 << (i % 8))))
			continue;
		rules[i] = new_rule(b);
		row_of_image(image, from, &rules[i]->row);
		rules[i]->flags = from->flags;
		rules[i]->image = image;
		rules[i]->from = from;
	}
	for (i = 0; i < image->ncolumns; i++)
		take_over_column(b, rules, image,
						 LR_IMAGE_AT(image, image->columns, LrImageColumn) + i);
	pfree(rules);
}

/* ---------- choosing ---------- */

static int
compare_rows(const void *a, const void *b)
{
	const LrRuleRow *x = &(*(Rule *const *) a)->row;
	const LrRuleRow *y = &(*(Rule *const *) b)->row;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if ((x->condition == NULL) != (y->condition == NULL))
		return x->condition != NULL ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int
compare_int32(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return x < y ? -1 : x > y;
}

/* A bound of a place. */
typedef struct End
{
	const LrConstant *constant;
	int32	   *where;			/* what it becomes */
	int			step;			/* added when it is open */
	int			number;
} End;

static int
compare_ends(const void *a, const void *b, void *arg)
{
	Column	   *column = (Column *) arg;

	return DatumGetInt32(FunctionCall2Coll(&column->order_fn,
										   column->collation,
										   ((const End *) a)->constant->value,
										   ((const End *) b)->constant->value));
}

/*
 * Numbers the distinct bounds of the places of a column (all, or those taken)
 * and expresses the places in them.  Returns the bounds in order.
 */
static End *
number_bounds(Column *column, bool taken_only, int *nbounds)
{
	End		   *ends = (End *) MemoryContextAllocHuge(CurrentMemoryContext,
													  (2 * column->n + 1) *
													  sizeof(End));
	int			n = 0;
	int			distinct = 0;
	int			i;

	for (i = 0; i < column->n; i++)
	{
		Place	   *place = column->places[i];
		LrFiling   *f = &place->filing;

		if (taken_only && !place->taken)
			continue;
		place->low = LOWEST;
		place->high = HIGHEST;
		if (f->has_low)
		{
			ends[n].constant = &f->low;
			ends[n].where = &place->low;
			ends[n++].step = f->low_open ? 1 : 0;
		}
		if (f->has_high)
		{
			ends[n].constant = &f->high;
			ends[n].where = &place->high;
			ends[n++].step = f->high_open ? -1 : 0;
		}
	}
	qsort_arg(ends, n, sizeof(End), compare_ends, column);
	for (i = 0; i < n; i++)
	{
		if (i == 0 || compare_ends(&ends[distinct - 1], &ends[i], column) != 0)
			ends[distinct++].constant = ends[i].constant;
		/* slots up to distinct - 1 are done with by now */
		*ends[i].where = 2 * (distinct - 1) + ends[i].step;
	}
	*nbounds = distinct;
	return ends;
}

static void
measure_ranges(Column *column)
{
	int			nbounds;
	int			i;

	pfree(number_bounds(column, false, &nbounds));
	column->lows = (int32 *) MemoryContextAllocHuge(CurrentMemoryContext,
													column->n * sizeof(int32));
	column->highs = (int32 *) MemoryContextAllocHuge(CurrentMemoryContext,
													 column->n * sizeof(int32));
	for (i = 0; i < column->n; i++)
	{
		column->lows[i] = column->places[i]->low;
		column->highs[i] = column->places[i]->high;
	}
	qsort(column->lows, column->n, sizeof(int32), compare_int32);
	qsort(column->highs, column->n, sizeof(int32), compare_int32);
}

static void
measure_hashes(Column *column)
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

static const LrImageColumn *
column_beside(const LrImage *image, const Column *column)
{
	const LrImageColumn *c = LR_IMAGE_AT(image, image->columns, LrImageColumn);
	int			i;

	for (i = 0; i < image->ncolumns; i++, c++)
		if (c->kind == column->kind && c->attno == column->attno &&
			c->collation == column->collation && c->probe == column->probe &&
			c->order == column->order && c->equal == column->equal &&
			c->type == column->type)
			return c;
	return NULL;
}

/* Where a constant lies among the bounds of a column of an image. */
static int32
locate(const LrImage *image, const LrImageColumn *c, Column *column,
	   Datum value)
{
	int			low = 0;
	int			high = c->nentries;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		LrConstant	bound;
		int32		cmp;

		set_bound(image, c, 2 * middle, &bound);
		cmp = DatumGetInt32(FunctionCall2Coll(&column->order_fn,
											  column->collation, value,
											  bound.value));
		if (cmp == 0)
			return 2 * middle;
		if (cmp > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 2 * low - 1;
}

/* How many rules of the other image are found at a place. */
static int
crowd_beside(const LrImage *image, Column *column, const Place *place)
{
	const LrImageColumn *c = column_beside(image, column);
	const LrImageEntry *entry;
	uint32		at = 0;
	int			n = 0;

	if (c == NULL)
		return 0;
	if (column->kind == LR_FILE_RANGE)
	{
		int			room = MAX_OVERLAP;
		int32	   *found;
		const LrFiling *f = &place->filing;

		if (!f->has_low && !f->has_high)
			return c->nintervals;
		found = (int32 *) palloc(room * sizeof(int32));
		n = lr_image_stab(image, c, locate(image, c, column, f->has_low ?
										   f->low.value : f->high.value),
						  &found, &room);
		pfree(found);
		return n;
	}
	while ((entry = lr_image_bucket(image, c, place->hash, &at)) != NULL)
		if (entry->hash == place->hash)
			n += entry->posting.n;
	return n;
}

/* How many rules a lead would find at this place. */
static double
crowd(LrImageBuilder *b, const Place *place)
{
	static const double tie[] = {0, 0.2, 0.1, 0.3};
	Column	   *column = &b->columns[place->column];
	double		n;

	if (column->kind == LR_FILE_RANGE)
	{
		int32		at = place->filing.has_low ? place->low : place->high;

		n = count_below(column->lows, column->n, at, true) -
			count_below(column->highs, column->n, at, false);
	}
	else
		n = column->crowd[place->hash & column->mask];
	if (b->beside != NULL)
		n += crowd_beside(b->beside, column, place);
	if (column->kind == LR_FILE_RANGE && n > MAX_OVERLAP)
		return -1;
	return n + tie[column->kind];
}

/* The most crowded place of a choice; -1: it must not be taken. */
static double
cost(LrImageBuilder *b, const Choice *choice)
{
	double		worst = 0;
	Place	   *place;

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
choose(LrImageBuilder *b, Rule *rule)
{
	Choice	   *choice;
	Place	   *place;
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

/* ---------- writing ---------- */

static LrOffset
reserve(LrImageBuilder *b, Size size, Size align)
{
	Size		at = TYPEALIGN(align, b->size);

	if (at + size > PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the rules of a router take more than 4 GB"),
				 errhint("Distribute them over several routers.")));
	if (at + size > b->allocated)
	{
		while (at + size > b->allocated)
			b->allocated *= 2;
		b->data = (char *) repalloc_huge(b->data, b->allocated);
	}
	memset(b->data + b->size, 0, at + size - b->size);
	b->size = at + size;
	return (LrOffset) at;
}

#define WRITTEN(b, offset, type)	((type *) ((b)->data + (offset)))

static LrOffset
write_text(LrImageBuilder *b, const char *text)
{
	Size		len;
	LrOffset	at;

	if (text == NULL)
		return 0;
	len = strlen(text) + 1;
	at = reserve(b, len, 1);
	memcpy(b->data + at, text, len);
	return at;
}

/* A text that many rules have: written once as long as it stays the same. */
static LrOffset
write_shared(LrImageBuilder *b, int which, const char *text)
{
	if (text == NULL)
		return 0;
	if (b->shared_text[which] == NULL ||
		strcmp(b->shared_text[which], text) != 0)
	{
		b->shared_text[which] = text;
		b->shared_offset[which] = write_text(b, text);
	}
	return b->shared_offset[which];
}

static LrOffset
write_value(LrImageBuilder *b, Oid type, int16 len, bool byval, Datum value)
{
	LrOffset	at;
	Size		size;

	if (byval)
	{
		at = reserve(b, sizeof(Datum), sizeof(Datum));
		*WRITTEN(b, at, Datum) = value;
		return at;
	}
	if (len == -1)
	{
		struct varlena *v = PG_DETOAST_DATUM_PACKED(value);
		bool		is_text = type == TEXTOID || type == VARCHAROID ||
			type == BPCHAROID;

		/* readers of these types take the short header as it is */
		if (is_text && VARSIZE_ANY_EXHDR(v) + VARHDRSZ_SHORT <= VARATT_SHORT_MAX)
		{
			size = VARSIZE_ANY_EXHDR(v) + VARHDRSZ_SHORT;
			at = reserve(b, size, 1);
			SET_VARSIZE_SHORT(b->data + at, size);
			memcpy(b->data + at + VARHDRSZ_SHORT, VARDATA_ANY(v),
				   size - VARHDRSZ_SHORT);
		}
		else
		{
			size = VARSIZE_ANY_EXHDR(v) + VARHDRSZ;
			at = reserve(b, size, MAXIMUM_ALIGNOF);
			SET_VARSIZE(b->data + at, size);
			memcpy(b->data + at + VARHDRSZ, VARDATA_ANY(v), size - VARHDRSZ);
		}
		return at;
	}
	size = datumGetSize(value, byval, len);
	at = reserve(b, size, MAXIMUM_ALIGNOF);
	memcpy(b->data + at, DatumGetPointer(value), size);
	return at;
}

/* Number of the call that a check makes; -1: there are too many. */
static int
find_call(LrImageBuilder *b, const LrImageCall *wanted)
{
	int			i;

	for (i = 0; i < b->ncalls; i++)
		if (b->calls[i].attno == wanted->attno &&
			b->calls[i].func == wanted->func &&
			b->calls[i].collation == wanted->collation &&
			b->calls[i].type == wanted->type &&
			b->calls[i].negated == wanted->negated)
			return i;
	if (b->ncalls == MAX_CALLS)
		return -1;
	if (b->ncalls == b->calls_room)
		b->calls = (LrImageCall *) repalloc(b->calls, (b->calls_room *= 2) *
											sizeof(LrImageCall));
	b->calls[b->ncalls] = *wanted;
	return b->ncalls++;
}

static int
call_of_check(LrImageBuilder *b, const LrCheck *check)
{
	LrImageCall call;

	memset(&call, 0, sizeof(call));
	call.attno = check->attno;
	call.negated = check->negated;
	call.func = check->func;
	call.collation = check->collation;
	call.type = check->constant.type;
	call.len = check->constant.len;
	call.byval = check->constant.byval;
	return find_call(b, &call);
}

/* Checks that a rule needs beside being where it is filed. */
static List *
needed_conjuncts(Rule *rule)
{
	const LrChoice *chosen = rule->chosen ? rule->chosen->from : NULL;
	List	   *needed = NIL;
	ListCell   *lc;

	foreach(lc, rule->condition->conjuncts)
	{
		LrConjunct *conjunct = (LrConjunct *) lfirst(lc);

		if (chosen != NULL && chosen->exact &&
			bms_is_member(foreach_current_index(lc), chosen->covers))
			continue;
		if (conjunct->checks == NIL)
			rule->flags |= LR_RULE_EVALUATE;
		else
			needed = lappend(needed, conjunct);
	}
	return needed;
}

static void
write_new_checks(LrImageBuilder *b, Rule *rule, LrImageRule *to)
{
	List	   *needed = needed_conjuncts(rule);
	int			n = 0;
	LrImageCheck *checks;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, needed)
		n += list_length(((LrConjunct *) lfirst(lc))->checks);
	if (n == 0)
		return;
	checks = (LrImageCheck *) palloc0(n * sizeof(LrImageCheck));
	n = 0;
	foreach(lc, needed)
	{
		foreach(lc2, ((LrConjunct *) lfirst(lc))->checks)
		{
			LrCheck    *check = (LrCheck *) lfirst(lc2);
			int			call = call_of_check(b, check);

			if (call < 0)
			{
				/* the expression itself says it all */
				rule->flags |= LR_RULE_EVALUATE;
				return;
			}
			checks[n].call = call;
			checks[n].last = lnext(((LrConjunct *) lfirst(lc))->checks,
								   lc2) == NULL;
			if (OidIsValid(check->func))
				checks[n].value = write_value(b, check->constant.type,
											  check->constant.len,
											  check->constant.byval,
											  check->constant.value);
			n++;
		}
	}
	to->nchecks = n;
	to->checks = reserve(b, n * sizeof(LrImageCheck), sizeof(LrOffset));
	memcpy(b->data + to->checks, checks, n * sizeof(LrImageCheck));
	pfree(checks);
}

static void
write_old_checks(LrImageBuilder *b, Rule *rule, LrImageRule *to)
{
	const LrImage *image = rule->image;
	const LrImageCheck *from = LR_IMAGE_AT(image, rule->from->checks,
										   LrImageCheck);
	const LrImageCall *calls = LR_IMAGE_AT(image, image->calls, LrImageCall);
	int			n = rule->from->nchecks;
	LrImageCheck *checks = (LrImageCheck *) palloc0((n + 1) *
													sizeof(LrImageCheck));
	int			i;

	for (i = 0; i < n; i++)
	{
		const LrImageCall *call = &calls[from[i].call];
		int			number = find_call(b, call);

		if (number < 0)
		{
			rule->flags |= LR_RULE_EVALUATE;
			return;
		}
		checks[i].call = number;
		checks[i].last = from[i].last;
		if (from[i].value != 0)
			checks[i].value = write_value(b, call->type, call->len, call->byval,
										  lr_image_value(image, from[i].value,
														 call->byval));
	}
	if (n > 0)
	{
		to->nchecks = n;
		to->checks = reserve(b, n * sizeof(LrImageCheck), sizeof(LrOffset));
		memcpy(b->data + to->checks, checks, n * sizeof(LrImageCheck));
	}
	pfree(checks);
}

static void
write_rule(LrImageBuilder *b, Rule *rule, LrOffset at)
{
	LrImageRule to;

	memset(&to, 0, sizeof(to));
	to.id = rule->row.id;
	to.version = rule->row.version;
	to.priority = rule->row.priority;
	to.team = rule->row.team;
	to.method = rule->row.method;
	to.overflow = rule->row.overflow;
	to.scope = rule->row.scope;
	to.name = write_text(b, rule->row.name);
	to.condition = write_text(b, rule->row.condition);
	to.team_expr = write_text(b, rule->row.team_expr);
	to.member_expr = write_text(b, rule->row.member_expr);
	to.written_by = write_shared(b, 0, rule->row.written_by);
	to.search_path = write_shared(b, 1, rule->row.search_path);
	if (rule->image != NULL)
		write_old_checks(b, rule, &to);
	else if (rule->condition != NULL && !(rule->flags & LR_RULE_NEVER))
		write_new_checks(b, rule, &to);
	to.flags = rule->flags;
	*WRITTEN(b, at, LrImageRule) = to;
}

static int
compare_values(const Column *column, Datum x, Datum y)
{
	Size		m;
	Size		n;
	const char *p;
	const char *q;
	int			cmp;

	if (column->kind == LR_FILE_NULL)
		return 0;
	if (column->byval)
		return x < y ? -1 : x > y;
	if (column->len == -1)
	{
		m = VARSIZE_ANY_EXHDR(DatumGetPointer(x));
		n = VARSIZE_ANY_EXHDR(DatumGetPointer(y));
		p = VARDATA_ANY(DatumGetPointer(x));
		q = VARDATA_ANY(DatumGetPointer(y));
	}
	else
	{
		m = datumGetSize(x, false, column->len);
		n = datumGetSize(y, false, column->len);
		p = DatumGetPointer(x);
		q = DatumGetPointer(y);
	}
	cmp = memcmp(p, q, Min(m, n));
	return cmp != 0 ? cmp : m < n ? -1 : m > n;
}

/* Places by value (its bytes), then by rank. */
static int
compare_places(const void *a, const void *b, void *arg)
{
	const Place *x = *(Place *const *) a;
	const Place *y = *(Place *const *) b;
	int			cmp;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	cmp = compare_values((const Column *) arg, x->filing.low.value,
						 y->filing.low.value);
	if (cmp != 0)
		return cmp;
	return x->rule->rank < y->rule->rank ? -1 : x->rule->rank > y->rule->rank;
}

static Place **
taken_places(Column *column, int *n)
{
	Place	  **taken = (Place **) MemoryContextAllocHuge(CurrentMemoryContext,
														  (column->n + 1) *
														  sizeof(Place *));
	int			i;

	*n = 0;
	for (i = 0; i < column->n; i++)
		if (column->places[i]->taken)
			taken[(*n)++] = column->places[i];
	return taken;
}

static LrPosting
write_posting(LrImageBuilder *b, Place **places, int n)
{
	LrPosting	posting = {0, 0};
	int32	   *ranks = (int32 *) palloc(n * sizeof(int32));
	LrOffset	at;
	int			i;

	/* the same value may stand twice in one list */
	for (i = 0; i < n; i++)
		if (i == 0 || places[i]->rule != places[i - 1]->rule)
			ranks[posting.n++] = places[i]->rule->rank;
	posting.first = ranks[0];
	if (posting.n > 1)
	{
		at = reserve(b, posting.n * sizeof(int32), sizeof(int32));
		memcpy(b->data + at, ranks, posting.n * sizeof(int32));
		posting.first = (int32) at;
	}
	pfree(ranks);
	return posting;
}

static void
write_buckets(LrImageBuilder *b, LrImageColumn *to)
{
	uint32		size = pg_nextpower2_32(Max(4, (uint32) (to->nentries * 1.4)));
	uint32		i;

	to->mask = size - 1;
	to->buckets = reserve(b, size * sizeof(uint32), sizeof(uint32));
	for (i = 0; i < (uint32) to->nentries; i++)
	{
		uint32		at = WRITTEN(b, to->entries, LrImageEntry)[i].hash;

		while (WRITTEN(b, to->buckets, uint32)[at & to->mask] != 0)
			at++;
		WRITTEN(b, to->buckets, uint32)[at & to->mask] = i + 1;
	}
}

/* The lengths that prefixes have, for PREFIX. */
static void
write_lengths(LrImageBuilder *b, LrImageColumn *to)
{
	int32	   *lengths = (int32 *) palloc((to->nentries + 1) * sizeof(int32));
	int			n = 0;
	int			i;

	for (i = 0; i < to->nentries; i++)
		lengths[i] = WRITTEN(b, to->entries, LrImageEntry)[i].len;
	qsort(lengths, to->nentries, sizeof(int32), compare_int32);
	for (i = 0; i < to->nentries; i++)
		if (i == 0 || lengths[i] != lengths[n - 1])
			lengths[n++] = lengths[i];
	to->nlengths = n;
	to->lengths = reserve(b, n * sizeof(int32), sizeof(int32));
	memcpy(b->data + to->lengths, lengths, n * sizeof(int32));
	pfree(lengths);
}

static void
write_entries(LrImageBuilder *b, Column *column, LrImageColumn *to)
{
	int			n;
	Place	  **places = taken_places(column, &n);
	int			first;
	int			last;

	qsort_arg(places, n, sizeof(Place *), compare_places, column);
	for (first = 0; first < n; first = last)
	{
		for (last = first; last < n && places[last]->hash == places[first]->hash &&
			 compare_values(column, places[last]->filing.low.value,
							places[first]->filing.low.value) == 0; last++)
			;
		to->nentries++;
	}
	to->entries = reserve(b, to->nentries * sizeof(LrImageEntry),
						  MAXIMUM_ALIGNOF);
	to->nentries = 0;
	for (first = 0; first < n; first = last)
	{
		LrImageEntry entry;
		LrFiling   *f = &places[first]->filing;

		for (last = first; last < n && places[last]->hash == places[first]->hash &&
			 compare_values(column, places[last]->filing.low.value,
							f->low.value) == 0; last++)
			;
		memset(&entry, 0, sizeof(entry));
		entry.hash = places[first]->hash;
		if (column->kind != LR_FILE_NULL)
			entry.value = write_value(b, column->type, column->len,
									  column->byval, f->low.value);
		if (column->kind == LR_FILE_PREFIX)
			entry.len = VARSIZE_ANY_EXHDR(DatumGetPointer(f->low.value));
		entry.posting = write_posting(b, places + first, last - first);
		WRITTEN(b, to->entries, LrImageEntry)[to->nentries++] = entry;
	}
	write_buckets(b, to);
	if (column->kind == LR_FILE_PREFIX)
		write_lengths(b, to);
	pfree(places);
}

static int
compare_intervals(const void *a, const void *b)
{
	const LrImageInterval *x = (const LrImageInterval *) a;
	const LrImageInterval *y = (const LrImageInterval *) b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* Fills in `most`; returns it for the stretch. */
static int32
set_most(LrImageInterval *interval, int first, int last)
{
	int			middle = first + (last - first) / 2;
	int32		below;
	int32		above;

	if (first > last)
		return LOWEST;
	below = set_most(interval, first, middle - 1);
	above = set_most(interval, middle + 1, last);
	interval[middle].most = Max(interval[middle].high, Max(below, above));
	return interval[middle].most;
}

static void
write_bounds(LrImageBuilder *b, Column *column, LrImageColumn *to, End *bounds)
{
	int			i;

	to->entries = reserve(b, to->nentries * (column->byval ? sizeof(Datum) :
											 sizeof(LrOffset)),
						  sizeof(Datum));
	for (i = 0; i < to->nentries; i++)
	{
		LrOffset	at;

		if (column->byval)
		{
			WRITTEN(b, to->entries, Datum)[i] = bounds[i].constant->value;
			continue;
		}
		at = write_value(b, column->type, column->len, false,
						 bounds[i].constant->value);
		WRITTEN(b, to->entries, LrOffset)[i] = at;
	}
}

static void
write_intervals(LrImageBuilder *b, Column *column, LrImageColumn *to)
{
	int			n;
	Place	  **places = taken_places(column, &n);
	End		   *bounds = number_bounds(column, true, &to->nentries);
	LrImageInterval *interval;
	int			i;

	write_bounds(b, column, to, bounds);
	to->intervals = reserve(b, n * sizeof(LrImageInterval), sizeof(int32));
	interval = WRITTEN(b, to->intervals, LrImageInterval);
	for (i = 0; i < n; i++)
	{
		/* an empty one (low > high) stays: its rule is nowhere to be found */
		interval[to->nintervals].low = places[i]->low;
		interval[to->nintervals].high = places[i]->high;
		interval[to->nintervals++].rank = places[i]->rule->rank;
	}
	qsort(interval, to->nintervals, sizeof(LrImageInterval),
		  compare_intervals);
	(void) set_most(interval, 0, to->nintervals - 1);
	pfree(bounds);
	pfree(places);
}

static void
write_column(LrImageBuilder *b, Column *column, LrOffset at)
{
	LrImageColumn to;

	memset(&to, 0, sizeof(to));
	to.attno = column->attno;
	to.kind = column->kind;
	to.byval = column->byval;
	to.len = column->len;
	to.type = column->type;
	to.collation = column->collation;
	to.probe = column->probe;
	to.order = column->order;
	to.equal = column->equal;
	if (column->kind == LR_FILE_RANGE)
		write_intervals(b, column, &to);
	else
		write_entries(b, column, &to);
	*WRITTEN(b, at, LrImageColumn) = to;
}

static int
compare_ids(const void *a, const void *b, void *arg)
{
	Rule	  **rules = (Rule **) arg;
	int32		x = rules[*(const int32 *) a]->row.id;
	int32		y = rules[*(const int32 *) b]->row.id;

	return x < y ? -1 : x > y;
}

static void
write_rules(LrImageBuilder *b, LrImage *head)
{
	int32	   *ranks;
	int			i;

	head->nrules = b->nrules;
	head->rules = reserve(b, b->nrules * sizeof(LrImageRule), MAXIMUM_ALIGNOF);
	for (i = 0; i < b->nrules; i++)
	{
		Rule	   *rule = b->rules[i];

		write_rule(b, rule, head->rules + i * sizeof(LrImageRule));
		if (rule->chosen == NULL && !(rule->flags & LR_RULE_NEVER))
			head->nrest++;
	}
	head->by_id = reserve(b, b->nrules * sizeof(int32), sizeof(int32));
	ranks = WRITTEN(b, head->by_id, int32);
	for (i = 0; i < b->nrules; i++)
		ranks[i] = i;
	qsort_arg(ranks, b->nrules, sizeof(int32), compare_ids, b->rules);
	head->rest = reserve(b, head->nrest * sizeof(int32), sizeof(int32));
	ranks = WRITTEN(b, head->rest, int32);
	for (i = 0; i < b->nrules; i++)
		if (b->rules[i]->chosen == NULL &&
			!(b->rules[i]->flags & LR_RULE_NEVER))
			*ranks++ = i;
}

LrImage *
lr_image_finish(LrImageBuilder *b, MemoryContext where)
{
	LrImage		head;
	int			i;

	qsort(b->rules, b->nrules, sizeof(Rule *), compare_rows);
	for (i = 0; i < b->nrules; i++)
		b->rules[i]->rank = i;
	for (i = 0; i < b->ncolumns; i++)
	{
		if (b->columns[i].kind == LR_FILE_RANGE)
			measure_ranges(&b->columns[i]);
		else
			measure_hashes(&b->columns[i]);
	}
	for (i = 0; i < b->nrules; i++)
		choose(b, b->rules[i]);

	memset(&head, 0, sizeof(head));
	b->allocated = 8192 + b->nrules * 128;
	b->data = (char *) MemoryContextAllocHuge(where, b->allocated);
	b->size = 0;
	(void) reserve(b, sizeof(LrImage), MAXIMUM_ALIGNOF);
	write_rules(b, &head);
	head.columns = reserve(b, b->ncolumns * sizeof(LrImageColumn),
						   MAXIMUM_ALIGNOF);
	for (i = 0; i < b->ncolumns; i++)
		write_column(b, &b->columns[i],
					 head.columns + i * sizeof(LrImageColumn));
	head.ncolumns = b->ncolumns;
	head.calls = reserve(b, b->ncalls * sizeof(LrImageCall), sizeof(Oid));
	memcpy(b->data + head.calls, b->calls, b->ncalls * sizeof(LrImageCall));
	head.ncalls = b->ncalls;
	head.size = b->size;
	*WRITTEN(b, 0, LrImage) = head;
	return (LrImage *) repalloc_huge(b->data, b->size);
}
