/*
 * sticky_old.h
 *	  Keys of leads that are too old to be followed.
 *
 * A row of leadroute.sticky_lead is of no use once it is older than the
 * sticky_window and the duplicate_window of its router.  The database's worker
 * reads the table from time to time, a piece at a time, and deletes such rows;
 * where sticky_window is NULL they are kept for ever.
 */
#ifndef LR_STICKY_OLD_H
#define LR_STICKY_OLD_H

#include "roster/roster.h"

/*
 * Reads the next piece of the table, and deletes what is too old there; false:
 * that was the last one, and db->trim_due says when to begin again.  For the
 * worker, in a transaction.
 */
extern bool lr_sticky_forget_old(LrDatabase *db);

#endif							/* LR_STICKY_OLD_H */
