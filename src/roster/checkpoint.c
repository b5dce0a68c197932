/*
 * checkpoint.c
 *	  Writing and reading the counters at a cut.
 *
 * Invariant of the cut: it is below every id of an open or prepared
 * transaction, and the rows are read with a snapshot taken after it was
 * determined; so no row with id <= cut can become visible later.
 *
 * But for what SQL writes into the journal (restore.c): it may bring any id.
 * Who does so deletes the checkpoints in its transaction, which locks them
 * against a writer of checkpoints until it has ended, and the other way round.
 * So either the DELETE finds the checkpoint that lacks its rows, or the writer
 * gets its lock when the commit has been counted in rewritten, before which it
 * has determined its cut; then it writes nothing.
 *
 * Lock order: the tables that a checkpoint is made from, then checkpoint; a
 * TRUNCATE of the journal takes them in that order, too, and rebuild().  Who has
 * the lock on checkpoint waits for no other.
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/spi.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/snapmgr.h"

#include "base/append.h"
#include "base/generation.h"
#include "base/guc.h"
#include "base/owner_rights.h"
#include "cap/cap_free.h"
#include "journal/journal.h"
#include "roster/board.h"
#include "roster/fold_cap.h"
#include "roster/late.h"
#include "roster/recovery.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_checkpoint_now);

/* pages_per_range of journal_order and event_order. */
#define PAGES_PER_RANGE	64

static int
array_column(int column, Oid type, Datum **elements)
{
	bool		isnull;
	int			n;
	Datum		array = SPI_getbinval(SPI_tuptable->vals[0],
									  SPI_tuptable->tupdesc, column, &isnull);

	if (type == INT4OID)
		deconstruct_array(DatumGetArrayTypeP(array), INT4OID, 4, true,
						  TYPALIGN_INT, elements, NULL, &n);
	else
		deconstruct_array(DatumGetArrayTypeP(array), INT8OID, 8,
						  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, elements, NULL, &n);
	return n;
}

/* The newest checkpoint, or an empty state. */
LrState *
lr_checkpoint_read(void)
{
	LrState	   *s = lr_state_new();
	Datum	   *a;
	Datum	   *b;
	Datum	   *c;
	Datum	   *d;
	Datum	   *month;
	Datum	   *received;
	Datum	   *before;
	int			n;
	int			i;

	PushActiveSnapshot(GetLatestSnapshot());
	lr_read_query("SELECT cut, member, load, last_turn, seat_router, seat_team,"
			   " seat_member, seat_credit, seat_month, seat_received,"
			   " seat_received_before, cap, cap_member, cap_used, cap_earlier,"
			   " cap_until, late_from FROM leadroute.checkpoint"
			   " ORDER BY cut DESC LIMIT 1", 0, 0, 0);
	PopActiveSnapshot();
	if (SPI_processed == 0)
		return s;
	s->cut = s->last_id = lr_spi_int8(0, 1);
	s->late_from = lr_spi_int8(0, 12 + LR_CAP_STATE_COLUMNS);
	n = array_column(2, INT4OID, &a);
	(void) array_column(3, INT8OID, &b);
	(void) array_column(4, INT8OID, &c);
	for (i = 0; i < n; i++)
	{
		LrMemberState *m = lr_state_member(s, DatumGetInt32(a[i]));

		m->load = DatumGetInt64(b[i]);
		m->last_turn = DatumGetInt64(c[i]);
	}
	n = array_column(5, INT4OID, &a);
	(void) array_column(6, INT4OID, &b);
	(void) array_column(7, INT4OID, &c);
	(void) array_column(8, INT8OID, &d);
	(void) array_column(9, INT4OID, &month);
	(void) array_column(10, INT4OID, &received);
	(void) array_column(11, INT4OID, &before);
	for (i = 0; i < n; i++)
	{
		LrSeatState *seat = lr_state_seat(s, DatumGetInt32(a[i]),
										  DatumGetInt32(b[i]),
										  DatumGetInt32(c[i]));

		seat->credit = DatumGetInt64(d[i]);
		seat->month = DatumGetInt32(month[i]);
		seat->received = DatumGetInt32(received[i]);
		seat->before = DatumGetInt32(before[i]);
	}
	lr_cap_state_read(s, SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 12);
	SPI_freetuptable(SPI_tuptable);
	return s;
}

static Datum
make_array(Datum *elements, int n, Oid type)
{
	ArrayType  *array = type == INT4OID ?
		construct_array(elements, n, INT4OID, 4, true, TYPALIGN_INT) :
		construct_array(elements, n, INT8OID, 8, FLOAT8PASSBYVAL,
						TYPALIGN_DOUBLE);

	return PointerGetDatum(array);
}

static void
write_checkpoint(LrState *s)
{
	int			nm = hash_get_num_entries(s->members);
	int			ns = hash_get_num_entries(s->seats);
	int			room = Max(nm, ns) + 1;
	Datum	   *c[10];
	Datum		values[13 + LR_CAP_STATE_COLUMNS];
	bool		nulls[13 + LR_CAP_STATE_COLUMNS] = {false};
	HASH_SEQ_STATUS seq;
	LrMemberState *m;
	LrSeatState  *seat;
	int			i;

	for (i = 0; i < 10; i++)
		c[i] = (Datum *) palloc(room * sizeof(Datum));
	i = 0;
	hash_seq_init(&seq, s->members);
	while ((m = hash_seq_search(&seq)) != NULL)
	{
		c[0][i] = Int32GetDatum(m->member);
		c[1][i] = Int64GetDatum(m->load);
		c[2][i++] = Int64GetDatum(m->last_turn);
	}
	i = 0;
	hash_seq_init(&seq, s->seats);
	while ((seat = hash_seq_search(&seq)) != NULL)
	{
		c[3][i] = Int32GetDatum(seat->key.router);
		c[4][i] = Int32GetDatum(seat->key.team);
		c[5][i] = Int32GetDatum(seat->key.member);
		c[6][i] = Int64GetDatum(seat->credit);
		c[7][i] = Int32GetDatum(seat->month);
		c[8][i] = Int32GetDatum(seat->received);
		c[9][i++] = Int32GetDatum(seat->before);
	}
	values[0] = Int64GetDatum(s->cut);
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	for (i = 0; i < 3; i++)
		values[2 + i] = make_array(c[i], nm, i == 0 ? INT4OID : INT8OID);
	for (i = 3; i < 10; i++)
		values[2 + i] = make_array(c[i], ns, i != 6 ? INT4OID : INT8OID);
	lr_cap_state_write(s, &values[12]);
	values[12 + LR_CAP_STATE_COLUMNS] = Int64GetDatum(s->late_from);
	lr_append_values("checkpoint", values, nulls);
}

/*
 * Puts last_turn right where rollbacks have left it in doubt: up to the cut the
 * tables say it exactly.
 */
static void
clean_turns(LrDatabase *db, LrState *s)
{
	int			i;

	for (i = 0; i < lr_shared->members_used; i++)
	{
		LrMemberSlot *slot = &lr_member_slots[i];
		int64		last_turn;

		if (slot->db != lr_db_index(db) || !slot->turn_dirty)
			continue;
		last_turn = lr_state_member(s, slot->member)->last_turn;
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		if (slot->last_turn <= s->cut)
		{
			slot->last_turn = last_turn;
			slot->turn_dirty = false;
			lr_member_touched(i);
		}
		LWLockRelease(db->lock);
	}
}

/*
 * Summarises the ranges of a table's BRIN index that lie behind its end.  The
 * ranges at the end stay unsummarised, so that appending does not have to
 * update their summary with every row.  Another time if the table is locked.
 */
static void
summarize_behind(const char *table)
{
	static BlockNumber done[2] = {0, 0};
	BlockNumber *from = &done[strcmp(table, "event") == 0];
	Relation	rel = table_open(lr_relid(table), AccessShareLock);
	BlockNumber blocks = RelationGetNumberOfBlocks(rel);
	char	   *query = psprintf("SELECT pg_catalog.brin_summarize_range('leadroute.%s_order', b)"
								 " FROM pg_catalog.generate_series($1, $2, %d) b",
								 table, PAGES_PER_RANGE);
	Oid			types[2] = {INT8OID, INT8OID};
	Datum		values[2];

	table_close(rel, AccessShareLock);
	if (*from > blocks)
		*from = 0;				/* rewritten or truncated */
	if (blocks < 3 * PAGES_PER_RANGE ||
		*from >= blocks - 3 * PAGES_PER_RANGE)
		return;
	if (!ConditionalLockRelationOid(lr_relid(table), ShareUpdateExclusiveLock))
		return;
	values[0] = Int64GetDatum(*from);
	values[1] = Int64GetDatum((int64) blocks - 3 * PAGES_PER_RANGE);
	if (SPI_execute_with_args(query, 2, types, values, NULL, false,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not summarize leadroute.%s", table);
	UnlockRelationOid(lr_relid(table), ShareUpdateExclusiveLock);
	*from = (blocks - 2 * PAGES_PER_RANGE) / PAGES_PER_RANGE * PAGES_PER_RANGE;
}

/* Deletes checkpoints: those that are there now, whatever the isolation level. */
static void
delete_checkpoints(const char *query)
{
	SPIPlanPtr	plan = SPI_prepare(query, 0, NULL);

	if (plan == NULL ||
		SPI_execute_snapshot(plan, NULL, NULL, GetLatestSnapshot(),
							 InvalidSnapshot, false, true,
							 0) != SPI_OK_DELETE)
		elog(ERROR, "could not delete checkpoints");
	SPI_freeplan(plan);
}

void
lr_checkpoint_forget(void)
{
	LrRights	rights;

	lr_become_owner(&rights);
	SPI_connect();
	/* before the snapshot: a writer of one may have to end first */
	LockRelationOid(lr_relid("checkpoint"), RowExclusiveLock);
	delete_checkpoints("DELETE FROM leadroute.checkpoint");
	SPI_finish();
	lr_resign(&rights);
}

/* Locks for the writer of a checkpoint; false: not without waiting. */
static bool
lock_for_checkpoint(bool wait)
{
	static const char *const source[] = {"journal", "event", "team_version", "candidate_set"};
	int			i;

	for (i = 0; i < (int) lengthof(source); i++)
	{
		if (wait)
			LockRelationOid(lr_relid(source[i]), AccessShareLock);
		else if (!ConditionalLockRelationOid(lr_relid(source[i]), AccessShareLock))
			return false;
	}
	/* one writer at a time; readers and routing do not care */
	if (!wait)
		return ConditionalLockRelationOid(lr_relid("checkpoint"), ShareRowExclusiveLock);
	LockRelationOid(lr_relid("checkpoint"), ShareRowExclusiveLock);
	return true;
}

int64
lr_checkpoint(LrDatabase *db, bool wait)
{
	int64		cut;
	int64		rewritten;
	bool		fresh;
	LrState	   *s;
	LrRights	rights;

	rewritten = db->rewritten;
	lr_settle_prepared(db);
	cut = lr_settled_below(db) - 1;
	if (!lock_for_checkpoint(wait))
		return LR_NO_CHECKPOINT;
	lr_become_owner(&rights);
	SPI_connect();
	s = lr_checkpoint_read();
	/* the tables may be half restored: that must not be remembered */
	fresh = cut > s->cut && !db->restored;
	if (fresh)
		lr_fold(s, cut, GetLatestSnapshot());
	if (fresh && !db->restored && db->rewritten == rewritten)
	{
		clean_turns(db, s);
		lr_cap_state_note(db, s);
		LWLockAcquire(db->lock, LW_SHARED);
		s->late_from = lr_late_pending(db);
		LWLockRelease(db->lock);
		write_checkpoint(s);
		CommandCounterIncrement();
		delete_checkpoints("DELETE FROM leadroute.checkpoint WHERE cut <"
						   " (SELECT pg_catalog.max(cut) FROM leadroute.checkpoint)");
		PushActiveSnapshot(GetLatestSnapshot());
		summarize_behind("journal");
		summarize_behind("event");
		PopActiveSnapshot();
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		db->checkpoint_id = cut;
		LWLockRelease(db->lock);
	}
	cut = s->cut;
	SPI_finish();
	lr_resign(&rights);
	lr_caps_free_gone(db);
	return cut;
}

Datum
lr_checkpoint_now(PG_FUNCTION_ARGS)
{
	lr_require_preload();
	lr_journal_flush();
	PG_RETURN_INT64(lr_checkpoint(lr_database(), true));
}
