/*
 * recovery.c
 *	  Folding journal and event into counters.  See recovery.h.
 *
 * The fold is three aggregates that PostgreSQL computes; only the shares of
 * each (composition, set of candidates, chosen member) are worked out here, as
 * integers that depend on nothing else: the very numbers that apply_turn of
 * reserve.c added.
 *
 * Invariant of the cut: it is below every id of an open or prepared
 * transaction, and the rows are read with a snapshot taken after it was
 * determined; so no row with id <= cut can become visible later.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/subtrans.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "append.h"
#include "compat.h"
#include "config.h"
#include "guard.h"
#include "journal.h"
#include "lead.h"
#include "leadroute.h"
#include "outcome.h"
#include "owner_rights.h"
#include "recovery.h"
#include "reserve.h"
#include "scan.h"
#include "table.h"

PG_FUNCTION_INFO_V1(lr_rebuild);
PG_FUNCTION_INFO_V1(lr_verify);
PG_FUNCTION_INFO_V1(lr_checkpoint_now);
PG_FUNCTION_INFO_V1(lr_member_counter);
PG_FUNCTION_INFO_V1(lr_seat_counter);
PG_FUNCTION_INFO_V1(lr_share_of);

/* pages_per_range of journal_order and event_order. */
#define PAGES_PER_RANGE	64

typedef struct MemberState
{
	int32		member;			/* key */
	int64		load;
	int64		released;		/* of a prepared transaction; not in load */
	int64		last_turn;
} MemberState;

typedef struct SeatKey
{
	int32		router;
	int32		team;
	int32		member;
} SeatKey;

typedef struct SeatState
{
	SeatKey		key;
	int64		credit;
} SeatState;

/* The counters as the tables say. */
typedef struct State
{
	HTAB	   *members;
	HTAB	   *seats;
	int64		cut;			/* rows up to here are contained */
	int64		last_id;
	int64		rows;			/* of the journal, read */
} State;

/* ---------- states ---------- */

static State *
new_state(void)
{
	State	   *s = (State *) palloc0(sizeof(State));
	HASHCTL		info = {0};

	info.hcxt = CurrentMemoryContext;
	info.keysize = sizeof(int32);
	info.entrysize = sizeof(MemberState);
	s->members = hash_create("leadroute members", 1024, &info,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	info.keysize = sizeof(SeatKey);
	info.entrysize = sizeof(SeatState);
	s->seats = hash_create("leadroute seats", 1024, &info,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return s;
}

static MemberState *
member_state(State *s, int32 member)
{
	bool		found;
	MemberState *m = hash_search(s->members, &member, HASH_ENTER, &found);

	if (!found)
		m->load = m->released = m->last_turn = 0;
	return m;
}

static SeatState *
seat_state(State *s, int32 router, int32 team, int32 member)
{
	SeatKey		key = {router, team, member};
	bool		found;
	SeatState  *seat = hash_search(s->seats, &key, HASH_ENTER, &found);

	if (!found)
		seat->credit = 0;
	return seat;
}

/* Column of a row of the current SPI result; 0 where it is NULL. */
static int64
spi_int8(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static void
read_query(const char *query, int nargs, int64 a, int64 b)
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

/* One composition's members and weights, and who of them were candidates. */
typedef struct Shares
{
	int			n;
	Datum	   *member;
	Datum	   *weight;
	bytea	   *candidates;		/* NULL: all */
} Shares;

static bool
is_candidate(const bytea *candidates, int i)
{
	return candidates == NULL ||
		(i / 8 < (int) VARSIZE_ANY_EXHDR(candidates) &&
		 (((uint8 *) VARDATA_ANY(candidates))[i / 8] & (1 << (i % 8))) != 0);
}

/* Adds count leads of these shares that went to one member. */
static void
add_turns(State *s, int32 router, int32 team, int32 chosen, int64 count,
		  const Shares *shares)
{
	double		weight = 0;
	double		factor;
	int64		sum = 0;
	int			i;

	for (i = 0; i < shares->n; i++)
		if (is_candidate(shares->candidates, i))
			weight += DatumGetFloat8(shares->weight[i]);
	factor = (double) LR_CREDIT_ONE / weight;
	for (i = 0; i < shares->n; i++)
		if (is_candidate(shares->candidates, i))
		{
			int64		share = (int64) (DatumGetFloat8(shares->weight[i]) * factor);

			seat_state(s, router, team,
					   DatumGetInt32(shares->member[i]))->credit += count * share;
			sum += share;
		}
	seat_state(s, router, team, chosen)->credit -= count * sum;
}

static void
fold_turns(State *s, int64 from, int64 upto)
{
	uint64		i;

	read_query("SELECT g.router::int8, g.team::int8, g.member::int8, g.n,"
			   " g.candidates, v.member, v.weight"
			   " FROM (SELECT router, team, member, candidates, team_version,"
			   " pg_catalog.count(*) AS n FROM leadroute.journal"
			   " WHERE turn AND id > $1 AND id <= $2"
			   " GROUP BY router, team, member, candidates, team_version) g"
			   " JOIN leadroute.team_version v ON v.id = g.team_version",
			   2, from, upto);
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Shares		shares;
		bool		isnull;
		Datum		candidates = SPI_getbinval(row, desc, 5, &isnull);

		shares.candidates = isnull ? NULL : DatumGetByteaPP(candidates);
		deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(row, desc, 6, &isnull)),
						  INT4OID, 4, true, TYPALIGN_INT, &shares.member, NULL,
						  &shares.n);
		deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(row, desc, 7, &isnull)),
						  FLOAT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
						  &shares.weight, NULL, &shares.n);
		add_turns(s, (int32) spi_int8(i, 1), (int32) spi_int8(i, 2),
				  (int32) spi_int8(i, 3), spi_int8(i, 4), &shares);
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
fold_loads(State *s, int64 from, int64 upto)
{
	uint64		i;

	read_query("SELECT member::int8, pg_catalog.sum(load), pg_catalog.count(*),"
			   " pg_catalog.max(id) FILTER (WHERE kind <> 'd')"
			   " FROM leadroute.journal WHERE id > $1 AND id <= $2"
			   " GROUP BY member", 2, from, upto);
	for (i = 0; i < SPI_processed; i++)
	{
		MemberState *m;

		s->rows += spi_int8(i, 3);
		if (spi_int8(i, 1) == 0)
			continue;
		m = member_state(s, (int32) spi_int8(i, 1));
		m->load += spi_int8(i, 2);
		m->last_turn = Max(m->last_turn, spi_int8(i, 4));
	}
	SPI_freetuptable(SPI_tuptable);

	read_query("SELECT member::int8, pg_catalog.sum(load) FROM leadroute.event"
			   " WHERE id > $1 AND id <= $2 AND load <> 0 GROUP BY member",
			   2, from, upto);
	for (i = 0; i < SPI_processed; i++)
		member_state(s, (int32) spi_int8(i, 1))->load += spi_int8(i, 2);
	SPI_freetuptable(SPI_tuptable);
}

/* Highest id in use beyond one. */
static int64
highest_id(int64 from)
{
	int64		id;

	read_query("SELECT GREATEST((SELECT pg_catalog.max(id) FROM leadroute.journal WHERE id > $1),"
			   " (SELECT pg_catalog.max(id) FROM leadroute.event WHERE id > $1),"
			   " (SELECT pg_catalog.max(id) FROM leadroute.team_version WHERE id > $1), $1)",
			   1, from, 0);
	id = spi_int8(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return id;
}

/*
 * Adds the rows beyond s->cut up to upto that the newest snapshot sees.  The
 * planner is kept from reading the whole journal for its end.
 */
static void
fold(State *s, int64 upto)
{
	int			nest = NewGUCNestLevel();

	if (s->cut > 0)
		(void) set_config_option("enable_seqscan", "off", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
								 false);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	PushActiveSnapshot(GetLatestSnapshot());
	fold_loads(s, s->cut, upto);
	fold_turns(s, s->cut, upto);
	s->last_id = highest_id(s->cut);
	PopActiveSnapshot();
	AtEOXact_GUC(false, nest);
	if (upto != PG_INT64_MAX)
		s->cut = upto;
}

/* ---------- checkpoints ---------- */

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
static State *
read_checkpoint(void)
{
	State	   *s = new_state();
	Datum	   *a;
	Datum	   *b;
	Datum	   *c;
	Datum	   *d;
	int			n;
	int			i;

	PushActiveSnapshot(GetLatestSnapshot());
	read_query("SELECT cut, member, load, last_turn, seat_router, seat_team,"
			   " seat_member, seat_credit FROM leadroute.checkpoint"
			   " ORDER BY cut DESC LIMIT 1", 0, 0, 0);
	PopActiveSnapshot();
	if (SPI_processed == 0)
		return s;
	s->cut = s->last_id = spi_int8(0, 1);
	n = array_column(2, INT4OID, &a);
	(void) array_column(3, INT8OID, &b);
	(void) array_column(4, INT8OID, &c);
	for (i = 0; i < n; i++)
	{
		MemberState *m = member_state(s, DatumGetInt32(a[i]));

		m->load = DatumGetInt64(b[i]);
		m->last_turn = DatumGetInt64(c[i]);
	}
	n = array_column(5, INT4OID, &a);
	(void) array_column(6, INT4OID, &b);
	(void) array_column(7, INT4OID, &c);
	(void) array_column(8, INT8OID, &d);
	for (i = 0; i < n; i++)
		seat_state(s, DatumGetInt32(a[i]), DatumGetInt32(b[i]),
				   DatumGetInt32(c[i]))->credit = DatumGetInt64(d[i]);
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
write_checkpoint(State *s)
{
	int			nm = hash_get_num_entries(s->members);
	int			ns = hash_get_num_entries(s->seats);
	int			room = Max(nm, ns) + 1;
	Datum	   *c[7];
	Datum		values[9];
	bool		nulls[9] = {false};
	HASH_SEQ_STATUS seq;
	MemberState *m;
	SeatState  *seat;
	int			i;

	for (i = 0; i < 7; i++)
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
		c[6][i++] = Int64GetDatum(seat->credit);
	}
	values[0] = Int64GetDatum(s->cut);
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	for (i = 0; i < 3; i++)
		values[2 + i] = make_array(c[i], nm, i == 0 ? INT4OID : INT8OID);
	for (i = 3; i < 7; i++)
		values[2 + i] = make_array(c[i], ns, i < 6 ? INT4OID : INT8OID);
	lr_append_values("checkpoint", values, nulls);
}

/*
 * Puts last_turn right where rollbacks have left it in doubt: up to the cut the
 * tables say it exactly.
 */
static void
clean_turns(LrDatabase *db, State *s)
{
	int			i;

	for (i = 0; i < lr_shared->members_used; i++)
	{
		LrMemberSlot *slot = &lr_member_slots[i];
		int64		last_turn;

		if (slot->db != lr_db_index(db) || !slot->turn_dirty)
			continue;
		last_turn = member_state(s, slot->member)->last_turn;
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		if (slot->last_turn <= s->cut)
		{
			slot->last_turn = last_turn;
			slot->turn_dirty = false;
		}
		LWLockRelease(db->lock);
	}
}

/*
 * Summarises the ranges of a table's BRIN index that lie behind its end.  The
 * ranges at the end stay unsummarised, so that appending does not have to
 * update their summary with every row.
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
	values[0] = Int64GetDatum(*from);
	values[1] = Int64GetDatum((int64) blocks - 3 * PAGES_PER_RANGE);
	if (SPI_execute_with_args(query, 2, types, values, NULL, false,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not summarize leadroute.%s", table);
	*from = (blocks - 2 * PAGES_PER_RANGE) / PAGES_PER_RANGE * PAGES_PER_RANGE;
}

int64
lr_checkpoint(LrDatabase *db)
{
	int64		cut;
	State	   *s;
	LrRights	rights;

	lr_settle_prepared(db);
	cut = lr_settled_below(db) - 1;
	lr_become(lr_extension_owner(), &rights);
	SPI_connect();
	/* one writer at a time; readers and routing do not care */
	LockRelationOid(lr_relid("checkpoint"), ShareUpdateExclusiveLock);
	s = read_checkpoint();
	if (cut > s->cut)
	{
		fold(s, cut);
		clean_turns(db, s);
		write_checkpoint(s);
		CommandCounterIncrement();
		PushActiveSnapshot(GetLatestSnapshot());
		if (SPI_execute("DELETE FROM leadroute.checkpoint WHERE cut <"
						" (SELECT pg_catalog.max(cut) FROM leadroute.checkpoint)",
						false, 0) != SPI_OK_DELETE)
			elog(ERROR, "could not delete old checkpoints");
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
	return cut;
}

Datum
lr_checkpoint_now(PG_FUNCTION_ARGS)
{
	lr_require_preload();
	lr_journal_flush();
	PG_RETURN_INT64(lr_checkpoint(lr_database()));
}

/* ---------- loading ---------- */

/*
 * Rows that prepared transactions have written count as their reservations.
 * While a database loads, nobody else can have rows in progress.
 */
typedef struct Prepared
{
	TransactionId xid;			/* top level; key */
	int64		min_id;
	State	   *state;
} Prepared;

static TransactionId
prepared_xid(HeapTuple tuple)
{
	TransactionId xmin = HeapTupleHeaderGetXmin(tuple->t_data);

	if (!TransactionIdIsNormal(xmin) || !TransactionIdIsInProgress(xmin) ||
		TransactionIdIsCurrentTransactionId(xmin))
		return InvalidTransactionId;
	return SubTransGetTopmostTransaction(xmin);
}

static Prepared *
prepared_state(HTAB *all, TransactionId xid, int64 id)
{
	bool		found;
	Prepared   *p = hash_search(all, &xid, HASH_ENTER, &found);

	if (!found)
	{
		p->min_id = id;
		p->state = new_state();
	}
	p->min_id = Min(p->min_id, id);
	return p;
}

static int64
int_of(Relation rel, HeapTuple tuple, const char *column, bool wide)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple,
									 SPI_fnumber(RelationGetDescr(rel), column),
									 RelationGetDescr(rel), &isnull);

	return isnull ? 0 : wide ? DatumGetInt64(value) : DatumGetInt32(value);
}

/* The composition a journal row of a prepared transaction refers to. */
static void
add_prepared_turn(State *s, Relation rel, HeapTuple row)
{
	Relation	versions = table_open(lr_relid("team_version"), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(versions);
	ScanKeyData key;
	SysScanDesc sys;
	HeapTuple	version;
	bool		isnull;
	Datum		candidates = heap_getattr(row, SPI_fnumber(RelationGetDescr(rel), "candidates"),
										  RelationGetDescr(rel), &isnull);
	Shares		shares;

	shares.candidates = isnull ? NULL : DatumGetByteaPP(candidates);
	ScanKeyInit(&key, SPI_fnumber(desc, "id"), BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(int_of(rel, row, "team_version", true)));
	/* the row may be of the same prepared transaction */
	sys = systable_beginscan(versions, lr_relid("team_version_id"), true,
							 SnapshotAny, 1, &key);
	version = systable_getnext(sys);
	if (HeapTupleIsValid(version))
	{
		deconstruct_array(DatumGetArrayTypeP(heap_getattr(version, SPI_fnumber(desc, "member"),
														  desc, &isnull)),
						  INT4OID, 4, true, TYPALIGN_INT, &shares.member, NULL,
						  &shares.n);
		deconstruct_array(DatumGetArrayTypeP(heap_getattr(version, SPI_fnumber(desc, "weight"),
														  desc, &isnull)),
						  FLOAT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
						  &shares.weight, NULL, &shares.n);
		add_turns(s, (int32) int_of(rel, row, "router", false),
				  (int32) int_of(rel, row, "team", false),
				  (int32) int_of(rel, row, "member", false), 1, &shares);
	}
	systable_endscan(sys);
	table_close(versions, AccessShareLock);
}

static bool
is_adopted(Relation rel, HeapTuple row)
{
	bool		isnull;

	return DatumGetChar(heap_getattr(row, SPI_fnumber(RelationGetDescr(rel), "kind"),
									 RelationGetDescr(rel), &isnull)) == LR_KIND_ADOPTED;
}

/* What is given back stays reserved until COMMIT PREPARED. */
static void
add_prepared_load(MemberState *m, int64 load, int64 turn)
{
	if (load < 0)
		m->released += load;
	else
		m->load += load;
	m->last_turn = Max(m->last_turn, turn);
}

static void
scan_prepared(const char *table, int64 cut, HTAB *all, int64 *last_id)
{
	Relation	rel = table_open(lr_relid(table), AccessShareLock);
	SysScanDesc sys = systable_beginscan(rel, InvalidOid, false, SnapshotAny,
										 0, NULL);
	bool		journal = strcmp(table, "journal") == 0;
	HeapTuple	row;

	while ((row = systable_getnext(sys)) != NULL)
	{
		int64		id = int_of(rel, row, "id", true);
		TransactionId xid;
		State	   *s;

		if (id <= cut || !TransactionIdIsValid(xid = prepared_xid(row)))
			continue;
		*last_id = Max(*last_id, id);
		s = prepared_state(all, xid, id)->state;
		if (int_of(rel, row, "member", false) != 0)
			add_prepared_load(member_state(s, (int32) int_of(rel, row, "member", false)),
							  int_of(rel, row, "load", false),
							  journal && !is_adopted(rel, row) ? id : 0);
		if (journal)
		{
			bool		isnull;

			if (DatumGetBool(heap_getattr(row, SPI_fnumber(RelationGetDescr(rel), "turn"),
										  RelationGetDescr(rel), &isnull)))
				add_prepared_turn(s, rel, row);
		}
	}
	systable_endscan(sys);
	table_close(rel, AccessShareLock);
}

static bool
any_prepared(void)
{
	bool		found;

	PushActiveSnapshot(GetLatestSnapshot());
	read_query("SELECT FROM pg_catalog.pg_prepared_xacts"
			   " WHERE database = pg_catalog.current_database()", 0, 0, 0);
	PopActiveSnapshot();
	found = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* Adds a state to the counters in shared memory. */
static void
apply_state(LrDatabase *db, State *s)
{
	HASH_SEQ_STATUS seq;
	MemberState *m;
	SeatState  *seat;

	hash_seq_init(&seq, s->members);
	while ((m = hash_seq_search(&seq)) != NULL)
	{
		int			slot = lr_member_slot(db, m->member);

		if (slot == LR_NO_SLOT)
			continue;
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		lr_member_slots[slot].load += m->load;
		lr_member_slots[slot].last_turn = Max(lr_member_slots[slot].last_turn,
											  m->last_turn);
		LWLockRelease(db->lock);
	}
	hash_seq_init(&seq, s->seats);
	while ((seat = hash_seq_search(&seq)) != NULL)
	{
		int			slot = lr_seat_slot(db, seat->key.router, seat->key.team,
										seat->key.member);

		if (slot == LR_NO_SLOT)
			continue;
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		lr_seats[slot].credit += seat->credit;
		LWLockRelease(db->lock);
	}
}

/* Enters what a prepared transaction holds into the shared array. */
static void
enter_prepared(LrDatabase *db, Prepared *p)
{
	HASH_SEQ_STATUS seq;
	MemberState *m;
	SeatState  *seat;
	bool		ok = lr_prepared_enter(db, p->xid, LR_COUNTER_XACT, 0, p->min_id,
									   0);

	hash_seq_init(&seq, p->state->members);
	while ((m = hash_seq_search(&seq)) != NULL)
	{
		int			slot = lr_member_slot(db, m->member);

		if (slot == LR_NO_SLOT)
			continue;
		ok &= lr_prepared_enter(db, p->xid, LR_COUNTER_LOAD, slot, m->load, 0);
		ok &= lr_prepared_enter(db, p->xid, LR_COUNTER_RELEASE, slot,
								m->released, 0);
		/* apply_state sets it only if it is later than what is there */
		if (m->last_turn > lr_member_slots[slot].last_turn)
			ok &= lr_prepared_enter(db, p->xid, LR_COUNTER_TURN, slot,
									m->last_turn,
									lr_member_slots[slot].last_turn);
	}
	hash_seq_init(&seq, p->state->seats);
	while ((seat = hash_seq_search(&seq)) != NULL)
		ok &= lr_prepared_enter(db, p->xid, LR_COUNTER_CREDIT,
								lr_seat_slot(db, seat->key.router,
											 seat->key.team, seat->key.member),
								seat->credit, 0);
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("prepared transactions hold too many counters of leadroute"),
				 errhint("Raise leadroute.max_prepared_counters, %d now, and restart the server.",
						 lr_max_prepared_counters)));
	apply_state(db, p->state);
}

static void
load_prepared(LrDatabase *db, int64 cut, int64 *last_id)
{
	HASHCTL		info = {0};
	HTAB	   *all;
	HASH_SEQ_STATUS seq;
	Prepared   *p;

	info.keysize = sizeof(TransactionId);
	info.entrysize = sizeof(Prepared);
	info.hcxt = CurrentMemoryContext;
	all = hash_create("leadroute prepared", 16, &info,
					  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	scan_prepared("journal", cut, all, last_id);
	scan_prepared("event", cut, all, last_id);
	hash_seq_init(&seq, all);
	while ((p = hash_seq_search(&seq)) != NULL)
		enter_prepared(db, p);
}

int64
lr_recovery_load(LrDatabase *db, bool whole)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "leadroute load",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	LrRights	rights;
	State	   *s;
	int64		rows;
	int64		last_id;
	int64		cut;

	lr_become(lr_extension_owner(), &rights);
	SPI_connect();
	old = MemoryContextSwitchTo(context);
	s = whole ? new_state() : read_checkpoint();
	cut = s->cut;
	fold(s, PG_INT64_MAX);
	last_id = s->last_id;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	lr_clear_counters(db);
	LWLockRelease(db->lock);
	apply_state(db, s);
	if (db->prepared == 0 && any_prepared())
		load_prepared(db, cut, &last_id);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->last_id = Max(db->last_id, last_id);
	db->checkpoint_id = cut;
	LWLockRelease(db->lock);
	rows = s->rows;
	MemoryContextSwitchTo(old);
	SPI_finish();
	lr_resign(&rights);
	MemoryContextDelete(context);
	return rows;
}

Datum
lr_rebuild(PG_FUNCTION_ARGS)
{
	LrDatabase *db;
	int64		rows;
	LrRights	rights;

	lr_require_preload();
	lr_journal_flush();
	db = lr_database();
	lr_settle_prepared(db);
	if (db->prepared > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot rebuild while prepared transactions hold reservations"),
				 errhint("Commit or roll back the transactions in pg_prepared_xacts first.")));
	if (lr_backends[lr_my_backend_index()].min_id != 0)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("cannot rebuild in a transaction that has routed leads"),
				 errhint("Run leadroute.rebuild() in a transaction of its own.")));

	/* waits for every transaction with reservations, and keeps new ones out */
	LockRelationOid(lr_relid("journal"), ShareLock);
	lr_become(lr_extension_owner(), &rights);
	SPI_connect();
	if (SPI_execute("DELETE FROM leadroute.checkpoint", false, 0) != SPI_OK_DELETE)
		elog(ERROR, "could not delete checkpoints");
	SPI_finish();
	lr_resign(&rights);
	rows = lr_recovery_load(db, true);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->restored = false;
	LWLockRelease(db->lock);
	lr_eligibility_changed();
	PG_RETURN_INT64(rows);
}

/* ---------- verify ---------- */

static void
disagree(ReturnSetInfo *rsinfo, const char *what, const char *router,
		 const char *subject, const char *expected, const char *found)
{
	Datum		values[5];
	bool		nulls[5] = {false};
	const char *text[5];
	int			i;

	text[0] = what;
	text[1] = router;
	text[2] = subject;
	text[3] = expected;
	text[4] = found;
	for (i = 0; i < 5; i++)
	{
		nulls[i] = text[i] == NULL;
		if (!nulls[i])
			values[i] = CStringGetTextDatum(text[i]);
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Compares shared memory with the whole journal. */
static void
verify_counters(LrDatabase *db, State *s, ReturnSetInfo *rsinfo)
{
	int			index = lr_db_index(db);
	HASH_SEQ_STATUS seq;
	MemberState *known;
	int			i;

	/* whoever is in the tables has a slot, or shared memory is full */
	hash_seq_init(&seq, s->members);
	while ((known = hash_seq_search(&seq)) != NULL)
		(void) lr_member_slot(db, known->member);
	for (i = 0; i < lr_shared->members_used; i++)
	{
		LrMemberSlot slot;
		MemberState *m;

		if (lr_member_slots[i].db != index)
			continue;
		slot = lr_member_slots[i];
		slot.load += lr_reserve_released(i);
		m = member_state(s, slot.member);
		if (slot.load != m->load)
			disagree(rsinfo, "load", NULL, psprintf("member id %d", slot.member),
					 psprintf("%lld", (long long) m->load),
					 psprintf("%lld", (long long) slot.load));
		if (slot.last_turn != m->last_turn && !slot.turn_dirty)
			disagree(rsinfo, "last_turn", NULL,
					 psprintf("member id %d", slot.member),
					 psprintf("%lld", (long long) m->last_turn),
					 psprintf("%lld", (long long) slot.last_turn));
	}
	for (i = 0; i < lr_shared->seats_used; i++)
	{
		LrSeat		seat;
		SeatState  *state;

		if (lr_seats[i].db != index)
			continue;
		seat = lr_seats[i];
		state = seat_state(s, seat.router, seat.team, seat.member);
		if (seat.credit != state->credit)
			disagree(rsinfo, "credit", psprintf("router id %d", seat.router),
					 psprintf("team id %d, member id %d", seat.team, seat.member),
					 psprintf("%.6f", LR_CREDIT_LEADS(state->credit)),
					 psprintf("%.6f", LR_CREDIT_LEADS(seat.credit)));
	}
}

/* The credits of each team add up to 0. */
static void
verify_sums(State *s, ReturnSetInfo *rsinfo)
{
	State	   *sums = new_state();
	HASH_SEQ_STATUS seq;
	SeatState  *seat;

	hash_seq_init(&seq, s->seats);
	while ((seat = hash_seq_search(&seq)) != NULL)
		seat_state(sums, seat->key.router, seat->key.team, 0)->credit +=
			seat->credit;
	hash_seq_init(&seq, sums->seats);
	while ((seat = hash_seq_search(&seq)) != NULL)
		if (seat->credit != 0)
			disagree(rsinfo, "credit sum",
					 psprintf("router id %d", seat->key.router),
					 psprintf("team id %d", seat->key.team), "0",
					 psprintf("%.6f", LR_CREDIT_LEADS(seat->credit)));
}

/* Text of the key as SQL over the lead. */
static char *
key_sql(LrTable *table)
{
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	if (table->nkeys > 1)
		appendStringInfoString(&buf, "ROW(");
	for (i = 0; i < table->nkeys; i++)
	{
		const char *column = quote_identifier(NameStr(TupleDescAttr(table->desc, table->key[i] - 1)->attname));

		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 table->key_kind[i] == LR_KEY_NUMERIC ?
						 psprintf("pg_catalog.trim_scale(l.%s)", column) :
						 table->key_kind[i] == LR_KEY_CHAR ?
						 psprintf("l.%s::pg_catalog.text", column) :
						 psprintf("l.%s", column));
	}
	if (table->nkeys > 1)
		appendStringInfoChar(&buf, ')');
	appendStringInfoString(&buf, "::pg_catalog.text");
	return buf.data;
}

/* Two texts of owners, compared as values of the owner column. */
typedef struct OwnerPair
{
	LrTable    *table;
	const char *a;
	const char *b;
	bool		same;
} OwnerPair;

static void
compare_owner_values(void *arg)
{
	OwnerPair  *p = (OwnerPair *) arg;

	p->same = strcmp(lr_owner_text(p->table, lr_owner_datum(p->table, p->a)),
					 lr_owner_text(p->table, lr_owner_datum(p->table, p->b))) == 0;
}

static bool
same_owner(LrTable *table, const char *a, const char *b)
{
	OwnerPair	pair = {table, a, b, false};

	if (a == NULL || b == NULL)
		return a == b;
	/* what the column cannot hold is not the same */
	if (lr_guarded(compare_owner_values, &pair) != NULL)
		return false;
	return pair.same;
}

/* Leads against current journal rows. */
static void
verify_table(LrTable *table, ReturnSetInfo *rsinfo)
{
	char	   *owner = pstrdup(quote_identifier(NameStr(TupleDescAttr(table->desc, table->owner - 1)->attname)));
	char	   *query;
	uint64		i;

	query = psprintf("SELECT COALESCE(l.key, j.lead_key), l.present, l.owner, j.lead_key IS NOT NULL,"
					 " m.owner_value, j.kind::pg_catalog.text, r.name"
					 " FROM (SELECT %s AS key, true AS present, NULLIF(l.%s::pg_catalog.text, %s) AS owner FROM %s l) l"
					 " FULL JOIN (SELECT * FROM leadroute.journal WHERE routed_table = %d AND NOT superseded) j"
					 " ON j.lead_key = l.key COLLATE \"C\""
					 " LEFT JOIN leadroute.member m ON m.id = j.member"
					 " LEFT JOIN leadroute.router r ON r.id = j.router"
					 " WHERE l.key IS NULL OR (j.lead_key IS NOT NULL AND j.reason IS DISTINCT FROM 'unknown_member'"
					 " AND m.owner_value IS DISTINCT FROM l.owner)",
					 key_sql(table), owner,
					 table->nobody_isnull ? "NULL" : quote_literal_cstr(table->nobody),
					 lr_lead_relation(table), table->id);
	read_query(query, 0, 0, 0);
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		char	   *key = SPI_getvalue(row, desc, 1);
		char	   *subject = psprintf("%s %s", table->name, key ? key : "");

		if (SPI_getvalue(row, desc, 2) == NULL)
			disagree(rsinfo, "journal without lead", SPI_getvalue(row, desc, 7),
					 subject, "a lead", "none");
		else if (!same_owner(table, SPI_getvalue(row, desc, 5),
							 SPI_getvalue(row, desc, 3)))
			disagree(rsinfo, "owner", SPI_getvalue(row, desc, 7), subject,
					 SPI_getvalue(row, desc, 5), SPI_getvalue(row, desc, 3));
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
verify_tables(ReturnSetInfo *rsinfo)
{
	LrScan		scan;
	List	   *names = NIL;
	ListCell   *lc;
	int			nest = NewGUCNestLevel();

	/* canonical keys, see lr_canonical_output */
	(void) set_config_option("DateStyle", "ISO, YMD", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("TimeZone", "UTC", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	lr_scan_begin(&scan, "routed_table", NULL, NULL, NULL);
	while (lr_scan_next(&scan))
		names = lappend(names, lr_scan_text(&scan, "name"));
	lr_scan_end(&scan);
	foreach(lc, names)
	{
		LrTable    *table = lr_table_pin_sound((char *) lfirst(lc));

		if (table == NULL)
			continue;
		PushActiveSnapshot(GetLatestSnapshot());
		verify_table(table, rsinfo);
		PopActiveSnapshot();
		lr_table_unpin(table);
	}
	AtEOXact_GUC(false, nest);
}

/* No transaction but our own holds anything; *last_id: the last id given out. */
static bool
is_quiet(LrDatabase *db, int64 *last_id)
{
	int			open;

	LWLockAcquire(db->lock, LW_SHARED);
	*last_id = db->last_id;
	open = db->open_xacts + db->prepared;
	LWLockRelease(db->lock);
	if (lr_backends[lr_my_backend_index()].min_id != 0)
		open--;					/* our own rows are in what we read */
	return open == 0;
}

/*
 * The whole journal folded while nobody moved a counter, so that shared memory
 * must agree; NULL: there was no such moment in a few tries.
 */
static State *
quiet_fold(LrDatabase *db)
{
	int			tries;

	for (tries = 0; tries < 5; tries++)
	{
		int64		before;
		int64		after;
		State	   *s;

		if (!is_quiet(db, &before))
			continue;
		s = new_state();
		fold(s, PG_INT64_MAX);
		if (is_quiet(db, &after) && before == after)
			return s;
		CHECK_FOR_INTERRUPTS();
	}
	return NULL;
}

Datum
lr_verify(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LrDatabase *db;
	LrRights	rights;
	State	   *s;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	lr_journal_flush();
	CommandCounterIncrement();
	lr_config_accept();
	db = lr_database();
	lr_settle_prepared(db);
	lr_become(lr_extension_owner(), &rights);
	SPI_connect();
	s = quiet_fold(db);
	if (s == NULL)
	{
		ereport(NOTICE,
				(errmsg("shared memory is not compared: transactions with routed leads are open")));
		s = new_state();
		fold(s, PG_INT64_MAX);
	}
	else
		verify_counters(db, s, rsinfo);
	verify_sums(s, rsinfo);
	verify_tables(rsinfo);
	SPI_finish();
	lr_resign(&rights);
	return (Datum) 0;
}

/* ---------- counters as rows ---------- */

Datum
lr_member_counter(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LrDatabase *db;
	int			i;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	db = lr_database();
	lr_settle_prepared(db);
	for (i = 0; i < lr_shared->members_used; i++)
	{
		LrMemberSlot slot = lr_member_slots[i];
		Datum		values[3];
		bool		nulls[3] = {false};

		if (slot.db != lr_db_index(db))
			continue;
		values[0] = Int32GetDatum(slot.member);
		values[1] = Int64GetDatum(slot.load + lr_reserve_released(i));
		values[2] = Int64GetDatum(slot.last_turn);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
lr_seat_counter(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LrDatabase *db;
	int			i;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	db = lr_database();
	lr_settle_prepared(db);
	for (i = 0; i < lr_shared->seats_used; i++)
	{
		LrSeat		seat = lr_seats[i];
		Datum		values[4];
		bool		nulls[4] = {false};

		if (seat.db != lr_db_index(db))
			continue;
		values[0] = Int32GetDatum(seat.router);
		values[1] = Int32GetDatum(seat.team);
		values[2] = Int32GetDatum(seat.member);
		values[3] = Float8GetDatum(LR_CREDIT_LEADS(seat.credit));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
lr_share_of(PG_FUNCTION_ARGS)
{
	Shares		shares;
	double		sum = 0;
	int			index;
	int			i;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	shares.candidates = PG_ARGISNULL(0) ? NULL : PG_GETARG_BYTEA_PP(0);
	index = PG_GETARG_INT32(1) - 1;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), FLOAT8OID, 8, FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &shares.weight, NULL, &shares.n);
	for (i = 0; i < shares.n; i++)
		if (is_candidate(shares.candidates, i))
			sum += DatumGetFloat8(shares.weight[i]);
	if (index < 0 || index >= shares.n || !is_candidate(shares.candidates, index))
		PG_RETURN_FLOAT8(0);
	PG_RETURN_FLOAT8(DatumGetFloat8(shares.weight[index]) / sum);
}
