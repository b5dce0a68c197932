/*
 * worker.c
 *	  Launcher and workers.
 *
 * The launcher starts with the server, looks once at every database, and then
 * sleeps until a session that uses leadroute finds its database without a
 * worker.  A worker stays in a database that has the extension: it loads the
 * counters, writes checkpoints, settles prepared transactions and decides held
 * leads again.  With nothing to do both sleep without a timeout.
 *
 * Neither does anything on a standby; the launcher is started by the
 * postmaster when recovery has ended (BgWorkerStart_RecoveryFinished).
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/ps_status.h"
#include "utils/snapmgr.h"

#include "calls.h"
#include "compat.h"
#include "config.h"
#include "leadroute.h"
#include "owner_rights.h"
#include "recovery.h"
#include "reserve.h"
#include "roster.h"
#include "worker.h"

PGDLLEXPORT void lr_launcher_main(Datum arg);
PGDLLEXPORT void lr_worker_main(Datum arg);

/* Held leads decided again in one round. */
#define HELD_BATCH	1000

/* Least milliseconds between two starts of a database's worker. */
#define RESTART_INTERVAL	5000

/* How long a held lead's row may be locked by somebody else, see route_held. */
#define HELD_LOCK_TIMEOUT	"100ms"

static LrDatabase *worker_db = NULL;

void
lr_worker_register(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 5;
	snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "leadroute");
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "lr_launcher_main");
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "leadroute launcher");
	snprintf(worker.bgw_type, sizeof(worker.bgw_type), "leadroute launcher");
	RegisterBackgroundWorker(&worker);
}

/* ---------- launcher ---------- */

static bool
start_worker(Oid dboid)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(dboid);
	worker.bgw_notify_pid = MyProcPid;
	snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "leadroute");
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "lr_worker_main");
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "leadroute worker");
	snprintf(worker.bgw_type, sizeof(worker.bgw_type), "leadroute worker");
	return RegisterDynamicBackgroundWorker(&worker, &handle);
}

static List *
all_databases(void)
{
	List	   *databases = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database db = (Form_pg_database) GETSTRUCT(tuple);

		if (db->datallowconn && !db->datistemplate)
		{
			MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

			databases = lappend_oid(databases, db->oid);
			MemoryContextSwitchTo(old);
		}
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	return databases;
}

/*
 * Databases that use leadroute and have no worker.  One whose worker has just
 * been started, and has ended again, waits: *timeout says how long.
 */
static List *
orphaned_databases(long *timeout)
{
	List	   *databases = NIL;
	TimestampTz now = GetCurrentTimestamp();
	int			i;

	*timeout = -1;
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < lr_max_databases; i++)
	{
		LrDatabase *db = &lr_shared->database[i];
		long		since;

		if (!OidIsValid(db->dboid) || db->worker != NULL)
			continue;
		since = db->worker_started == 0 ? RESTART_INTERVAL :
			TimestampDifferenceMilliseconds(db->worker_started, now);
		if (since >= RESTART_INTERVAL)
		{
			db->worker_started = now;
			databases = lappend_oid(databases, db->dboid);
			since = 0;
		}
		*timeout = *timeout < 0 ? RESTART_INTERVAL - since :
			Min(*timeout, RESTART_INTERVAL - since);
	}
	LWLockRelease(lr_shared->lock);
	return databases;
}

/* Those of the databases that exist; the others are forgotten. */
static List *
existing_databases(List *databases)
{
	List	   *all = all_databases();
	List	   *existing = NIL;
	ListCell   *lc;

	foreach(lc, databases)
	{
		if (list_member_oid(all, lfirst_oid(lc)))
			existing = lappend_oid(existing, lfirst_oid(lc));
		else
			lr_database_forget(lfirst_oid(lc));
	}
	list_free(all);
	list_free(databases);
	return existing;
}

static void
launcher_exit(int code, Datum arg)
{
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	lr_shared->launcher = NULL;
	LWLockRelease(lr_shared->lock);
}

static void
set_up_signals(void)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
}

void
lr_launcher_main(Datum arg)
{
	List	   *databases;
	ListCell   *lc;
	long		timeout = RESTART_INTERVAL;

	set_up_signals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	before_shmem_exit(launcher_exit, (Datum) 0);
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	lr_shared->launcher = MyLatch;
	LWLockRelease(lr_shared->lock);
	ereport(LOG, (errmsg("leadroute launcher started")));

	/* one that has no use for a worker ends at once */
	databases = all_databases();
	for (;;)
	{
		foreach(lc, databases)
			if (!start_worker(lfirst_oid(lc)))
				ereport(LOG,
						(errmsg("leadroute found no free background process for database with OID %u",
								lfirst_oid(lc)),
						 errhint("Raise max_worker_processes.")));
		list_free(databases);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
						 (timeout > 0 ? WL_TIMEOUT : 0), timeout,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		databases = orphaned_databases(&timeout);
		if (databases != NIL)
			databases = existing_databases(databases);
	}
}

/* ---------- worker ---------- */

static void
worker_exit(int code, Datum arg)
{
	if (worker_db == NULL)
		return;
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	if (worker_db->worker_pid == MyProcPid)
	{
		worker_db->worker = NULL;
		worker_db->worker_pid = 0;
	}
	LWLockRelease(lr_shared->lock);
}

/* Takes the place of the database's worker; false: somebody has it. */
static bool
take_place(LrDatabase *db)
{
	bool		mine;

	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	mine = db->worker == NULL;
	if (mine)
	{
		db->worker = MyLatch;
		db->worker_pid = MyProcPid;
		worker_db = db;
	}
	LWLockRelease(lr_shared->lock);
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

/* Whether the extension is here, and its place as worker is free. */
static bool
find_work(void)
{
	bool		mine = false;

	begin_job("leadroute: looking for the extension");
	if (OidIsValid(get_extension_oid("leadroute", true)))
	{
		mine = take_place(lr_database_slot());
		if (mine)
		{
			(void) lr_database();
			ereport(LOG,
					(errmsg("leadroute worker started in database \"%s\"",
							get_database_name(MyDatabaseId))));
		}
	}
	else
		lr_database_forget(MyDatabaseId);
	end_job();
	return mine;
}

/* A stored lead to look at: its table's name, its key, its decision. */
typedef struct Held
{
	char	   *table;
	char	   *key;
	int64		id;
} Held;

/* Both: of tables with triggers, with id > $1, at most $2, oldest first. */
#define HAS_TRIGGERS \
	" EXISTS (SELECT FROM pg_catalog.pg_trigger g" \
	" WHERE g.tgrelid = t.relation AND g.tgname = 'zz_leadroute_insert')"

#define HELD_LEADS \
	"SELECT t.name, p.lead_key, p.assignment FROM leadroute.pool_entry p" \
	" JOIN leadroute.routed_table t ON t.id = p.routed_table" \
	" WHERE p.state = 'held' AND p.assignment > $1 AND" HAS_TRIGGERS \
	" ORDER BY p.assignment LIMIT $2"

/* Open leads whose owner was no member, see late.h. */
#define LATE_LEADS \
	"SELECT t.name, j.lead_key, j.id FROM leadroute.journal j" \
	" JOIN leadroute.routed_table t ON t.id = j.routed_table" \
	" WHERE NOT j.superseded AND j.member IS NULL AND j.closed_at IS NULL" \
	" AND j.kind IN ('g', 'm') AND j.id > $1 AND" HAS_TRIGGERS \
	" ORDER BY j.id LIMIT $2"

static List *
next_leads(const char *query, MemoryContext context, int64 after, int64 *last)
{
	List	   *held = NIL;
	Oid			types[2] = {INT8OID, INT4OID};
	Datum		values[2];
	uint64		i;

	values[0] = Int64GetDatum(after);
	values[1] = Int32GetDatum(HELD_BATCH);
	begin_job("leadroute: reading leads that wait");
	/* the end of the journal is found by its BRIN index */
	if (after > 0)
		(void) set_config_option("enable_seqscan", "off", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
								 false);
	SPI_connect();
	if (SPI_execute_with_args(query, 2, types, values, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read leads that wait");
	for (i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		Held	   *h = (Held *) palloc(sizeof(Held));
		bool		isnull;

		h->table = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		h->key = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);
		h->id = *last = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
													SPI_tuptable->tupdesc, 3,
													&isnull));
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
		begin_job("leadroute: looking at a lead that waits");
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
 * Calls a function for each lead that a query finds beyond an id.  Returns
 * the first id for which it was to no avail; 0: none.
 */
static int64
call_for_all(const char *leads, int64 after, LeadFn call)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "leadroute leads that wait",
												  ALLOCSET_DEFAULT_SIZES);
	int64		failed = 0;

	for (;;)
	{
		List	   *held = next_leads(leads, context, after, &after);
		ListCell   *lc;

		if (held == NIL)
			break;
		foreach(lc, held)
		{
			Held	   *h = (Held *) lfirst(lc);

			CHECK_FOR_INTERRUPTS();
			MemoryContextSwitchTo(context);
			if (!call_for(h, call) && failed == 0)
				failed = h->id;
		}
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(context);
	return failed;
}

static void
route_all_held(void)
{
	(void) call_for_all(HELD_LEADS, 0, lr_route_held);
}

/*
 * Adopts leads whose owner has become a member since they were stored (see
 * late.h).  Those that could not be looked at are looked at again later.
 * Returns how long to sleep until then; -1: for good.
 */
static long
adopt_late(LrDatabase *db)
{
	static int64 again = 0;
	static TimestampTz again_at = 0;
	int64		from = 0;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	if (!db->restored)
	{
		from = db->late_from;
		db->late_from = 0;
	}
	LWLockRelease(db->lock);
	if (again != 0 && (from != 0 || GetCurrentTimestamp() >= again_at))
		from = from == 0 ? again : Min(from, again);
	if (from != 0)
	{
		again = call_for_all(LATE_LEADS, from - 1, lr_adopt_late);
		again_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
											   lr_held_retry_interval * INT64CONST(1000));
	}
	return again == 0 ? -1 :
		TimestampDifferenceMilliseconds(GetCurrentTimestamp(), again_at);
}

/* Whether leads are held at all. */
static bool
any_held(void)
{
	bool		found;

	begin_job("leadroute: looking for held leads");
	SPI_connect();
	if (SPI_execute("SELECT FROM leadroute.pool_entry WHERE state = 'held' LIMIT 1",
					true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for held leads");
	found = SPI_processed > 0;
	SPI_finish();
	end_job();
	return found;
}

/* What the counters say that there is to do. */
typedef struct Due
{
	int64		unsaved;		/* ids since the last checkpoint */
	bool		prepared;
	bool		hint;			/* somebody may have become eligible */
	bool		restored;		/* nothing is routed yet, see restore.c */
} Due;

static void
look(LrDatabase *db, Due *due)
{
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	due->unsaved = db->last_id - db->checkpoint_id;
	due->prepared = db->prepared > 0;
	due->hint = db->held_hint;
	due->restored = db->restored;
	db->held_hint = db->worker_idle = db->worker_woken = false;
	LWLockRelease(db->lock);
}

/* Before a sleep without timeout; false: something has come up meanwhile. */
static bool
go_idle(LrDatabase *db)
{
	bool		idle;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	idle = !db->held_hint && db->prepared == 0 && db->late_from == 0 &&
		db->last_id == db->checkpoint_id;
	db->worker_idle = idle;
	LWLockRelease(db->lock);
	return idle;
}

static void
checkpoint_job(LrDatabase *db)
{
	begin_job("leadroute: writing a checkpoint");
	(void) lr_checkpoint(db);
	end_job();
}

/* The extension was dropped: there is nothing left to do here. */
static bool
extension_gone(LrDatabase *db)
{
	bool		gone;

	begin_job("leadroute: looking for the extension");
	gone = !OidIsValid(get_extension_oid("leadroute", true));
	if (gone)
		lr_database_forget(MyDatabaseId);
	else
		gone = lr_database_slot() != db || db->worker_pid != MyProcPid;
	end_job();
	return gone;
}

static long
milliseconds_until(TimestampTz then)
{
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), then);
}

/*
 * One round.  Returns how long to sleep: until the next checkpoint or the next
 * attempt at held leads; -1: until somebody wakes us.
 */
static long
work(LrDatabase *db)
{
	static TimestampTz checkpoint_at = 0;
	static TimestampTz held_at = 0;
	TimestampTz now = GetCurrentTimestamp();
	long		timeout = -1;
	long		late;
	Due			due;

	look(db, &due);
	if (due.prepared)
	{
		lr_settle_prepared(db);
		timeout = lr_checkpoint_interval * 1000L;
	}
	late = adopt_late(db);
	if (due.unsaved > 0)
	{
		if (now >= checkpoint_at || due.unsaved >= lr_checkpoint_rows)
		{
			checkpoint_job(db);
			checkpoint_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
														lr_checkpoint_interval * INT64CONST(1000));
			/* a long transaction may have kept the cut where it was */
			timeout = lr_checkpoint_interval * 1000L;
		}
		else
			timeout = milliseconds_until(checkpoint_at);
	}
	if (due.restored)
		timeout = timeout < 0 ? lr_held_retry_interval * 1000L : timeout;
	else if (due.hint || now >= held_at)
	{
		if (any_held())
		{
			route_all_held();
			held_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												  lr_held_retry_interval * INT64CONST(1000));
			if (any_held())
				timeout = timeout < 0 ? milliseconds_until(held_at) :
					Min(timeout, milliseconds_until(held_at));
		}
	}
	else if (any_held())
		timeout = timeout < 0 ? milliseconds_until(held_at) :
			Min(timeout, milliseconds_until(held_at));
	if (late >= 0)
		timeout = timeout < 0 ? late : Min(timeout, late);
	if (timeout < 0 && !go_idle(db))
		timeout = lr_checkpoint_interval * 1000L;
	return timeout;
}

void
lr_worker_main(Datum arg)
{
	set_up_signals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid,
											  0);
	before_shmem_exit(worker_exit, (Datum) 0);
	if (!find_work())
		proc_exit(0);
	for (;;)
	{
		long		timeout = work(worker_db);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
						 (timeout >= 0 ? WL_TIMEOUT : 0), timeout,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (extension_gone(worker_db))
		{
			ereport(LOG, (errmsg("leadroute worker ends: the extension is gone")));
			proc_exit(0);
		}
	}
}
