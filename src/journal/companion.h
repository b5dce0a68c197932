/*
 * companion.h
 *	  Durable rows that rows of the journal refer to by id: compositions of
 *	  teams (team_version.c) and sets of candidates (candidate_set.c).
 *
 * A session remembers the ids of the rows that it refers to.  It may refer to a
 * row that is its transaction's own, or committed: whoever sees the row of the
 * journal then sees this one, too, after a crash and on a standby as well, since
 * it was committed before.  The row of a transaction that is still open, or
 * prepared, may be rolled back: it is not found, and another with the same content
 * is appended.
 *
 * An id is good while lr_companion_epoch says what it said when the row was found
 * or appended.
 */
#ifndef LR_COMPANION_H
#define LR_COMPANION_H

#include "access/htup.h"
#include "utils/relcache.h"

/* Appends a row. */
extern void lr_companion_append(const char *table, Datum *values, bool *nulls);

/*
 * Whether a row that SnapshotSelf has found may be referred to.  Who reads the
 * journal by an old snapshot of this transaction has to see both.
 */
extern bool lr_companion_usable(HeapTuple row);

/*
 * The row with that id, by an index whose only column is id, the first of the
 * table; a copy, NULL: none.  of_others: also of transactions that are open or
 * prepared.
 */
extern HeapTuple lr_companion_row(Relation rel, const char *index, int64 id,
								  bool of_others);

extern uint64 lr_companion_epoch(void);

/* SQL of this transaction has written the tables: what it remembers may be gone. */
extern void lr_companion_rewritten(void);

/*
 * A (sub)transaction is rolled back, or prepared, so that it may be; it has ended.
 * For callbacks.
 */
extern void lr_companion_abort(void);
extern void lr_companion_end(void);

#endif							/* LR_COMPANION_H */
