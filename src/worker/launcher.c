/*
 * launcher.c
 *	  The one process that is always there: it starts workers.
 *
 * It is connected to no database.  It sleeps until the earliest time at which
 * some database has work (due.h), or until it is told of an earlier one; with
 * nothing due it sleeps without a timeout.  While transactions are prepared it
 * looks every checkpoint_interval whether one has ended, since nobody else is
 * told.
 *
 * At its start it has a worker look at every database: what is held there, or
 * prepared, is known to nobody yet.  So it does with a database that is created
 * later, which may be a copy of one with held leads.  A worker tells that it has
 * looked (LrShared.looked); where none has, because it could not be connected or
 * failed, another one is sent, ever more seldom.
 *
 * Where processes are scarce (max_worker_processes) databases are served in
 * turn: whoever has waited longest since its last start comes next, and workers
 * end as soon as they see that others wait (lr_shared->waiting).
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/guc.h"
#include "roster/due.h"
#include "roster/prepared.h"
#include "roster/roster.h"
#include "worker/worker.h"

PGDLLEXPORT void lr_launcher_main(Datum arg);

/* A worker that has failed is started again after so many milliseconds. */
#define RESTART_INTERVAL	5000

/* But after so many at most, where none has had a first look. */
#define LOOK_INTERVAL_MAX	300000

/* Nobody tells when a process of others ends: so often we try, milliseconds. */
#define RETRY_INTERVAL		1000

/* A worker that has been started and has not ended. */
typedef struct Started
{
	Oid			dboid;
	BackgroundWorkerHandle *handle;
} Started;

/* A database that wants a worker. */
typedef struct Candidate
{
	Oid			dboid;
	TimestampTz last_start;		/* 0: never */
} Candidate;

/* A database that no worker has looked at. */
typedef struct Unseen
{
	Oid			dboid;
	TimestampTz last_start;		/* 0: never */
	TimestampTz not_before;		/* the next one */
	int			interval;		/* milliseconds between the last two */
} Unseen;

static MemoryContext launcher_context = NULL;	/* lives as long as we */
static List *started = NIL;
static List *known = NIL;		/* OIDs of databases that there were lately */
static List *unseen = NIL;		/* those of them that no worker has looked at */
static uint64 databases_made = 0;	/* of LrShared, when known was read */
static bool database_made = false;	/* by this transaction; any backend */
static bool complained = false; /* that there is no process */

/* Whoever creates a database tells the launcher when it has committed. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	Latch	   *launcher = NULL;

	if (!database_made || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT))
		return;
	database_made = false;
	if (event == XACT_EVENT_COMMIT)
	{
		LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
		lr_shared->databases_made++;
		launcher = lr_shared->launcher;
		LWLockRelease(lr_shared->lock);
	}
	if (launcher != NULL)
		SetLatch(launcher);
}

void
lr_worker_database_made(void)
{
	database_made = true;
}

void
lr_worker_register(void)
{
	BackgroundWorker worker;

	RegisterXactCallback(at_transaction_end, NULL);
	/* pg_upgrade copies the files of a server in which nobody else writes */
	if (IsBinaryUpgrade)
		return;

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

void
lr_worker_signals(void)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
}

bool
lr_worker_reload(void)
{
	if (!ConfigReloadPending)
		return false;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	return true;
}

/* ---------- databases ---------- */

/* All databases that can be connected to; templates too if asked for. */
static List *
all_databases(MemoryContext context, bool templates)
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

		if (db->datallowconn && (templates || !db->datistemplate))
		{
			MemoryContext old = MemoryContextSwitchTo(context);

			databases = lappend_oid(databases, db->oid);
			MemoryContextSwitchTo(old);
		}
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	return databases;
}

/* Databases that were not there at the last look at pg_database are unseen. */
static void
look_for_databases(void)
{
	MemoryContext old = CurrentMemoryContext;
	List	   *databases = all_databases(launcher_context, false);
	ListCell   *lc;

	MemoryContextSwitchTo(launcher_context);
	foreach(lc, databases)
	{
		Unseen	   *u;

		if (list_member_oid(known, lfirst_oid(lc)))
			continue;
		u = (Unseen *) palloc0(sizeof(Unseen));
		u->dboid = lfirst_oid(lc);
		u->interval = RESTART_INTERVAL;
		unseen = lappend(unseen, u);
	}
	list_free(known);
	known = databases;
	MemoryContextSwitchTo(old);
}

static void
forget_unseen(Oid dboid)
{
	ListCell   *lc;

	foreach(lc, unseen)
	{
		Unseen	   *u = (Unseen *) lfirst(lc);

		if (u->dboid == dboid)
		{
			unseen = foreach_delete_current(unseen, lc);
			pfree(u);
		}
	}
}

/* Takes in what others have told about databases. */
static void
hear_of_databases(void)
{
	Oid			looked[LR_LOOKED];
	uint64		made;
	int			n;
	int			i;

	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	n = lr_shared->nlooked;
	memcpy(looked, lr_shared->looked, n * sizeof(Oid));
	lr_shared->nlooked = 0;
	made = lr_shared->databases_made;
	LWLockRelease(lr_shared->lock);
	for (i = 0; i < n; i++)
		forget_unseen(looked[i]);
	if (made != databases_made || known == NIL)
		look_for_databases();
	databases_made = made;
}

static bool
has_worker(Oid dboid)
{
	ListCell   *lc;

	foreach(lc, started)
		if (((Started *) lfirst(lc))->dboid == dboid)
			return true;
	return false;
}

/* Forgets the workers that have ended. */
static void
reap(void)
{
	ListCell   *lc;

	foreach(lc, started)
	{
		Started    *s = (Started *) lfirst(lc);
		pid_t		pid;

		if (GetBackgroundWorkerPid(s->handle, &pid) == BGWH_STOPPED)
		{
			started = foreach_delete_current(started, lc);
			pfree(s->handle);
			pfree(s);
		}
	}
}

static int
longest_waiting(const ListCell *a, const ListCell *b)
{
	TimestampTz x = ((Candidate *) lfirst(a))->last_start;
	TimestampTz y = ((Candidate *) lfirst(b))->last_start;

	return x < y ? -1 : x > y ? 1 : 0;
}

static bool
is_candidate(List *candidates, Oid dboid)
{
	ListCell   *lc;

	foreach(lc, candidates)
		if (((Candidate *) lfirst(lc))->dboid == dboid)
			return true;
	return false;
}

static List *
add_candidate(List *candidates, Oid dboid, TimestampTz last_start)
{
	Candidate  *c;

	if (has_worker(dboid) || is_candidate(candidates, dboid))
		return candidates;
	c = (Candidate *) palloc(sizeof(Candidate));
	c->dboid = dboid;
	c->last_start = last_start;
	return lappend(candidates, c);
}

/*
 * Databases that want a worker now, who has waited longest first; *next: when
 * the next one will.
 */
static List *
candidates_now(TimestampTz *next)
{
	List	   *candidates = NIL;
	TimestampTz now = GetCurrentTimestamp();
	ListCell   *lc;
	int			i;

	foreach(lc, unseen)
	{
		Unseen	   *u = (Unseen *) lfirst(lc);

		if (u->not_before <= now)
			candidates = add_candidate(candidates, u->dboid, u->last_start);
		else if (!has_worker(u->dboid))
			*next = Min(*next, u->not_before);
	}
	for (i = 0; i < lr_max_databases; i++)
	{
		LrDatabase *db = &lr_shared->database[i];
		TimestampTz due;
		TimestampTz last_start;
		Oid			dboid;
		bool		present;

		LWLockAcquire(lr_shared->lock, LW_SHARED);
		LWLockAcquire(db->lock, LW_SHARED);
		dboid = db->dboid;
		due = Max(lr_due(db), db->not_before);
		last_start = db->worker_started;
		present = db->worker != NULL;
		LWLockRelease(db->lock);
		LWLockRelease(lr_shared->lock);
		/* when a worker that we have started ends we wake up */
		if (!OidIsValid(dboid) || has_worker(dboid))
			continue;
		if (present)
			*next = Min(*next, TimestampTzPlusMilliseconds(now, RETRY_INTERVAL));
		else if (due <= now)
			candidates = add_candidate(candidates, dboid, last_start);
		else
			*next = Min(*next, due);
	}
	list_sort(candidates, longest_waiting);
	return candidates;
}

/* ---------- starting ---------- */

static bool
start_worker(Oid dboid)
{
	BackgroundWorker worker;
	MemoryContext old;
	Started    *s;
	bool		ok;

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

	old = MemoryContextSwitchTo(launcher_context);
	s = (Started *) palloc(sizeof(Started));
	s->dboid = dboid;
	ok = RegisterDynamicBackgroundWorker(&worker, &s->handle);
	if (ok)
		started = lappend(started, s);
	else
		pfree(s);
	MemoryContextSwitchTo(old);
	return ok;
}

/* The slots of a database note that a worker is being started, or cannot be. */
static void
note_start(Oid dboid)
{
	TimestampTz now = GetCurrentTimestamp();
	ListCell   *lc;
	int			i;

	foreach(lc, unseen)
	{
		Unseen	   *u = (Unseen *) lfirst(lc);

		if (u->dboid != dboid)
			continue;
		if (u->last_start != 0)
			u->interval = Min(2 * u->interval, LOOK_INTERVAL_MAX);
		u->last_start = now;
		u->not_before = TimestampTzPlusMilliseconds(now, u->interval);
	}

	LWLockAcquire(lr_shared->lock, LW_SHARED);
	for (i = 0; i < lr_max_databases; i++)
	{
		LrDatabase *db = &lr_shared->database[i];

		if (db->dboid != dboid)
			continue;
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		db->worker_started = now;
		/* a worker that ends well takes this back */
		db->not_before = TimestampTzPlusMilliseconds(now, RESTART_INTERVAL);
		LWLockRelease(db->lock);
	}
	LWLockRelease(lr_shared->lock);
}

/* Workers that have nothing to do at the moment make room. */
static void
ask_for_room(int waiting)
{
	int			i;

	lr_shared->waiting = waiting;
	if (waiting == 0)
		return;
	for (i = 0; i < lr_max_databases; i++)
	{
		LrDatabase *db = &lr_shared->database[i];
		Latch	   *worker;

		LWLockAcquire(db->lock, LW_SHARED);
		worker = db->worker;
		LWLockRelease(db->lock);
		if (worker != NULL)
			SetLatch(worker);
	}
}

/* Starts what can be started; false: some have to wait for a process. */
static bool
start_workers(List *candidates)
{
	List	   *existing = all_databases(CurrentMemoryContext, true);
	int			waiting = list_length(candidates);
	ListCell   *lc;

	foreach(lc, candidates)
	{
		Oid			dboid = ((Candidate *) lfirst(lc))->dboid;

		if (!list_member_oid(existing, dboid))
		{
			lr_database_sweep(dboid, 0);
			forget_unseen(dboid);
		}
		else if (!start_worker(dboid))
			break;
		/* a slot that is still there has to wait: it may not be connected to */
		note_start(dboid);
		waiting--;
	}
	ask_for_room(waiting);
	if (waiting > 0 && started == NIL && !complained)
	{
		complained = true;
		ereport(LOG,
				(errmsg("leadroute found no free background process for %d databases",
						waiting),
				 errhint("Raise max_worker_processes.")));
	}
	else if (waiting == 0)
		complained = false;
	return waiting == 0;
}

/* ---------- the loop ---------- */

/*
 * Settles what has ended of the prepared transactions; *next: when to look
 * again, if there are others.
 */
static void
watch_prepared(TimestampTz *next)
{
	static TimestampTz at = 0;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz latest = TimestampTzPlusMilliseconds(now,
													 lr_checkpoint_interval * INT64CONST(1000));

	/* unlocked: who enters the first one wakes us up afterwards */
	if (lr_shared->prepared_used == 0)
	{
		at = 0;
		return;
	}
	if (at == 0 || at > latest)
		at = latest;
	else if (now >= at)
	{
		lr_settle_all();
		at = latest;
	}
	if (lr_shared->prepared_used > 0)
		*next = Min(*next, at);
}

/* The intervals may be shorter now than what is noted. */
static void
shorten_dues(void)
{
	TimestampTz now = GetCurrentTimestamp();
	int			i;

	for (i = 0; i < lr_max_databases; i++)
	{
		LrDatabase *db = &lr_shared->database[i];

		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		if (db->checkpoint_due != DT_NOEND)
			db->checkpoint_due = Min(db->checkpoint_due, now +
									 lr_checkpoint_interval * USECS_PER_SEC);
		if (db->held_due != DT_NOEND)
			db->held_due = Min(db->held_due, now +
							   lr_held_retry_interval * USECS_PER_SEC);
		LWLockRelease(db->lock);
	}
}

/* One look at everything; returns when the next is needed. */
static TimestampTz
look_around(void)
{
	TimestampTz next = DT_NOEND;
	List	   *candidates;

	reap();
	hear_of_databases();
	watch_prepared(&next);
	candidates = candidates_now(&next);
	if (candidates == NIL)
		ask_for_room(0);
	else if (!start_workers(candidates))
		next = Min(next, TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													 RETRY_INTERVAL));
	return next;
}

static void
launcher_exit(int code, Datum arg)
{
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	lr_shared->launcher = NULL;
	LWLockRelease(lr_shared->lock);
}

void
lr_launcher_main(Datum arg)
{
	MemoryContext round;

	lr_worker_signals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	before_shmem_exit(launcher_exit, (Datum) 0);
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	lr_shared->launcher = MyLatch;
	LWLockRelease(lr_shared->lock);
	ereport(LOG, (errmsg("leadroute launcher started")));

	launcher_context = AllocSetContextCreate(TopMemoryContext,
											 "leadroute launcher",
											 ALLOCSET_DEFAULT_SIZES);
	round = AllocSetContextCreate(TopMemoryContext, "leadroute round",
								  ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		TimestampTz next;
		long		timeout = 0;

		MemoryContextSwitchTo(round);
		next = look_around();
		MemoryContextReset(round);
		if (next != DT_NOEND)
			timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
						 (next != DT_NOEND ? WL_TIMEOUT : 0),
						 Min(timeout, INT_MAX), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (lr_worker_reload())
			shorten_dues();
	}
}
