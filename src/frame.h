/*
 * frame.h
 *	  Statements in progress that insert leads, and the row each is at.
 *
 * A frame is opened by the BEFORE STATEMENT trigger and closed by the AFTER
 * STATEMENT one; statements nest, so frames form a stack.  A statement that
 * names a partition fires no statement triggers: its frame is implicit, known
 * by the statement's snapshot, and lasts until another statement comes.
 *
 * Which row is it?  BEFORE ROW decides and leaves a pending decision; the
 * server evaluates the WHEN condition of the AFTER ROW trigger right after it
 * has stored the row (trigger.c, AfterTriggerSaveEvent) and, as that is
 * false, queues nothing.  So a pending decision whose condition was not
 * evaluated by the next BEFORE ROW of its frame was for a row that was not
 * stored (a conflict, a later trigger, a failed check), and goes back.
 * Nesting is told apart by trigger depth.
 */
#ifndef LR_FRAME_H
#define LR_FRAME_H

#include "pgstat.h"

#include "decide.h"

typedef struct LrPending
{
	bool		active;
	struct LrMove *move;		/* the row changes its partition; NULL: new */
	LrDecision	decision;
	LrLeaf	   *leaf;			/* where the row goes */
	TupleTableSlot *slot;		/* the executor's: at row_stored, the final row */
	/* the row count of the partition when the decision was made */
	PgStat_TableStatus *counts;	/* NULL: not counted */
	int64		count_before;
} LrPending;

typedef struct LrFrame
{
	struct LrFrame *up;
	MemoryContext context;		/* of the frame */
	MemoryContext row_context;	/* reset at each lead */
	int			nest;			/* transaction nest level */
	int			depth;			/* trigger depth of its row triggers */
	bool		implicit;
	CommandId	curcid;			/* identity of an implicit frame */
	void	   *snapshot;
	TimestampTz statement;
	char	   *name;			/* argument of the trigger */
	LrTable    *table;			/* pinned; NULL: not attached any more */
	LrBinding  *binding;		/* pinned; the router last used */
	char	   *binding_name;
	LrPending	pending;
} LrFrame;

/* BEFORE STATEMENT and AFTER STATEMENT. */
extern void lr_frame_open(const char *name, int depth);
extern void lr_frame_close(const char *name, int depth);

/* The frame of a row at this depth; made when it is implicit. */
extern LrFrame *lr_frame_for_row(const char *name, int depth);

/* The frame of an open INSERT on the table at this depth, or NULL. */
extern LrFrame *lr_frame_find(const char *name, int depth);

/* The binding to a router for this statement; NULL: no such router. */
extern LrBinding *lr_frame_bind(LrFrame *frame, const char *router);

/* The pending decision becomes the one that row_stored will confirm. */
extern void lr_frame_arm(LrFrame *frame);

/* No row at this depth is ours to confirm. */
extern void lr_frame_disarm(int depth);

/* The frame whose row was just stored at this depth; NULL: none. */
extern LrFrame *lr_frame_armed(int depth);

/* The pending row was not stored: its reservation goes back. */
extern void lr_frame_discard(LrFrame *frame);

/*
 * The end of statements without AFTER STATEMENT trigger (those that name a
 * partition): installs the hooks that see it.  Only while preloading.
 */
extern void lr_frame_init(void);

/* Before commit: discards what is pending, closes what is open. */
extern void lr_frames_finish(void);

/* Forgets frames of nest levels >= nest, without touching counters. */
extern void lr_frames_abort(int nest);

#endif							/* LR_FRAME_H */
