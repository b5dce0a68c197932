/*
 * recovery.c
 *	  Loading the counters after a restart, and on demand.  See recovery.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/subtrans.h"
#include "access/table.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/generation.h"
#include "base/guc.h"
#include "base/owner_rights.h"
#include "journal/journal.h"
#include "roster/board.h"
#include "roster/fold_cap.h"
#include "roster/fold_turns.h"
#include "roster/late.h"
#include "roster/measured.h"
#include "roster/recovery.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_rebuild);

/*
 * Rows that prepared transactions have written count as their reservations.
 * While a database loads, nobody else can have rows in progress.
 *
 * Which are theirs is told by the snapshot of the fold, not by what is in
 * progress a moment later: a row is either folded or a reservation, whenever
 * its transaction ends.  One that has ended is settled like any other.
 */
typedef struct Prepared
{
	TransactionId xid;			/* top level; key */
	int64		min_id;			/* PG_INT64_MAX: it has no rows */
	bool		saver;			/* it has saved members, or one has left */
	LrState	   *state;
} Prepared;

static TransactionId
prepared_xid(HeapTuple tuple, Snapshot snapshot)
{
	TransactionId xmin = HeapTupleHeaderGetXmin(tuple->t_data);

	/* a new version of an old row is a projection, no event */
	if ((tuple->t_data->t_infomask & HEAP_UPDATED) != 0 ||
		!TransactionIdIsNormal(xmin) ||
		TransactionIdIsCurrentTransactionId(xmin) ||
		!XidInMVCCSnapshot(xmin, snapshot))
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
		p->saver = false;
		p->state = lr_state_new();
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

static bytea *
bitmap_of(Relation rel, HeapTuple row, const char *column)
{
	bool		isnull;
	Datum		value = heap_getattr(row,
									 SPI_fnumber(RelationGetDescr(rel), column),
									 RelationGetDescr(rel), &isnull);

	return isnull ? NULL : DatumGetByteaPP(value);
}

/*
 * The turn that a row of a prepared transaction refers to, of journal (n: 1) or
 * given back, of event (-1).
 */
static void
add_prepared_turn(LrState *s, Relation rel, HeapTuple row, int n)
{
	LrTurns		turns;
	LrTurnKey	key;

	key.router = (int32) int_of(rel, row, "router", false);
	key.team = (int32) int_of(rel, row, "team", false);
	key.version = int_of(rel, row, "team_version", true);
	key.set = int_of(rel, row, "candidate_set", true);
	key.candidates = bitmap_of(rel, row, "candidates");
	key.accruing = bitmap_of(rel, row, "accruing");
	/* what it refers to may be of the same prepared transaction */
	lr_turns_begin(&turns, s, true);
	lr_turns_add(&turns, &key, (int32) int_of(rel, row, "member", false), n);
	lr_turns_end(&turns);
}

/* Whether it leaves last_turn as it is; the same as in fold_journal. */
static bool
keeps_turns(Relation rel, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	char		kind = DatumGetChar(heap_getattr(row, SPI_fnumber(desc, "kind"),
												 desc, &isnull));
	bool		no_test;
	Datum		reason = heap_getattr(row, SPI_fnumber(desc, "reason"), desc,
									  &isnull);

	(void) heap_getattr(row, SPI_fnumber(desc, "is_test"), desc, &no_test);
	return !no_test || kind == LR_KIND_ADOPTED || kind == LR_KIND_DUPLICATE ||
		(!isnull && strcmp(TextDatumGetCString(reason), "sticky") == 0);
}

/* What is given back stays reserved until COMMIT PREPARED. */
static void
add_prepared_load(LrMemberState *m, int64 load, int64 turn)
{
	if (load < 0)
		m->released += load;
	else
		m->load += load;
	m->last_turn = Max(m->last_turn, turn);
}

static void
add_prepared_caps(LrState *s, Relation rel, HeapTuple row, bool given_back)
{
	bool		isnull;
	Datum		caps = heap_getattr(row, SPI_fnumber(RelationGetDescr(rel), "caps"),
									RelationGetDescr(rel), &isnull);

	if (!isnull)
		lr_fold_cap_row(s, caps, (int32) int_of(rel, row, "member", false),
						given_back);
}

/* Whether an event says that a member has left. */
static bool
is_offboarding(Relation rel, HeapTuple row)
{
	bool		isnull;
	Datum		kind = heap_getattr(row,
									SPI_fnumber(RelationGetDescr(rel), "kind"),
									RelationGetDescr(rel), &isnull);

	return strcmp(TextDatumGetCString(kind), LR_EVENT_OFFBOARDED) == 0;
}

static void
scan_prepared(const char *table, int64 cut, Snapshot snapshot, HTAB *all,
			  int64 *last_id)
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
		Prepared   *p;
		LrState	   *s;

		if (id <= cut || !TransactionIdIsValid(xid = prepared_xid(row, snapshot)))
			continue;
		*last_id = Max(*last_id, id);
		p = prepared_state(all, xid, id);
		s = p->state;
		p->saver |= !journal && is_offboarding(rel, row);
		if (int_of(rel, row, "member", false) != 0)
			add_prepared_load(lr_state_member(s, (int32) int_of(rel, row, "member", false)),
							  int_of(rel, row, "load", false),
							  journal && !keeps_turns(rel, row) ? id : 0);
		add_prepared_caps(s, rel, row, !journal);
		if (int_of(rel, row, "target_month", false) != 0)
			lr_state_receive(lr_state_seat(s, (int32) int_of(rel, row, "router", false),
										   (int32) int_of(rel, row, "team", false),
										   (int32) int_of(rel, row, "member", false)),
							 (int32) int_of(rel, row, "target_month", false),
							 journal ? 1 : -1);
		if (journal)
		{
			bool		isnull;

			if (DatumGetBool(heap_getattr(row, SPI_fnumber(RelationGetDescr(rel), "turn"),
										  RelationGetDescr(rel), &isnull)))
				add_prepared_turn(s, rel, row, 1);
		}
		else if (int_of(rel, row, "team_version", true) != 0)
			add_prepared_turn(s, rel, row, -1);
	}
	systable_endscan(sys);
	table_close(rel, AccessShareLock);
}

/* The transactions that are prepared in this database. */
static List *
read_prepared(void)
{
	List	   *xids = NIL;
	uint64		i;

	PushActiveSnapshot(GetLatestSnapshot());
	lr_read_query("SELECT transaction FROM pg_catalog.pg_prepared_xacts"
			   " WHERE database = pg_catalog.current_database()", 0, 0, 0);
	PopActiveSnapshot();
	for (i = 0; i < SPI_processed; i++)
	{
		bool		isnull;

		xids = lappend_oid(xids, (Oid)
						   DatumGetTransactionId(SPI_getbinval(SPI_tuptable->vals[i],
															   SPI_tuptable->tupdesc,
															   1, &isnull)));
	}
	SPI_freetuptable(SPI_tuptable);
	return xids;
}

/*
 * Who of the prepared ones has saved members, which need not have left anything
 * else.  Others may have rows there in progress: who saves one before he waits for
 * us.
 */
static void
scan_savers(Snapshot snapshot, HTAB *all)
{
	Relation	rel = table_open(lr_relid("member"), AccessShareLock);
	SysScanDesc sys = systable_beginscan(rel, InvalidOid, false, SnapshotAny,
										 0, NULL);
	HeapTuple	row;

	while ((row = systable_getnext(sys)) != NULL)
	{
		TransactionId xid = HeapTupleHeaderGetXmin(row->t_data);
		Prepared   *p;

		if (!TransactionIdIsNormal(xid) ||
			TransactionIdIsCurrentTransactionId(xid) ||
			!XidInMVCCSnapshot(xid, snapshot))
			continue;
		xid = SubTransGetTopmostTransaction(xid);
		p = hash_search(all, &xid, HASH_FIND, NULL);
		if (p != NULL)
			p->saver = true;
	}
	systable_endscan(sys);
	table_close(rel, AccessShareLock);
}

/* Adds a state to the counters in shared memory. */
static void
apply_state(LrDatabase *db, LrState *s)
{
	HASH_SEQ_STATUS seq;
	LrMemberState *m;
	LrSeatState  *seat;

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
		lr_member_touched(slot);
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
		lr_seat_add(slot, seat->credit, false);
		if (seat->month != 0)
		{
			lr_seat_receive(slot, seat->month, seat->received);
			lr_seat_receive(slot, seat->month - 1, seat->before);
		}
		LWLockRelease(db->lock);
	}
	lr_cap_state_apply(db, s);
}

/* What it holds of one seat; false: no room. */
static bool
enter_seat(LrDatabase *db, TransactionId xid, const LrSeatState *seat)
{
	int			slot = lr_seat_slot(db, seat->key.router, seat->key.team,
									seat->key.member);

	return lr_prepared_enter(db, xid, LR_COUNTER_CREDIT, slot, seat->credit,
							 0) &&
		(seat->received == 0 || slot == LR_NO_SLOT ||
		 lr_prepared_enter(db, xid, LR_COUNTER_RECEIVED, slot, seat->received,
						   seat->month)) &&
		(seat->before == 0 || slot == LR_NO_SLOT ||
		 lr_prepared_enter(db, xid, LR_COUNTER_RECEIVED, slot, seat->before,
						   seat->month - 1));
}

/*
 * Enters what a prepared transaction holds into the shared array, but for its
 * turns, and applies it.
 */
static bool
enter_prepared(LrDatabase *db, Prepared *p)
{
	HASH_SEQ_STATUS seq;
	LrMemberState *m;
	LrSeatState  *seat;
	bool		ok = true;

	hash_seq_init(&seq, p->state->members);
	while ((m = hash_seq_search(&seq)) != NULL)
	{
		int			slot = lr_member_slot(db, m->member);

		if (slot == LR_NO_SLOT)
			continue;
		ok &= lr_prepared_enter(db, p->xid, LR_COUNTER_LOAD, slot, m->load, 0);
		ok &= lr_prepared_enter(db, p->xid, LR_COUNTER_RELEASE, slot,
								m->released, 0);
	}
	hash_seq_init(&seq, p->state->seats);
	while ((seat = hash_seq_search(&seq)) != NULL)
		ok &= enter_seat(db, p->xid, seat);
	ok &= lr_cap_state_enter(db, p->xid, p->state);
	apply_state(db, p->state);
	return ok;
}

/* A member's last turn in a prepared transaction. */
typedef struct PreparedTurn
{
	TransactionId xid;
	int			slot;
	int64		turn;
} PreparedTurn;

static int
compare_turns(const void *a, const void *b)
{
	int64		x = ((const PreparedTurn *) a)->turn;
	int64		y = ((const PreparedTurn *) b)->turn;

	return x < y ? -1 : x > y;
}

/*
 * Turns of all prepared transactions, in their order: the one that a rollback
 * goes back to may be another's of them.
 */
static bool
enter_turns(LrDatabase *db, HTAB *all)
{
	HASH_SEQ_STATUS seq;
	HASH_SEQ_STATUS members;
	Prepared   *p;
	LrMemberState *m;
	PreparedTurn *turns;
	int			n = 0;
	int			i;
	bool		ok = true;

	hash_seq_init(&seq, all);
	while ((p = hash_seq_search(&seq)) != NULL)
		n += hash_get_num_entries(p->state->members);
	turns = (PreparedTurn *) palloc_extended((n + 1) * sizeof(PreparedTurn),
											 MCXT_ALLOC_HUGE);
	n = 0;
	hash_seq_init(&seq, all);
	while ((p = hash_seq_search(&seq)) != NULL)
	{
		hash_seq_init(&members, p->state->members);
		while ((m = hash_seq_search(&members)) != NULL)
		{
			turns[n].xid = p->xid;
			turns[n].slot = lr_member_slot(db, m->member);
			turns[n++].turn = m->last_turn;
		}
	}
	qsort(turns, n, sizeof(PreparedTurn), compare_turns);
	for (i = 0; i < n; i++)
	{
		LrMemberSlot *slot = &lr_member_slots[turns[i].slot];

		/* a committed one may be later */
		if (turns[i].slot == LR_NO_SLOT || turns[i].turn <= slot->last_turn)
			continue;
		ok &= lr_prepared_enter(db, turns[i].xid, LR_COUNTER_TURN,
								turns[i].slot, turns[i].turn, slot->last_turn);
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		slot->last_turn = turns[i].turn;
		lr_member_touched(turns[i].slot);
		LWLockRelease(db->lock);
	}
	pfree(turns);
	return ok;
}

/*
 * The highest id of companions (companion.h) has been handed out, also if it is of
 * a transaction that is prepared and has nothing in the journal.
 */
static void
note_companions(const char *table, const char *index, int64 *last_id)
{
	Relation	rel = table_open(lr_relid(table), AccessShareLock);
	Relation	ids = index_open(lr_relid(index), AccessShareLock);
	SysScanDesc sys = systable_beginscan_ordered(rel, ids, SnapshotAny, 0, NULL);
	HeapTuple	row = systable_getnext_ordered(sys, BackwardScanDirection);
	bool		isnull;

	if (HeapTupleIsValid(row))
		*last_id = Max(*last_id,
					   DatumGetInt64(heap_getattr(row, 1, RelationGetDescr(rel),
												  &isnull)));
	systable_endscan_ordered(sys);
	index_close(ids, AccessShareLock);
	table_close(rel, AccessShareLock);
}

static void
load_prepared(LrDatabase *db, List *prepared, int64 cut, Snapshot snapshot,
			  int64 *last_id)
{
	HASHCTL		info = {0};
	HTAB	   *all;
	HASH_SEQ_STATUS seq;
	Prepared   *p;
	ListCell   *lc;
	bool		ok = true;

	info.keysize = sizeof(TransactionId);
	info.entrysize = sizeof(Prepared);
	info.hcxt = CurrentMemoryContext;
	all = hash_create("leadroute prepared", 16, &info,
					  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	scan_prepared("journal", cut, snapshot, all, last_id);
	scan_prepared("event", cut, snapshot, all, last_id);
	/* also those without rows: they may have changed the configuration */
	foreach(lc, prepared)
		(void) prepared_state(all, (TransactionId) lfirst_oid(lc), PG_INT64_MAX);
	scan_savers(snapshot, all);
	note_companions("team_version", "team_version_id", last_id);
	note_companions("candidate_set", "candidate_set_id", last_id);
	/* the first entry of each: it may have leads without a member */
	hash_seq_init(&seq, all);
	while ((p = hash_seq_search(&seq)) != NULL)
		ok &= lr_prepared_enter(db, p->xid, LR_COUNTER_XACT, LR_LEAVES_ANYTHING,
								p->min_id, p->saver ? 1 :
								p->min_id == PG_INT64_MAX ? 0 : -p->min_id);
	ok &= enter_turns(db, all);
	hash_seq_init(&seq, all);
	while ((p = hash_seq_search(&seq)) != NULL)
		ok &= enter_prepared(db, p);
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("prepared transactions hold too many counters of leadroute"),
				 errhint("Raise leadroute.max_prepared_counters, %d now, and restart the server.",
						 lr_max_prepared_counters)));
	hash_seq_init(&seq, all);
	while ((p = hash_seq_search(&seq)) != NULL)
		lr_prepared_hand_over(db, p->xid);
}

int64
lr_recovery_load(LrDatabase *db, bool whole)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "leadroute load",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	LrRights	rights;
	Snapshot	snapshot;
	LrState	   *s;
	List	   *prepared;
	int64		rows;
	int64		last_id;
	int64		cut;
	int64		late_from;

	lr_settle_prepared(db);
	/* those of a load that has failed: they are found again */
	lr_prepared_clear(db);
	lr_become_owner(&rights);
	SPI_connect();
	old = MemoryContextSwitchTo(context);
	s = whole ? lr_state_new() : lr_checkpoint_read();
	cut = s->cut;
	late_from = s->late_from;
	/* before the snapshot: nobody prepares any while we load */
	prepared = read_prepared();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	lr_fold(s, PG_INT64_MAX, snapshot);
	last_id = s->last_id;

	/* before they are: an error may come in between */
	lr_counters_loaded();
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	lr_clear_counters(db);
	lr_freed(db, LR_NO_SLOT);
	LWLockRelease(db->lock);
	apply_state(db, s);
	if (prepared != NIL)
		load_prepared(db, prepared, cut, snapshot, &last_id);
	UnregisterSnapshot(snapshot);
	lr_measured_load(db);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->last_id = Max(db->last_id, last_id);
	db->checkpoint_id = cut;
	/* what the worker was told before is not known any more */
	lr_late_tell(db, late_from != 0 ? Min(late_from, cut + 1) : cut + 1);
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

	lr_require_preload();
	lr_journal_flush();
	db = lr_database();
	lr_settle_prepared(db);
	if (db->prepared > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot rebuild while prepared transactions hold reservations"),
				 errhint("Commit or roll back the transactions in pg_prepared_xacts first.")));
	if (lr_me()->min_id != 0)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("cannot rebuild in a transaction that has routed leads"),
				 errhint("Run leadroute.rebuild() in a transaction of its own.")));

	/* waits for every transaction with reservations, and keeps new ones out */
	LockRelationOid(lr_relid("journal"), ShareLock);
	lr_checkpoint_forget();
	rows = lr_recovery_load(db, true);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->restored = false;
	LWLockRelease(db->lock);
	lr_look_at_held();
	lr_look_at_waiting();
	PG_RETURN_INT64(rows);
}
