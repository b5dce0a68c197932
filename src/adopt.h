/*
 * adopt.h
 *	  Leads that have an owner before leadroute knows of them.
 */
#ifndef LR_ADOPT_H
#define LR_ADOPT_H

#include "nodes/pg_list.h"

/*
 * Journals the open leads of all attached tables that are owned by one of
 * these members (ids) and not in the journal yet.
 */
extern void lr_adopt_members(List *member_ids);

#endif							/* LR_ADOPT_H */
