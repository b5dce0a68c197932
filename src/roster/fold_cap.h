/*
 * fold_cap.h
 *	  What caps have counted, as the tables say.  Part of fold.h.
 *
 * Of each counter the two last windows that have leads are kept; of caps that
 * are gone nothing.
 */
#ifndef LR_FOLD_CAP_H
#define LR_FOLD_CAP_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "roster/fold.h"
#include "roster/roster.h"

typedef struct LrCapKey
{
	int64		tag;			/* see LR_CAP_TAG */
	int32		member;			/* 0: not of one member */
	int32		unused;
} LrCapKey;

typedef struct LrCapState
{
	LrCapKey	key;
	int64		used;
	int64		released;		/* of a prepared transaction; not in used */
	int64		earlier;		/* -1: not known */
	int64		until;			/* of the window; 0: not known */
} LrCapState;

/* What a cap has counted in a window; zero when new. */
extern LrCapState *lr_state_cap(LrState *s, int64 tag, int32 member);

/* The same if there is anything, else NULL. */
extern LrCapState *lr_state_cap_find(LrState *s, int64 tag, int32 member);

/* Adds the rows beyond from up to upto; an active snapshot is set. */
extern void lr_fold_caps(LrState *s, int64 from, int64 upto);

/* Adds the caps of one row of a prepared transaction; given_back: an event's. */
extern void lr_fold_cap_row(LrState *s, Datum caps, int32 member,
							bool given_back);

/* Adds it to the counters in shared memory. */
extern void lr_cap_state_apply(LrDatabase *db, LrState *s);

/* Enters what a prepared transaction holds; false: no room. */
extern bool lr_cap_state_enter(LrDatabase *db, TransactionId xid, LrState *s);

/*
 * The columns cap… of a checkpoint.  What only shared memory knows of counters
 * is noted before they are written.
 */
extern void lr_cap_state_read(LrState *s, HeapTuple row, TupleDesc desc,
							  int first_column);
extern void lr_cap_state_note(LrDatabase *db, LrState *s);
extern void lr_cap_state_write(LrState *s, Datum *values);

#define LR_CAP_STATE_COLUMNS	5

#endif							/* LR_FOLD_CAP_H */
