/*
 * acting.c
 *	  Which role the journal names as the one that acts.  See acting.h.
 *
 * The pairs live in the transaction's memory: lr_acting_abort only unlinks.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/acting.h"

/* A pair of calls. */
typedef struct Acting
{
	struct Acting *up;
	int			nest;
	Oid			role;
} Acting;

static Acting *acting = NULL;	/* the innermost */
static char *role_name = NULL;	/* cached */
static Oid	role_oid = InvalidOid;	/* whose it is */

void
lr_act_as(Oid role)
{
	Acting	   *a = (Acting *) MemoryContextAlloc(TopTransactionContext,
												  sizeof(Acting));

	a->up = acting;
	a->nest = GetCurrentTransactionNestLevel();
	a->role = role;
	acting = a;
}

void
lr_act_end(void)
{
	Acting	   *a = acting;

	acting = a->up;
	pfree(a);
}

/* A role may have got another name. */
static void
roles_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	role_oid = InvalidOid;
}

void
lr_acting_init(void)
{
	CacheRegisterSyscacheCallback(AUTHOID, roles_changed, (Datum) 0);
}

const char *
lr_acting_role(void)
{
	Oid			user = acting != NULL ? acting->role : GetUserId();

	if (role_name == NULL || role_oid != user)
	{
		char	   *name = GetUserNameFromId(user, false);

		if (role_name)
			pfree(role_name);
		role_name = MemoryContextStrdup(TopMemoryContext, name);
		role_oid = user;
	}
	return role_name;
}

void
lr_acting_abort(int nest)
{
	while (acting != NULL && acting->nest >= nest)
		acting = acting->up;
}
