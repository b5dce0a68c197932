/*
 * owner_rights.c
 *	  Running code with the rights of somebody else.  See owner_rights.h.
 *
 * The server lets nobody change role or session_authorization while
 * SECURITY_LOCAL_USERID_CHANGE is set, so that no code can go back to the
 * rights of who called it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/prepare.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/portal.h"
#include "utils/varlena.h"

#include "base/generation.h"
#include "base/owner_rights.h"

/* Under which leadroute's own SQL is read. */
#define OWN_PATH	"pg_catalog, pg_temp"

/* Who the background process is, while it acts as somebody else. */
static LrRights process_rights;

char *
lr_safe_path(const char *path)
{
	char	   *copy = pstrdup(path != NULL ? path : "pg_catalog");
	List	   *names = NIL;
	ListCell   *lc;

	/* what cannot be read is refused when it is set */
	if (SplitIdentifierString(copy, ',', &names))
		foreach(lc, names)
			if (strcmp((char *) lfirst(lc), "pg_temp") == 0)
				return pstrdup(path);
	if (names == NIL)
		return pstrdup(path != NULL && path[0] != '\0' ? path : "pg_temp");
	return psprintf("%s, pg_temp", path != NULL ? path : "pg_catalog");
}

static void
set_path(const char *path, GucAction action)
{
	(void) set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION,
							 action, true, 0, false);
}

void
lr_become(Oid role, const char *path, bool restricted, LrRights *saved)
{
	GetUserIdAndSecContext(&saved->user, &saved->sec);
	SetUserIdAndSecContext(role, saved->sec | SECURITY_LOCAL_USERID_CHANGE |
						   (restricted ? SECURITY_RESTRICTED_OPERATION : 0));
	saved->nest = 0;
	if (path != NULL)
	{
		saved->nest = NewGUCNestLevel();
		set_path(path, GUC_ACTION_SAVE);
	}
}

void
lr_resign(const LrRights *saved)
{
	if (saved->nest > 0)
		AtEOXact_GUC(false, saved->nest);
	SetUserIdAndSecContext(saved->user, saved->sec);
}

void
lr_become_owner(LrRights *saved)
{
	lr_become(lr_extension_owner(), OWN_PATH, true, saved);
}

void
lr_own_path(void)
{
	set_path(OWN_PATH, GUC_ACTION_LOCAL);
}

void
lr_become_until_end(Oid role, const char *path)
{
	GetUserIdAndSecContext(&process_rights.user, &process_rights.sec);
	SetUserIdAndSecContext(role, process_rights.sec |
						   SECURITY_LOCAL_USERID_CHANGE);
	set_path(path, GUC_ACTION_LOCAL);
}

void
lr_session_clean(void)
{
	/* an abort has done it already, a commit has not */
	if (OidIsValid(process_rights.user))
		SetUserIdAndSecContext(process_rights.user, process_rights.sec);
	process_rights.user = InvalidOid;

	/* before the transaction, which would begin by them */
	ResetAllOptions();
	StartTransactionCommand();
	PortalHashTableDeleteAll();
	DropAllPreparedStatements();
	LockReleaseAll(USER_LOCKMETHOD, true);
	ResetTempTableNamespace();
	CommitTransactionCommand();
}
