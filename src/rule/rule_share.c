/*
 * rule_share.c
 *	  Images of rules that all sessions of the cluster read; see rule_share.h.
 *
 * One segment an image, not one area with an allocator: an image is a single
 * piece, and the server's own bookkeeping of mappings says when it is unused,
 * whatever becomes of its readers.  Where /dev/shm is small, the server takes
 * segments from its main shared memory (min_dynamic_shared_memory) first.
 *
 * Waiting for a builder ends after MAX_WAIT: a session may hold a lock that
 * the builder needs, and the lock manager does not see this wait.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/guard.h"
#include "base/guc.h"
#include "rule/rule_share.h"

/* Images that the cluster shares at once. */
#define MAX_SHARED		512

/* Images that are being built at once and that others wait for. */
#define MAX_BUILDS		64

/* Longest wait for another session's build, and each part of it; ms. */
#define MAX_WAIT		10000
#define WAIT_PART		100

/* One image.  All under the directory's lock but readers. */
typedef struct Entry
{
	bool		used;
	bool		retired;		/* there is a newer one */
	Oid			dboid;
	LrShareKey	key;
	int64		version;
	dsm_handle	handle;
	uint64		size;
	int32		nrules;
	uint64		last_used;		/* number of the use */
	pg_atomic_uint32 readers;	/* mappings, or sessions about to map */
} Entry;

typedef struct Build
{
	int			pid;			/* 0: free */
	Oid			dboid;
	LrShareKey	key;
} Build;

typedef struct Directory
{
	LWLock	   *lock;
	ConditionVariable built;
	uint64		uses;
	Entry		entry[MAX_SHARED];
	Build		build[MAX_BUILDS];
} Directory;


static Directory *directory = NULL;
static shmem_request_hook_type prev_request_hook = NULL;
static shmem_startup_hook_type prev_startup_hook = NULL;
static int	my_build = -1;
static int	my_build_nest = 0;

PG_FUNCTION_INFO_V1(lr_rule_index);

static void
share_request(void)
{
	if (prev_request_hook)
		prev_request_hook();
	RequestAddinShmemSpace(sizeof(Directory));
	RequestNamedLWLockTranche("leadroute_rules", 1);
}

static void
share_startup(void)
{
	bool		found;
	int			i;

	if (prev_startup_hook)
		prev_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	directory = (Directory *) ShmemInitStruct("leadroute rules",
											  sizeof(Directory), &found);
	if (!found)
	{
		memset(directory, 0, sizeof(Directory));
		directory->lock = &GetNamedLWLockTranche("leadroute_rules")->lock;
		ConditionVariableInit(&directory->built);
		for (i = 0; i < MAX_SHARED; i++)
			pg_atomic_init_u32(&directory->entry[i].readers, 0);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
lr_share_request(void)
{
	prev_request_hook = shmem_request_hook;
	shmem_request_hook = share_request;
	prev_startup_hook = shmem_startup_hook;
	shmem_startup_hook = share_startup;
}

static bool
is_on(void)
{
	return directory != NULL && lr_rule_memory > 0;
}

static bool
same_key(const LrShareKey *a, const LrShareKey *b)
{
	return a->incarnation == b->incarnation && a->definition == b->definition &&
		a->router == b->router && a->table == b->table;
}

/* ---------- what may fail ---------- */

/* Says why rules are not shared, once a session for each kind of reason. */
static void
warn(bool *warned, int sqlerrcode, const char *why, const char *hint)
{
	if (!*warned)
		ereport(WARNING,
				(errcode(sqlerrcode),
				 errmsg("leadroute's rules are not shared between sessions: %s",
						why),
				 errdetail("Leads are routed as before; this session has read the rules by itself."),
				 errhint("%s", hint)));
	*warned = true;
}

/* Runs fn; false: it raised an error, which is warned of. */
static bool
attempt(LrGuardedFn fn, void *arg)
{
	static bool warned = false;
	ErrorData  *error = lr_guarded_error(fn, arg);

	if (error == NULL)
		return true;
	/* who cancels or shuts down is obeyed */
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
		MAKE_SQLSTATE('5', '7', '0', '0', '0'))
		ReThrowError(error);
	warn(&warned, error->sqlerrcode, error->message,
		 "Give the server more dynamic shared memory (/dev/shm, or the setting min_dynamic_shared_memory).");
	FreeErrorData(error);
	return false;
}

typedef struct Mapping
{
	dsm_handle	handle;
	Size		size;
	Entry	   *entry;
	dsm_segment *segment;
} Mapping;

static void
forget_reader(dsm_segment *segment, Datum arg)
{
	pg_atomic_fetch_sub_u32(&((Entry *) DatumGetPointer(arg))->readers, 1);
}

/*
 * Maps a segment for good.  Where this raises, the subtransaction's end unmaps
 * what was mapped: to keep the mapping, the last step, raises nothing.
 */
static void
map(void *arg)
{
	Mapping    *m = (Mapping *) arg;

	m->segment = dsm_attach(m->handle);
	if (m->segment == NULL)
		return;
	on_dsm_detach(m->segment, forget_reader, PointerGetDatum(m->entry));
	dsm_pin_mapping(m->segment);
}

static void
make(void *arg)
{
	Mapping    *m = (Mapping *) arg;

	m->segment = dsm_create(m->size, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (m->segment != NULL)
		dsm_pin_mapping(m->segment);
}

static void
count_reader(void *arg)
{
	Mapping    *m = (Mapping *) arg;

	on_dsm_detach(m->segment, forget_reader, PointerGetDatum(m->entry));
}

/* ---------- looking and mapping ---------- */

/* The current entry of a key.  Lock held. */
static Entry *
find_entry(const LrShareKey *key)
{
	int			i;

	for (i = 0; i < MAX_SHARED; i++)
	{
		Entry	   *entry = &directory->entry[i];

		if (entry->used && !entry->retired && entry->dboid == MyDatabaseId &&
			same_key(&entry->key, key))
			return entry;
	}
	return NULL;
}

/* What this backend has mapped, by segment: none can be mapped twice. */
static List *mapped = NIL;

static LrSharedImage *
note_mapped(dsm_segment *segment, int64 version)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	LrSharedImage *shared = (LrSharedImage *) palloc0(sizeof(LrSharedImage));

	shared->refs = 1;
	shared->segment = segment;
	shared->image = (const LrImage *) dsm_segment_address(segment);
	shared->version = version;
	mapped = lappend(mapped, shared);
	MemoryContextSwitchTo(old);
	return shared;
}

static LrSharedImage *
find_mapped(dsm_handle handle)
{
	ListCell   *lc;

	foreach(lc, mapped)
	{
		LrSharedImage *shared = (LrSharedImage *) lfirst(lc);

		if (dsm_segment_handle(shared->segment) == handle)
			return shared;
	}
	return NULL;
}

LrSharedImage *
lr_share_find(const LrShareKey *key, int64 since, int64 until)
{
	LrSharedImage *shared;
	Mapping		m = {0};
	int64		version = 0;

	if (!is_on())
		return NULL;
	LWLockAcquire(directory->lock, LW_EXCLUSIVE);
	m.entry = find_entry(key);
	if (m.entry != NULL &&
		(m.entry->version < since || m.entry->version > until))
		m.entry = NULL;
	if (m.entry != NULL)
	{
		pg_atomic_fetch_add_u32(&m.entry->readers, 1);
		m.entry->last_used = ++directory->uses;
		m.handle = m.entry->handle;
		version = m.entry->version;
	}
	LWLockRelease(directory->lock);
	if (m.entry == NULL)
		return NULL;
	shared = find_mapped(m.handle);
	if (shared == NULL && attempt(map, &m) && m.segment != NULL)
		return note_mapped(m.segment, version);
	pg_atomic_fetch_sub_u32(&m.entry->readers, 1);
	if (shared != NULL)
		shared->refs++;
	return shared;
}

/* Allocates nothing and raises nothing. */
void
lr_share_release(LrSharedImage *shared)
{
	if (--shared->refs > 0)
		return;
	mapped = list_delete_ptr(mapped, shared);
	dsm_detach(shared->segment);
	pfree(shared);
}

/* ---------- publishing ---------- */

/* Returns the segment that is to be let go.  Lock held. */
static dsm_handle
retire(Entry *entry)
{
	entry->retired = true;
	return entry->handle;
}

/* Retires what is of other installations in a database.  Lock held. */
static void
retire_others(Oid dboid, int64 keep, dsm_handle *gone, int *ngone)
{
	int			i;

	for (i = 0; i < MAX_SHARED; i++)
	{
		Entry	   *entry = &directory->entry[i];

		if (entry->used && !entry->retired && entry->dboid == dboid &&
			entry->key.incarnation != keep)
			gone[(*ngone)++] = retire(entry);
	}
}

/*
 * Retires images over other definitions of a table: what it was before ALTER
 * TABLE, or in a transaction that was rolled back.  Lock held.
 */
static void
retire_definitions(const LrShareKey *key, dsm_handle *gone, int *ngone)
{
	int			i;

	for (i = 0; i < MAX_SHARED; i++)
	{
		Entry	   *entry = &directory->entry[i];

		if (entry->used && !entry->retired && entry->dboid == MyDatabaseId &&
			entry->key.incarnation == key->incarnation &&
			entry->key.router == key->router &&
			entry->key.table == key->table &&
			entry->key.definition != key->definition)
			gone[(*ngone)++] = retire(entry);
	}
}

/* A free entry; those whose last reader is gone are.  Lock held. */
static Entry *
free_entry(void)
{
	Entry	   *found = NULL;
	int			i;

	for (i = 0; i < MAX_SHARED; i++)
	{
		Entry	   *entry = &directory->entry[i];

		if (entry->used && entry->retired &&
			pg_atomic_read_u32(&entry->readers) == 0)
			entry->used = false;
		if (!entry->used && found == NULL)
			found = entry;
	}
	return found;
}

static uint64
memory_used(void)
{
	uint64		used = 0;
	int			i;

	for (i = 0; i < MAX_SHARED; i++)
		if (directory->entry[i].used && !directory->entry[i].retired)
			used += directory->entry[i].size;
	return used;
}

static Entry *
least_used(void)
{
	Entry	   *least = NULL;
	int			i;

	for (i = 0; i < MAX_SHARED; i++)
	{
		Entry	   *entry = &directory->entry[i];

		if (entry->used && !entry->retired &&
			(least == NULL || entry->last_used < least->last_used))
			least = entry;
	}
	return least;
}

/*
 * Makes room for an image of a key: retires its former version, what former
 * installations of the extension and former definitions of the table have
 * left, and, while the memory is not enough, those that were used longest ago.  Fills in handles of segments to
 * be let go.  NULL: there is no room, or a newer one is there.
 */
static Entry *
make_room(const LrShareKey *key, int64 version, uint64 size,
		  dsm_handle *gone, int *ngone)
{
	Entry	   *former = find_entry(key);
	Entry	   *entry;

	if (former != NULL && former->version >= version)
		return NULL;
	if (former != NULL)
		gone[(*ngone)++] = retire(former);
	retire_others(MyDatabaseId, key->incarnation, gone, ngone);
	retire_definitions(key, gone, ngone);
	while (memory_used() + size > (uint64) lr_rule_memory * 1024 * 1024)
		gone[(*ngone)++] = retire(least_used());
	entry = free_entry();
	if (entry == NULL && (former = least_used()) != NULL)
	{
		gone[(*ngone)++] = retire(former);
		entry = free_entry();
	}
	return entry;
}

static void
warn_too_large(uint64 size)
{
	static bool warned = false;

	warn(&warned, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
		 psprintf("they take %llu MB",
				  (unsigned long long) (size / (1024 * 1024) + 1)),
		 "Raise the setting leadroute.rule_memory.");
}

LrSharedImage *
lr_share_publish(const LrShareKey *key, int64 version, const LrImage *image)
{
	dsm_handle	gone[MAX_SHARED + 2];
	int			ngone = 0;
	Mapping		m = {0};
	Entry	   *entry;
	int			i;

	if (!is_on())
		return NULL;
	if (image->size > (uint64) lr_rule_memory * 1024 * 1024)
	{
		warn_too_large(image->size);
		return NULL;
	}
	m.size = image->size;
	if (!attempt(make, &m) || m.segment == NULL)
		return NULL;
	memcpy(dsm_segment_address(m.segment), image, image->size);
	m.handle = dsm_segment_handle(m.segment);

	/* from here to the entry nothing may fail */
	dsm_pin_segment(m.segment);
	LWLockAcquire(directory->lock, LW_EXCLUSIVE);
	entry = make_room(key, version, image->size, gone, &ngone);
	if (entry != NULL)
	{
		entry->used = true;
		entry->retired = false;
		entry->dboid = MyDatabaseId;
		entry->key = *key;
		entry->version = version;
		entry->handle = m.handle;
		entry->size = image->size;
		entry->nrules = image->nrules;
		entry->last_used = ++directory->uses;
		pg_atomic_write_u32(&entry->readers, 1);
	}
	LWLockRelease(directory->lock);
	for (i = 0; i < ngone; i++)
		dsm_unpin_segment(gone[i]);
	if (entry == NULL)
	{
		dsm_unpin_segment(m.handle);
		dsm_detach(m.segment);
		return NULL;
	}
	m.entry = entry;
	if (!attempt(count_reader, &m))
		pg_atomic_fetch_sub_u32(&entry->readers, 1);
	return note_mapped(m.segment, version);
}

void
lr_share_forget(Oid dboid, int64 keep)
{
	dsm_handle	gone[MAX_SHARED];
	int			ngone = 0;
	int			i;

	if (directory == NULL)
		return;
	LWLockAcquire(directory->lock, LW_EXCLUSIVE);
	retire_others(dboid, keep, gone, &ngone);
	LWLockRelease(directory->lock);
	for (i = 0; i < ngone; i++)
		dsm_unpin_segment(gone[i]);
}

/* ---------- one builds, others wait ---------- */

/* Who else builds an image of the key; -1: nobody.  Lock held. */
static int
find_build(const LrShareKey *key)
{
	int			i;

	for (i = 0; i < MAX_BUILDS; i++)
		if (directory->build[i].pid != 0 &&
			directory->build[i].dboid == MyDatabaseId &&
			same_key(&directory->build[i].key, key))
			return i;
	return -1;
}

/* Lock held; without a free place others do not wait, that is all. */
static void
claim_build(const LrShareKey *key)
{
	int			i;

	for (i = 0; i < MAX_BUILDS; i++)
		if (directory->build[i].pid == 0)
		{
			directory->build[i].pid = MyProcPid;
			directory->build[i].dboid = MyDatabaseId;
			directory->build[i].key = *key;
			my_build = i;
			my_build_nest = GetCurrentTransactionNestLevel();
			return;
		}
}

bool
lr_share_begin_build(const LrShareKey *key)
{
	static uint32 wait_event = 0;
	TimestampTz start = 0;
	bool		busy;

	if (wait_event == 0)
		wait_event = lr_wait_event("LeadrouteRules");
	if (!is_on() || my_build >= 0)
		return true;
	for (;;)
	{
		LWLockAcquire(directory->lock, LW_EXCLUSIVE);
		busy = find_build(key) >= 0;
		if (!busy && start == 0)
			claim_build(key);
		LWLockRelease(directory->lock);
		if (!busy || (start != 0 &&
					  TimestampDifferenceExceeds(start, GetCurrentTimestamp(),
												 MAX_WAIT)))
			break;
		if (start == 0)
		{
			start = GetCurrentTimestamp();
			ConditionVariablePrepareToSleep(&directory->built);
			continue;			/* it may have ended before we listened */
		}
		(void) ConditionVariableTimedSleep(&directory->built, WAIT_PART,
										   wait_event);
	}
	if (start == 0)
		return true;
	ConditionVariableCancelSleep();
	return busy;
}

void
lr_share_end_build(void)
{
	if (my_build < 0)
		return;
	LWLockAcquire(directory->lock, LW_EXCLUSIVE);
	directory->build[my_build].pid = 0;
	LWLockRelease(directory->lock);
	my_build = -1;
	ConditionVariableBroadcast(&directory->built);
}

void
lr_share_abort(int nest)
{
	if (my_build >= 0 && my_build_nest >= nest)
		lr_share_end_build();
}

/* ---------- what there is ---------- */

static void
put_entry(ReturnSetInfo *rsinfo, const Entry *entry, uint32 readers)
{
	Datum		values[8];
	bool		nulls[8] = {false};
	char	   *name = get_database_name(entry->dboid);

	nulls[0] = name == NULL;
	if (name != NULL)
		values[0] = CStringGetTextDatum(name);
	values[1] = Int32GetDatum(entry->key.router);
	values[2] = Int32GetDatum(entry->key.table);
	values[3] = Int64GetDatum(entry->version);
	values[4] = Int32GetDatum(entry->nrules);
	values[5] = Int64GetDatum((int64) entry->size);
	values[6] = Int32GetDatum((int32) readers);
	values[7] = BoolGetDatum(!entry->retired);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
lr_rule_index(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Entry	   *entries = (Entry *) palloc(MAX_SHARED * sizeof(Entry));
	int			i;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	LWLockAcquire(directory->lock, LW_EXCLUSIVE);
	(void) free_entry();
	memcpy(entries, directory->entry, MAX_SHARED * sizeof(Entry));
	LWLockRelease(directory->lock);
	for (i = 0; i < MAX_SHARED; i++)
		if (entries[i].used)
			put_entry(rsinfo, &entries[i],
					  pg_atomic_read_u32(&entries[i].readers));
	return (Datum) 0;
}
