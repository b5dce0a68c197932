/*
 * worker.c
 *	  The worker of a database, and its jobs.
 *
 * The launcher starts it when something is due (due.h).  It loads the counters,
 * writes a checkpoint, decides held leads again, waits LINGER for more, and
 * ends.  While it is there it is connected to the database, so whoever wants
 * to drop, rename or copy that would have to wait for it: DROP DATABASE,
 * ALTER DATABASE and CREATE DATABASE do so for 5 seconds, holding a lock on the
 * database.  Therefore it lingers shorter, and between two jobs, which are
 * short, it ends if it finds that lock taken.  When another database waits for
 * a process it does what is due, and makes room.
 *
 * LINGER spares a database in which members become free all the time the start
 * of a process each time: at most one a second.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/owner_rights.h"
#include "calendar/busy.h"
#include "call/calls.h"
#include "decide/held.h"
#include "decide/sticky_old.h"
#include "roster/due.h"
#include "roster/late.h"
#include "roster/measured.h"
#include "roster/recovery.h"
#include "roster/reserve.h"
#include "roster/roster.h"
#include "worker/worker.h"

PGDLLEXPORT void lr_worker_main(Datum arg);

/* Held leads decided again in one round. */
#define HELD_BATCH	1000

/* How long it waits for more to do before it ends, milliseconds. */
#define LINGER		1000

/* How long a held lead's row may be locked by somebody else, see call_for. */
#define HELD_LOCK_TIMEOUT	"100ms"

static LrDatabase *worker_db = NULL;

static TimestampTz
seconds_from_now(int seconds)
{
	return GetCurrentTimestamp() + seconds * USECS_PER_SEC;
}

/* Gives the place up; well: what is due later may be done by another worker. */
static void
leave_place(bool well)
{
	if (worker_db == NULL)
		return;
	LWLockAcquire(worker_db->lock, LW_EXCLUSIVE);
	if (worker_db->worker_pid == MyProcPid)
	{
		worker_db->worker = NULL;
		worker_db->worker_pid = 0;
		if (well)
			worker_db->not_before = 0;
		lr_late_again(worker_db, worker_db->late_at,
					  seconds_from_now(lr_held_retry_interval));
		lr_look_broken_off(worker_db);
	}
	LWLockRelease(worker_db->lock);
	worker_db = NULL;
}

static void
worker_exit(int code, Datum arg)
{
	leave_place(false);
}

/* Takes the place of the database's worker; false: somebody has it. */
static bool
take_place(LrDatabase *db)
{
	bool		mine;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	mine = db->worker == NULL;
	if (mine)
	{
		db->worker = MyLatch;
		db->worker_pid = MyProcPid;
		worker_db = db;
	}
	LWLockRelease(db->lock);
	return mine;
}

/*
 * A job is a transaction.  Its SQL is leadroute's own and runs as a superuser;
 * a database may come with any search_path.
 */
static void
begin_job(const char *what)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	lr_own_path();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, what);
}

static void
end_job(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

typedef enum Extension
{
	EXTENSION_GONE,				/* or not committed yet */
	EXTENSION_BUSY,				/* somebody drops or updates it */
	EXTENSION_HERE				/* to the end of the transaction */
} Extension;

/*
 * DROP EXTENSION locks the extension before all that belongs to it.  So who
 * has this lock is in nobody's way; and no worker waits for it.
 */
static Extension
hold_extension(void)
{
	Oid			ext = get_extension_oid("leadroute", true);
	LOCKTAG		tag;

	if (!OidIsValid(ext))
		return EXTENSION_GONE;
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, ext, 0);
	if (LockAcquire(&tag, AccessShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return EXTENSION_BUSY;
	AcceptInvalidationMessages();
	return get_extension_oid("leadroute", true) == ext ? EXTENSION_HERE :
		EXTENSION_GONE;
}

/* Begins a job that needs the extension; does not return if that is not here. */
static void
begin_work(const char *what)
{
	begin_job(what);
	if (hold_extension() == EXTENSION_HERE)
		return;
	end_job();
	proc_exit(0);
}

/* Tells the launcher that it need not send anybody here again. */
static void
tell_looked(void)
{
	static bool told = false;

	if (told)
		return;
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	if (lr_shared->nlooked < LR_LOOKED)
		lr_shared->looked[lr_shared->nlooked++] = MyDatabaseId;
	LWLockRelease(lr_shared->lock);
	told = true;
}

/*
 * Whether the extension is here, and the place as its worker is ours.  What the
 * database had otherwise in shared memory goes, unless it is used: by a
 * transaction that has created the extension and not committed.
 */
static bool
find_place(void)
{
	LrDatabase *db = NULL;
	Extension	extension;

	begin_job("leadroute: looking for the extension");
	extension = hold_extension();
	if (extension == EXTENSION_HERE)
		db = lr_database_slot();
	if (db != worker_db)
		leave_place(extension == EXTENSION_HERE);
	if (db != NULL && worker_db == NULL && take_place(db))
		(void) lr_database();
	if (extension != EXTENSION_BUSY)
		lr_database_sweep(MyDatabaseId, db != NULL ? db->incarnation : 0);
	end_job();
	if (extension != EXTENSION_BUSY)
		tell_looked();
	return worker_db != NULL;
}

/* Whether somebody drops, renames or copies the database, see above. */
static bool
database_wanted(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	if (LockAcquire(&tag, RowExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, RowExclusiveLock, true);
	return false;
}

/* The same, or another database waits for a process. */
static bool
in_the_way(void)
{
	return lr_shared->waiting > 0 || database_wanted();
}

/* A stored lead to look at: its table's name, its key, its decision. */
typedef struct Held
{
	char	   *table;
	char	   *key;
	int64		id;
	int64		way;			/* see held.h; 0: none */
} Held;

/*
 * All: of tables with triggers, with id > $1, at most $2, none of the ways $3,
 * oldest first.
 */
#define HAS_TRIGGERS \
	" EXISTS (SELECT FROM pg_catalog.pg_trigger g" \
	" WHERE g.tgrelid = t.relation AND g.tgname = 'zz_leadroute_decide')"

#define HELD_LEADS \
	"SELECT t.name, p.lead_key, p.assignment, p.way FROM leadroute.pool_entry p" \
	" JOIN leadroute.routed_table t ON t.id = p.routed_table" \
	" WHERE p.state = 'held' AND p.assignment > $1" \
	" AND (p.way = ANY ($3)) IS NOT TRUE AND" HAS_TRIGGERS \
	" ORDER BY p.assignment LIMIT $2"

/* Leads that wait to be ready, see ready.h; and those of them that are due by $4. */
#define WAITING_LEADS \
	"SELECT t.name, p.lead_key, p.assignment, NULL::bigint FROM leadroute.pool_entry p" \
	" JOIN leadroute.routed_table t ON t.id = p.routed_table" \
	" WHERE p.available_from IS NOT NULL AND p.assignment > $1 AND" HAS_TRIGGERS \
	" ORDER BY p.assignment LIMIT $2"
#define OVERDUE_LEADS \
	"SELECT t.name, p.lead_key, p.assignment, NULL::bigint FROM leadroute.pool_entry p" \
	" JOIN leadroute.routed_table t ON t.id = p.routed_table" \
	" WHERE p.available_from <= $4 AND p.assignment > $1 AND" HAS_TRIGGERS \
	" ORDER BY p.assignment LIMIT $2"

/* Open leads whose owner was no member, see late.h. */
#define LATE_LEADS \
	"SELECT t.name, j.lead_key, j.id, NULL::bigint FROM leadroute.journal j" \
	" JOIN leadroute.routed_table t ON t.id = j.routed_table" \
	" WHERE NOT j.superseded AND j.member IS NULL AND j.closed_at IS NULL" \
	" AND j.kind IN ('g', 'm') AND j.id > $1 AND" HAS_TRIGGERS \
	" ORDER BY j.id LIMIT $2"

#define LEFT_LEADS \
	"SELECT t.name, j.lead_key, j.id, NULL::bigint" LR_LEFT_LEADS \
	" AND j.id > $1 AND" HAS_TRIGGERS " ORDER BY j.id LIMIT $2"

/* Ways of which a lead was refused in this look. */
static HTAB *
make_ways(MemoryContext context)
{
	HASHCTL		info = {0};

	info.keysize = info.entrysize = sizeof(int64);
	info.hcxt = context;
	return hash_create("leadroute ways", 64, &info,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static Datum
ways_array(HTAB *ways)
{
	Datum	   *elements = (Datum *) palloc((hash_get_num_entries(ways) + 1) *
											sizeof(Datum));
	HASH_SEQ_STATUS seq;
	int64	   *way;
	int			n = 0;

	hash_seq_init(&seq, ways);
	while ((way = hash_seq_search(&seq)) != NULL)
		elements[n++] = Int64GetDatum(*way);
	return PointerGetDatum(construct_array(elements, n, INT8OID, 8,
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static List *
next_leads(const char *query, MemoryContext context, HTAB *ways, int64 after,
		   int64 *last)
{
	List	   *held = NIL;
	Oid			types[4] = {INT8OID, INT4OID, INT8ARRAYOID, TIMESTAMPTZOID};
	Datum		values[4];
	MemoryContext old;
	uint64		i;

	values[0] = Int64GetDatum(after);
	values[1] = Int32GetDatum(HELD_BATCH);
	values[3] = TimestampTzGetDatum(lr_now());
	old = MemoryContextSwitchTo(context);
	values[2] = ways_array(ways);
	MemoryContextSwitchTo(old);
	begin_work("leadroute: reading leads that wait");
	/* the end of the journal is found by its BRIN index */
	if (after > 0)
		(void) set_config_option("enable_seqscan", "off", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
								 false);
	SPI_connect();
	if (SPI_execute_with_args(query, 4, types, values, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read leads that wait");
	for (i = 0; i < SPI_processed; i++)
	{
		Held	   *h;
		bool		isnull;

		old = MemoryContextSwitchTo(context);
		h = (Held *) palloc(sizeof(Held));
		h->table = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		h->key = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);
		h->id = *last = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
													SPI_tuptable->tupdesc, 3,
													&isnull));
		h->way = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
											 SPI_tuptable->tupdesc, 4, &isnull));
		if (isnull)
			h->way = 0;
		held = lappend(held, h);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	end_job();
	return held;
}

/* What is done for a lead: by its table's name and its key. */
typedef void (*LeadFn) (const char *table, const char *key);

/*
 * Does something for one lead, in a transaction of its own; false: somebody
 * else works on the lead, or its row is gone, so that it waits for the next
 * round.  It may run triggers of the lead table, up to the commit: as the
 * table's owner, and nothing that they do to this process outlives the
 * transaction.
 */
static bool
call_for(Held *h, LeadFn call)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool done = false;

	PG_TRY();
	{
		begin_work("leadroute: looking at a lead that waits");
		(void) set_config_option("lock_timeout", HELD_LOCK_TIMEOUT, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
								 false);
		call(h->table, h->key);
		end_job();
		done = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		pgstat_report_activity(STATE_IDLE, NULL);
	}
	PG_END_TRY();
	lr_session_clean();
	MemoryContextSwitchTo(context);
	return done;
}

/*
 * Calls a function for each lead that a query finds beyond an id, until
 * somebody wants the database.  Returns the first id for which it was to no
 * avail, or that was left; 0: none.
 */
static int64
call_for_all(const char *leads, int64 after, LeadFn call)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "leadroute leads that wait",
												  ALLOCSET_DEFAULT_SIZES);
	HTAB	   *ways = make_ways(TopMemoryContext);
	int64		failed = 0;
	bool		wanted = false;

	while (!wanted)
	{
		List	   *held = next_leads(leads, context, ways, after, &after);
		ListCell   *lc;

		if (held == NIL)
			break;
		foreach(lc, held)
		{
			Held	   *h = (Held *) lfirst(lc);
			int64		refused;

			if (h->way != 0 && hash_search(ways, &h->way, HASH_FIND, NULL))
				continue;
			CHECK_FOR_INTERRUPTS();
			MemoryContextSwitchTo(context);
			wanted = database_wanted();
			if ((wanted || !call_for(h, call)) && failed == 0)
				failed = h->id;
			if (wanted)
				break;
			refused = lr_look_refused();
			if (refused != 0)
				(void) hash_search(ways, &refused, HASH_ENTER, NULL);
		}
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(context);
	hash_destroy(ways);
	return failed;
}

/* The lines of all leads that are held. */
static void
read_lines(uint8 *lines)
{
	uint64		i;

	memset(lines, 0, LR_LINE_BYTES);
	begin_work("leadroute: reading leads that wait");
	SPI_connect();
	if (SPI_execute("SELECT DISTINCT p.line FROM leadroute.pool_entry p"
					" WHERE p.line IS NOT NULL", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read leads that wait");
	for (i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		uint32		bit = lr_line_bit(DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
																  SPI_tuptable->tupdesc,
																  1, &isnull)));

		lines[bit / 8] |= 1 << (bit % 8);
	}
	SPI_finish();
	end_job();
}

/* Whether a query finds leads. */
static bool
any_leads(const char *query)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "leadroute held",
												  ALLOCSET_DEFAULT_SIZES);
	int64		last;
	bool		found = next_leads(query, context, make_ways(context), 0,
								   &last) != NIL;

	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(context);
	return found;
}

/* Writes a checkpoint, and notes when the next is due. */
static void
checkpoint_job(LrDatabase *db)
{
	bool		written;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->checkpoint_due = seconds_from_now(lr_checkpoint_interval);
	db->tried_id = db->last_id;
	db->ids_news = false;
	LWLockRelease(db->lock);

	begin_work("leadroute: writing a checkpoint");
	lr_busy_forget_gone(db);
	written = lr_checkpoint(db, false) != LR_NO_CHECKPOINT;
	end_job();

	/* ids that it lacks make the next one due when their transactions end */
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	if (written && !db->ids_news)
		db->checkpoint_due = DT_NOEND;
	LWLockRelease(db->lock);
}

/*
 * Forgets keys that are too old, if it is time to; what is left when somebody
 * wants the database, with the next checkpoint.
 */
static void
trim_job(LrDatabase *db)
{
	bool		more = db->trim_due <= GetCurrentTimestamp();

	while (more && !in_the_way())
	{
		begin_work("leadroute: forgetting old keys");
		more = lr_sticky_forget_old(db);
		end_job();
	}
}

/* Measures members; not again at once if that fails. */
static void
measure_job(LrDatabase *db)
{
	bool		measured;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->measure_due = DT_NOEND;
	db->measure_from = seconds_from_now(Min(lr_held_retry_interval,
												lr_measured_interval));
	LWLockRelease(db->lock);

	begin_work("leadroute: measuring members");
	measured = lr_measure_members(db, false) != LR_NOT_MEASURED;
	end_job();
	if (!measured)
		return;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->measure_from = 0;
	LWLockRelease(db->lock);
}

/* Decides held leads, and notes when to try again those that are left. */
static void
held_job(LrDatabase *db)
{
	uint8		lines[LR_LINE_BYTES];
	bool		held;
	bool		wanted;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->held_due = seconds_from_now(lr_held_retry_interval);
	db->held_news = false;
	LWLockRelease(db->lock);

	lr_look_begin(db);
	(void) call_for_all(HELD_LEADS, 0, lr_route_held);
	read_lines(lines);
	held = any_leads(HELD_LEADS);
	wanted = database_wanted();
	lr_look_end(db, !wanted, lines);

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	/* news: one may be held since we have looked */
	if (!held && !db->held_news)
		db->held_due = DT_NOEND;
	LWLockRelease(db->lock);
}

/* When the next lead has waited long enough to be ready; DT_NOEND: never. */
static TimestampTz
next_overdue(void)
{
	Oid			types[1] = {TIMESTAMPTZOID};
	Datum		values[1];
	TimestampTz now = lr_now();
	TimestampTz next = DT_NOEND;
	bool		isnull;

	values[0] = TimestampTzGetDatum(now);
	begin_work("leadroute: reading leads that wait");
	SPI_connect();
	if (SPI_execute_with_args("SELECT p.available_from FROM leadroute.pool_entry p"
							  " WHERE p.available_from > $1"
							  " ORDER BY p.available_from LIMIT 1",
							  1, types, values, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read leads that wait");
	if (SPI_processed > 0)
		next = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0],
												 SPI_tuptable->tupdesc, 1,
												 &isnull));
	SPI_finish();
	end_job();
	return next == DT_NOEND ? DT_NOEND : GetCurrentTimestamp() + next - now;
}

/*
 * Decides leads that have waited long enough, or are ready without an UPDATE
 * having said so.  Those that could not be decided are tried again later.
 */
static void
ready_job(LrDatabase *db)
{
	TimestampTz next;
	bool		all;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->ready_due = seconds_from_now(lr_held_retry_interval);
	db->ready_news = false;
	all = db->ready_look != LR_NO_LOOK;
	if (all)
		db->ready_look = LR_LOOKING;
	LWLockRelease(db->lock);

	(void) call_for_all(all ? WAITING_LEADS : OVERDUE_LEADS, 0,
						lr_route_waiting);
	if (database_wanted())
		return;
	next = next_overdue();
	if (any_leads(OVERDUE_LEADS))
		next = Min(next, seconds_from_now(lr_held_retry_interval));

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	if (db->ready_look == LR_LOOKING)
		db->ready_look = LR_NO_LOOK;
	/* news: one may wait since we have looked */
	if (!db->ready_news && db->ready_look == LR_NO_LOOK)
		db->ready_due = next;
	else
		db->ready_due = Min(db->ready_due, next);
	LWLockRelease(db->lock);
}

/*
 * Adopts leads whose owner has become a member since they were stored, and moves
 * those that were given to somebody who has left (see late.h).  Those that could
 * not be looked at are looked at again later.
 */
static void
late_job(LrDatabase *db)
{
	int64		from;
	int64		failed;
	int64		left;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	from = lr_late_begin(db);
	LWLockRelease(db->lock);

	failed = from == 0 ? 0 : call_for_all(LATE_LEADS, from - 1, lr_adopt_late);
	left = from == 0 ? 0 :
		call_for_all(LEFT_LEADS, from - 1, lr_hand_over_late);
	if (left != 0 && (failed == 0 || left < failed))
		failed = left;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	lr_late_again(db, failed, seconds_from_now(lr_held_retry_interval));
	LWLockRelease(db->lock);
}

/* Does all that is due. */
static void
work(LrDatabase *db)
{
	do
	{
		TimestampTz now = GetCurrentTimestamp();
		bool		checkpoint;
		bool		held;
		bool		ready;
		bool		late;
		bool		measure;

		LWLockAcquire(db->lock, LW_SHARED);
		checkpoint = !db->restored && db->checkpoint_due <= now;
		held = !db->restored && db->held_due <= now;
		ready = !db->restored && db->ready_due <= now;
		late = !db->restored && db->late_due <= now;
		measure = !db->restored && db->measure_due <= now;
		LWLockRelease(db->lock);
		if (!checkpoint && !held && !ready && !late && !measure)
			break;
		if (late)
			late_job(db);
		if (checkpoint)
			checkpoint_job(db);
		/* there are new keys only where leads have been decided */
		if (checkpoint)
			trim_job(db);
		if (measure)
			measure_job(db);
		/* those that are held come first */
		if (held)
			held_job(db);
		if (ready)
			ready_job(db);
	} while (!in_the_way());
}

static bool
nothing_due(LrDatabase *db)
{
	bool		nothing;

	LWLockAcquire(db->lock, LW_SHARED);
	nothing = lr_due(db) > GetCurrentTimestamp();
	LWLockRelease(db->lock);
	return nothing;
}

/* Waits for more to do; false: nothing has come up, or we are in the way. */
static bool
linger(void)
{
	int			rc = 0;

	if (!in_the_way())
		rc = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					   LINGER, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	(void) lr_worker_reload();
	return !in_the_way() &&
		((rc & WL_LATCH_SET) != 0 || !nothing_due(worker_db));
}

void
lr_worker_main(Datum arg)
{
	lr_worker_signals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid,
											  0);
	before_shmem_exit(worker_exit, (Datum) 0);
	while (find_place())
	{
		work(worker_db);
		if (!linger())
			break;
	}
	/* whoever wants the database would have to wait for the next one too */
	leave_place(!database_wanted());
	proc_exit(0);
}
