/*
 * fold.c
 *	  Folding journal and event into counters.  See fold.h.
 *
 * The fold is aggregates that PostgreSQL computes; only the shares of each
 * (composition, set of candidates, chosen member) are worked out here, as
 * integers that depend on nothing else: the very numbers that apply_turn of
 * reserve.c added.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "fold_cap.h"
#include "roster.h"

/* ---------- states ---------- */

LrState *
lr_state_new(void)
{
	LrState	   *s = (LrState *) palloc0(sizeof(LrState));
	HASHCTL		info = {0};

	info.hcxt = CurrentMemoryContext;
	info.keysize = sizeof(int32);
	info.entrysize = sizeof(LrMemberState);
	s->members = hash_create("leadroute members", 1024, &info,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	info.keysize = sizeof(LrSeatKey);
	info.entrysize = sizeof(LrSeatState);
	s->seats = hash_create("leadroute seats", 1024, &info,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	info.keysize = sizeof(LrCapKey);
	info.entrysize = sizeof(LrCapState);
	s->caps = hash_create("leadroute counts of caps", 64, &info,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	info.keysize = info.entrysize = sizeof(int32);
	s->cap_ids = hash_create("leadroute caps", 64, &info,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return s;
}

LrMemberState *
lr_state_member(LrState *s, int32 member)
{
	bool		found;
	LrMemberState *m = hash_search(s->members, &member, HASH_ENTER, &found);

	if (!found)
		m->load = m->released = m->last_turn = 0;
	return m;
}

LrSeatState *
lr_state_seat(LrState *s, int32 router, int32 team, int32 member)
{
	LrSeatKey		key = {router, team, member};
	bool		found;
	LrSeatState  *seat = hash_search(s->seats, &key, HASH_ENTER, &found);

	if (!found)
	{
		seat->credit = 0;
		seat->month = seat->received = seat->before = 0;
	}
	return seat;
}

int32
lr_state_received(const LrSeatState *seat, int32 month)
{
	return month == seat->month ? seat->received :
		month == seat->month - 1 ? seat->before : 0;
}

void
lr_state_receive(LrSeatState *seat, int32 month, int32 n)
{
	if (month > seat->month)
	{
		seat->before = lr_state_received(seat, month - 1);
		seat->received = 0;
		seat->month = month;
	}
	if (month == seat->month)
		seat->received += n;
	else if (month == seat->month - 1)
		seat->before += n;
}

/* Column of a row of the current SPI result; 0 where it is NULL. */
int64
lr_spi_int8(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

void
lr_read_query(const char *query, int nargs, int64 a, int64 b)
{
	Oid			types[2] = {INT8OID, INT8OID};
	Datum		values[2];

	values[0] = Int64GetDatum(a);
	values[1] = Int64GetDatum(b);
	if (SPI_execute_with_args(query, nargs, types, values, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the journal");
}

/* ---------- the fold ---------- */

static bool
is_in(const bytea *bitmap, int i)
{
	return i / 8 < (int) VARSIZE_ANY_EXHDR(bitmap) &&
		(((uint8 *) VARDATA_ANY(bitmap))[i / 8] & (1 << (i % 8))) != 0;
}

bool
lr_has_share(const LrShares *shares, int i)
{
	return shares->candidates == NULL || is_in(shares->candidates, i) ||
		(shares->accruing != NULL && is_in(shares->accruing, i));
}

/* Adds count leads of these shares that went to one member. */
void
lr_add_turns(LrState *s, int32 router, int32 team, int32 chosen, int64 count,
		  const LrShares *shares)
{
	double		weight = 0;
	double		factor;
	int64		sum = 0;
	int			i;

	for (i = 0; i < shares->n; i++)
		if (lr_has_share(shares, i))
			weight += DatumGetFloat8(shares->weight[i]);
	factor = (double) LR_CREDIT_ONE / weight;
	for (i = 0; i < shares->n; i++)
		if (lr_has_share(shares, i))
		{
			int64		share = (int64) (DatumGetFloat8(shares->weight[i]) * factor);

			lr_state_seat(s, router, team,
					   DatumGetInt32(shares->member[i]))->credit += count * share;
			sum += share;
		}
	lr_state_seat(s, router, team, chosen)->credit -= count * sum;
}

/* A bitmap of a row of the current SPI result; NULL where it is. */
static bytea *
spi_bitmap(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? NULL : DatumGetByteaPP(value);
}

/* A group of turns that went to one member, or were given back by it. */
static void
fold_turns(LrState *s, uint64 i)
{
	HeapTuple	row = SPI_tuptable->vals[i];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	LrShares	shares;
	bool		isnull;
	Datum		members = SPI_getbinval(row, desc, 8, &isnull);

	shares.candidates = spi_bitmap(i, 7);
	shares.accruing = spi_bitmap(i, 10);
	/* a restore has not come to the compositions or sets yet, see restore.c */
	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(members), INT4OID, 4, true,
					  TYPALIGN_INT, &shares.member, NULL, &shares.n);
	deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(row, desc, 9, &isnull)),
					  FLOAT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &shares.weight, NULL, &shares.n);
	lr_add_turns(s, (int32) lr_spi_int8(i, 1), (int32) lr_spi_int8(i, 2),
				 (int32) lr_spi_int8(i, 3), lr_spi_int8(i, 4), &shares);
}

/* One pass: the worker does this all day, beside the sessions it serves. */
static void
fold_journal(LrState *s, int64 from, int64 upto)
{
	uint64		i;

	lr_read_query("SELECT g.router::int8, g.team::int8, g.member::int8,"
				  " CASE WHEN g.turn THEN g.n END, g.load, g.last_turn,"
				  " coalesce(c.candidates, g.candidates), v.member, v.weight, coalesce(c.accruing, g.accruing),"
				  " g.n, g.last, g.target_month::int8"
				  " FROM (SELECT router, team, member, candidates, accruing, candidate_set, team_version, turn, target_month,"
				  " pg_catalog.count(*) AS n, pg_catalog.sum(load) AS load,"
				  " pg_catalog.max(id) AS last,"
				  " pg_catalog.max(id) FILTER (WHERE kind NOT IN ('d', 'u')"
				  " AND reason IS DISTINCT FROM 'sticky') AS last_turn"
				  " FROM leadroute.journal WHERE id > $1 AND id <= $2"
				  " GROUP BY router, team, member, candidates, accruing, candidate_set, team_version, turn, target_month) g"
				  " LEFT JOIN leadroute.candidate_set c ON g.turn AND c.id = g.candidate_set"
				  " LEFT JOIN leadroute.team_version v ON g.turn AND v.id = g.team_version"
				  " AND (g.candidate_set IS NULL OR c.id IS NOT NULL)",
				  2, from, upto);
	for (i = 0; i < SPI_processed; i++)
	{
		LrMemberState *m;

		s->rows += lr_spi_int8(i, 11);
		s->last_id = Max(s->last_id, lr_spi_int8(i, 12));
		if (lr_spi_int8(i, 3) == 0)
			continue;
		m = lr_state_member(s, (int32) lr_spi_int8(i, 3));
		m->load += lr_spi_int8(i, 5);
		m->last_turn = Max(m->last_turn, lr_spi_int8(i, 6));
		if (lr_spi_int8(i, 4) != 0)
			fold_turns(s, i);
		if (lr_spi_int8(i, 13) != 0)
			lr_state_receive(lr_state_seat(s, (int32) lr_spi_int8(i, 1),
										   (int32) lr_spi_int8(i, 2),
										   (int32) lr_spi_int8(i, 3)),
							 (int32) lr_spi_int8(i, 13),
							 (int32) lr_spi_int8(i, 11));
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
fold_events(LrState *s, int64 from, int64 upto)
{
	uint64		i;

	lr_read_query("SELECT member::int8, pg_catalog.sum(load), pg_catalog.max(id),"
				  " router::int8, team::int8, target_month::int8, pg_catalog.count(*)"
				  " FROM leadroute.event WHERE id > $1 AND id <= $2"
				  " GROUP BY member, router, team, target_month",
				  2, from, upto);
	for (i = 0; i < SPI_processed; i++)
	{
		s->last_id = Max(s->last_id, lr_spi_int8(i, 3));
		if (lr_spi_int8(i, 1) != 0)
			lr_state_member(s, (int32) lr_spi_int8(i, 1))->load += lr_spi_int8(i, 2);
		if (lr_spi_int8(i, 6) != 0)
			lr_state_receive(lr_state_seat(s, (int32) lr_spi_int8(i, 4),
										   (int32) lr_spi_int8(i, 5),
										   (int32) lr_spi_int8(i, 1)),
							 (int32) lr_spi_int8(i, 6),
							 -(int32) lr_spi_int8(i, 7));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Turns that members have given back; columns as those of fold_journal. */
static void
fold_turns_back(LrState *s, int64 from, int64 upto)
{
	uint64		i;

	lr_read_query("SELECT g.router::int8, g.team::int8, g.member::int8, -g.n, NULL, NULL,"
				  " coalesce(c.candidates, g.candidates), v.member, v.weight, coalesce(c.accruing, g.accruing)"
				  " FROM (SELECT router, team, member, candidates, accruing, candidate_set, team_version,"
				  " pg_catalog.count(*) AS n"
				  " FROM leadroute.event WHERE id > $1 AND id <= $2 AND team_version IS NOT NULL"
				  " GROUP BY router, team, member, candidates, accruing, candidate_set, team_version) g"
				  " LEFT JOIN leadroute.candidate_set c ON c.id = g.candidate_set"
				  " JOIN leadroute.team_version v ON v.id = g.team_version"
				  " AND (g.candidate_set IS NULL OR c.id IS NOT NULL)",
				  2, from, upto);
	for (i = 0; i < SPI_processed; i++)
		fold_turns(s, i);
	SPI_freetuptable(SPI_tuptable);
}

/* Compositions and sets of candidates take their ids from the same counter. */
static void
fold_companions(LrState *s, int64 from)
{
	lr_read_query("SELECT pg_catalog.max(id) FROM leadroute.team_version WHERE id > $1"
				  " UNION ALL SELECT pg_catalog.max(id) FROM leadroute.candidate_set WHERE id > $1",
				  1, from, 0);
	s->last_id = Max(s->last_id, Max(lr_spi_int8(0, 1), lr_spi_int8(1, 1)));
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Adds the rows beyond s->cut up to upto that the snapshot sees.  The planner
 * is kept from reading the whole journal for its end.
 */
void
lr_fold(LrState *s, int64 upto, Snapshot snapshot)
{
	int			nest = NewGUCNestLevel();

	if (s->cut > 0)
		(void) set_config_option("enable_seqscan", "off", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
								 false);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	PushActiveSnapshot(snapshot);
	s->last_id = Max(s->last_id, s->cut);
	fold_journal(s, s->cut, upto);
	fold_events(s, s->cut, upto);
	fold_turns_back(s, s->cut, upto);
	lr_fold_caps(s, s->cut, upto);
	fold_companions(s, s->cut);
	PopActiveSnapshot();
	AtEOXact_GUC(false, nest);
	if (upto != PG_INT64_MAX)
		s->cut = upto;
}
