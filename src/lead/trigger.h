/*
 * trigger.h
 *	  The triggers on lead tables, as other files need to know them.
 */
#ifndef LR_TRIGGER_H
#define LR_TRIGGER_H

#include "commands/trigger.h"

/*
 * Whether no other BEFORE ROW trigger of the relation and event (INSERT or UPDATE)
 * can change the row after the one that runs.
 */
extern bool lr_has_last_word(const TriggerData *td);

#endif							/* LR_TRIGGER_H */
