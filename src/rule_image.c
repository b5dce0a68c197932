/*
 * rule_image.c
 *	  Reading an image of rules; see rule_image.h.
 *
 * Nothing here allocates but what it hands out, nothing reads a catalog, and
 * nothing but a comparison handed in is called: so it may run for every lead.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/memutils.h"

#include "compat.h"
#include "rule_image.h"

int
lr_compare_rules(const LrImage *a, const LrImageRule *x,
				 const LrImage *b, const LrImageRule *y)
{
	return lr_rule_order(x->priority, x->condition != 0,
						 LR_IMAGE_AT(a, x->name, char),
						 y->priority, y->condition != 0,
						 LR_IMAGE_AT(b, y->name, char));
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
