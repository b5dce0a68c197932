/*
 * held.c
 *	  Leads that are held go first.  See held.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "base/clock.h"
#include "base/generation.h"
#include "base/guc.h"
#include "decide/held.h"
#include "journal/journal_row.h"
#include "roster/reserve.h"

/* The look of this process, if it is looking. */
static bool looking = false;
static bool look_whole;			/* at each lead */
static int64 look_seq;			/* free_seq when it began */
static TimestampTz look_began;
static TimestampTz look_until;
static bool look_again;			/* somebody was kept for others */
static int64 refused;			/* see lr_look_refused */

int64
lr_line_of(int32 rule, const LrTeam *team)
{
	uint32		whom = team->id >= 0 ? (uint32) team->id :
		0x80000000 | (team->n > 0 ? (uint32) team->member[0]->id : 0);

	return (int64) (((uint64) rule << 32) | whom);
}

bool
lr_line_waits(int64 line, int64 id)
{
	Relation	rel = table_open(lr_relid("pool_entry"), AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc sys;
	bool		waits;

	ScanKeyInit(&key[0], P_LINE + 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(line));
	ScanKeyInit(&key[1], P_ASSIGNMENT + 1, BTLessStrategyNumber, F_INT8LT,
				Int64GetDatum(id));
	sys = systable_beginscan(rel, lr_relid("pool_entry_line"), true,
							 SnapshotSelf, id != 0 ? 2 : 1, key);
	waits = HeapTupleIsValid(systable_getnext(sys));
	systable_endscan(sys);
	table_close(rel, AccessShareLock);
	return waits;
}

bool
lr_is_fresh(const LrDatabase *db, int member_slot, TimestampTz now)
{
	int64		freed = Max(lr_member_slots[member_slot].freed, db->all_freed);

	/* what the own transaction gives back is others' only when it commits */
	return freed > (looking ? look_seq : db->looked_seq) ||
		(looking ? look_until : db->held_until) <= now ||
		lr_reserve_released(member_slot) != 0;
}

void
lr_look_begin(LrDatabase *db)
{
	look_began = GetCurrentTimestamp();
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->looking = true;
	db->pass_seq = PG_INT64_MAX;
	db->pass_until = DT_NOEND;
	memset(db->next_line, 0, sizeof(db->next_line));
	look_seq = db->free_seq;
	look_whole = db->all_freed > db->looked_seq || db->held_until <= lr_now() ||
		look_began - db->looked_at >= lr_held_retry_interval * USECS_PER_SEC;
	look_until = look_whole ? DT_NOEND : db->held_until;
	LWLockRelease(db->lock);
	look_again = false;
	refused = 0;
	looking = true;
}

bool
lr_looking(void)
{
	return looking;
}

void
lr_look_note(const LrHeld *held)
{
	if (held->seq == 0)
		return;
	look_until = Min(look_until, held->until);
	look_again |= held->again;
	refused = look_whole ? 0 : held->way;
}

int64
lr_look_refused(void)
{
	int64		way = refused;

	refused = 0;
	return way;
}

void
lr_look_end(LrDatabase *db, bool done, const uint8 *lines)
{
	TimestampTz now = GetCurrentTimestamp();
	int			i;

	looking = false;
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->looking = false;
	if (done)
	{
		db->looked_seq = Min(look_seq, db->pass_seq);
		db->held_until = Min(look_until, db->pass_until);
		if (look_whole)
			db->looked_at = look_began;
		for (i = 0; i < LR_LINE_BYTES; i++)
			db->line[i] = db->next_line[i] | lines[i];
		if (db->held_due != DT_NOEND)
			db->held_due = Min(db->held_due,
							   now + lr_held_wait(db->held_until));
	}
	if (!done || look_again)
		db->held_due = Min(db->held_due, now);
	LWLockRelease(db->lock);
}

void
lr_look_broken_off(LrDatabase *db)
{
	if (!db->looking)
		return;
	db->looking = false;
	db->held_due = Min(db->held_due, GetCurrentTimestamp());
}
