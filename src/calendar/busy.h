/*
 * busy.h
 *	  Members that are on a call.
 */
#ifndef LR_BUSY_H
#define LR_BUSY_H

#include "roster/roster.h"

/*
 * Members that have been deleted are not on a call any more: as long as anybody
 * is, decisions look at each member.  For the worker, in a transaction.
 */
extern void lr_busy_forget_gone(LrDatabase *db);

#endif							/* LR_BUSY_H */
