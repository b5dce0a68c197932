/*
 * measured.c
 *	  Measuring what members make of their leads.  See measured.h.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/clock.h"
#include "base/generation.h"
#include "base/guc.h"
#include "base/owner_rights.h"
#include "base/shrink.h"
#include "journal/journal.h"
#include "roster/board.h"
#include "roster/due.h"
#include "roster/fold.h"
#include "roster/measured.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_measure_now);

/* One row of leadroute.measured. */
typedef struct Row
{
	int32		router;
	int32		team;			/* -1: all leads of the member */
	int32		member;
	LrTrials	responded;
	LrTrials	converted;
	double		response_rate;
	double		conversion_rate;
	int			tier;
} Row;

/* ---------- for decisions ---------- */

void
lr_measured_want(LrDatabase *db)
{
	/* by the server's clock, also under a test clock: it is the worker's */
	TimestampTz now = GetCurrentStatementStartTimestamp();

	if (now - db->measured_at >= lr_measured_interval * USECS_PER_SEC &&
		now >= db->measure_from && !RecoveryInProgress())
		lr_measures_wanted();
}

void
lr_measured(LrDatabase *db, LrMember *m, LrMeasured *measured)
{
	const LrMemberSlot *slot;

	measured->open_leads = 0;
	measured->response_rate = measured->conversion_rate = get_float8_nan();
	if (lr_slot_of_member(m) == LR_NO_SLOT)
		return;
	slot = &lr_member_slots[m->slot];
	measured->open_leads = slot->load + lr_reserve_released(m->slot);
	measured->response_rate = slot->response_rate;
	measured->conversion_rate = slot->conversion_rate;
}

uint64
lr_measured_serial(LrDatabase *db)
{
	return db->measured_serial;
}

/* ---------- counting ---------- */

#define COUNT_LEADS \
	"SELECT m.router, c.team, m.id, COALESCE(c.n, 0), COALESCE(c.responded, 0)," \
	" COALESCE(c.converted, 0)" \
	" FROM (SELECT r.id AS router, m.id FROM leadroute.member m" \
	" JOIN leadroute.router r ON r.name = m.router) m" \
	" LEFT JOIN (SELECT j.member, j.team, pg_catalog.count(*) AS n," \
	" pg_catalog.count(j.responded_at) AS responded," \
	" pg_catalog.count(j.converted_at) AS converted" \
	" FROM leadroute.journal j" \
	" WHERE j.assigned_at >= $1 AND j.assigned_at < $2 AND j.member IS NOT NULL" \
	" AND j.kind IN ('a', 'r', 'g', 'm') AND j.is_test IS NULL" \
	" GROUP BY GROUPING SETS ((j.member), (j.member, j.team))" \
	" HAVING GROUPING(j.team) = 1 OR j.team IS NOT NULL) c ON c.member = m.id" \
	/* groups one after the other: all leads, then team by team */ \
	" ORDER BY 1, 2 NULLS FIRST, 3"

/* The counts of all members; of members without leads, too. */
static Row *
count_leads(int *n)
{
	Oid			types[2] = {TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[2];
	TimestampTz until = lr_now() - lr_measured_delay * USECS_PER_SEC;
	Row		   *rows;
	uint64		i;

	values[0] = TimestampTzGetDatum(until - lr_measured_window * USECS_PER_SEC);
	values[1] = TimestampTzGetDatum(until);
	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_execute_with_args(COUNT_LEADS, 2, types, values, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not count leads");
	PopActiveSnapshot();
	*n = (int) SPI_processed;
	rows = (Row *) palloc0((*n + 1) * sizeof(Row));
	for (i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		rows[i].router = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));
		rows[i].team = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
		if (isnull)
			rows[i].team = -1;
		rows[i].member = DatumGetInt32(SPI_getbinval(tuple, desc, 3, &isnull));
		rows[i].responded.n = rows[i].converted.n = lr_spi_int8(i, 4);
		rows[i].responded.hits = lr_spi_int8(i, 5);
		rows[i].converted.hits = lr_spi_int8(i, 6);
	}
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

/* Estimates the rates of n rows that are one group. */
static void
estimate(Row *rows, int n)
{
	LrTrials   *trials = (LrTrials *) palloc(n * sizeof(LrTrials));
	LrGroup		responded;
	LrGroup		converted;
	int			i;

	for (i = 0; i < n; i++)
		trials[i] = rows[i].responded;
	responded = lr_group(trials, n);
	for (i = 0; i < n; i++)
		trials[i] = rows[i].converted;
	converted = lr_group(trials, n);
	for (i = 0; i < n; i++)
	{
		rows[i].response_rate = lr_shrunk_rate(&responded, &rows[i].responded);
		rows[i].conversion_rate = lr_shrunk_rate(&converted, &rows[i].converted);
		rows[i].tier = lr_tier_of(&converted, &rows[i].converted);
	}
	pfree(trials);
}

/* ---------- keeping ---------- */

/*
 * Measures that this transaction has made: what its commit puts into shared memory,
 * as the table then has it.  In TopTransactionContext.
 */
typedef struct Made
{
	struct Made *up;			/* of a level further out; NULL: none */
	int			nest;			/* level of the subtransaction that has made them */
	LrDatabase *db;
	uint64		generation;		/* of the slot, then */
	TimestampTz at;
	int			n;
	int		   *slot;			/* looked up before: db->lock covers assignments only */
	Row		   *rows;
} Made;

static Made *made = NULL;		/* the last ones; NULL: none */

/*
 * Puts rows into shared memory; whoever is not among them has no measures any
 * more.
 */
static void
publish(LrDatabase *db, const Row *rows, const int *slot, int n, TimestampTz at)
{
	int			index = lr_db_index(db);
	int			i;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	for (i = 0; i < lr_shared->members_used; i++)
		if (lr_member_slots[i].db == index)
			lr_member_slots[i].response_rate =
				lr_member_slots[i].conversion_rate = get_float8_nan();
	for (i = 0; i < lr_shared->seats_used; i++)
		if (lr_seats[i].db == index)
			lr_seats[i].tier = 0;
	for (i = 0; i < n; i++)
	{
		if (slot[i] == LR_NO_SLOT)
			continue;
		if (rows[i].team >= 0)
			lr_seats[slot[i]].tier = rows[i].tier;
		else
		{
			lr_member_slots[slot[i]].response_rate = rows[i].response_rate;
			lr_member_slots[slot[i]].conversion_rate = rows[i].conversion_rate;
		}
	}
	db->measured_at = at;
	db->measured_serial++;
	lr_board_measured(index);
	LWLockRelease(db->lock);
}

static int *
slots_of(LrDatabase *db, const Row *rows, int n)
{
	int		   *slot = (int *) palloc((n + 1) * sizeof(int));
	int			i;

	for (i = 0; i < n; i++)
		slot[i] = rows[i].team < 0 ? lr_member_slot(db, rows[i].member) :
			lr_seat_slot(db, rows[i].router, rows[i].team, rows[i].member);
	return slot;
}

/* The commit will publish them. */
static void
publish_at_commit(LrDatabase *db, const Row *rows, int n, TimestampTz at)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	Made	   *m = (Made *) palloc(sizeof(Made));

	m->nest = GetCurrentTransactionNestLevel();
	m->up = made != NULL && made->nest == m->nest ? made->up : made;
	m->db = db;
	m->generation = db->generation;
	m->at = at;
	m->n = n;
	m->slot = slots_of(db, rows, n);
	m->rows = (Row *) palloc((n + 1) * sizeof(Row));
	memcpy(m->rows, rows, n * sizeof(Row));
	MemoryContextSwitchTo(old);
	made = m;
}

void
lr_measured_commit(void)
{
	/* another extension may have been made in place of the one they are of */
	if (made != NULL && made->db->generation == made->generation)
		publish(made->db, made->rows, made->slot, made->n, made->at);
	made = NULL;
}

void
lr_measured_commit_sub(int nest)
{
	Made	   *m;

	for (m = made; m != NULL && m->nest >= nest; m = m->up)
		m->nest = nest - 1;
}

void
lr_measured_abort(int nest)
{
	while (made != NULL && made->nest >= nest)
		made = made->up;
}

static void
write_rows(const Row *rows, int n, TimestampTz at)
{
	Oid			types[10] = {INT4OID, INT4OID, INT4OID, INT8OID, INT8OID, INT8OID,
	FLOAT8OID, FLOAT8OID, INT4OID, TIMESTAMPTZOID};
	SPIPlanPtr	plan = SPI_prepare("DELETE FROM leadroute.measured", 0, NULL);
	int			i;

	/* those that are there now, whatever the isolation level */
	if (plan == NULL ||
		SPI_execute_snapshot(plan, NULL, NULL, GetLatestSnapshot(),
							 InvalidSnapshot, false, true, 0) != SPI_OK_DELETE)
		elog(ERROR, "could not delete former measures");
	SPI_freeplan(plan);
	plan = SPI_prepare("INSERT INTO leadroute.measured (router, team, member, leads,"
					   " responded, converted, response_rate, conversion_rate, tier,"
					   " measured_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
					   10, types);
	if (plan == NULL)
		elog(ERROR, "could not prepare to write measures");
	for (i = 0; i < n; i++)
	{
		Datum		values[10];
		char		nulls[11] = "          ";

		values[0] = Int32GetDatum(rows[i].router);
		values[1] = Int32GetDatum(rows[i].team);
		nulls[1] = rows[i].team < 0 ? 'n' : ' ';
		values[2] = Int32GetDatum(rows[i].member);
		values[3] = Int64GetDatum(rows[i].converted.n);
		values[4] = Int64GetDatum(rows[i].responded.hits);
		values[5] = Int64GetDatum(rows[i].converted.hits);
		values[6] = Float8GetDatum(rows[i].response_rate);
		nulls[6] = isnan(rows[i].response_rate) ? 'n' : ' ';
		values[7] = Float8GetDatum(rows[i].conversion_rate);
		nulls[7] = isnan(rows[i].conversion_rate) ? 'n' : ' ';
		values[8] = Int32GetDatum(rows[i].tier);
		nulls[8] = rows[i].team < 0 ? 'n' : ' ';
		values[9] = TimestampTzGetDatum(at);
		if (SPI_execute_plan(plan, values, nulls, false, 0) != SPI_OK_INSERT)
			elog(ERROR, "could not write measures");
	}
	SPI_freeplan(plan);
}

int64
lr_measure_members(LrDatabase *db, bool wait)
{
	TimestampTz at = GetCurrentTimestamp();
	LrRights	rights;
	Row		   *rows;
	int64		members = 0;
	int			n;
	int			first;
	int			last;

	if (wait)
		LockRelationOid(lr_relid("measured"), ShareRowExclusiveLock);
	else if (!ConditionalLockRelationOid(lr_relid("measured"), ShareRowExclusiveLock))
		return LR_NOT_MEASURED;
	lr_become_owner(&rights);
	SPI_connect();
	rows = count_leads(&n);
	for (first = 0; first < n; first = last)
	{
		for (last = first; last < n && rows[last].router == rows[first].router &&
			 rows[last].team == rows[first].team; last++)
			members += rows[last].team < 0 && rows[last].converted.n > 0;
		estimate(rows + first, last - first);
	}
	write_rows(rows, n, at);
	publish_at_commit(db, rows, n, at);
	SPI_finish();
	lr_resign(&rights);
	return members;
}

void
lr_measured_load(LrDatabase *db)
{
	TimestampTz at = 0;
	Row		   *rows;
	int			n;
	int			i;

	PushActiveSnapshot(GetLatestSnapshot());
	lr_read_query("SELECT router, team, member, tier, response_rate, conversion_rate,"
				  " measured_at FROM leadroute.measured", 0, 0, 0);
	PopActiveSnapshot();
	n = (int) SPI_processed;
	rows = (Row *) palloc0((n + 1) * sizeof(Row));
	for (i = 0; i < n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		rows[i].router = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));
		rows[i].team = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
		if (isnull)
			rows[i].team = -1;
		rows[i].member = DatumGetInt32(SPI_getbinval(tuple, desc, 3, &isnull));
		rows[i].tier = DatumGetInt32(SPI_getbinval(tuple, desc, 4, &isnull));
		rows[i].response_rate = DatumGetFloat8(SPI_getbinval(tuple, desc, 5, &isnull));
		if (isnull)
			rows[i].response_rate = get_float8_nan();
		rows[i].conversion_rate = DatumGetFloat8(SPI_getbinval(tuple, desc, 6, &isnull));
		if (isnull)
			rows[i].conversion_rate = get_float8_nan();
		at = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 7, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	publish(db, rows, slots_of(db, rows, n), n, at);
}

Datum
lr_measure_now(PG_FUNCTION_ARGS)
{
	lr_require_preload();
	/* what this transaction has decided is in the journal */
	lr_journal_flush();
	CommandCounterIncrement();
	PG_RETURN_INT64(lr_measure_members(lr_database(), true));
}
