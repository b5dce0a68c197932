/*
 * people.h
 *	  Reading a router's members and absences.
 */
#ifndef LR_PEOPLE_H
#define LR_PEOPLE_H

#include "config/config.h"

/* Fills in the people of a router, in the current context. */
extern void lr_people_read(LrRouter *router);

/* Reads again what a decision looks at lead by lead: absence, active, capacity. */
extern void lr_people_read_states(LrRouter *router);

/* The member whose name are these bytes; NULL: there is none. */
extern LrMember *lr_member_find(const LrRouter *router, const char *bytes,
								int length);

/* Whether a name is these bytes. */
static inline bool
lr_is_name(const char *name, const char *bytes, int length)
{
	return strncmp(name, bytes, length) == 0 && name[length] == '\0';
}

#endif							/* LR_PEOPLE_H */
