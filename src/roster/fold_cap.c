/*
 * fold_cap.c
 *	  What caps have counted, as the tables say.  See fold_cap.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"

#include "cap/cap_count.h"
#include "roster/fold_cap.h"
#include "roster/prepared.h"

static LrCapKey
make_key(int64 tag, int32 member)
{
	LrCapKey	key;

	key.tag = tag;
	key.member = LR_CAP_TAG_EACH(tag) ? member : 0;
	key.unused = 0;
	return key;
}

LrCapState *
lr_state_cap(LrState *s, int64 tag, int32 member)
{
	LrCapKey	key = make_key(tag, member);
	bool		found;
	LrCapState *c = hash_search(s->caps, &key, HASH_ENTER, &found);

	if (!found)
	{
		c->used = c->released = c->until = 0;
		c->earlier = -1;
	}
	return c;
}

LrCapState *
lr_state_cap_find(LrState *s, int64 tag, int32 member)
{
	LrCapKey	key = make_key(tag, member);

	return hash_search(s->caps, &key, HASH_FIND, NULL);
}

/* ---------- the fold ---------- */

/* Which caps there are. */
static int
read_caps(LrState *s)
{
	uint64		i;

	lr_read_query("SELECT id::int8 FROM leadroute.cap", 0, 0, 0);
	for (i = 0; i < SPI_processed; i++)
	{
		int32		id = (int32) lr_spi_int8(i, 1);

		(void) hash_search(s->cap_ids, &id, HASH_ENTER, NULL);
	}
	SPI_freetuptable(SPI_tuptable);
	return hash_get_num_entries(s->cap_ids);
}

static bool
is_cap(LrState *s, int64 tag)
{
	int32		id = LR_CAP_TAG_CAP(tag);

	return hash_search(s->cap_ids, &id, HASH_FIND, NULL) != NULL;
}

void
lr_fold_caps(LrState *s, int64 from, int64 upto)
{
	uint64		i;

	/* the usual case is that there is none */
	if (read_caps(s) == 0)
		return;
	lr_read_query("SELECT g.tag, g.member::int8, g.n"
				  " FROM (SELECT u.tag, CASE WHEN u.tag & 2147483648 <> 0 THEN j.member ELSE 0 END AS member,"
				  " pg_catalog.count(*) AS n, pg_catalog.rank() OVER (PARTITION BY u.tag >> 32,"
				  " CASE WHEN u.tag & 2147483648 <> 0 THEN j.member ELSE 0 END ORDER BY u.tag DESC) AS place"
				  " FROM leadroute.journal j CROSS JOIN LATERAL pg_catalog.unnest(j.caps) u (tag)"
				  " WHERE j.id > $1 AND j.id <= $2 GROUP BY 1, 2) g WHERE g.place <= 2",
				  2, from, upto);
	for (i = 0; i < SPI_processed; i++)
		if (is_cap(s, lr_spi_int8(i, 1)))
			lr_state_cap(s, lr_spi_int8(i, 1),
						 (int32) lr_spi_int8(i, 2))->used += lr_spi_int8(i, 3);
	SPI_freetuptable(SPI_tuptable);

	lr_read_query("SELECT u.tag, e.member::int8, pg_catalog.count(*)"
				  " FROM leadroute.event e CROSS JOIN LATERAL pg_catalog.unnest(e.caps) u (tag)"
				  " WHERE e.id > $1 AND e.id <= $2 GROUP BY 1, 2",
				  2, from, upto);
	for (i = 0; i < SPI_processed; i++)
	{
		LrCapState *c = lr_state_cap_find(s, lr_spi_int8(i, 1),
										  (int32) lr_spi_int8(i, 2));

		/* else its window is of no more concern */
		if (c != NULL)
			c->used -= lr_spi_int8(i, 3);
	}
	SPI_freetuptable(SPI_tuptable);
}

void
lr_fold_cap_row(LrState *s, Datum caps, int32 member, bool given_back)
{
	Datum	   *tag;
	int			n;
	int			i;

	deconstruct_array(DatumGetArrayTypeP(caps), INT8OID, 8, FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &tag, NULL, &n);
	for (i = 0; i < n; i++)
	{
		LrCapState *c = lr_state_cap(s, DatumGetInt64(tag[i]), member);

		if (given_back)
			c->released--;
		else
			c->used++;
	}
}

/* ---------- states in order ---------- */

/* By counter, older windows first. */
static int
compare_states(const void *a, const void *b)
{
	const LrCapKey *x = &(*(LrCapState *const *) a)->key;
	const LrCapKey *y = &(*(LrCapState *const *) b)->key;

	if (LR_CAP_TAG_CAP(x->tag) != LR_CAP_TAG_CAP(y->tag))
		return LR_CAP_TAG_CAP(x->tag) < LR_CAP_TAG_CAP(y->tag) ? -1 : 1;
	if (x->member != y->member)
		return x->member < y->member ? -1 : 1;
	return x->tag < y->tag ? -1 : x->tag > y->tag;
}

static bool
same_counter(const LrCapState *a, const LrCapState *b)
{
	return LR_CAP_TAG_CAP(a->key.tag) == LR_CAP_TAG_CAP(b->key.tag) &&
		a->key.member == b->key.member;
}

/* Those that are still of concern, in that order. */
static LrCapState **
sorted_states(LrState *s, int *n)
{
	LrCapState **all = (LrCapState **)
		palloc((hash_get_num_entries(s->caps) + 1) * sizeof(LrCapState *));
	HASH_SEQ_STATUS seq;
	LrCapState *c;
	int			kept = 0;
	int			i;

	*n = 0;
	hash_seq_init(&seq, s->caps);
	while ((c = hash_seq_search(&seq)) != NULL)
		all[(*n)++] = c;
	qsort(all, *n, sizeof(LrCapState *), compare_states);
	for (i = 0; i < *n; i++)
		if (i + 2 >= *n || !same_counter(all[i], all[i + 2]))
			all[kept++] = all[i];
	*n = kept;
	return all;
}

/* ---------- shared memory ---------- */

/* The counts of a window that is loaded; NULL: it is of no more concern. */
static LrCapCount *
load_window(LrCapSlot *slot, uint32 key)
{
	if (slot->now.key == key)
		return &slot->now;
	if (slot->before.key == key)
		return &slot->before;
	if (key > slot->now.key)
	{
		slot->before = slot->now;
		memset(&slot->now, 0, sizeof(slot->now));
		slot->now.key = key;
		return &slot->now;
	}
	if (key < slot->before.key)
		return NULL;
	memset(&slot->before, 0, sizeof(slot->before));
	slot->before.key = key;
	return &slot->before;
}

static int
slot_of(LrDatabase *db, const LrCapState *c)
{
	return lr_cap_slot(db, LR_CAP_TAG_CAP(c->key.tag), c->key.member);
}

void
lr_cap_state_apply(LrDatabase *db, LrState *s)
{
	LrCapState **all;
	int			n;
	int			i;

	all = sorted_states(s, &n);
	for (i = 0; i < n; i++)
	{
		int			slot = slot_of(db, all[i]);
		LrCapCount *count;

		if (slot == LR_NO_SLOT)
			continue;
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		count = load_window(&lr_cap_slots[slot],
							LR_CAP_TAG_KEY(all[i]->key.tag));
		if (count != NULL)
		{
			count->used += all[i]->used;
			if (all[i]->until != 0)
				count->until = all[i]->until;
			if (all[i]->earlier >= 0)
			{
				count->earlier = all[i]->earlier;
				count->complete = true;
			}
		}
		lr_cap_touched(slot);
		LWLockRelease(db->lock);
	}
	pfree(all);
}

bool
lr_cap_state_enter(LrDatabase *db, TransactionId xid, LrState *s)
{
	HASH_SEQ_STATUS seq;
	LrCapState *c;
	bool		ok = true;

	hash_seq_init(&seq, s->caps);
	while ((c = hash_seq_search(&seq)) != NULL)
	{
		int			slot = slot_of(db, c);
		uint32		key = LR_CAP_TAG_KEY(c->key.tag);

		if (slot == LR_NO_SLOT)
			continue;
		if (c->used != 0)
			ok &= lr_prepared_enter(db, xid, LR_COUNTER_CAP, slot, c->used, key);
		if (c->released != 0)
			ok &= lr_prepared_enter(db, xid, LR_COUNTER_CAP_RELEASE, slot,
									c->released, key);
	}
	return ok;
}

/* ---------- checkpoints ---------- */

static int
array_of(HeapTuple row, TupleDesc desc, int column, Oid type, Datum **elements)
{
	bool		isnull;
	int			n;
	bool		narrow = type == INT4OID;

	deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(row, desc, column,
													   &isnull)),
					  type, narrow ? 4 : 8, narrow || FLOAT8PASSBYVAL,
					  narrow ? TYPALIGN_INT : TYPALIGN_DOUBLE, elements, NULL,
					  &n);
	return n;
}

void
lr_cap_state_read(LrState *s, HeapTuple row, TupleDesc desc, int first_column)
{
	Datum	   *column[LR_CAP_STATE_COLUMNS];
	int			n = 0;
	int			i;

	for (i = 0; i < LR_CAP_STATE_COLUMNS; i++)
		n = array_of(row, desc, first_column + i, i == 1 ? INT4OID : INT8OID,
					 &column[i]);
	for (i = 0; i < n; i++)
	{
		LrCapState *c = lr_state_cap(s, DatumGetInt64(column[0][i]),
									 DatumGetInt32(column[1][i]));

		c->used = DatumGetInt64(column[2][i]);
		c->earlier = DatumGetInt64(column[3][i]);
		c->until = DatumGetInt64(column[4][i]);
	}
}

/* missed: a lead may have to be counted that came after earlier was. */
static void
note_count(LrState *s, const LrCapSlot *slot, const LrCapCount *count,
		   bool missed)
{
	LrCapState *c;
	int64		tag = LR_CAP_TAG(slot->cap, slot->member != 0, count->key);

	if (count->key == 0 || !is_cap(s, tag))
		return;
	c = lr_state_cap(s, tag, slot->member);
	c->until = count->until;
	c->earlier = count->complete && count->open_below == 0 && !missed ?
		count->earlier : -1;
}

void
lr_cap_state_note(LrDatabase *db, LrState *s)
{
	int			i;

	for (i = 0; i < lr_shared->caps_used; i++)
	{
		LrCapSlot	slot;
		bool		missed;

		if (lr_cap_slots[i].db != lr_db_index(db))
			continue;
		LWLockAcquire(db->lock, LW_SHARED);
		slot = lr_cap_slots[i];
		/* of counts from before that lead nothing says so until it is marked */
		missed = db->caps_missed != db->caps_marked;
		LWLockRelease(db->lock);
		note_count(s, &slot, &slot.now, missed);
		note_count(s, &slot, &slot.before, missed);
	}
}

void
lr_cap_state_write(LrState *s, Datum *values)
{
	int			n;
	LrCapState **all = sorted_states(s, &n);
	Datum	   *column[LR_CAP_STATE_COLUMNS];
	int			k = 0;
	int			i;

	for (i = 0; i < LR_CAP_STATE_COLUMNS; i++)
		column[i] = (Datum *) palloc((n + 1) * sizeof(Datum));
	for (i = 0; i < n; i++)
	{
		if (!is_cap(s, all[i]->key.tag))
			continue;
		column[0][k] = Int64GetDatum(all[i]->key.tag);
		column[1][k] = Int32GetDatum(all[i]->key.member);
		column[2][k] = Int64GetDatum(all[i]->used);
		column[3][k] = Int64GetDatum(all[i]->earlier);
		column[4][k++] = Int64GetDatum(all[i]->until);
	}
	for (i = 0; i < LR_CAP_STATE_COLUMNS; i++)
		values[i] = PointerGetDatum(i == 1 ?
									construct_array(column[i], k, INT4OID, 4,
													true, TYPALIGN_INT) :
									construct_array(column[i], k, INT8OID, 8,
													FLOAT8PASSBYVAL,
													TYPALIGN_DOUBLE));
	pfree(all);
}
