/*
 * trigger.h
 *	  The triggers on lead tables, as other files need to know them.
 */
#ifndef LR_TRIGGER_H
#define LR_TRIGGER_H

#include "commands/trigger.h"

/*
 * While leadroute itself updates a lead's owner at the next trigger depth, its
 * triggers leave the journal to the caller.  Restores on error by itself: it
 * is bound to the depth and the (sub)transaction.
 */
extern void lr_own_update_begin(void);
extern void lr_own_update_end(void);

/* Whether the trigger that runs was fired by such an update. */
extern bool lr_is_own_update(void);

/*
 * Whether no other BEFORE ROW trigger of the relation and event (INSERT or UPDATE)
 * can change the row after the one that runs.
 */
extern bool lr_has_last_word(const TriggerData *td);

#endif							/* LR_TRIGGER_H */
