/*
 * fold.c
 *	  Folding journal and event into counters.  See fold.h.
 *
 * The fold is aggregates that PostgreSQL computes; only what each member has of a
 * lead is worked out by fold_turns.c.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "base/settings.h"
#include "roster/fold_cap.h"
#include "roster/fold_turns.h"
#include "roster/roster.h"

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

/* A bitmap of a row of the current SPI result; NULL where it is. */
static bytea *
spi_bitmap(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? NULL : DatumGetByteaPP(value);
}

/* What turns of one group have in common: their shares, and whose they are. */
#define KEY "router, team, member, candidates, accruing, candidate_set, team_version"

/*
 * A group of turns that went to one member, or were given back by it: columns
 * GROUP, and how many they are.
 */
#define GROUP "router::int8, team::int8, member::int8, candidates, accruing, team_version, candidate_set"

/* Turns of the same shares behind each other. */
#define ORDER " ORDER BY router, team, team_version, candidate_set, candidates, accruing"

static void
fold_turns(LrTurns *turns, uint64 i, int64 count)
{
	LrTurnKey	key;

	key.router = (int32) lr_spi_int8(i, 1);
	key.team = (int32) lr_spi_int8(i, 2);
	key.candidates = spi_bitmap(i, 4);
	key.accruing = spi_bitmap(i, 5);
	key.version = lr_spi_int8(i, 6);
	key.set = lr_spi_int8(i, 7);
	lr_turns_add(turns, &key, (int32) lr_spi_int8(i, 3), count);
}

/* One pass: the worker does this all day, beside the sessions it serves. */
static void
fold_journal(LrState *s, int64 from, int64 upto)
{
	SPITupleTable *groups;
	LrTurns		turns;
	uint64		i;

	lr_read_query("SELECT " GROUP ", CASE WHEN turn THEN n END, load, last_turn,"
				  " n, last, target_month::int8"
				  " FROM (SELECT " KEY ", turn, target_month,"
				  " pg_catalog.count(*) AS n, pg_catalog.sum(load) AS load,"
				  " pg_catalog.max(id) AS last,"
				  " pg_catalog.max(id) FILTER (WHERE kind NOT IN ('d', 'u')"
				  " AND reason IS DISTINCT FROM 'sticky' AND is_test IS NULL) AS last_turn"
				  " FROM leadroute.journal WHERE id > $1 AND id <= $2"
				  " GROUP BY " KEY ", turn, target_month) g"
				  ORDER, 2, from, upto);
	groups = SPI_tuptable;
	lr_turns_begin(&turns, s, false);
	for (i = 0; i < groups->numvals; i++)
	{
		LrMemberState *m;

		s->rows += lr_spi_int8(i, 11);
		s->last_id = Max(s->last_id, lr_spi_int8(i, 12));
		if (lr_spi_int8(i, 3) == 0)
			continue;
		m = lr_state_member(s, (int32) lr_spi_int8(i, 3));
		m->load += lr_spi_int8(i, 9);
		m->last_turn = Max(m->last_turn, lr_spi_int8(i, 10));
		if (lr_spi_int8(i, 8) != 0)
			fold_turns(&turns, i, lr_spi_int8(i, 8));
		if (lr_spi_int8(i, 13) != 0)
			lr_state_receive(lr_state_seat(s, (int32) lr_spi_int8(i, 1),
										   (int32) lr_spi_int8(i, 2),
										   (int32) lr_spi_int8(i, 3)),
							 (int32) lr_spi_int8(i, 13),
							 (int32) lr_spi_int8(i, 11));
	}
	lr_turns_end(&turns);
	SPI_freetuptable(groups);
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

/* Turns that members have given back. */
static void
fold_turns_back(LrState *s, int64 from, int64 upto)
{
	SPITupleTable *groups;
	LrTurns		turns;
	uint64		i;

	lr_read_query("SELECT " GROUP ", n"
				  " FROM (SELECT " KEY ","
				  " pg_catalog.count(*) AS n"
				  " FROM leadroute.event WHERE id > $1 AND id <= $2 AND team_version IS NOT NULL"
				  " GROUP BY " KEY ") g"
				  ORDER, 2, from, upto);
	groups = SPI_tuptable;
	lr_turns_begin(&turns, s, false);
	for (i = 0; i < groups->numvals; i++)
		fold_turns(&turns, i, -lr_spi_int8(i, 8));
	lr_turns_end(&turns);
	SPI_freetuptable(groups);
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
 * The groups are few, which the planner cannot know: it is kept from sorting the
 * rows.
 */
static const LrSetting fold_settings[] = {
	{"search_path", "pg_catalog, pg_temp"},
	{"enable_sort", "off"},
	{"enable_incremental_sort", "off"},
	{"jit", "off"},
};

/*
 * And from reading the whole journal for its end, which is read all day beside
 * those who insert leads: by one process.
 */
static const LrSetting end_settings[] = {
	{"enable_seqscan", "off"},
	{"max_parallel_workers_per_gather", "0"},
};

/* Adds the rows beyond s->cut up to upto that the snapshot sees. */
void
lr_fold(LrState *s, int64 upto, Snapshot snapshot)
{
	int			nest = NewGUCNestLevel();

	lr_settings_set(fold_settings, lengthof(fold_settings));
	if (s->cut > 0)
		lr_settings_set(end_settings, lengthof(end_settings));
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
