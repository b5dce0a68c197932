/*
 * people.h
 *	  Reading a router's members, teams and absences.
 */
#ifndef LR_PEOPLE_H
#define LR_PEOPLE_H

#include "config.h"

/* Fills in the people of a router, in the current context. */
extern void lr_people_read(LrRouter *router, LrDatabase *db);

/* Reads again what a decision looks at lead by lead: absence, active, capacity. */
extern void lr_people_read_states(LrRouter *router);

#endif							/* LR_PEOPLE_H */
