/*
 * busy.c
 *	  Members that are on a call: leadroute.busy.
 *
 * That a member is busy stands in its slot in shared memory alone, under
 * db->lock: every session sees it at once, no rollback takes it back, and a
 * restart forgets it.  LrDatabase.busy counts such slots, so that a decision of
 * a team in which nothing else is to be looked at need not look at each of
 * them; the worker takes members out of it that have been deleted.  A
 * transaction that has committed before another one picks is seen by it; at the
 * same time, either may be first.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "base/generation.h"
#include "base/guc.h"
#include "base/scan.h"
#include "calendar/busy.h"
#include "config/router_name.h"
#include "roster/board.h"
#include "roster/due.h"

PG_FUNCTION_INFO_V1(lr_busy);

/*
 * The id of a member of the default router for which the caller may speak: it
 * may write absences, or it is the member.
 */
static int32
own_member(const char *name)
{
	char	   *router = lr_default_router_name();
	bool		manages = pg_class_aclcheck(lr_relid("absence"), GetUserId(),
											ACL_INSERT) == ACLCHECK_OK;
	char	   *role = NULL;
	int32		id = 0;
	LrScan		scan;

	lr_scan_begin_pair(&scan, "member", "member_pkey", "router", router,
					   "name", name);
	if (lr_scan_next(&scan))
	{
		id = lr_scan_int(&scan, "id", 0);
		role = lr_scan_text(&scan, "role_name");
	}
	lr_scan_end(&scan);
	if (!manages &&
		(role == NULL ||
		 strcmp(role, GetUserNameFromId(GetUserId(), false)) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to say whether member \"%s\" is busy",
						name),
				 errdetail("A member acts for itself when its role_name is the current role; others need INSERT on leadroute.absence."),
				 errhint("SELECT leadroute.grant_to(..., 'rep') or 'manager' gives the rights.")));
	if (id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("member \"%s\" of router \"%s\" does not exist", name,
						router),
				 errhint("The names of members are in leadroute.member; SET leadroute.router names the router.")));
	return id;
}

Datum
lr_busy(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		busy = PG_GETARG_BOOL(1);
	LrDatabase *db;
	int			slot;
	bool		was;

	lr_require_preload();
	PreventCommandDuringRecovery("leadroute.busy()");
	db = lr_database();
	slot = lr_member_slot(db, own_member(name));
	if (slot == LR_NO_SLOT)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("there is no room for member \"%s\" in shared memory",
						name),
				 errhint("Raise leadroute.max_members and restart the server.")));
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	was = lr_member_slots[slot].busy;
	if (was != busy)
	{
		lr_member_slots[slot].busy = busy;
		db->busy += busy ? 1 : -1;
		if (!busy)
			lr_freed(db, slot);
		lr_member_touched(slot);
	}
	LWLockRelease(db->lock);
	if (was && !busy)
		lr_place_freed();
	PG_RETURN_BOOL(was);
}

/* Whether there is a member of that id. */
static bool
member_exists(int32 id)
{
	LrScan		scan;
	bool		exists;

	lr_scan_begin_id(&scan, "member", "member_id_key", "id", id);
	exists = lr_scan_next(&scan);
	lr_scan_end(&scan);
	return exists;
}

/*
 * Slots only come, so those that are busy are looked up without the lock; a
 * member whose transaction is still open is taken for one that is gone.
 */
void
lr_busy_forget_gone(LrDatabase *db)
{
	int			i;

	for (i = 0; db->busy > 0 && i < lr_shared->members_used; i++)
	{
		LrMemberSlot *slot = &lr_member_slots[i];

		if (slot->db != lr_db_index(db) || !slot->busy ||
			member_exists(slot->member))
			continue;
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		if (slot->busy)
		{
			slot->busy = false;
			db->busy--;
			lr_member_touched(i);
		}
		LWLockRelease(db->lock);
	}
}
