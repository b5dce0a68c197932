/*
 * progress.c
 *	  Long work that others can watch.  See progress.h.
 *
 * The lock is a leaf: nobody takes another one under it, nor waits or raises.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/guc.h"
#include "base/progress.h"

PG_FUNCTION_INFO_V1(lr_progress_entry);

/* Entries of the server. */
#define ENTRIES			64
#define WORD_LENGTH		32
#define DETAIL_LENGTH	256

typedef struct Entry
{
	int			pid;			/* 0: free */
	Oid			database;
	Oid			role;
	char		what[WORD_LENGTH];
	char		state[WORD_LENGTH];
	char		subject[NAMEDATALEN * 4];
	char		detail[DETAIL_LENGTH];
	int64		done;
	int64		total;			/* -1: not known */
	TimestampTz since;
	TimestampTz counted_since;	/* this state */
} Entry;

typedef struct Entries
{
	LWLock	   *lock;
	Entry		entry[ENTRIES];
} Entries;

static Entries *entries = NULL;
static Entry *mine = NULL;
static int	depth = 0;			/* of work within work */
static shmem_request_hook_type prev_request_hook = NULL;
static shmem_startup_hook_type prev_startup_hook = NULL;

/* ---------- shared memory ---------- */

static void
progress_request(void)
{
	if (prev_request_hook)
		prev_request_hook();
	RequestAddinShmemSpace(sizeof(Entries));
	RequestNamedLWLockTranche("leadroute_progress", 1);
}

static void
progress_startup(void)
{
	bool		found;

	if (prev_startup_hook)
		prev_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	entries = (Entries *) ShmemInitStruct("leadroute progress",
										  sizeof(Entries), &found);
	if (!found)
	{
		memset(entries, 0, sizeof(Entries));
		entries->lock = &GetNamedLWLockTranche("leadroute_progress")->lock;
	}
	LWLockRelease(AddinShmemInitLock);
}

void
lr_progress_init(void)
{
	prev_request_hook = shmem_request_hook;
	shmem_request_hook = progress_request;
	prev_startup_hook = shmem_startup_hook;
	shmem_startup_hook = progress_startup;
}

/* ---------- writing ---------- */

static void
give_up(void)
{
	if (mine == NULL)
		return;
	LWLockAcquire(entries->lock, LW_EXCLUSIVE);
	mine->pid = 0;
	LWLockRelease(entries->lock);
	mine = NULL;
}

/* The backend ends in the middle of its work. */
static void
backend_exit(int code, Datum arg)
{
	give_up();
}

void
lr_progress_begin(const char *what, const char *subject)
{
	static bool registered = false;
	TimestampTz now = GetCurrentTimestamp();
	int			i;

	if (entries == NULL || depth++ > 0)
		return;
	if (!registered)
		before_shmem_exit(backend_exit, (Datum) 0);
	registered = true;
	LWLockAcquire(entries->lock, LW_EXCLUSIVE);
	for (i = 0; i < ENTRIES && entries->entry[i].pid != 0; i++)
		;
	if (i < ENTRIES)
	{
		mine = &entries->entry[i];
		memset(mine, 0, sizeof(Entry));
		mine->pid = MyProcPid;
		mine->database = MyDatabaseId;
		mine->role = GetUserId();
		strlcpy(mine->what, what, sizeof(mine->what));
		mine->total = -1;
		mine->since = mine->counted_since = now;
		if (subject != NULL)
			strlcpy(mine->subject, subject, sizeof(mine->subject));
	}
	LWLockRelease(entries->lock);
}

void
lr_progress_set(const char *state, int64 done, int64 total,
				const char *detail)
{
	TimestampTz now = GetCurrentTimestamp();

	if (mine == NULL || depth > 1)
		return;
	LWLockAcquire(entries->lock, LW_EXCLUSIVE);
	if (strcmp(mine->state, state) != 0)
		mine->counted_since = now;
	strlcpy(mine->state, state, sizeof(mine->state));
	mine->done = done;
	mine->total = total;
	strlcpy(mine->detail, detail != NULL ? detail : "", sizeof(mine->detail));
	LWLockRelease(entries->lock);
}

void
lr_progress_end(void)
{
	if (depth > 0 && --depth == 0)
		give_up();
}

/* ---------- reading ---------- */

#define COLUMNS		10

static void
put_entry(ReturnSetInfo *rsinfo, const Entry *e)
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};

	values[0] = CStringGetTextDatum(e->what);
	values[1] = CStringGetTextDatum(e->subject);
	nulls[1] = e->subject[0] == '\0';
	values[2] = CStringGetTextDatum(e->state);
	values[3] = Int64GetDatum(e->done);
	values[4] = Int64GetDatum(e->total);
	nulls[4] = e->total < 0;
	values[5] = CStringGetTextDatum(e->detail);
	nulls[5] = e->detail[0] == '\0';
	values[6] = TimestampTzGetDatum(e->since);
	values[7] = TimestampTzGetDatum(e->counted_since);
	values[8] = Int32GetDatum(e->pid);
	values[9] = ObjectIdGetDatum(e->role);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
lr_progress_entry(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Entries    *copy;
	int			i;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	copy = (Entries *) palloc(sizeof(Entries));
	LWLockAcquire(entries->lock, LW_SHARED);
	memcpy(copy, entries, sizeof(Entries));
	LWLockRelease(entries->lock);
	for (i = 0; i < ENTRIES; i++)
		if (copy->entry[i].pid != 0 && copy->entry[i].database == MyDatabaseId)
			put_entry(rsinfo, &copy->entry[i]);
	return (Datum) 0;
}
