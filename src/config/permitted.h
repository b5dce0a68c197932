/*
 * permitted.h
 *	  What roles may do for members, beyond the rights of the functions that they
 *	  call.
 *
 * Asked of the role that calls, before anything is told of a lead or changed.
 */
#ifndef LR_PERMITTED_H
#define LR_PERMITTED_H

/* Who manages members may act for them. */
extern bool lr_manages_members(Oid role);

/* Whether a role is the member with this id; 0: nobody. */
extern bool lr_is_member(Oid role, int32 member);

/* Whether it is the lead_member of the team with this id, and active. */
extern bool lr_leads_team(Oid role, int32 team);

#endif							/* LR_PERMITTED_H */
