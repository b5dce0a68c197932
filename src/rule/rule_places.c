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

#include "base/compat.h"
#include "rule/rule_draft.h"

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

/* The length of a prefix. */
static int32
prefix_length(Datum value)
{
	return (int32) VARSIZE_ANY_EXHDR(DatumGetPointer(value));
}

/* The lengths that prefixes have, for PREFIX. */
static void
write_lengths(LrBytes *bytes, LrDraftPlace **places, int n, LrImageColumn *to)
{
	int32	   *lengths = (int32 *) MemoryContextAllocHuge(CurrentMemoryContext,
														   (n + 1) * sizeof(int32));
	int			i;

	for (i = 0; i < n; i++)
		lengths[i] = prefix_length(places[i]->filing.low.value);
	qsort(lengths, n, sizeof(int32), lr_compare_int32);
	to->nlengths = qunique(lengths, n, sizeof(int32), lr_compare_int32);
	to->lengths = lr_bytes_add(bytes, lengths, to->nlengths * sizeof(int32),
							   sizeof(int32));
	pfree(lengths);
}

/* The first free place from where a hash leads. */
static LrOffset
free_place(LrBytes *bytes, const LrImageColumn *to, uint32 hash)
{
	LrImageEntry *entry = LR_BYTES_AT(bytes, to->entries, LrImageEntry);

	while (entry[hash & to->mask].posting.n != 0)
		hash++;
	return to->entries + (hash & to->mask) * sizeof(LrImageEntry);
}

/* The entry of n places that are alike. */
static void
write_entry(LrBytes *bytes, LrDraftPlace **places, int n,
			const LrImageColumn *to)
{
	LrOffset	at = free_place(bytes, to, places[0]->hash);
	LrRoom		room = {at + offsetof(LrImageEntry, inlined),
	at + sizeof(LrImageEntry)};
	LrOffset	value = 0;
	LrPosting	posting;
	LrImageEntry *entry;

	if (to->kind != LR_FILE_NULL)
		value = lr_bytes_value(bytes, &room, to->type, to->len, to->byval,
							   places[0]->filing.low.value);
	posting = write_posting(bytes, places, n);
	entry = LR_BYTES_AT(bytes, at, LrImageEntry);
	entry->hash = places[0]->hash;
	entry->value = value;
	entry->posting = posting;
}

static void
write_entries(LrBytes *bytes, LrDraftColumn *column, LrImageColumn *to)
{
	int			n;
	LrDraftPlace **places = taken_places(column, &n);
	int			first;
	int			end;

	qsort_arg(places, n, sizeof(LrDraftPlace *), compare_filed, column);
	for (first = 0; first < n;
		 first = end_of_entry(column, places, first, n))
		to->nentries++;
	to->mask = pg_nextpower2_32(Max(4, (uint32) (to->nentries * 1.4))) - 1;
	to->entries = lr_bytes_reserve(bytes, ((Size) to->mask + 1) *
								   sizeof(LrImageEntry), LR_IMAGE_LINE);
	for (first = 0; first < n; first = end)
	{
		end = end_of_entry(column, places, first, n);
		write_entry(bytes, places + first, end - first, to);
	}
	if (to->kind == LR_FILE_PREFIX)
		write_lengths(bytes, places, n, to);
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

/* Fills in `back` (see LrImageInterval). */
static void
set_back(LrImageInterval *interval, int n)
{
	int			last = -1;		/* that is not empty */
	int			i;

	for (i = 0; i < n; i++)
	{
		int			back = last;

		if (interval[i].low <= interval[i].high)
		{
			while (back >= 0 && interval[back].high <= interval[i].high)
				back = interval[back].back;
			last = i;
		}
		interval[i].back = back;
	}
}

/* Fills in `begun`, for n intervals. */
static void
set_begun(LrBytes *bytes, const LrImageColumn *to)
{
	const LrImageInterval *interval = LR_BYTES_AT(bytes, to->intervals,
												  LrImageInterval);
	int32	   *begun = LR_BYTES_AT(bytes, to->begun, int32);
	int32		at;
	int			n = 0;

	for (at = -1; at < 2 * to->nentries; at++)
	{
		while (n < to->nintervals && interval[n].low <= at)
			n++;
		begun[at + 1] = n;
	}
}

static void
write_bounds(LrBytes *bytes, LrImageColumn *to, const LrDraftBound *bounds)
{
	Size		size = to->byval ? sizeof(Datum) : sizeof(LrOffset);
	int			i;

	to->entries = lr_bytes_reserve(bytes, to->nentries * size, LR_IMAGE_LINE);
	for (i = 0; i < to->nentries; i++)
	{
		Datum		value = bounds[i].constant->value;
		LrOffset	at;

		if (to->byval)
		{
			LR_BYTES_AT(bytes, to->entries, Datum)[i] = value;
			continue;
		}
		at = lr_bytes_value(bytes, NULL, to->type, to->len, false, value);
		LR_BYTES_AT(bytes, to->entries, LrOffset)[i] = at;
	}
	to->steps = lr_bytes_reserve(bytes, lr_image_steps(to->nentries) * size,
								 sizeof(Datum));
	for (i = 0; i < lr_image_steps(to->nentries); i++)
		memcpy(LR_BYTES_AT(bytes, to->steps + i * size, char),
			   LR_BYTES_AT(bytes, to->entries + i * LR_IMAGE_STEP * size, char),
			   size);
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
									 sizeof(LrImageInterval), LR_IMAGE_LINE);
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
	set_back(interval, to->nintervals);
	to->begun = lr_bytes_reserve(bytes, (2 * (Size) to->nentries + 1) *
								 sizeof(int32), LR_IMAGE_LINE);
	set_begun(bytes, to);
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
