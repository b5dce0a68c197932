/*
 * prepared.c
 *	  The array of prepared transactions' reservations.  See prepared.h.
 */
#include "postgres.h"

#include "access/transam.h"
#include "storage/lock.h"
#include "storage/procarray.h"

#include "base/guc.h"
#include "cap/cap_count.h"
#include "cap/cap_earlier.h"
#include "roster/board.h"
#include "roster/due.h"
#include "roster/late.h"
#include "roster/prepared.h"

/*
 * A free entry for a transaction, whose first one is its XACT: for the others
 * the search goes on where it was.
 */
static LrPreparedCounter *
free_prepared_entry(LrCounterKind kind)
{
	static int	next = 0;

	if (kind == LR_COUNTER_XACT)
		next = 0;
	for (; next < lr_shared->prepared_used; next++)
		if (!TransactionIdIsValid(lr_prepared[next].xid))
			return &lr_prepared[next++];
	if (lr_shared->prepared_used < lr_max_prepared_counters)
		return &lr_prepared[lr_shared->prepared_used++];
	return NULL;
}

bool
lr_prepared_add(LrDatabase *db, TransactionId xid, LrCounterKind kind, int slot,
				int64 amount, int64 before)
{
	LrPreparedCounter *p = free_prepared_entry(kind);

	if (p == NULL)
		return false;
	p->xid = xid;
	p->db = lr_db_index(db);
	p->kind = kind;
	p->handed_over = false;
	p->slot = slot;
	p->amount = amount;
	p->before = before;
	db->prepared++;
	return true;
}

bool
lr_prepared_enter(LrDatabase *db, TransactionId xid, LrCounterKind kind,
				  int slot, int64 amount, int64 before)
{
	bool		ok;

	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	ok = lr_prepared_add(db, xid, kind, slot, amount, before);
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
	return ok;
}

/* What a transaction that has committed leaves beside counters.  db->lock held. */
static void
settle_committed(LrDatabase *db, const LrPreparedCounter *p,
				 LrSettled *settled)
{
	if (p->kind == LR_COUNTER_XACT)
	{
		settled->leaves = p->slot;
		lr_late_tell_mark(db, p->before);
	}
	else if (p->kind == LR_COUNTER_READY)
	{
		settled->waits = true;
		settled->ready = p->amount;
	}
}

/*
 * One counter of a prepared transaction that has ended; whether somebody may have
 * a place again.
 */
static bool
settle_counter(const LrPreparedCounter *p, bool committed)
{
	LrMemberSlot *member = &lr_member_slots[p->slot];
	LrDatabase *db = &lr_shared->database[p->db];
	bool		freed = false;

	switch (p->kind)
	{
		case LR_COUNTER_LOAD:
			freed = !committed;
			if (freed)
				member->load -= p->amount;
			break;
		case LR_COUNTER_RELEASE:
			freed = committed;
			if (freed)
				member->load += p->amount;
			break;
		case LR_COUNTER_TURN:
			if (!committed && member->last_turn == p->amount)
				member->last_turn = p->before;
			else if (!committed)
				member->turn_dirty = true;
			break;
		case LR_COUNTER_CREDIT:
			if (!committed && p->slot != LR_NO_SLOT)
				lr_seat_add(p->slot, -p->amount, false);
			return false;
		case LR_COUNTER_RECEIVED:
			if (!committed)
				lr_seat_receive(p->slot, (int32) p->before, -(int32) p->amount);
			return false;
		case LR_COUNTER_CAP:
		case LR_COUNTER_CAP_RELEASE:
			freed = committed == (p->kind == LR_COUNTER_CAP_RELEASE);
			if (!freed)
				return false;
			lr_cap_add(p->slot, (uint32) p->before, committed ? p->amount :
					   -p->amount);
			lr_freed(db, LR_NO_SLOT);
			return true;
		default:
			return false;
	}
	if (freed)
		lr_freed(db, p->slot);
	lr_member_touched(p->slot);
	return freed;
}

/* Makes the used part of the array as short as it can be. */
static void
trim(void)
{
	while (lr_shared->prepared_used > 0 &&
		   !TransactionIdIsValid(lr_prepared[lr_shared->prepared_used - 1].xid))
		lr_shared->prepared_used--;
}

void
lr_prepared_clear(LrDatabase *db)
{
	int			i;

	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	for (i = 0; i < lr_shared->prepared_used; i++)
		if (lr_prepared[i].db == lr_db_index(db))
			lr_prepared[i].xid = InvalidTransactionId;
	db->prepared = 0;
	trim();
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
}

static bool
is_of(const LrPreparedCounter *p, const LrDatabase *db, TransactionId xid)
{
	return p->xid == xid && p->db == lr_db_index(db);
}

void
lr_prepared_drop(LrDatabase *db, TransactionId xid)
{
	int			i;

	for (i = 0; i < lr_shared->prepared_used; i++)
		if (is_of(&lr_prepared[i], db, xid))
		{
			lr_prepared[i].xid = InvalidTransactionId;
			db->prepared--;
		}
	trim();
}

void
lr_prepared_hand_over(LrDatabase *db, TransactionId xid)
{
	int			i;

	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < lr_shared->prepared_used; i++)
		if (is_of(&lr_prepared[i], db, xid))
			lr_prepared[i].handed_over = true;
	LWLockRelease(lr_shared->lock);
}

/* Settles a transaction that has ended, if nobody has done so meanwhile. */
static void
settle(LrDatabase *db, TransactionId xid, bool committed)
{
	LrSettled	settled = {0};
	int			i;

	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	for (i = 0; i < lr_shared->prepared_used; i++)
		if (is_of(&lr_prepared[i], db, xid))
		{
			settled.freed |= settle_counter(&lr_prepared[i], committed);
			if (committed)
				settle_committed(db, &lr_prepared[i], &settled);
		}
	lr_prepared_drop(db, xid);
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
	lr_due_settled(db, &settled);
}

/* Its caps are known to others from now on, if nobody has said so meanwhile. */
static void
tell_caps(LrDatabase *db, TransactionId xid)
{
	int			i;

	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	for (i = 0; i < lr_shared->prepared_used; i++)
		if (is_of(&lr_prepared[i], db, xid) &&
			lr_prepared[i].kind == LR_COUNTER_XACT &&
			(lr_prepared[i].slot & LR_LEAVES_CAPS) != 0)
		{
			lr_prepared[i].slot &= ~LR_LEAVES_CAPS;
			lr_caps_known(db);
		}
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
}

/*
 * Whether the locks of a transaction that is not in progress are gone, which is
 * the last that COMMIT PREPARED does.
 */
static bool
has_released(TransactionId xid)
{
	LOCKTAG		tag;

	SET_LOCKTAG_TRANSACTION(tag, xid);
	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	LockRelease(&tag, ShareLock, false);
	return true;
}

/* A prepared transaction, and what it leaves. */
typedef struct Left
{
	TransactionId xid;
	int			leaves;
} Left;

/* Those of the database; how many. */
static int
handed_over(LrDatabase *db, Left *left)
{
	int			n = 0;
	int			i;

	LWLockAcquire(lr_shared->lock, LW_SHARED);
	for (i = 0; i < lr_shared->prepared_used; i++)
		if (lr_prepared[i].db == lr_db_index(db) &&
			lr_prepared[i].kind == LR_COUNTER_XACT &&
			lr_prepared[i].handed_over &&
			TransactionIdIsValid(lr_prepared[i].xid))
		{
			left[n].xid = lr_prepared[i].xid;
			left[n++].leaves = lr_prepared[i].slot;
		}
	LWLockRelease(lr_shared->lock);
	return n;
}

/*
 * Some prepared transaction of the database that can be settled; 0: none.  Of
 * those that are visible others may know the caps.
 */
static TransactionId
ended_prepared(LrDatabase *db)
{
	Left	   *left = (Left *) palloc(lr_max_prepared_counters * sizeof(Left));
	TransactionId ended = InvalidTransactionId;
	int			n = handed_over(db, left);
	int			i;

	for (i = 0; i < n && !TransactionIdIsValid(ended); i++)
	{
		if (TransactionIdIsInProgress(left[i].xid))
			continue;
		if ((left[i].leaves & LR_LEAVES_CAPS) != 0 &&
			TransactionIdDidCommit(left[i].xid))
			tell_caps(db, left[i].xid);
		if (has_released(left[i].xid))
			ended = left[i].xid;
	}
	pfree(left);
	return ended;
}

void
lr_settle_prepared(LrDatabase *db)
{
	TransactionId xid;

	/* unlocked: who sees an old value settles the next time */
	while (db->prepared > 0 && TransactionIdIsValid(xid = ended_prepared(db)))
		settle(db, xid, TransactionIdDidCommit(xid));
}

void
lr_settle_all(void)
{
	int			i;

	for (i = 0; i < lr_max_databases; i++)
		lr_settle_prepared(&lr_shared->database[i]);
}
