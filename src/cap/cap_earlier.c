/*
 * cap_earlier.c
 *	  Leads that came before a cap.  See cap_earlier.h.
 *
 * This reads with the latest snapshot, as loading does, and as rarely; what it
 * keeps in memory does not grow with the leads.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/guc.h"
#include "base/owner_rights.h"
#include "base/settings.h"
#include "cap/cap_earlier.h"
#include "cap/cap_judge.h"
#include "config/changes.h"
#include "roster/fold.h"

PG_FUNCTION_INFO_V1(lr_row_seen);

/* Leads that are judged at once. */
#define BATCH	1000

/*
 * Decisions that a cap would have counted, but for its condition.  Twice %s: whether
 * the row of the journal, and of the event, is seen (see seen_of).
 */
#define EARLIER \
	" WHERE j.router = $1 AND j.assigned_at >= $2 AND j.assigned_at < $3" \
	" AND j.member IS NOT NULL AND j.kind <> 'u' AND j.is_test IS NULL" \
	" AND ($6 = 0 OR j.member = $6) AND ($7 = -1 OR j.team = $7)" \
	" AND ($8 = 0 OR j.rule = $8)" \
	" AND (j.caps IS NULL OR $4 <> ALL (j.caps))%s" \
	/* who lost the lead to another did not receive it */ \
	" AND NOT EXISTS (SELECT FROM leadroute.event e" \
	" WHERE e.assignment = j.id AND e.kind = 'released'%s)"

/* The cap is named, in whatever window. */
#define NAMED \
	" EXISTS (SELECT FROM pg_catalog.unnest(j.caps) u (tag)" \
	" WHERE u.tag >> 32 = $4 >> 32)"

#define COUNTER	"CASE WHEN $5 THEN j.member ELSE 0 END"

#define PARAMETERS	8

static const char *const count_all =
"SELECT " COUNTER ", pg_catalog.count(*) FROM leadroute.journal j"
EARLIER " GROUP BY 1";

static const char *const count_named =
"SELECT " COUNTER ", pg_catalog.count(*) FROM leadroute.journal j"
EARLIER " AND" NAMED " GROUP BY 1";

/* A lead that is gone has no decision that is current.  The first %s: its table. */
static const char *const list_others =
"SELECT t.name, j.lead_key, " COUNTER ", j.score FROM leadroute.journal j"
" JOIN leadroute.routed_table t ON t.id = j.routed_table%s"
EARLIER " AND NOT j.superseded AND NOT" NAMED " ORDER BY t.name";

/* ---------- reading without predicate locks ---------- */

/* What serializable transactions see; NULL: nothing is being read. */
static Snapshot seen_by = NULL;

/*
 * SQL: whether the row is seen by it.  For the queries above alone.  Its COST is
 * below that of what reads caps, which may lie in a toast table: of a row that is
 * not seen they may be gone.
 */
Datum
lr_row_seen(PG_FUNCTION_ARGS)
{
	Relation	rel;
	TupleTableSlot *slot;
	bool		seen;

	if (seen_by == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("leadroute.row_seen is called by the library only")));
	rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	slot = table_slot_create(rel, NULL);
	seen = table_tuple_fetch_row_version(rel,
										 (ItemPointer) PG_GETARG_POINTER(1),
										 SnapshotAny, slot) &&
		table_tuple_satisfies_snapshot(rel, slot, seen_by);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	PG_RETURN_BOOL(seen);
}

/* The condition on a row of a query that it is seen; "": the snapshot does that. */
static const char *
seen_of(const char *alias)
{
	return seen_by == NULL ? "" :
		psprintf(" AND leadroute.row_seen(%s.tableoid, %s.ctid)", alias, alias);
}

static Snapshot
reading_snapshot(void)
{
	return seen_by != NULL ? SnapshotAny : GetLatestSnapshot();
}

/* ---------- reading ---------- */

/* Leads that a counter has to count. */
typedef struct Found
{
	int32		member;			/* 0: not of one member */
	int64		n;
} Found;

static HTAB *
make_found(void)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(int32);
	ctl.entrysize = sizeof(Found);
	ctl.hcxt = CurrentMemoryContext;
	return hash_create("leadroute earlier leads", 64, &ctl,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
add_found(HTAB *found, int32 member, int64 n)
{
	bool		is_there;
	Found	   *f = hash_search(found, &member, HASH_ENTER, &is_there);

	f->n = (is_there ? f->n : 0) + n;
}

static int64
found_of(HTAB *found, int32 member)
{
	const Found *f = hash_search(found, &member, HASH_FIND, NULL);

	return f != NULL ? f->n : 0;
}

/* What the queries are asked with. */
typedef struct Asked
{
	Oid			type[PARAMETERS];
	Datum		value[PARAMETERS];
} Asked;

static void
ask(Asked *asked, const LrCapCheck *check, const LrCap *cap,
	const LrCapWindow *window)
{
	static const Oid types[PARAMETERS] = {INT4OID, TIMESTAMPTZOID,
		TIMESTAMPTZOID, INT8OID, BOOLOID, INT4OID, INT4OID, INT4OID};

	memcpy(asked->type, types, sizeof(types));
	asked->value[0] = Int32GetDatum(check->lead.router->id);
	asked->value[1] = TimestampTzGetDatum(window->since);
	asked->value[2] = TimestampTzGetDatum(window->until);
	asked->value[3] = Int64GetDatum(LR_CAP_TAG(cap->id, cap->each_member,
											   window->key));
	asked->value[4] = BoolGetDatum(cap->each_member);
	asked->value[5] = Int32GetDatum(cap->member);
	asked->value[6] = Int32GetDatum(cap->team);
	asked->value[7] = Int32GetDatum(cap->rule);
}

static void
count_decisions(Asked *asked, const char *query, HTAB *found)
{
	uint64		i;

	PushActiveSnapshot(reading_snapshot());
	if (SPI_execute_with_args(psprintf(query, seen_of("j"), seen_of("e")),
							  PARAMETERS, asked->type, asked->value, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the journal");
	PopActiveSnapshot();
	for (i = 0; i < SPI_processed; i++)
	{
		bool		isnull;

		add_found(found, DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i],
													 SPI_tuptable->tupdesc, 1,
													 &isnull)),
				  lr_spi_int8(i, 2));
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
read_lead(uint64 row, LrCapLead *lead)
{
	HeapTuple	tuple = SPI_tuptable->vals[row];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	bool		isnull;
	Datum		score;

	lead->table = SPI_getvalue(tuple, desc, 1);
	lead->key = SPI_getvalue(tuple, desc, 2);
	lead->member = DatumGetInt32(SPI_getbinval(tuple, desc, 3, &isnull));
	score = SPI_getbinval(tuple, desc, 4, &isnull);
	lead->has_score = !isnull;
	lead->score = isnull ? 0 : DatumGetFloat8(score);
}

/* Those of the other decisions whose lead makes the condition true. */
static void
judge_decisions(Asked *asked, LrCapJudge *judge, HTAB *found)
{
	LrCapLead  *lead = (LrCapLead *) palloc(BATCH * sizeof(LrCapLead));
	bool	   *is_true = (bool *) palloc(BATCH * sizeof(bool));
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext,
												"leadroute earlier leads",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Portal		cursor;
	int			n;
	int			i;

	PushActiveSnapshot(reading_snapshot());
	cursor = SPI_cursor_open_with_args(NULL,
									   psprintf(list_others, seen_of("t"),
												seen_of("j"), seen_of("e")),
									   PARAMETERS, asked->type, asked->value,
									   NULL, true, 0);
	PopActiveSnapshot();
	do
	{
		SPI_cursor_fetch(cursor, true, BATCH);
		n = (int) SPI_processed;
		old = MemoryContextSwitchTo(batch);
		for (i = 0; i < n; i++)
			read_lead(i, &lead[i]);
		MemoryContextSwitchTo(old);
		SPI_freetuptable(SPI_tuptable);
		lr_cap_judge(judge, lead, n, is_true);
		for (i = 0; i < n; i++)
			if (is_true[i])
				add_found(found, lead[i].member, 1);
		MemoryContextReset(batch);
	} while (n == BATCH);
	SPI_cursor_close(cursor);
}

static bool
read_all(const LrCapCheck *check, const LrCap *cap, const LrCapWindow *window,
		 HTAB *found)
{
	LrCapJudge	judge;
	Asked		asked;

	ask(&asked, check, cap, window);
	count_decisions(&asked, cap->condition == NULL ? count_all : count_named,
					found);
	if (cap->condition == NULL)
		return true;
	lr_cap_judge_begin(&judge, check->lead.router, cap);
	judge_decisions(&asked, &judge, found);
	lr_cap_judge_end(&judge);
	return !judge.locked;
}

/* What cannot do without a snapshot of the usual sort. */
static const LrSetting usual_snapshot_only[] = {
	{"enable_bitmapscan", "off"},
	{"enable_indexonlyscan", "off"},
};

/*
 * What a cap has to count, by counter.  false: a table could not be read now, so
 * that it is to be counted again.
 */
static bool
read_earlier(const LrCapCheck *check, const LrCap *cap,
			 const LrCapWindow *window, HTAB *found)
{
	int			nest;
	Snapshot	snapshot;
	Snapshot	outer = seen_by;	/* a condition may ask for cap_status */
	volatile bool all = false;

	if (!IsolationIsSerializable())
		return read_all(check, cap, window, found);
	nest = NewGUCNestLevel();
	lr_settings_set(usual_snapshot_only, lengthof(usual_snapshot_only));
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	PG_TRY();
	{
		seen_by = snapshot;
		all = read_all(check, cap, window, found);
	}
	PG_FINALLY();
	{
		seen_by = outer;
	}
	PG_END_TRY();
	UnregisterSnapshot(snapshot);
	AtEOXact_GUC(false, nest);
	return all;
}

/* ---------- counting ---------- */

static void
set_earlier(LrDatabase *db, int slot, const LrCapWindow *window, int64 earlier,
			int64 open_below, TimestampTz retry_at)
{
	LrCapCount *count = lr_cap_enter(&lr_cap_slots[slot], window);

	if (count == NULL)
		return;
	count->earlier = earlier;
	count->complete = true;
	count->again = false;
	count->open_below = open_below;
	count->retry_at = retry_at;
	lr_cap_touched(slot);
	db->caps_open_below = Max(db->caps_open_below, open_below);
}

/* This transaction has begun to count under a configuration of its own. */
static bool counts_own = false;

/*
 * Whether anybody of a use whose zone this is, is not counted yet; the last id
 * that was handed out before it began.  unaware: the last one of which a lead may
 * be that does not name the cap and is not read.
 */
static bool
begin_count(LrDatabase *db, const LrCapCheck *check, const LrCapUse *use,
			const LrCapZone *zone, int64 *last_id, int64 *unaware)
{
	LrRouter   *router = check->lead.router;
	bool		needed = false;
	bool		begins = false;
	int			i;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	*last_id = db->last_id;
	for (i = 0; i < (use->by_member ? check->nmembers : 1); i++)
	{
		const LrCapSlot *slot;

		if (use->zone[i] != zone || use->slot[i] < 0 ||
			!lr_cap_slot_is(use->slot[i], use->cap->id))
			continue;
		slot = &lr_cap_slots[use->slot[i]];
		if (lr_cap_complete(slot, &zone->window))
			continue;
		needed = true;
		begins |= !lr_cap_counts_again(slot, &zone->window);
	}
	/* what was open when it was counted first has ended */
	*unaware = begins ? db->last_id : db->caps_missed;
	if (begins)
	{
		counts_own |= lr_changes_pending();
		/* we know of it */
		router->caps_begun += router->caps_begun == db->caps_begun;
		db->caps_begun++;
	}
	LWLockRelease(db->lock);
	return needed;
}

/* The members of a use whose zone this is, and who are not counted yet. */
static void
count_zone(const LrCapCheck *check, const LrCapUse *use, LrCapZone *zone)
{
	LrDatabase *db = lr_database();
	int64		last_id;
	int64		unaware;
	HTAB	   *found;
	bool		open;
	TimestampTz retry_at = 0;
	int			i;

	if (!begin_count(db, check, use, zone, &last_id, &unaware))
		return;
	open = lr_settled_below(db) <= unaware;
	found = make_found();
	if (!read_earlier(check, use->cap, &zone->window, found))
	{
		open = true;
		retry_at = GetCurrentTimestamp() + lr_held_retry_interval * USECS_PER_SEC;
	}
	for (i = 0; i < (use->by_member ? check->nmembers : 1); i++)
	{
		int64		earlier;

		if (use->zone[i] != zone || use->slot[i] < 0)
			continue;
		earlier = found_of(found, lr_cap_slots[use->slot[i]].member);
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		if (lr_cap_slot_is(use->slot[i], use->cap->id) &&
			!lr_cap_complete(&lr_cap_slots[use->slot[i]], &zone->window))
			set_earlier(db, use->slot[i], &zone->window, earlier,
						open || db->caps_missed > last_id ?
						db->last_id + 1 : 0, retry_at);
		LWLockRelease(db->lock);
	}
	hash_destroy(found);
}

void
lr_caps_count_earlier(const LrCapCheck *check)
{
	LrRights	rights;
	int			k;

	lr_become_owner(&rights);
	SPI_connect();
	for (k = 0; k < check->n; k++)
	{
		LrCapZone  *zone;

		for (zone = check->use[k]->cap->zones; zone != NULL; zone = zone->next)
			count_zone(check, check->use[k], zone);
	}
	SPI_finish();
	lr_resign(&rights);
}

bool
lr_caps_own(void)
{
	return counts_own;
}

void
lr_caps_known(LrDatabase *db)
{
	db->caps_begun++;
	lr_caps_missed(db, db->last_id);
}

void
lr_caps_commit(void)
{
	LrDatabase *db = counts_own ? lr_database_pinned() : NULL;

	if (db == NULL)
		return;
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	lr_caps_known(db);
	LWLockRelease(db->lock);
}

void
lr_caps_forget(void)
{
	counts_own = false;
}

void
lr_caps_missed(LrDatabase *db, int64 id)
{
	db->caps_missed = id;
	db->caps_open_below = Max(db->caps_open_below, id + 1);
}

/*
 * low: all smaller ids are settled; missed: see LrDatabase, 0: it is noted.  Returns
 * whether it is to be counted again.
 */
static bool
settle(LrDatabase *db, LrCapCount *count, int64 low, int64 missed,
	   TimestampTz now)
{
	if (missed != 0 && count->complete)
		count->open_below = Max(count->open_below, missed + 1);
	if (count->open_below == 0)
		return false;
	if (count->open_below <= low && count->retry_at <= now)
	{
		count->complete = false;
		count->again = true;
		count->open_below = 0;
		return true;
	}
	db->caps_open_below = Max(db->caps_open_below, count->open_below);
	return false;
}

void
lr_caps_settle(LrDatabase *db)
{
	int			index = lr_db_index(db);
	int64		missed;
	int64		low;
	TimestampTz now;
	bool		again = false;
	int			i;

	/* unlocked: who sees an old value settles the next time */
	if (db->caps_open_below == 0)
		return;
	low = lr_settled_below(db);
	/* whatever was counted since, was counted with a later id */
	if (low == db->caps_settled && db->caps_missed == db->caps_marked)
		return;
	now = GetCurrentTimestamp();
	LWLockAcquire(lr_shared->lock, LW_SHARED);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	missed = db->caps_missed != db->caps_marked ? db->caps_missed : 0;
	db->caps_marked = db->caps_missed;
	db->caps_settled = low;
	db->caps_open_below = 0;
	for (i = 0; i < lr_shared->caps_used; i++)
		if (lr_cap_slots[i].db == index && lr_cap_slots[i].cap > 0)
		{
			again |= settle(db, &lr_cap_slots[i].now, low, missed, now);
			again |= settle(db, &lr_cap_slots[i].before, low, missed, now);
		}
	if (again)
		lr_caps_touched(db);
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
}
