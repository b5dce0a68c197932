/*
 * rule_places.c
 *	  Writing the places of a column into an image; see rule_build.h.
 *
 * Equal places become one entry with the ranks of all its rules, ascending;
 * two constants are equal here when their bytes are, so that equal ones of
 * other bytes (1.0 and 1.00) make two entries, and a lead finds both.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/qunique.h"
#include "port/pg_bitutils.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "compat.h"
#include "rule_draft.h"

/* ---------- entries ---------- */

static int
compare_values(const LrImageColumn *column, Datum x, Datum y)
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

static int
compare_places(const LrDraftColumn *column, const LrDraftPlace *x,
			   const LrDraftPlace *y)
{
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return compare_values(&column->head, x->filing.low.value,
						  y->filing.low.value);
}

/* For qsort_arg: by place, then by rank. */
static int
compare_filed(const void *a, const void *b, void *arg)
{
	const LrDraftPlace *x = *(LrDraftPlace *const *) a;
	const LrDraftPlace *y = *(LrDraftPlace *const *) b;
	int			cmp = compare_places((const LrDraftColumn *) arg, x, y);

	if (cmp != 0)
		return cmp;
	return x->rule->rank < y->rule->rank ? -1 : x->rule->rank > y->rule->rank;
}

static LrDraftPlace **
taken_places(LrDraftColumn *column, int *n)
{
	LrDraftPlace **taken = (LrDraftPlace **)
		MemoryContextAllocHuge(CurrentMemoryContext,
							   (column->n + 1) * sizeof(LrDraftPlace *));
	int			i;

	*n = 0;
	for (i = 0; i < column->n; i++)
		if (column->places[i]->taken)
			taken[(*n)++] = column->places[i];
	return taken;
}

/* Where those end that are like the first of them. */
static int
end_of_entry(LrDraftColumn *column, LrDraftPlace **places, int first, int n)
{
	int			last = first + 1;

	while (last < n &&
		   compare_places(column, places[first], places[last]) == 0)
		last++;
	return last;
}

static LrPosting
write_posting(LrBytes *bytes, LrDraftPlace **places, int n)
{
	LrPosting	posting = {0, 0};
	int32	   *ranks = (int32 *) palloc(n * sizeof(int32));
	int			i;

	/* the same value may stand twice in one list */
	for (i = 0; i < n; i++)
		if (i == 0 || places[i]->rule != places[i - 1]->rule)
			ranks[posting.n++] = places[i]->rule->rank;
	posting.first = ranks[0];
	if (posting.n > 1)
		posting.first = (int32) lr_bytes_add(bytes, ranks,
											 posting.n * sizeof(int32),
											 sizeof(int32));
	pfree(ranks);
	return posting;
}

static void
write_buckets(LrBytes *bytes, LrImageColumn *to)
{
	uint32		size = pg_nextpower2_32(Max(4, (uint32) (to->nentries * 1.4)));
	uint32	   *bucket;
	LrImageEntry *entry;
	int			i;

	to->mask = size - 1;
	to->buckets = lr_bytes_reserve(bytes, size * sizeof(uint32),
								   sizeof(uint32));
	bucket = LR_BYTES_AT(bytes, to->buckets, uint32);
	entry = LR_BYTES_AT(bytes, to->entries, LrImageEntry);
	for (i = 0; i < to->nentries; i++)
	{
		uint32		at = entry[i].hash;

		while (bucket[at & to->mask] != 0)
			at++;
		bucket[at & to->mask] = i + 1;
	}
}

/* The lengths that prefixes have, for PREFIX. */
static void
write_lengths(LrBytes *bytes, LrImageColumn *to)
{
	int32	   *lengths = (int32 *) palloc((to->nentries + 1) * sizeof(int32));
	int			i;

	for (i = 0; i < to->nentries; i++)
		lengths[i] = LR_BYTES_AT(bytes, to->entries, LrImageEntry)[i].len;
	qsort(lengths, to->nentries, sizeof(int32), lr_compare_int32);
	to->nlengths = qunique(lengths, to->nentries, sizeof(int32),
						   lr_compare_int32);
	to->lengths = lr_bytes_add(bytes, lengths, to->nlengths * sizeof(int32),
							   sizeof(int32));
	pfree(lengths);
}

static void
write_entries(LrBytes *bytes, LrDraftColumn *column, LrImageColumn *to)
{
	int			n;
	LrDraftPlace **places = taken_places(column, &n);
	int			i = 0;
	int			first;

	qsort_arg(places, n, sizeof(LrDraftPlace *), compare_filed, column);
	for (first = 0; first < n;
		 first = end_of_entry(column, places, first, n))
		to->nentries++;
	to->entries = lr_bytes_reserve(bytes, to->nentries * sizeof(LrImageEntry),
								   MAXIMUM_ALIGNOF);
	for (first = 0; first < n;)
	{
		int			end = end_of_entry(column, places, first, n);
		Datum		value = places[first]->filing.low.value;
		LrImageEntry entry;

		memset(&entry, 0, sizeof(entry));
		entry.hash = places[first]->hash;
		if (to->kind != LR_FILE_NULL)
			entry.value = lr_bytes_value(bytes, to->type, to->len, to->byval,
										 value);
		if (to->kind == LR_FILE_PREFIX)
			entry.len = VARSIZE_ANY_EXHDR(DatumGetPointer(value));
		entry.posting = write_posting(bytes, places + first, end - first);
		LR_BYTES_AT(bytes, to->entries, LrImageEntry)[i++] = entry;
		first = end;
	}
	write_buckets(bytes, to);
	if (to->kind == LR_FILE_PREFIX)
		write_lengths(bytes, to);
	pfree(places);
}

/* ---------- intervals ---------- */

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
		return LR_IMAGE_LOWEST;
	below = set_most(interval, first, middle - 1);
	above = set_most(interval, middle + 1, last);
	interval[middle].most = Max(interval[middle].high, Max(below, above));
	return interval[middle].most;
}

static void
write_bounds(LrBytes *bytes, LrImageColumn *to, const LrDraftBound *bounds)
{
	int			i;

	to->entries = lr_bytes_reserve(bytes, to->nentries *
								   (to->byval ? sizeof(Datum) :
									sizeof(LrOffset)),
								   sizeof(Datum));
	for (i = 0; i < to->nentries; i++)
	{
		Datum		value = bounds[i].constant->value;
		LrOffset	at;

		if (to->byval)
		{
			LR_BYTES_AT(bytes, to->entries, Datum)[i] = value;
			continue;
		}
		at = lr_bytes_value(bytes, to->type, to->len, false, value);
		LR_BYTES_AT(bytes, to->entries, LrOffset)[i] = at;
	}
}

static void
write_intervals(LrBytes *bytes, LrDraftColumn *column, LrImageColumn *to)
{
	LrDraftPlace **places = taken_places(column, &to->nintervals);
	LrDraftBound *bounds = lr_draft_bounds(column, true, &to->nentries);
	LrImageInterval *interval;
	int			i;

	write_bounds(bytes, to, bounds);
	to->intervals = lr_bytes_reserve(bytes, to->nintervals *
									 sizeof(LrImageInterval), sizeof(int32));
	interval = LR_BYTES_AT(bytes, to->intervals, LrImageInterval);
	for (i = 0; i < to->nintervals; i++)
	{
		/* an empty one (low > high) stays: its rule is nowhere to be found */
		interval[i].low = places[i]->low;
		interval[i].high = places[i]->high;
		interval[i].rank = places[i]->rule->rank;
	}
	qsort(interval, to->nintervals, sizeof(LrImageInterval),
		  compare_intervals);
	(void) set_most(interval, 0, to->nintervals - 1);
	pfree(bounds);
	pfree(places);
}

void
lr_draft_write_column(LrImageBuilder *b, LrDraftColumn *column, LrOffset at)
{
	LrImageColumn to = column->head;

	if (to.kind == LR_FILE_RANGE)
		write_intervals(&b->bytes, column, &to);
	else
		write_entries(&b->bytes, column, &to);
	*LR_BYTES_AT(&b->bytes, at, LrImageColumn) = to;
}
