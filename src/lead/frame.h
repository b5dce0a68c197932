/*
 * frame.h
 *	  Statements in progress that insert leads, and the row each is at.
 *
 * The executor's hooks (and the one for COPY) keep a stack of the statements
 * that run in this backend; a frame belongs to one of them and to one attached
 * table.  It is made by the first row, and ends with the statement, before its
 * AFTER triggers run: what the journal says of the rows is written by then.
 *
 * Which row is it?  BEFORE ROW decides and leaves a pending decision; the
 * server evaluates the WHEN condition of the AFTER ROW trigger right after it
 * has stored the row (trigger.c, AfterTriggerSaveEvent) and, as that is
 * false, queues nothing.  So a pending decision whose condition was not
 * evaluated by the next BEFORE ROW of its frame was for a row that was not
 * stored (a conflict, a later trigger, a failed check), and goes back.
 */
#ifndef LR_FRAME_H
#define LR_FRAME_H

#include "nodes/execnodes.h"
#include "pgstat.h"

#include "base/clock.h"
#include "decide/decide.h"

typedef struct LrPending
{
	bool		active;
	struct LrMove *move;		/* the row changes its partition; NULL: new */
	LrDecision	decision;
	LrLeaf	   *leaf;			/* where the row goes */
	TupleTableSlot *slot;		/* the executor's: once stored, the final row */
	/* the row count of the partition when the decision was made */
	PgStat_TableStatus *counts;	/* NULL: not counted */
	int64		count_before;
} LrPending;

/* An UPDATE of a partition's row, which may move it; see move.h. */
typedef struct LrUpdate
{
	MemoryContext context;		/* of what follows; NULL: not made yet */
	Oid			leaf;			/* where the row is; InvalidOid: none */
	ItemPointerData tid;
	struct LrFacts *old;
	char	   *new_key;
} LrUpdate;

typedef struct LrFrame
{
	struct LrFrame *up;
	const void *statement;		/* identity of the statement; NULL: unknown */
	int			nest;			/* transaction nest level */
	MemoryContext context;		/* of the frame */
	MemoryContext row_context;	/* reset at each lead */
	char	   *name;			/* argument of the trigger */
	const char *asked_as;		/* its address, which a statement that is known
								 * keeps with its triggers */
	LrTable    *table;			/* pinned; NULL: not attached any more */
	LrBinding  *binding;		/* pinned; the router last used */
	const char *bound_as;		/* address of the name it was asked for by */
	Relation	relation;		/* of the result_rel */
	ResultRelInfo *result_rel;	/* of the last row; NULL: not the executor's */
	bool		last_word;		/* no BEFORE trigger comes after ours */
	LrTick		clock;
	LrPending	pending;
	LrUpdate	update;
	MemoryContext redecided_context;	/* of what follows; NULL: not made yet */
	struct LrRedecided *redecided;	/* see redecide.h; NULL: none */
} LrFrame;

/* Installs the hooks.  Only while preloading. */
extern void lr_frame_init(void);

/* The frame of the current statement on the table; NULL, or made. */
extern LrFrame *lr_frame_find(const char *name);
extern LrFrame *lr_frame_get(const char *name);

/*
 * The same, ready for a row that is inserted: the one before is settled, but for
 * one that has been decided anew and may be arriving here, see redecide.h.
 */
extern LrFrame *lr_frame_for_row(const char *name);

/* The binding to a router for this statement; NULL: no such router. */
extern LrBinding *lr_frame_bind(LrFrame *frame, const char *router);

/*
 * What the current statement's executor knows of the relation as a target;
 * NULL: it has none (COPY).
 */
extern ResultRelInfo *lr_frame_result_rel(LrFrame *frame, Relation rel);

/* Whether an UPDATE of a row of rel is that of ON CONFLICT DO UPDATE. */
extern bool lr_frame_is_conflict(Relation rel, TupleTableSlot *newslot);

/* The pending decision becomes the one that is confirmed when stored. */
extern void lr_frame_arm(LrFrame *frame);

/* No row of the current statement is ours to confirm. */
extern void lr_frame_disarm(void);

/* The frame whose row the current statement has just stored; NULL: none. */
extern LrFrame *lr_frame_armed(void);

/*
 * The pending row was not stored: its reservation goes back, and what was decided
 * of a row that was to move here.
 */
extern void lr_frame_discard(LrFrame *frame);

/* No row of the frame is being stored any more: all that was decided is settled. */
extern void lr_frame_settle(LrFrame *frame);

/* Before commit: discards what is pending, closes what is open. */
extern void lr_frames_finish(void);

/*
 * Transaction callback: forgets frames and statements of nest levels >= nest,
 * without touching counters.
 */
extern void lr_frames_abort(int nest);

#endif							/* LR_FRAME_H */
