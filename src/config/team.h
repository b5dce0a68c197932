/*
 * team.h
 *	  Reading a router's teams.
 */
#ifndef LR_TEAM_H
#define LR_TEAM_H

#include "config/config.h"

/* Fills in the teams of a router that has its members, in the current context. */
extern void lr_teams_read(LrRouter *router);

#endif							/* LR_TEAM_H */
