/*
 * rule_words.c
 *	  Where a rule stands in the rule index, in words; see rule_words.h.
 *
 * An image leads from places to rules.  The way back is a look at all postings,
 * which only explain takes.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "base/value_text.h"
#include "explain/rule_words.h"

/* Places of a rule that are named. */
#define MAX_NAMED	5

typedef struct Places
{
	const LrImage *image;
	int			rank;
	TupleDesc	desc;
	int			n;
	StringInfoData buf;
} Places;

static bool
has_rank(const Places *p, const LrPosting *posting)
{
	return bsearch(&p->rank, lr_posting_ranks(p->image, posting), posting->n,
				   sizeof(int32), lr_compare_int32) != NULL;
}

/* Names one more place; alike: it says the same of the same column. */
static void
add_place(Places *p, const LrImageColumn *column, const char *says,
		  const char *value, bool alike)
{
	Form_pg_attribute att = TupleDescAttr(p->desc, column->attno - 1);

	if (++p->n > MAX_NAMED)
		return;
	if (alike)
		appendStringInfo(&p->buf, ", %s", value);
	else
		appendStringInfo(&p->buf, "%s%s%s%s", p->n > 1 ? " or " : "",
						 quote_identifier(NameStr(att->attname)), says, value);
}

static void
add_entries(Places *p, const LrImageColumn *column)
{
	const LrImageEntry *entry;
	bool		alike = false;
	uint32		at = 0;

	while ((entry = lr_image_entry(p->image, column, &at)) != NULL)
	{
		if (!has_rank(p, &entry->posting))
			continue;
		if (column->kind == LR_FILE_NULL)
			add_place(p, column, " is null", "", false);
		else
			add_place(p, column, column->kind == LR_FILE_PREFIX ?
					  " begins with " : " = ",
					  p->n < MAX_NAMED ?
					  lr_value_text(column->type,
									lr_image_value(p->image, entry->value,
												   column->byval)) : "",
					  alike);
		alike = true;
	}
}

static char *
bound_text(const Places *p, const LrImageColumn *column, int i)
{
	return lr_value_text(column->type, lr_image_bound(p->image, column, i));
}

static void
add_intervals(Places *p, const LrImageColumn *column)
{
	const LrImageInterval *interval = LR_IMAGE_AT(p->image, column->intervals,
												  LrImageInterval);
	int			i;

	for (i = 0; i < column->nintervals; i++, interval++)
	{
		bool		has_low = interval->low != LR_IMAGE_LOWEST;
		bool		has_high = interval->high != LR_IMAGE_HIGHEST;
		char	   *low;
		char	   *high;

		if (interval->rank != p->rank)
			continue;
		if (p->n >= MAX_NAMED)
		{
			p->n++;
			continue;
		}
		/* even: the bound itself; odd: what lies between it and the next */
		low = has_low ? psprintf("%s %s", interval->low % 2 == 0 ? ">=" : ">",
								 bound_text(p, column, interval->low / 2)) : "";
		high = has_high ? psprintf("%s %s",
								   interval->high % 2 == 0 ? "<=" : "<",
								   bound_text(p, column,
											  (interval->high + 1) / 2)) : "";
		if (interval->low == interval->high && interval->low % 2 == 0)
			add_place(p, column, " = ",
					  bound_text(p, column, interval->low / 2), false);
		else if (!has_low && !has_high)
			add_place(p, column, " is not null", "", false);
		else
			add_place(p, column, " ", psprintf("%s%s%s", low,
											   has_low && has_high ?
											   " and " : "", high), false);
	}
}

char *
lr_rule_words(const LrRuleIndex *index, const LrRuleRef *ref, TupleDesc desc)
{
	Places		p = {0};
	const LrImageColumn *column;
	int			i;

	p.image = lr_rule_index_image(index, ref->layer);
	p.rank = ref->rank;
	p.desc = desc;
	initStringInfo(&p.buf);
	column = LR_IMAGE_AT(p.image, p.image->columns, LrImageColumn);
	for (i = 0; i < p.image->ncolumns; i++, column++)
	{
		if (column->kind == LR_FILE_RANGE)
			add_intervals(&p, column);
		else
			add_entries(&p, column);
	}
	if (p.n > MAX_NAMED)
		appendStringInfo(&p.buf, " and %d more", p.n - MAX_NAMED);
	return p.n > 0 ? p.buf.data : NULL;
}
