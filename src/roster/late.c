/*
 * late.c
 *	  Members that come or go while leads of theirs are being stored.  See late.h.
 *
 * A rolled back subtransaction leaves its marks: the worker then looks once
 * too often.
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/proc.h"

#include "base/compat.h"
#include "roster/late.h"

static LocalTransactionId accepted_lxid = InvalidLocalTransactionId;
static uint64 accepted_saves = 0;	/* lr_shared->member_saves */
static int64 stored_id = 0;		/* smallest of such a lead; 0: none */
static int64 saved_from = 0;	/* smallest to look at again; 0: none saved */
static bool stored_late = false;	/* the worker is to look at what it has stored */

void
lr_late_accept(void)
{
	if (accepted_lxid == lr_my_lxid() || lr_shared == NULL)
		return;
	accepted_lxid = lr_my_lxid();
	accepted_saves = pg_atomic_read_u64(&lr_shared->member_saves);
	/* a value from before the messages is needed */
	pg_read_barrier();
}

void
lr_late_lead(int64 id)
{
	if (stored_id == 0 || id < stored_id)
		stored_id = id;
}

void
lr_late_members(LrDatabase *db)
{
	int64		from;

	from = lr_settled_hold(db);
	/* an old snapshot: what has been settled since is not seen */
	if (IsolationUsesXactSnapshot())
		from = 1;
	if (saved_from == 0 || from < saved_from)
		saved_from = from;
}

int64
lr_late_mark(void)
{
	if (saved_from == 0)
		return -stored_id;
	return stored_id == 0 ? saved_from : Min(stored_id, saved_from);
}

static void
note(LrDatabase *db, int64 from)
{
	if (db->late_from == 0 || from < db->late_from)
		db->late_from = from;
}

static void
look_from(LrDatabase *db, int64 from)
{
	note(db, from);
	db->late_due = Min(db->late_due, GetCurrentTimestamp());
}

void
lr_late_tell(LrDatabase *db, int64 from)
{
	pg_atomic_fetch_add_u64(&lr_shared->member_saves, 1);
	look_from(db, from);
}

void
lr_late_tell_mark(LrDatabase *db, int64 mark)
{
	if (mark > 0)
		lr_late_tell(db, mark);
	else if (mark < 0)
		look_from(db, -mark);
}

void
lr_late_ended(LrDatabase *db)
{
	stored_late = stored_id != 0 &&
		pg_atomic_read_u64(&lr_shared->member_saves) != accepted_saves;
	/* nobody is woken up yet: our locks are still in the worker's way */
	if (stored_late)
		note(db, stored_id);
	if (saved_from != 0)
		note(db, saved_from);
}

void
lr_late_commit(LrDatabase *db)
{
	if (stored_late)
		look_from(db, stored_id);
	if (saved_from != 0)
		lr_late_tell(db, saved_from);
}

void
lr_late_end(void)
{
	stored_id = saved_from = 0;
	stored_late = false;
}

/* ---------- the worker ---------- */

int64
lr_late_pending(const LrDatabase *db)
{
	return db->late_from == 0 || db->late_at == 0 ?
		db->late_from + db->late_at : Min(db->late_from, db->late_at);
}

int64
lr_late_begin(LrDatabase *db)
{
	db->late_at = db->late_from;
	db->late_from = 0;
	db->late_due = DT_NOEND;
	return db->late_at;
}

void
lr_late_again(LrDatabase *db, int64 from, TimestampTz at)
{
	db->late_at = 0;
	if (from == 0)
		return;
	note(db, from);
	db->late_due = Min(db->late_due, at);
}
