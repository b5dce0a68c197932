/*
 * own_update.h
 *	  Updates of leads that leadroute makes itself.
 */
#ifndef LR_OWN_UPDATE_H
#define LR_OWN_UPDATE_H

/*
 * While leadroute itself updates a lead's owner at the next trigger depth, its
 * triggers leave the journal to the caller.  Restores on error by itself: it
 * is bound to the depth and the (sub)transaction.
 */
extern void lr_own_update_begin(void);
extern void lr_own_update_end(void);

/* Whether the trigger that runs was fired by such an update. */
extern bool lr_is_own_update(void);

#endif							/* LR_OWN_UPDATE_H */
