/*
 * trigger.h
 *	  The triggers on lead tables, as other files need to know them.
 */
#ifndef LR_TRIGGER_H
#define LR_TRIGGER_H

/*
 * While leadroute itself updates a lead's owner at the next trigger depth, its
 * triggers leave the journal to the caller.  Restores on error by itself: it
 * is bound to the depth and the (sub)transaction.
 */
extern void lr_own_update_begin(void);
extern void lr_own_update_end(void);

/* Forgets moves between partitions of nest levels >= nest. */
extern void lr_moves_abort(int nest);

/* How many triggers are running, this one included. */
extern int	lr_trigger_depth(void);

#endif							/* LR_TRIGGER_H */
