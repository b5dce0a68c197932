/*
 * permitted.c
 *	  What roles may do for members.  See permitted.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"

#include "base/generation.h"
#include "base/scan.h"
#include "config/permitted.h"

bool
lr_manages_members(Oid role)
{
	return pg_class_aclcheck(lr_relid("absence"), role,
							 ACL_INSERT) == ACLCHECK_OK;
}

/* Whether a member that a scan finds has this role; ends it. */
static bool
has_role(LrScan *scan, Oid role, bool only_active)
{
	char	   *name = NULL;

	if (lr_scan_next(scan) && (!only_active || lr_scan_bool(scan, "active")))
		name = lr_scan_text(scan, "role_name");
	lr_scan_end(scan);
	return name != NULL && strcmp(name, GetUserNameFromId(role, false)) == 0;
}

bool
lr_is_member(Oid role, int32 member)
{
	LrScan		scan;

	if (member == 0)
		return false;
	lr_scan_begin_id(&scan, "member", "member_id_key", "id", member);
	return has_role(&scan, role, false);
}

bool
lr_leads_team(Oid role, int32 team)
{
	LrScan		scan;
	char	   *router = NULL;
	char	   *lead = NULL;

	lr_scan_begin_id(&scan, "team", "team_id_key", "id", team);
	if (lr_scan_next(&scan))
	{
		router = lr_scan_text(&scan, "router");
		lead = lr_scan_text(&scan, "lead_member");
	}
	lr_scan_end(&scan);
	if (lead == NULL)
		return false;
	lr_scan_begin_pair(&scan, "member", "member_pkey", "router", router, "name",
					   lead);
	return has_role(&scan, role, true);
}
