/*
 * rule_index.c
 *	  Searching the images of rules; see rule_index.h.
 *
 * A lead's values give a few postings: one for each kind of place on each
 * column, one for each length of prefix, and `rest`.  They are merged rank by
 * rank, and only as far as the caller asks: the first match ends it.  Only
 * intervals are collected beforehand; the image has none that overlap too
 * many others.
 *
 * What is called here is built in, strict and immutable, and raises nothing
 * (condition.c): no rights are switched, no subtransaction is needed.  Hashes
 * are verified by the equality itself, so what is found is true.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "rule/rule_index.h"

/* A function of two arguments that says yes or no. */
typedef struct Call
{
	FmgrInfo	fn;
	bool		by_bytes;		/* texts are equal when their bytes are */
} Call;

/* The functions of a column of an image. */
typedef struct ColumnCalls
{
	FmgrInfo	probe;
	Call		equal;
} ColumnCalls;

typedef struct Layer
{
	const LrImage *image;		/* NULL: there is none */
	ColumnCalls *column;
	Call	   *call;
	const uint8 *dead;
} Layer;

struct LrRuleIndex
{
	Layer		layer[2];
};

static void
open_call(Call *call, Oid func, Oid collation)
{
	fmgr_info(func, &call->fn);
	call->by_bytes = func == F_TEXTEQ &&
		SearchSysCacheExists1(COLLOID, ObjectIdGetDatum(collation)) &&
		get_collation_isdeterministic(collation);
}

static inline bool
is_plain(const struct varlena *p)
{
	return !VARATT_IS_COMPRESSED(p) && !VARATT_IS_EXTERNAL(p);
}

/* What a call says of a value and a constant of an image. */
static inline bool
is_true(Call *call, Oid collation, Datum value, Datum constant)
{
	const struct varlena *p;
	const struct varlena *q;

	if (!call->by_bytes ||
		!is_plain((struct varlena *) DatumGetPointer(value)))
		return DatumGetBool(FunctionCall2Coll(&call->fn, collation, value,
											  constant));
	p = (struct varlena *) DatumGetPointer(value);
	q = (struct varlena *) DatumGetPointer(constant);
	return VARSIZE_ANY_EXHDR(p) == VARSIZE_ANY_EXHDR(q) &&
		memcmp(VARDATA_ANY(p), VARDATA_ANY(q), VARSIZE_ANY_EXHDR(p)) == 0;
}

static void
open_layer(Layer *layer, const LrImage *image)
{
	const LrImageColumn *column;
	const LrImageCall *call;
	int			i;

	layer->image = image;
	if (image == NULL)
		return;
	column = LR_IMAGE_AT(image, image->columns, LrImageColumn);
	call = LR_IMAGE_AT(image, image->calls, LrImageCall);
	layer->column = (ColumnCalls *) palloc0((image->ncolumns + 1) *
											sizeof(ColumnCalls));
	layer->call = (Call *) palloc0((image->ncalls + 1) * sizeof(Call));
	for (i = 0; i < image->ncolumns; i++)
	{
		if (OidIsValid(column[i].probe))
			fmgr_info(column[i].probe, &layer->column[i].probe);
		if (OidIsValid(column[i].equal))
			open_call(&layer->column[i].equal, column[i].equal,
					  column[i].collation);
	}
	for (i = 0; i < image->ncalls; i++)
		if (OidIsValid(call[i].func))
			open_call(&layer->call[i], call[i].func, call[i].collation);
}

LrRuleIndex *
lr_rule_index_open(const LrImage *base, const LrImage *delta,
				   const uint8 *dead)
{
	LrRuleIndex *index = (LrRuleIndex *) palloc0(sizeof(LrRuleIndex));

	open_layer(&index->layer[0], base);
	open_layer(&index->layer[1], delta);
	index->layer[0].dead = dead;
	return index;
}

const LrImage *
lr_rule_index_image(const LrRuleIndex *index, int layer)
{
	return index->layer[layer].image;
}

/* ---------- finding postings ---------- */

/*
 * A place that a lead's values lead to.  Under many rules none of the lines of
 * memory that it takes to get there is in a cache; so several places are sought
 * at once, each a step further while the lines of the others are on their way.
 */
typedef struct Probe
{
	const LrImageColumn *column;
	ColumnCalls *calls;
	Datum		value;
	uint32		hash;			/* EQUAL, PREFIX */
	uint32		length;			/* PREFIX */
	int			step;			/* RANGE: see lr_image_step */
	int32		at;				/* RANGE: where the value lies */
	const LrImageEntry *entry;	/* else; NULL: none */
} Probe;

/* Places sought at once. */
#define PROBES		16

typedef struct Probes
{
	int			n;
	Probe		probe[PROBES];
} Probes;

/* Asks for the row of a rule that may soon be looked at. */
static inline void
expect_rule(const LrImage *image, const int32 *rank, const int32 *end)
{
	if (rank < end)
		lr_prefetch(lr_image_rule(image, *rank));
}

static void
add_stream(LrLayerSearch *s, const LrImage *image, const int32 *ranks, int n)
{
	if (n == 0)
		return;
	if (s->n == s->room)
	{
		LrRuleStream *larger = (LrRuleStream *) palloc(2 * s->room *
													   sizeof(LrRuleStream));

		memcpy(larger, s->stream, s->n * sizeof(LrRuleStream));
		s->stream = larger;
		s->room *= 2;
	}
	s->stream[s->n].at = ranks;
	s->stream[s->n++].end = ranks + n;
	expect_rule(image, ranks, ranks + n);
	expect_rule(image, ranks + 1, ranks + n);
}

static void
find_intervals(LrLayerSearch *s, const LrImage *image, const Probe *p)
{
	int			room = 16;
	int32	   *ranks = (int32 *) palloc(room * sizeof(int32));
	int			n = lr_image_stab(image, p->column, p->at, &ranks, &room);

	if (n > 1)
		qsort(ranks, n, sizeof(int32), lr_compare_int32);
	add_stream(s, image, ranks, n);
}

static bool
is_entry(const LrImage *image, const Probe *p, const LrImageEntry *entry)
{
	const LrImageColumn *column = p->column;
	Datum		value;

	if (entry->hash != p->hash)
		return false;
	value = lr_image_value(image, entry->value, column->byval);
	if (column->kind == LR_FILE_EQUAL)
		return is_true(&p->calls->equal, column->collation, p->value, value);
	return VARSIZE_ANY_EXHDR(DatumGetPointer(value)) == p->length &&
		memcmp(VARDATA_ANY(DatumGetPointer(value)),
			   VARDATA_ANY(DatumGetPointer(p->value)), p->length) == 0;
}

/*
 * Finds the entry of a place, and asks for what comes next.  There may be more
 * than one that is equal (rule_places.c): those before the last are streams at
 * once.
 */
static void
find_entry(LrLayerSearch *s, const LrImage *image, Probe *p)
{
	const LrImageEntry *entry;
	uint32		at = 0;

	p->entry = NULL;
	while ((entry = lr_image_bucket(image, p->column, p->hash, &at)) != NULL)
	{
		if (!is_entry(image, p, entry))
			continue;
		if (p->entry != NULL)
			add_stream(s, image, lr_posting_ranks(image, &p->entry->posting),
					   p->entry->posting.n);
		p->entry = entry;
		lr_prefetch(lr_posting_ranks(image, &entry->posting));
	}
}

/* Finishes the probes, which have been begun. */
static void
settle(LrLayerSearch *s, const LrImage *image, Probes *probes)
{
	int			i;

	for (i = 0; i < probes->n; i++)
	{
		Probe	   *p = &probes->probe[i];

		if (p->column->kind != LR_FILE_RANGE)
		{
			find_entry(s, image, p);
			continue;
		}
		p->at = lr_image_locate_from(image, p->column, &p->calls->probe,
									 p->value, p->step);
		lr_prefetch(LR_IMAGE_AT(image, p->column->intervals, LrImageInterval) +
					lr_image_begun(image, p->column, p->at));
	}
	for (i = 0; i < probes->n; i++)
	{
		Probe	   *p = &probes->probe[i];

		if (p->column->kind == LR_FILE_RANGE)
			find_intervals(s, image, p);
		else if (p->entry != NULL)
			add_stream(s, image, lr_posting_ranks(image, &p->entry->posting),
					   p->entry->posting.n);
	}
	probes->n = 0;
}

/* A probe of a column. */
static Probe *
add_probe(LrLayerSearch *s, const LrImage *image, Probes *probes,
		  const LrImageColumn *column, ColumnCalls *calls, Datum value)
{
	Probe	   *p;

	if (probes->n == PROBES)
		settle(s, image, probes);
	p = &probes->probe[probes->n++];
	p->column = column;
	p->calls = calls;
	p->value = value;
	return p;
}

static void
set_hash(const LrImage *image, Probe *p, uint32 hash)
{
	p->hash = hash;
	lr_prefetch(lr_image_place(image, p->column, hash));
}

static void
add_prefixes(LrLayerSearch *s, const LrImage *image, Probes *probes,
			 const LrImageColumn *column, Datum value)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(value);
	uint32		length = VARSIZE_ANY_EXHDR(text);
	const uint32 *lengths = LR_IMAGE_AT(image, column->lengths, uint32);
	int			i;

	for (i = 0; i < column->nlengths && lengths[i] <= length; i++)
	{
		Probe	   *p = add_probe(s, image, probes, column, NULL,
								  PointerGetDatum(text));

		p->length = lengths[i];
		set_hash(image, p, lr_prefix_hash(VARDATA_ANY(text), lengths[i]));
	}
}

/* Begins what a column asks of its value. */
static void
add_column(LrLayerSearch *s, const LrImage *image, Probes *probes,
		   const LrImageColumn *column, ColumnCalls *calls, Datum value)
{
	const LrPosting *posting;
	Probe	   *p;

	switch ((LrFilingKind) column->kind)
	{
		case LR_FILE_EQUAL:
			p = add_probe(s, image, probes, column, calls, value);
			set_hash(image, p,
					 DatumGetUInt32(FunctionCall1Coll(&calls->probe,
													  column->collation,
													  value)));
			break;
		case LR_FILE_PREFIX:
			add_prefixes(s, image, probes, column, value);
			break;
		case LR_FILE_RANGE:
			p = add_probe(s, image, probes, column, calls, value);
			p->step = lr_image_step(image, column, &calls->probe, value);
			break;
		case LR_FILE_NULL:
			posting = &lr_image_place(image, column, 0)->posting;
			add_stream(s, image, lr_posting_ranks(image, posting), posting->n);
			break;
	}
}

static void
begin_layer(LrLayerSearch *s, Layer *layer, TupleTableSlot *row)
{
	const LrImage *image = layer->image;
	const LrImageColumn *column;
	Probes		probes;
	int			i;

	s->n = 0;
	s->room = LR_SEARCH_STREAMS;
	s->stream = s->first;
	s->last = -1;
	s->head = image == NULL ? -2 : -1;
	if (image == NULL || row == NULL)
		return;
	probes.n = 0;
	column = LR_IMAGE_AT(image, image->columns, LrImageColumn);
	for (i = 0; i < image->ncolumns; i++, column++)
	{
		bool		isnull;
		Datum		value;

		if (column->nentries == 0 && column->nintervals == 0)
			continue;
		value = slot_getattr(row, column->attno, &isnull);
		if (isnull != (column->kind == LR_FILE_NULL))
			continue;
		add_column(s, image, &probes, column, &layer->column[i], value);
	}
	settle(s, image, &probes);
	add_stream(s, image, LR_IMAGE_AT(image, image->rest, int32), image->nrest);
}

void
lr_rule_search_begin(LrRuleSearch *search, LrRuleIndex *index,
					 TupleTableSlot *row)
{
	search->index = index;
	search->row = row;
	begin_layer(&search->layer[0], &index->layer[0], row);
	begin_layer(&search->layer[1], &index->layer[1], row);
}

bool
lr_rule_search_meets(const LrRuleSearch *search, const LrRuleRef *ref)
{
	const LrLayerSearch *s = &search->layer[ref->layer];
	int			i;

	for (i = 0; i < s->n; i++)
		if (bsearch(&ref->rank, s->stream[i].at,
					s->stream[i].end - s->stream[i].at, sizeof(int32),
					lr_compare_int32) != NULL)
			return true;
	return false;
}

/* ---------- going through them ---------- */

/* Whether all checks of a rule are true for the row. */
static bool
passes(Layer *layer, const LrImageRule *rule, TupleTableSlot *row)
{
	const LrImage *image = layer->image;
	const LrImageCheck *check = LR_IMAGE_AT(image, rule->checks, LrImageCheck);
	const LrImageCall *calls = LR_IMAGE_AT(image, image->calls, LrImageCall);
	bool		found = false;
	int			i;

	for (i = 0; i < rule->nchecks; i++, check++)
	{
		const LrImageCall *call = &calls[check->call];

		if (!found)
		{
			bool		isnull;
			Datum		value = slot_getattr(row, call->attno, &isnull);

			if (!OidIsValid(call->func))
				found = isnull != call->negated;
			else if (!isnull)
				found = is_true(&layer->call[check->call], call->collation,
								value,
								lr_image_value(image, check->value,
											   call->byval));
		}
		if (!check->last)
			continue;
		if (!found)
			return false;
		found = false;
	}
	return true;
}

/* Moves to the next rank of a layer that is alive and passes. */
static void
advance(LrRuleSearch *search, int number)
{
	LrLayerSearch *s = &search->layer[number];
	Layer	   *layer = &search->index->layer[number];

	for (;;)
	{
		int			best = -1;
		int			i;

		if (search->row == NULL)
			best = s->last + 1 < layer->image->nrules ? s->last + 1 : -1;
		else
		{
			for (i = 0; i < s->n; i++)
			{
				LrRuleStream *stream = &s->stream[i];

				/* a rule may stand in several postings */
				while (stream->at < stream->end && *stream->at <= s->last)
				{
					stream->at++;
					expect_rule(layer->image, stream->at + 1, stream->end);
				}
				if (stream->at < stream->end &&
					(best < 0 || *stream->at < best))
					best = *stream->at;
			}
		}
		if (best < 0)
		{
			s->head = -2;
			return;
		}
		s->last = best;
		if (lr_rank_is_in(layer->dead, best))
			continue;
		if (search->row != NULL &&
			!passes(layer, lr_image_rule(layer->image, best), search->row))
			continue;
		s->head = best;
		return;
	}
}

bool
lr_rule_search_next(LrRuleSearch *search, LrRuleRef *found)
{
	LrLayerSearch *base = &search->layer[0];
	LrLayerSearch *delta = &search->layer[1];

	if (base->head == -1)
		advance(search, 0);
	if (delta->head == -1)
		advance(search, 1);
	if (base->head >= 0 &&
		(delta->head < 0 ||
		 lr_compare_rules(search->index->layer[0].image, base->head,
						  search->index->layer[1].image, delta->head) < 0))
	{
		found->layer = 0;
		found->rank = base->head;
		base->head = -1;
		return true;
	}
	if (delta->head >= 0)
	{
		found->layer = 1;
		found->rank = delta->head;
		delta->head = -1;
		return true;
	}
	found->layer = -1;
	return false;
}
