/*
 * cap_earlier.c
 *	  Leads that a cap has to count though they came before it.
 *
 * A counter that is needed for the first time (its cap is new, or counts
 * something else than before; shared memory is new, and no checkpoint says
 * it; a member's zone has changed) begins in the middle of a window.  Then the
 * journal tells what the window has had: the rows that the cap would have
 * counted, had it been there.  Under a cap with a condition only rows count
 * that name it: nobody can tell what a lead was like when it came.
 *
 * Transactions that are open while that is read may have routed leads that
 * cannot be seen, without knowing of the cap.  So what is read is good until
 * all of them have ended; then it is read once more.  Nobody waits for them.
 *
 * This reads with the latest snapshot, as loading does, and as rarely.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/snapmgr.h"

#include "cap.h"
#include "fold.h"
#include "owner_rights.h"

static const char *const query =
"SELECT CASE WHEN $6 THEN j.member ELSE 0 END, pg_catalog.count(*)"
" FROM leadroute.journal j"
" WHERE j.router = $1 AND j.assigned_at >= $2 AND j.assigned_at < $3"
" AND j.member IS NOT NULL"
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

/* The members of a use whose zone this is, and who are not counted yet. */
static void
count_zone(const LrCapCheck *check, const LrCapUse *use, LrCapZone *zone)
{
	LrDatabase *db = lr_database();
	int64		last_id;
	int64		open_below = 0;
	bool		needed = false;
	int			n = use->by_member ? check->nmembers : 1;
	int			i;

	LWLockAcquire(db->lock, LW_SHARED);
	last_id = db->last_id;
	for (i = 0; i < n && !needed; i++)
		needed = use->zone[i] == zone && use->slot[i] >= 0 &&
			!lr_cap_complete(&lr_cap_slots[use->slot[i]], &zone->window);
	LWLockRelease(db->lock);
	if (!needed)
		return;
	if (lr_settled_below(db) <= last_id)
		open_below = 1;
	read_earlier(check, use->cap, &zone->window);
	for (i = 0; i < n; i++)
	{
		int64		earlier;

		if (use->zone[i] != zone || use->slot[i] < 0)
			continue;
		earlier = found_of(lr_cap_slots[use->slot[i]].member);
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		if (!lr_cap_complete(&lr_cap_slots[use->slot[i]], &zone->window))
			set_earlier(db, use->slot[i], &zone->window, earlier,
						open_below == 0 ? 0 : db->last_id + 1);
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

/* low: all smaller ids are settled. */
static void
settle(LrDatabase *db, LrCapCount *count, int64 low)
{
	if (count->open_below == 0)
		return;
	if (count->open_below <= low)
	{
		count->complete = false;
		count->open_below = 0;
	}
	else
		db->caps_open_below = Max(db->caps_open_below, count->open_below);
}

void
lr_caps_settle(LrDatabase *db)
{
	int			index = lr_db_index(db);
	int64		low;
	int			i;

	/* unlocked: who sees an old value settles the next time */
	if (db->caps_open_below == 0)
		return;
	low = lr_settled_below(db);
	LWLockAcquire(lr_shared->lock, LW_SHARED);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->caps_open_below = 0;
	lr_caps_touched(db);
	for (i = 0; i < lr_shared->caps_used; i++)
		if (lr_cap_slots[i].db == index)
		{
			settle(db, &lr_cap_slots[i].now, low);
			settle(db, &lr_cap_slots[i].before, low);
		}
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
}
