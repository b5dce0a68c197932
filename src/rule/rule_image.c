/*
 * rule_image.c
 *	  Reading an image of rules; see rule_image.h.
 *
 * Nothing here allocates but what it hands out, nothing reads a catalog, and
 * nothing but a comparison handed in is called: so it may run for every lead.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "rule/rule_image.h"

int
lr_compare_rules(const LrImage *a, int x, const LrImage *b, int y)
{
	return lr_rule_order(lr_image_more(a, x)->priority,
						 lr_image_more(a, x)->condition != 0,
						 lr_image_name(a, x),
						 lr_image_more(b, y)->priority,
						 lr_image_more(b, y)->condition != 0,
						 lr_image_name(b, y));
}

int
lr_compare_int32(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return x < y ? -1 : x > y;
}

bool
lr_image_same_column(const LrImageColumn *a, const LrImageColumn *b)
{
	return a->kind == b->kind && a->attno == b->attno &&
		a->collation == b->collation && a->probe == b->probe &&
		a->order == b->order && a->equal == b->equal && a->type == b->type;
}

const LrImageColumn *
lr_image_column(const LrImage *image, const LrImageColumn *like)
{
	const LrImageColumn *column = LR_IMAGE_AT(image, image->columns,
											  LrImageColumn);
	int			i;

	for (i = 0; i < image->ncolumns; i++)
		if (lr_image_same_column(&column[i], like))
			return &column[i];
	return NULL;
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

/* ---------- intervals ---------- */

/* Bounds as integers of 32 or 64 bits. */
static inline int64
integer(Datum value, bool wide)
{
	return wide ? DatumGetInt64(value) : DatumGetInt32(value);
}

/* The last of n integers, of which the first is not above a value, that is not. */
static inline int
last_integer(const Datum *bound, int n, Datum value, bool wide)
{
	int64		v = integer(value, wide);
	int			at = 0;

	/* without a branch: it would be guessed wrong every second time */
	while (n > 1)
	{
		int			half = n / 2;

		at += integer(bound[at + half], wide) <= v ? half : 0;
		n -= half;
	}
	return at;
}

/* How bound number i of an array of them compares with a value. */
static inline int
compare_bound(const LrImage *image, const LrImageColumn *column,
			  FmgrInfo *compare, Datum value, LrOffset bounds, int i)
{
	Datum		bound = column->byval ? LR_IMAGE_AT(image, bounds, Datum)[i] :
		lr_image_value(image, LR_IMAGE_AT(image, bounds, LrOffset)[i], false);

	return DatumGetInt32(FunctionCall2Coll(compare, column->collation, value,
										   bound));
}

/* The last of n bounds that a value is not below, of which it is not the first. */
static int
last_bound(const LrImage *image, const LrImageColumn *column,
		   FmgrInfo *compare, Datum value, LrOffset bounds, int n)
{
	int			at = 0;

	if (column->byval)
		switch (compare->fn_oid)
		{
			case F_BTINT4CMP:
			case F_DATE_CMP:
				return last_integer(LR_IMAGE_AT(image, bounds, Datum), n, value,
									false);
			case F_BTINT8CMP:
			case F_TIMESTAMP_CMP:
			case F_TIMESTAMPTZ_CMP:
				return last_integer(LR_IMAGE_AT(image, bounds, Datum), n, value,
									true);
		}
	while (n > 1)
	{
		int			half = n / 2;

		if (compare_bound(image, column, compare, value, bounds, at + half) >= 0)
			at += half;
		n -= half;
	}
	return at;
}

static inline Size
bound_size(const LrImageColumn *column)
{
	return column->byval ? sizeof(Datum) : sizeof(LrOffset);
}

int
lr_image_step(const LrImage *image, const LrImageColumn *column,
			  FmgrInfo *compare, Datum value)
{
	int			n = lr_image_steps(column->nentries);
	int			step = n > 1 ? last_bound(image, column, compare, value,
										  column->steps, n) : 0;
	const char *bounds = LR_IMAGE_AT(image, column->entries, char) +
		step * LR_IMAGE_STEP * bound_size(column);
	const int32 *begun = LR_IMAGE_AT(image, column->begun, int32) +
		2 * step * LR_IMAGE_STEP;

	lr_prefetch(bounds);
	lr_prefetch(bounds + 64);
	lr_prefetch(begun);
	lr_prefetch(begun + LR_IMAGE_STEP);
	return step;
}

int32
lr_image_locate_from(const LrImage *image, const LrImageColumn *column,
					 FmgrInfo *compare, Datum value, int step)
{
	int			first = step * LR_IMAGE_STEP;
	int			n = Min(column->nentries - first, LR_IMAGE_STEP);
	int			cmp;

	if (n == 0 ||
		(first == 0 && compare_bound(image, column, compare, value,
									 column->entries, 0) < 0))
		return -1;
	first += last_bound(image, column, compare, value,
						column->entries + first * bound_size(column), n);
	cmp = compare_bound(image, column, compare, value, column->entries, first);
	return cmp == 0 ? 2 * first : 2 * first + 1;
}

int32
lr_image_locate(const LrImage *image, const LrImageColumn *column,
				FmgrInfo *compare, Datum value)
{
	return lr_image_locate_from(image, column, compare, value,
								lr_image_step(image, column, compare, value));
}

int
lr_image_stab(const LrImage *image, const LrImageColumn *column, int32 at,
			  int32 **found, int *room)
{
	const LrImageInterval *interval = LR_IMAGE_AT(image, column->intervals,
												  LrImageInterval);
	int			i = lr_image_begun(image, column, at);
	int			n = 0;

	while (i >= 0)
	{
		if (interval[i].high < at)
		{
			i = interval[i].back;
			continue;
		}
		if (n == *room)
		{
			*room *= 2;
			*found = (int32 *) repalloc_huge(*found, *room * sizeof(int32));
		}
		(*found)[n++] = interval[i--].rank;
	}
	return n;
}
