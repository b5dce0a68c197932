/*
 * due.c
 *	  Telling launcher and worker what there is to do.  See due.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/guc.h"
#include "cap/cap_earlier.h"
#include "decide/held.h"
#include "journal/journal.h"
#include "roster/due.h"
#include "roster/late.h"

/* What the current transaction leaves to be done. */
typedef struct News
{
	LrDatabase *ids;			/* ids were handed out here; NULL: none */
	bool		prepared;
	bool		held;
	bool		freed;
	bool		look;
	bool		measure;
	int64		held_seq;		/* if held: see LrHeld */
	TimestampTz held_until;
	bool		again;
	bool		waits;
	bool		look_waiting;
	TimestampTz waits_until;	/* if waits: the first of them */
} News;

static News news = {0};
static uint8 held_line[LR_LINE_BYTES];	/* if news.held */

void
lr_place_freed(void)
{
	news.freed = true;
}

void
lr_look_at_held(void)
{
	news.look = true;
}

void
lr_lead_held(const LrHeld *held)
{
	uint32		bit = lr_line_bit(held->line);
	TimestampTz until = held->seq != 0 ? held->until : DT_NOEND;

	/* the look of the worker knows what is held */
	if (lr_looking())
	{
		lr_look_note(held);
		return;
	}
	if (!news.held)
	{
		memset(held_line, 0, sizeof(held_line));
		news.held_seq = held->seq;
		news.held_until = until;
	}
	news.held = true;
	news.held_seq = Min(news.held_seq, held->seq);
	news.held_until = Min(news.held_until, until);
	news.again |= held->again;
	if (held->line != 0)
		held_line[bit / 8] |= 1 << (bit % 8);
}

void
lr_lead_waits(TimestampTz until)
{
	news.waits_until = news.waits ? Min(news.waits_until, until) : until;
	news.waits = true;
}

void
lr_look_at_waiting(void)
{
	news.look_waiting = true;
}

void
lr_due_prepared(void)
{
	news.held = news.look = news.waits = news.look_waiting = false;
}

void
lr_due_committed(void)
{
	LrDatabase *db = news.look ? lr_database_pinned() : NULL;

	if (db == NULL)
		return;
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	lr_freed(db, LR_NO_SLOT);
	LWLockRelease(db->lock);
}

int64
lr_held_wait(TimestampTz until)
{
	int64		retry = lr_held_retry_interval * USECS_PER_SEC;
	TimestampTz now = lr_now();

	return until == DT_NOEND ? retry : Min(retry, Max(until - now, 0));
}

void
lr_measures_wanted(void)
{
	news.measure = true;
}

void
lr_ids_ended(LrDatabase *db, bool prepared)
{
	news.ids = db;
	news.prepared = prepared;
}

TimestampTz
lr_due(const LrDatabase *db)
{
	return db->restored ? DT_NOEND :
		Min(Min(Min(db->checkpoint_due, db->held_due),
				Min(db->late_due, db->measure_due)), db->ready_due);
}

/*
 * Who is to be told that something is due which was not before.  What is due
 * later the launcher finds out when the worker has ended.
 */
static Latch *
bell(LrDatabase *db, TimestampTz before)
{
	TimestampTz due = lr_due(db);

	if (due >= before)
		return NULL;
	if (db->worker == NULL)
		return lr_shared->launcher;
	return due <= GetCurrentTimestamp() ? db->worker : NULL;
}

Latch *
lr_due_at(LrDatabase *db, TimestampTz *due, TimestampTz at)
{
	TimestampTz before = lr_due(db);

	if (at < *due)
		*due = at;
	return bell(db, before);
}

static void
ring(Latch *latch)
{
	if (latch == MyLatch)
		return;					/* the worker itself: it looks anyway */
	if (latch != NULL)
		SetLatch(latch);
}

/* All leads that wait are to be looked at.  db->lock held. */
static void
look_at_waiting(LrDatabase *db)
{
	db->ready_look = LR_LOOK_WANTED;
	db->ready_due = Min(db->ready_due, GetCurrentTimestamp());
}

/* Leads wait, one of them until ready.  db->lock held. */
static void
lead_waits(LrDatabase *db, TimestampTz ready)
{
	db->ready_news = true;
	db->ready_due = Min(db->ready_due, ready);
}

/* By the server's clock, which may be another than that of decisions. */
TimestampTz
lr_due_ready(void)
{
	return !news.waits || news.waits_until == DT_NOEND ? DT_NOEND :
		GetCurrentTimestamp() + Max(news.waits_until - lr_now(), 0);
}

/* Leads of the transaction wait.  db->lock held. */
static void
waiting_leads_due(LrDatabase *db)
{
	if (db->made || news.look_waiting)
		look_at_waiting(db);
	if (news.waits)
		lead_waits(db, lr_due_ready());
}

int
lr_due_leaves(void)
{
	return (news.held ? LR_LEAVES_HELD : 0) |
		(news.look ? LR_LEAVES_LOOK : 0) |
		(news.look_waiting ? LR_LEAVES_LOOK_WAITING : 0) |
		(lr_caps_own() ? LR_LEAVES_CAPS : 0);
}

void
lr_due_settled(LrDatabase *db, const LrSettled *settled)
{
	TimestampTz now = GetCurrentTimestamp();
	Latch	   *latch;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->ids_news = true;
	db->checkpoint_due = Min(db->checkpoint_due, now +
							 lr_checkpoint_interval * USECS_PER_SEC);
	if (settled->leaves & LR_LEAVES_HELD)
	{
		/* in which lines they stand, and since when, nobody has heard */
		memset(db->line, 0xff, sizeof(db->line));
		memset(db->next_line, 0xff, sizeof(db->next_line));
	}
	if (settled->leaves & (LR_LEAVES_HELD | LR_LEAVES_LOOK))
		lr_freed(db, LR_NO_SLOT);
	if ((settled->leaves & (LR_LEAVES_HELD | LR_LEAVES_LOOK)) ||
		(settled->freed && db->held_due != DT_NOEND))
	{
		db->held_news = true;
		db->held_due = Min(db->held_due, now);
	}
	if (settled->leaves & LR_LEAVES_LOOK_WAITING)
		look_at_waiting(db);
	if (settled->waits)
		lead_waits(db, settled->ready);
	latch = bell(db, DT_NOEND);
	LWLockRelease(db->lock);
	ring(latch);
}

/* The transaction's ids: the next checkpoint has to hold them. */
static void
ids_due(LrDatabase *db)
{
	bool		many = db->last_id - Max(db->checkpoint_id, db->tried_id) >= lr_checkpoint_rows;

	db->ids_news = true;
	/* the usual case: it is due already */
	if (!many && db->checkpoint_due != DT_NOEND)
		return;
	db->checkpoint_due = Min(db->checkpoint_due,
							 GetCurrentTimestamp() + (many ? 0 :
													  lr_checkpoint_interval * USECS_PER_SEC));
}

/* Leads of the transaction stand in their lines from now on.  db->lock held. */
static void
lead_joins_line(LrDatabase *db)
{
	int			i;

	for (i = 0; i < LR_LINE_BYTES; i++)
	{
		db->line[i] |= held_line[i];
		db->next_line[i] |= held_line[i];
	}
	/* where nobody stood, who was freed before is no concern of theirs */
	if (db->held_due == DT_NOEND && !db->looking)
	{
		db->looked_seq = Min(news.held_seq, db->free_seq);
		db->held_until = news.held_until;
	}
	db->looked_seq = Min(db->looked_seq, news.held_seq);
	db->held_until = Min(db->held_until, news.held_until);
	db->pass_seq = Min(db->pass_seq, news.held_seq);
	db->pass_until = Min(db->pass_until, news.held_until);
}

/* db->lock held. */
static void
held_leads_due(LrDatabase *db)
{
	TimestampTz now;

	if (!db->made && !news.held && !news.freed && !news.look)
		return;
	now = GetCurrentTimestamp();
	if (news.held)
		lead_joins_line(db);
	if (db->made || news.look ||
		(news.freed && (news.held || db->held_due != DT_NOEND)))
		db->held_due = Min(db->held_due, now);
	else if (news.held)
		/* what was freed since it was looked at, told nobody of this one */
		db->held_due = Min(db->held_due, now +
						   (news.again || db->free_seq > news.held_seq ? 0 :
							lr_held_wait(news.held_until)));
	db->held_news = true;
	db->made = false;
}

/*
 * The last that happens at the end of a transaction: its locks are gone.  Its
 * pin is the last that it gives back.
 */
static void
at_release(ResourceReleasePhase phase, bool committed, bool top, void *arg)
{
	LrDatabase *db;
	TimestampTz before;
	Latch	   *latch;

	if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !top)
		return;
	db = lr_database_pinned();
	if (db == NULL)
	{
		lr_late_end();
		lr_caps_forget();
		return;
	}
	if (news.ids != NULL)
		db = news.ids;
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	before = news.look || db->made ? DT_NOEND : lr_due(db);
	/* a worker that has come too early could not see the extension yet */
	if (db->made)
		db->not_before = 0;
	if (news.ids != NULL && db->last_id > db->checkpoint_id)
		ids_due(db);
	news.held &= committed;
	news.waits &= committed;
	waiting_leads_due(db);
	held_leads_due(db);
	if (news.measure)
		db->measure_due = Min(db->measure_due, GetCurrentTimestamp());
	if (committed)
		lr_late_commit(db);
	lr_late_end();
	lr_caps_forget();
	latch = bell(db, before);
	/* the launcher watches prepared transactions */
	if (latch == NULL && news.prepared)
		latch = lr_shared->launcher;
	LWLockRelease(db->lock);
	memset(&news, 0, sizeof(news));
	lr_database_unpin();
	ring(latch);
}

void
lr_due_init(void)
{
	RegisterResourceReleaseCallback(at_release, NULL);
}
