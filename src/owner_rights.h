/*
 * owner_rights.h
 *	  Acting as somebody else for a moment.
 *
 * An error needs no lr_resign: the (sub)transaction's end restores the user.
 */
#ifndef LR_OWNER_RIGHTS_H
#define LR_OWNER_RIGHTS_H

#include "miscadmin.h"

typedef struct LrRights
{
	Oid			user;
	int			sec;
} LrRights;

static inline void
lr_become(Oid role, LrRights *saved)
{
	GetUserIdAndSecContext(&saved->user, &saved->sec);
	SetUserIdAndSecContext(role, saved->sec | SECURITY_LOCAL_USERID_CHANGE);
}

static inline void
lr_resign(const LrRights *saved)
{
	SetUserIdAndSecContext(saved->user, saved->sec);
}

#endif							/* LR_OWNER_RIGHTS_H */
