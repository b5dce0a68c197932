/*
 * recovery.h
 *	  From tables back to counters: loading, checkpoints, rebuild, verify.
 *
 * The counters after every row with id <= cut are a pure function of journal
 * and event.  A checkpoint stores them for a cut below which every id is
 * settled; the state now is that plus the rows beyond it that are committed,
 * plus what prepared transactions hold.
 */
#ifndef LR_RECOVERY_H
#define LR_RECOVERY_H

#include "roster/fold.h"
#include "roster/roster.h"

/*
 * Loads the counters of a database that nobody is using; from the newest
 * checkpoint, or from the whole journal.  Returns the number of journal rows
 * read.  May raise.
 */
extern int64 lr_recovery_load(LrDatabase *db, bool whole);

/* The newest checkpoint, or an empty state. */
extern LrState *lr_checkpoint_read(void);

/*
 * Writes a checkpoint if anything has happened; returns its cut.  Without
 * waiting for who writes the journal by SQL, or another checkpoint:
 * LR_NO_CHECKPOINT if there is one.
 */
extern int64 lr_checkpoint(LrDatabase *db, bool wait);

#define LR_NO_CHECKPOINT	(-1)

/*
 * Deletes the checkpoints, because the journal is not what they were made
 * from; none is written until the transaction has ended.
 */
extern void lr_checkpoint_forget(void);

#endif							/* LR_RECOVERY_H */
