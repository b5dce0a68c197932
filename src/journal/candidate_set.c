/*
 * candidate_set.c
 *	  Durable sets of candidates, which rows of the journal refer to.
 *
 * Who of a team could take a lead is a bitmap in its row of the journal: 1,254
 * bytes of 10,000 members, many times the rest of the row.  Mostly the same few
 * sets come again and again: whom a lead of one language fits, who is not away.
 * So a set that comes again becomes a row of candidate_set, and rows of the journal
 * have its id instead.
 *
 * A row costs more than a bitmap: two indexes, and a look whether it is there
 * already.  A session therefore writes bitmaps first, and has a row once what it
 * has written of the same set exceeds leadroute.candidate_set_after: sets that
 * come once or seldom cost what they did, those that come often soon nothing.
 *
 * Invariants
 * - A row says the very same as the bitmaps would in the row of the journal, under
 *	 the same team_version: candidates and accruing both.  A row of the journal has
 *	 either.
 * - Rows are found by a hash of the bits and compared with them.  Two sessions may
 *	 append the same: harmless.  Whose rows may be referred to: companion.h.
 * - Nothing here reads through an MVCC snapshot.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/generation.h"
#include "base/guc.h"
#include "base/incarnation.h"
#include "journal/candidate_set.h"
#include "journal/companion.h"
#include "journal/journal_row.h"
#include "roster/reserve.h"

/* Columns of candidate_set, from 0. */
enum
{
	S_ID, S_TEAM_VERSION, S_HASH, S_SIZE, S_CANDIDATES, S_ACCRUING, S_COLUMNS
};

/* No more bytes than an id has. */
#define SMALL_SET		8

/* Sets that a session knows, each at one place by its hash. */
#define PLACES			1024

/* Bytes of bitmaps that it keeps of them; with more it begins again. */
#define KEPT_BYTES		(4 * 1024 * 1024)

typedef struct Known
{
	uint64		hash;
	int64		version;		/* team_version.id; 0: nothing is here */
	int64		written;		/* bytes of it that have been written in rows */
	int64		id;				/* of its row; 0: none yet */
	uint64		epoch;			/* that id is good for */
	Size		size;			/* of bits */
	uint8	   *bits;			/* if id: candidates, and accruing behind them */
} Known;

static Known *known = NULL;		/* PLACES of them */
static MemoryContext known_context = NULL;	/* their bits */
static Size kept = 0;
static int64 known_of;			/* incarnation that they are of */

/* ---------- what the session knows ---------- */

static void
forget_all(void)
{
	memset(known, 0, PLACES * sizeof(Known));
	MemoryContextReset(known_context);
	kept = 0;
	known_of = lr_incarnation();
}

static Size
bits_size(const LrEntry *e)
{
	return (Size) e->candidate_bytes * (e->accruing == NULL ? 1 : 2);
}

static void
forget_bits(Known *k)
{
	if (k->bits == NULL)
		return;
	kept -= k->size;
	pfree(k->bits);
	k->bits = NULL;
}

/* Where a set is remembered; forgets another one that was there. */
static Known *
place_of(const LrEntry *e)
{
	Known	   *k;

	if (known == NULL)
	{
		known_context = AllocSetContextCreate(TopMemoryContext,
											  "leadroute candidate sets",
											  ALLOCSET_DEFAULT_SIZES);
		known = (Known *) MemoryContextAllocZero(TopMemoryContext,
												 PLACES * sizeof(Known));
	}
	if (kept > KEPT_BYTES || known_of != lr_incarnation())
		forget_all();
	k = &known[e->candidate_hash % PLACES];
	if (k->hash == e->candidate_hash && k->version == e->team_version)
		return k;
	forget_bits(k);
	memset(k, 0, sizeof(*k));
	k->hash = e->candidate_hash;
	k->version = e->team_version;
	return k;
}

static bool
is_known_as(const Known *k, const LrEntry *e)
{
	/* by chance the hash may be that of another */
	return k->size == bits_size(e) &&
		memcmp(k->bits, e->candidates, e->candidate_bytes) == 0 &&
		(e->accruing == NULL ||
		 memcmp(k->bits + e->candidate_bytes, e->accruing,
				e->candidate_bytes) == 0);
}

static void
remember(Known *k, const LrEntry *e, int64 id, uint64 epoch)
{
	forget_bits(k);
	k->bits = (uint8 *) MemoryContextAlloc(known_context, bits_size(e));
	k->size = bits_size(e);
	kept += k->size;
	memcpy(k->bits, e->candidates, e->candidate_bytes);
	if (e->accruing != NULL)
		memcpy(k->bits + e->candidate_bytes, e->accruing, e->candidate_bytes);
	k->id = id;
	k->epoch = epoch;
}

/* ---------- rows ---------- */

/* A bitmap of a row is these bits without the zero bytes at their end. */
static bool
says(HeapTuple row, TupleDesc desc, int column, const uint8 *bits, int bytes)
{
	bool		isnull;
	Datum		value = heap_getattr(row, column + 1, desc, &isnull);
	Datum		wanted;
	bool		same;

	if (isnull || bits == NULL)
		return isnull && bits == NULL;
	wanted = lr_bitmap_datum(bits, bytes);
	same = DatumGetBool(DirectFunctionCall2(byteaeq, value, wanted));
	pfree(DatumGetPointer(wanted));
	return same;
}

/* id of a row with this set that we may refer to; 0: none. */
static int64
find(const LrEntry *e)
{
	Relation	rel = table_open(lr_relid("candidate_set"), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	row;
	int64		id = 0;

	ScanKeyInit(&key[0], S_TEAM_VERSION + 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(e->team_version));
	ScanKeyInit(&key[1], S_HASH + 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum((int64) e->candidate_hash));
	sys = systable_beginscan(rel, lr_relid("candidate_set_find"), true,
							 SnapshotSelf, 2, key);
	while (id == 0 && (row = systable_getnext(sys)) != NULL)
	{
		bool		isnull;

		if (says(row, desc, S_CANDIDATES, e->candidates, e->candidate_bytes) &&
			says(row, desc, S_ACCRUING, e->accruing, e->candidate_bytes) &&
			lr_companion_usable(row))
			id = DatumGetInt64(heap_getattr(row, S_ID + 1, desc, &isnull));
	}
	systable_endscan(sys);
	table_close(rel, AccessShareLock);
	return id;
}

static int64
append(const LrEntry *e)
{
	Datum		values[S_COLUMNS];
	bool		nulls[S_COLUMNS] = {false};
	int64		id = lr_reserve_id();

	values[S_ID] = Int64GetDatum(id);
	values[S_TEAM_VERSION] = Int64GetDatum(e->team_version);
	values[S_HASH] = Int64GetDatum((int64) e->candidate_hash);
	values[S_SIZE] = Int32GetDatum(e->candidate_count);
	values[S_CANDIDATES] = lr_bitmap_datum(e->candidates, e->candidate_bytes);
	nulls[S_ACCRUING] = e->accruing == NULL;
	if (e->accruing != NULL)
		values[S_ACCRUING] = lr_bitmap_datum(e->accruing, e->candidate_bytes);
	lr_companion_append("candidate_set", values, nulls);
	return id;
}

int64
lr_candidate_set(const LrEntry *e)
{
	Known	   *k;
	uint64		epoch;
	int64		id;

	if (e->candidates == NULL || e->candidate_bytes <= SMALL_SET ||
		e->candidate_hash == 0 || e->team_version == 0)
		return 0;
	k = place_of(e);
	if (k->id != 0 && k->epoch == lr_companion_epoch())
		return is_known_as(k, e) ? k->id : 0;
	if (k->written <= lr_candidate_set_after)
	{
		k->written += bits_size(e);
		return 0;
	}
	k->id = 0;
	epoch = lr_companion_epoch();
	id = find(e);
	if (id == 0)
		id = append(e);
	remember(k, e, id, epoch);
	return id;
}

bool
lr_candidate_set_read(int64 id, bool of_others, LrStoredSet *set)
{
	Relation	rel = table_open(lr_relid("candidate_set"), AccessShareLock);
	HeapTuple	row = lr_companion_row(rel, "candidate_set_id", id, of_others);

	if (row != NULL)
	{
		set->candidates = lr_bitmap_of(row, RelationGetDescr(rel), S_CANDIDATES);
		set->accruing = lr_bitmap_of(row, RelationGetDescr(rel), S_ACCRUING);
	}
	table_close(rel, AccessShareLock);
	return row != NULL;
}
