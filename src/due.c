/*
 * due.c
 *	  Telling launcher and worker what there is to do.  See due.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "due.h"
#include "late.h"
#include "leadroute.h"

/* What the current transaction leaves to be done. */
typedef struct News
{
	LrDatabase *ids;			/* ids were handed out here; NULL: none */
	bool		prepared;
	bool		held;
	bool		freed;
	bool		look;
	TimestampTz available;		/* somebody may be there for a held lead; 0: no */
	bool		measure;
} News;

static News news = {0};

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
lr_lead_held(void)
{
	news.held = true;
}

void
lr_held_for(int64 time)
{
	TimestampTz at = GetCurrentTimestamp() + time;

	if (news.available == 0 || at < news.available)
		news.available = at;
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
		Min(Min(db->checkpoint_due, db->held_due),
			Min(db->late_due, db->measure_due));
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

void
lr_due_settled(LrDatabase *db)
{
	Latch	   *latch;

	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->held_news = db->ids_news = true;
	db->checkpoint_due = Min(db->checkpoint_due, GetCurrentTimestamp() +
							 lr_checkpoint_interval * USECS_PER_SEC);
	db->held_due = Min(db->held_due, GetCurrentTimestamp());
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

/* db->lock held. */
static void
held_leads_due(LrDatabase *db)
{
	TimestampTz now;

	if (!db->made && !news.held && !news.freed && !news.look &&
		news.available == 0)
		return;
	now = GetCurrentTimestamp();
	if (db->made || news.look || (news.freed && db->held_due != DT_NOEND))
		db->held_due = Min(db->held_due, now);
	else if (news.held)
		db->held_due = Min(db->held_due, now +
						   lr_held_retry_interval * USECS_PER_SEC);
	if (news.available != 0)
		db->held_due = Min(db->held_due, news.available);
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
	held_leads_due(db);
	if (news.measure)
		db->measure_due = Min(db->measure_due, GetCurrentTimestamp());
	if (committed)
		lr_late_commit(db);
	lr_late_end();
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
