/*
 * cap_earlier.c
 *	  Leads that came before a cap.  See cap_earlier.h.
 *
 * This reads with the latest snapshot, as loading does, and as rarely.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/snapmgr.h"

#include "cap_earlier.h"
#include "fold.h"
#include "owner_rights.h"

static const char *const query =
"SELECT CASE WHEN $6 THEN j.member ELSE 0 END, pg_catalog.count(*)"
" FROM leadroute.journal j"
" WHERE j.router = $1 AND j.assigned_at >= $2 AND j.assigned_at < $3"
" AND j.member IS NOT NULL AND j.kind <> 'u'"
" AND ($7 = 0 OR j.member = $7) AND ($8 = -1 OR j.team = $8)"
" AND ($9 = 0 OR j.rule = $9)"
" AND (j.caps IS NULL OR $4 <> ALL (j.caps))"
" AND (NOT $5 OR EXISTS (SELECT FROM pg_catalog.unnest(j.caps) u (tag)"
" WHERE u.tag >> 32 = $4 >> 32))"
/* who lost the lead to another did not receive it */
" AND NOT EXISTS (SELECT FROM leadroute.event e"
" WHERE e.assignment = j.id AND e.kind = 'released')"
" GROUP BY 1";

static void
set_earlier(LrDatabase *db, int slot, const LrCapWindow *window, int64 earlier,
			int64 open_below)
{
	LrCapCount *count = lr_cap_enter(&lr_cap_slots[slot], window);

	if (count == NULL)
		return;
	count->earlier = earlier;
	count->complete = true;
	count->again = false;
	count->open_below = open_below;
	lr_cap_touched(slot);
	db->caps_open_below = Max(db->caps_open_below, open_below);
}

/* What the query found of a member. */
static int64
found_of(int32 member)
{
	uint64		i;

	for (i = 0; i < SPI_processed; i++)
	{
		bool		isnull;

		if (DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i],
										SPI_tuptable->tupdesc, 1,
										&isnull)) == member)
			return lr_spi_int8(i, 2);
	}
	return 0;
}

static void
read_earlier(const LrCapCheck *check, const LrCap *cap,
			 const LrCapWindow *window)
{
	Oid			types[9] = {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID,
		BOOLOID, BOOLOID, INT4OID, INT4OID, INT4OID};
	Datum		values[9];

	values[0] = Int32GetDatum(check->lead.router->id);
	values[1] = TimestampTzGetDatum(window->since);
	values[2] = TimestampTzGetDatum(window->until);
	values[3] = Int64GetDatum(LR_CAP_TAG(cap->id, cap->each_member,
										 window->key));
	values[4] = BoolGetDatum(cap->condition != NULL);
	values[5] = BoolGetDatum(cap->each_member);
	values[6] = Int32GetDatum(cap->member);
	values[7] = Int32GetDatum(cap->team);
	values[8] = Int32GetDatum(cap->rule);
	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_execute_with_args(query, 9, types, values, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the journal");
	PopActiveSnapshot();
}

/*
 * Whether anybody of a use whose zone this is, is not counted yet; the last id
 * that was handed out before it began.
 */
static bool
begin_count(LrDatabase *db, const LrCapCheck *check, const LrCapUse *use,
			const LrCapZone *zone, int64 *last_id)
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

		if (use->zone[i] != zone || use->slot[i] < 0)
			continue;
		slot = &lr_cap_slots[use->slot[i]];
		if (lr_cap_complete(slot, &zone->window))
			continue;
		needed = true;
		begins |= !lr_cap_counts_again(slot, &zone->window);
	}
	if (begins)
	{
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
	bool		open;
	int			i;

	if (!begin_count(db, check, use, zone, &last_id))
		return;
	open = lr_settled_below(db) <= last_id;
	read_earlier(check, use->cap, &zone->window);
	for (i = 0; i < (use->by_member ? check->nmembers : 1); i++)
	{
		int64		earlier;

		if (use->zone[i] != zone || use->slot[i] < 0)
			continue;
		earlier = found_of(lr_cap_slots[use->slot[i]].member);
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		if (!lr_cap_complete(&lr_cap_slots[use->slot[i]], &zone->window))
			set_earlier(db, use->slot[i], &zone->window, earlier,
						open || db->caps_missed > last_id ?
						db->last_id + 1 : 0);
		LWLockRelease(db->lock);
	}
	SPI_freetuptable(SPI_tuptable);
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

void
lr_caps_missed(LrDatabase *db, int64 id)
{
	db->caps_missed = id;
	db->caps_open_below = Max(db->caps_open_below, id + 1);
}

/* low: all smaller ids are settled; missed: see LrDatabase, 0: it is noted. */
static void
settle(LrDatabase *db, LrCapCount *count, int64 low, int64 missed)
{
	if (missed != 0 && count->complete)
		count->open_below = Max(count->open_below, missed + 1);
	if (count->open_below == 0)
		return;
	if (count->open_below <= low)
	{
		count->complete = false;
		count->again = true;
		count->open_below = 0;
	}
	else
		db->caps_open_below = Max(db->caps_open_below, count->open_below);
}

void
lr_caps_settle(LrDatabase *db)
{
	int			index = lr_db_index(db);
	int64		missed;
	int64		low;
	int			i;

	/* unlocked: who sees an old value settles the next time */
	if (db->caps_open_below == 0)
		return;
	low = lr_settled_below(db);
	/* whatever was counted since, was counted with a later id */
	if (low == db->caps_settled && db->caps_missed == db->caps_marked)
		return;
	LWLockAcquire(lr_shared->lock, LW_SHARED);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	missed = db->caps_missed != db->caps_marked ? db->caps_missed : 0;
	db->caps_marked = db->caps_missed;
	db->caps_settled = low;
	db->caps_open_below = 0;
	lr_caps_touched(db);
	for (i = 0; i < lr_shared->caps_used; i++)
		if (lr_cap_slots[i].db == index)
		{
			settle(db, &lr_cap_slots[i].now, low, missed);
			settle(db, &lr_cap_slots[i].before, low, missed);
		}
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
}
