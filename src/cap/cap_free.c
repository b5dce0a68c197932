/*
 * cap_free.c
 *	  Giving back the slots of caps that are gone.  See cap_free.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xlog.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/generation.h"
#include "base/guc.h"
#include "cap/cap_count.h"
#include "cap/cap_free.h"

static int
compare_ids(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return x < y ? -1 : x > y;
}

/* The caps of the database that have slots, each once; how many there are. */
static int
caps_with_slots(LrDatabase *db, int32 *cap, int most)
{
	int			n = 0;
	int			kept = 0;
	int			i;

	LWLockAcquire(lr_shared->lock, LW_SHARED);
	LWLockAcquire(db->lock, LW_SHARED);
	for (i = 0; i < Min(lr_shared->caps_used, most); i++)
		if (lr_cap_slots[i].db == lr_db_index(db) && lr_cap_slots[i].cap > 0)
			cap[n++] = lr_cap_slots[i].cap;
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
	qsort(cap, n, sizeof(int32), compare_ids);
	for (i = 0; i < n; i++)
		if (i == 0 || cap[i] != cap[i - 1])
			cap[kept++] = cap[i];
	return kept;
}

static bool
sees(Relation rel, Snapshot snapshot, int32 cap)
{
	ScanKeyData key;
	SysScanDesc scan;
	AttrNumber	column = 0;
	bool		found;
	int			i;

	for (i = 0; i < RelationGetDescr(rel)->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(RelationGetDescr(rel), i)->attname),
				   "id") == 0)
			column = i + 1;
	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(cap));
	scan = systable_beginscan(rel, lr_relid("cap_id_key"), true, snapshot, 1,
							  &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	return found;
}

/*
 * Whether a cap is there, also one that is just being made or deleted.  A row
 * that is updated meanwhile may escape the first look, but not the second.
 */
static bool
is_there(Relation rel, int32 cap)
{
	SnapshotData dirty;
	Snapshot	latest;
	bool		found;

	InitDirtySnapshot(dirty);
	if (sees(rel, &dirty, cap))
		return true;
	latest = RegisterSnapshot(GetLatestSnapshot());
	found = sees(rel, latest, cap);
	UnregisterSnapshot(latest);
	return found;
}

static void
mark(LrDatabase *db, const int32 *gone, int n)
{
	int			i;

	LWLockAcquire(lr_shared->lock, LW_SHARED);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	for (i = 0; i < lr_shared->caps_used; i++)
	{
		LrCapSlot  *slot = &lr_cap_slots[i];

		if (slot->db != lr_db_index(db) ||
			bsearch(&slot->cap, gone, n, sizeof(int32), compare_ids) == NULL)
			continue;
		memset(&slot->now, 0, sizeof(slot->now));
		memset(&slot->before, 0, sizeof(slot->before));
		slot->now.open_below = db->last_id + 1;
		slot->cap = -slot->cap;
	}
	lr_caps_touched(db);
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
}

/* Frees marked slots that nobody names any more; whether any are left. */
static bool
free_marked(LrDatabase *db)
{
	int64		low = lr_settled_below(db);
	bool		freed = false;
	bool		left = false;
	int			i;

	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	for (i = 0; i < lr_shared->caps_used; i++)
	{
		LrCapSlot  *slot = &lr_cap_slots[i];

		if (slot->db != lr_db_index(db) || slot->cap > 0)
			continue;
		if (slot->now.open_below > low)
			left = true;
		else
		{
			lr_cap_slot_free(i);
			freed = true;
		}
	}
	LWLockRelease(db->lock);
	if (freed)
	{
		lr_shared->caps_freed++;
		for (i = 0; i < lr_max_databases; i++)
			lr_shared->database[i].refused[LR_SLOT_CAP] = 0;
	}
	LWLockRelease(lr_shared->lock);
	return left;
}

void
lr_caps_free_gone(LrDatabase *db)
{
	static uint64 seen = 0;		/* state of the configuration */
	static uint64 generation = 0;	/* of the database slot, then */
	static bool left = false;
	uint64		now;
	int			most = lr_shared->caps_used;
	int32	   *cap;
	Relation	rel;
	int			n;
	int			gone = 0;
	int			i;

	if (RecoveryInProgress())
		return;
	AcceptInvalidationMessages();
	now = lr_config_generation();
	if (now == seen && generation == db->generation && !left)
		return;
	cap = (int32 *) palloc((most + 1) * sizeof(int32));
	n = caps_with_slots(db, cap, most);
	rel = table_open(lr_relid("cap"), AccessShareLock);
	for (i = 0; i < n; i++)
		if (!is_there(rel, cap[i]))
			cap[gone++] = cap[i];
	table_close(rel, AccessShareLock);
	if (gone > 0)
		mark(db, cap, gone);
	left = free_marked(db);
	seen = now;
	generation = db->generation;
	pfree(cap);
}
