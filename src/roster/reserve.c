/*
 * reserve.c
 *	  Reservations of this transaction.  See reserve.h.
 *
 * What transaction.c calls when a level ends allocates nothing and raises no
 * error, but for lr_reserve_prepare_sub and lr_reserve_pre_prepare, which come
 * before the end.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "commands/extension.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/generation.h"
#include "base/guc.h"
#include "decide/held.h"
#include "roster/board.h"
#include "roster/due.h"
#include "roster/late.h"
#include "roster/prepared.h"
#include "roster/reserve.h"
#include "roster/reserve_level.h"
#include "roster/reserve_team.h"

static LrDatabase *held_db = NULL;	/* database of all holds */
static bool journal_rewritten = false;	/* see lr_journal_rewritten */
static bool own_rows_loaded = false;	/* see lr_counters_loaded */
static bool any_released = false;	/* by any level */
LrLevel    *lr_top_level = NULL;
static uint64 last_level = 0;

/* An xid whose entries this backend has made and not yet handed over. */
static TransactionId preparing = InvalidTransactionId;

void
lr_journal_rewritten(void)
{
	journal_rewritten = true;
}

void
lr_counters_loaded(void)
{
	own_rows_loaded = journal_rewritten;
}

/* ---------- levels ---------- */

static void
rehash(LrLevel *level)
{
	int			i;

	memset(level->bucket, 0, level->nbuckets * sizeof(int));
	for (i = 0; i < level->nloads; i++)
	{
		uint32		b = (uint32) level->loads[i].slot * 2654435761u;

		while (level->bucket[b & (level->nbuckets - 1)] != 0)
			b++;
		level->bucket[b & (level->nbuckets - 1)] = i + 1;
	}
}

/* Makes sure that a level can take more loads without allocating. */
static void
grow_level(LrLevel *level, int more)
{
	int			room = Max(level->room, 16);

	while (level->nloads + more > room)
		room *= 2;
	if (room == level->room)
		return;
	if (level->loads == NULL)
		level->loads = MemoryContextAlloc(TopTransactionContext,
										  room * sizeof(LrLoadHold));
	else
		level->loads = repalloc(level->loads, room * sizeof(LrLoadHold));
	level->room = room;
	if (level->bucket)
		pfree(level->bucket);
	level->nbuckets = 0;
	level->bucket = MemoryContextAllocZero(TopTransactionContext,
										   room * 2 * sizeof(int));
	level->nbuckets = room * 2;
	rehash(level);
}

static LrLevel *
current_level(void)
{
	int			nest = GetCurrentTransactionNestLevel();
	LrLevel	   *level;

	if (lr_top_level != NULL && lr_top_level->nest == nest)
		return lr_top_level;
	/* rebuild waits for us, and keeps us out while it runs */
	LockRelationOid(lr_relid("journal"), RowExclusiveLock);
	level = MemoryContextAllocZero(TopTransactionContext, sizeof(LrLevel));
	level->up = lr_top_level;
	level->serial = ++last_level;
	level->nest = nest;
	grow_level(level, 1);
	lr_top_level = level;
	return level;
}

/* The hold on a member; the level has room.  Allocates nothing. */
static LrLoadHold *
load_hold(LrLevel *level, int slot)
{
	uint32		b = (uint32) slot * 2654435761u;
	LrLoadHold   *hold;

	for (;; b++)
	{
		int		   *bucket = &level->bucket[b & (level->nbuckets - 1)];

		if (*bucket == 0)
		{
			hold = &level->loads[level->nloads++];
			hold->slot = slot;
			hold->load = hold->released = 0;
			hold->turn_before = -1;
			hold->turn_set = 0;
			hold->turn_mixed = false;
			*bucket = level->nloads;
			return hold;
		}
		if (level->loads[*bucket - 1].slot == slot)
			return &level->loads[*bucket - 1];
	}
}

/*
 * From now on the transaction has reservations in this slot.  Another one than
 * before: the extension was dropped and created in this transaction, or that
 * was rolled back.
 */
static void
hold(LrDatabase *db)
{
	if (db == held_db)
		return;
	if (lr_top_level != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("leadroute was dropped or created in a transaction that has routed leads"),
				 errhint("Run DROP EXTENSION and CREATE EXTENSION in a transaction of their own.")));
	if (held_db != NULL)
	{
		/* all that it held there has been rolled back */
		LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
		lr_forget_ids(held_db);
		LWLockRelease(held_db->lock);
	}
	held_db = db;
	lr_me()->holds = lr_db_index(db) + 1;
}

void
lr_reserve_prepare(LrTeam *team, int32 month)
{
	LrLevel	   *level;

	hold(lr_database());
	level = current_level();
	grow_level(level, 1);
	if (team != NULL)
		lr_team_hold_prepare(level, team, month);
}

void
lr_reserve_prepare_caps(int n)
{
	lr_cap_holds_grow(&lr_top_level->caps, n);
}

/* ---------- applying ---------- */

/*
 * A level has moved last_turn from before to set.  If the level is given back,
 * turns that others have had meanwhile must stay: so what was before is what
 * was there when others had moved it last.  Who of them has taken a turn of ours
 * for the one before his own, is not known; so last_turn is in doubt then.
 */
static void
note_turn(LrLoadHold *hold, int64 before, int64 set, bool mixed)
{
	if (hold->turn_before >= 0 && before != hold->turn_set)
		mixed = true;
	if (hold->turn_before < 0 || before != hold->turn_set)
		hold->turn_before = before;
	hold->turn_set = set;
	hold->turn_mixed |= mixed;
}

/*
 * A member has a place again that this transaction had taken.  If it is the one
 * that decides held leads, nothing has changed for those that come later: they
 * would not have been refused it.
 */
static void
freed(int member_slot)
{
	if (lr_looking())
		return;
	lr_freed(held_db, member_slot);
	lr_place_freed();
}

/* The level has room. */
static void
apply_caps(const LrReservation *r, int sign)
{
	int			i;

	for (i = 0; i < r->ncaps; i++)
	{
		const LrCapTaken *taken = &r->caps[i];

		/* neither a cap that is gone nor a window that is too old concerns anybody */
		if (!lr_cap_slot_is(taken->slot, LR_CAP_TAG_CAP(taken->tag)) ||
			lr_cap_enter(&lr_cap_slots[taken->slot], &taken->window) == NULL)
			continue;
		lr_cap_add(taken->slot, taken->window.key, sign);
		if (sign < 0)
			freed(LR_NO_SLOT);
		lr_cap_hold(&lr_top_level->caps, taken->slot,
					taken->window.key)->taken += sign;
	}
}

void
lr_reserve_apply(const LrReservation *r, int sign)
{
	if (r->member_slot != LR_NO_SLOT)
	{
		LrMemberSlot *slot = &lr_member_slots[r->member_slot];
		LrLoadHold   *hold = load_hold(lr_top_level, r->member_slot);

		slot->load += sign * r->load;
		hold->load += sign * r->load;
		if (sign < 0 && r->load > 0)
			freed(r->member_slot);
		if (r->last_turn >= 0)
		{
			if (sign > 0)
			{
				note_turn(hold, r->last_turn, r->id, false);
				slot->last_turn = r->id;
			}
			else if (slot->last_turn == r->id)
				hold->turn_set = slot->last_turn = r->last_turn;
			else
				/* others may have this one for the one before their own */
				slot->turn_dirty = true;
		}
		lr_member_touched(r->member_slot);
	}
	if (r->turn)
		lr_team_turn(r, sign);
	if (r->month != 0)
		lr_team_receive(r, sign);
	if (r->ncaps > 0)
		apply_caps(r, sign);
}

void
lr_reserve_return(const LrReservation *r)
{
	lr_reserve_prepare(r->turn || r->month != 0 ? r->team : NULL, r->month);
	if (r->ncaps > 0)
		lr_reserve_prepare_caps(r->ncaps);
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	lr_reserve_apply(r, -1);
	LWLockRelease(held_db->lock);
}

/* The hold of a level on a member, if it has one. */
static LrLoadHold *
find_load_hold(LrLevel *level, int slot)
{
	uint32		b = (uint32) slot * 2654435761u;

	for (;; b++)
	{
		int			i = level->bucket[b & (level->nbuckets - 1)];

		if (i == 0)
			return NULL;
		if (level->loads[i - 1].slot == slot)
			return &level->loads[i - 1];
	}
}

int64
lr_reserve_released(int member_slot)
{
	int64		released = 0;
	LrLevel	   *level;

	if (!any_released)
		return 0;
	for (level = lr_top_level; level != NULL; level = level->up)
	{
		LrLoadHold   *hold = find_load_hold(level, member_slot);

		if (hold != NULL)
			released += hold->released;
	}
	return released;
}

bool
lr_reserve_releases(void)
{
	return any_released;
}

void
lr_reserve_load(int member_slot, int load)
{
	LrReservation r = {0};
	LrLoadHold   *hold;
	int64		kept;

	if (member_slot == LR_NO_SLOT || load == 0)
		return;
	lr_reserve_prepare(NULL, 0);
	hold = load_hold(lr_top_level, member_slot);
	if (load < 0)
	{
		hold->released += load;
		any_released = true;
		return;
	}
	/*
	 * What is given back at the commit only is reserved still: taking it again
	 * is keeping it.  The levels together never give back less than nothing,
	 * since those above stay when this one is rolled back.
	 */
	kept = Min(load, -lr_reserve_released(member_slot));
	hold->released += kept;
	if (kept == load)
		return;
	r.member_slot = member_slot;
	r.load = load - kept;
	r.last_turn = -1;
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	lr_reserve_apply(&r, 1);
	LWLockRelease(held_db->lock);
}

void
lr_reserve_give_back_cap(int slot, uint32 key)
{
	lr_reserve_prepare(NULL, 0);
	lr_reserve_prepare_caps(1);
	lr_cap_hold(&lr_top_level->caps, slot, key)->released--;
	any_released = true;
}

int64
lr_reserve_cap_released(int slot, uint32 key)
{
	int64		released = 0;
	LrLevel	   *level;

	if (!any_released)
		return 0;
	for (level = lr_top_level; level != NULL; level = level->up)
	{
		LrCapHold  *hold = lr_cap_hold_find(&level->caps, slot, key);

		if (hold != NULL)
			released += hold->released;
	}
	return released;
}

int64
lr_reserve_id(void)
{
	int64		id;

	lr_reserve_prepare(NULL, 0);
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	id = lr_next_id(held_db);
	LWLockRelease(held_db->lock);
	return id;
}

/* ---------- giving back, keeping ---------- */

/* Gives back what a level holds.  db->lock held. */
static void
return_level(LrLevel *level)
{
	int			i;

	lr_team_holds_return(level);
	for (i = 0; i < level->nloads; i++)
	{
		LrLoadHold   *load = &level->loads[i];
		LrMemberSlot *slot = &lr_member_slots[load->slot];

		slot->load -= load->load;
		if (load->load > 0)
			freed(load->slot);
		if (load->turn_before >= 0 && slot->last_turn == load->turn_set)
			slot->last_turn = load->turn_before;
		else if (load->turn_before >= 0)
			slot->turn_dirty = true;
		slot->turn_dirty |= load->turn_mixed;
		lr_member_touched(load->slot);
	}
	if (lr_cap_holds_return(&level->caps))
		freed(LR_NO_SLOT);
}

/* Adds the holds of a level to the one above, which has room.  No lock. */
static void
merge_level(LrLevel *from, LrLevel *to)
{
	int			i;

	lr_team_holds_merge(from, to);
	for (i = 0; i < from->nloads; i++)
	{
		LrLoadHold   *f = &from->loads[i];
		LrLoadHold   *t = load_hold(to, f->slot);

		t->load += f->load;
		t->released += f->released;
		if (f->turn_before >= 0)
			note_turn(t, f->turn_before, f->turn_set, f->turn_mixed);
	}
	lr_cap_holds_merge(&from->caps, &to->caps);
}

static void
free_level(LrLevel *level)
{
	lr_team_holds_free(level);
	lr_cap_holds_free(&level->caps);
	pfree(level->loads);
	pfree(level->bucket);
	pfree(level);
}

/* The server has not prepared the transaction after all. */
static void
drop_preparing(void)
{
	if (!TransactionIdIsValid(preparing))
		return;
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	lr_prepared_drop(held_db, preparing);
	LWLockRelease(held_db->lock);
	LWLockRelease(lr_shared->lock);
}

void
lr_reserve_abort(int nest)
{
	if (nest == 0)
		drop_preparing();
	while (lr_top_level != NULL && lr_top_level->nest >= nest)
	{
		LrLevel	   *level = lr_top_level;

		LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
		return_level(level);
		LWLockRelease(held_db->lock);
		lr_top_level = level->up;
		free_level(level);
	}
}

void
lr_reserve_prepare_sub(int nest)
{
	if (lr_top_level == NULL || lr_top_level->nest != nest)
		return;
	if (lr_top_level->up != NULL && lr_top_level->up->nest == nest - 1)
	{
		grow_level(lr_top_level->up, lr_top_level->nloads);
		if (lr_top_level->caps.n > 0)
			lr_cap_holds_grow(&lr_top_level->up->caps, lr_top_level->caps.n);
	}
}

void
lr_reserve_commit_sub(int nest)
{
	LrLevel	   *level = lr_top_level;

	if (level == NULL || level->nest != nest)
		return;
	if (level->up != NULL && level->up->nest == nest - 1)
	{
		merge_level(level, level->up);
		lr_top_level = level->up;
		free_level(level);
	}
	else
		level->nest = nest - 1;
}

void
lr_reserve_commit(void)
{
	int			i;

	if (!any_released || lr_top_level == NULL)
		return;
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	for (i = 0; i < lr_top_level->nloads; i++)
	{
		int			slot = lr_top_level->loads[i].slot;

		lr_member_slots[slot].load += lr_top_level->loads[i].released;
		if (lr_top_level->loads[i].released < 0)
			lr_freed(held_db, slot);
		lr_member_touched(slot);
	}
	if (lr_cap_holds_commit(&lr_top_level->caps))
		lr_freed(held_db, LR_NO_SLOT);
	LWLockRelease(held_db->lock);
}

/* ---------- prepared transactions ---------- */

/* Enters what the transaction holds of one member. */
static bool
enter_load(TransactionId xid, const LrLoadHold *hold)
{
	/* the entry does not say so; no checkpoint is beyond our ids till it ends */
	if (hold->turn_mixed)
		lr_member_slots[hold->slot].turn_dirty = true;
	return (hold->load == 0 ||
			lr_prepared_add(held_db, xid, LR_COUNTER_LOAD, hold->slot,
						  hold->load, 0)) &&
		(hold->released == 0 ||
		 lr_prepared_add(held_db, xid, LR_COUNTER_RELEASE, hold->slot,
					   hold->released, 0)) &&
		(hold->turn_before < 0 ||
		 lr_prepared_add(held_db, xid, LR_COUNTER_TURN, hold->slot,
					   hold->turn_set, hold->turn_before));
}

/* Copies the holds of the transaction into the array; false: no room. */
static bool
enter_holds(TransactionId xid)
{
	LrLevel	   *level = lr_top_level;
	int64		min_id = lr_me()->min_id;
	TimestampTz ready = lr_due_ready();
	bool		ok = lr_prepared_add(held_db, xid, LR_COUNTER_XACT,
									 lr_due_leaves(), min_id, lr_late_mark());
	int			i;

	if (ok && ready != DT_NOEND)
		ok = lr_prepared_add(held_db, xid, LR_COUNTER_READY, 0, ready, 0);

	for (i = 0; ok && level && i < level->nloads; i++)
		ok = enter_load(xid, &level->loads[i]);
	if (ok && level)
		ok = lr_cap_holds_enter(&level->caps, held_db, xid);
	if (ok && level)
		ok = lr_team_holds_enter(level, held_db, xid);
	return ok;
}

void
lr_reserve_pre_prepare(void)
{
	TransactionId xid;
	bool		ok;

	/* an id, so that it has an entry; who has dropped the extension leaves nothing */
	if (lr_due_leaves() != 0 &&
		OidIsValid(get_extension_oid("leadroute", true)))
		(void) lr_reserve_id();
	if (held_db == NULL ||
		lr_me()->min_id == 0)
		return;
	lr_settle_all();
	xid = GetTopTransactionId();
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	ok = enter_holds(xid);
	if (!ok)
		lr_prepared_drop(held_db, xid);
	LWLockRelease(held_db->lock);
	LWLockRelease(lr_shared->lock);
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("prepared transactions hold too many counters of leadroute"),
				 errhint("Commit or roll back prepared transactions, or raise leadroute.max_prepared_counters, %d now, and restart the server.",
						 lr_max_prepared_counters)));
	preparing = xid;
}

void
lr_reserve_hand_over(void)
{
	if (TransactionIdIsValid(preparing))
		lr_prepared_hand_over(held_db, preparing);
}

/* ---------- the end ---------- */

void
lr_reserve_end(bool committed)
{
	LrDatabase *db = held_db != NULL ? held_db :
		journal_rewritten ? lr_database_pinned() : NULL;

	if (db != NULL)
	{
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		if (lr_me()->min_id != 0)
			lr_ids_ended(db, TransactionIdIsValid(preparing));
		if (committed)
			lr_late_ended(db);
		lr_forget_ids(db);
		/* whoever routes leads is no longer restoring them */
		if (db->restored && lr_top_level != NULL && committed)
		{
			db->restored = false;
			lr_look_at_held();
			lr_look_at_waiting();
		}
		if (journal_rewritten && committed)
			db->restored = true;
		if ((journal_rewritten && committed) || own_rows_loaded)
		{
			db->rewritten++;	/* who is loading begins again */
			db->state = LR_EMPTY;
		}
		LWLockRelease(db->lock);
	}
	held_db = NULL;
	lr_top_level = NULL;
	lr_team_holds_forget();
	any_released = journal_rewritten = own_rows_loaded = false;
	preparing = InvalidTransactionId;
}
