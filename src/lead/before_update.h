/*
 * before_update.h
 *	  BEFORE ROW UPDATE of a stored lead.
 */
#ifndef LR_BEFORE_UPDATE_H
#define LR_BEFORE_UPDATE_H

#include "access/htup.h"
#include "commands/trigger.h"

/* The row to store; name: the argument of the trigger. */
extern HeapTuple lr_before_update(TriggerData *td, const char *name);

#endif							/* LR_BEFORE_UPDATE_H */
