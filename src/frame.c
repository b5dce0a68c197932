/*
 * frame.c
 *	  The stack of statements that insert leads.  See frame.h.
 *
 * lr_frames_abort is called by transaction callbacks: it frees and unpins and
 * can raise nothing; the counters go back with the level (reserve.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "tcop/utility.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "frame.h"
#include "journal.h"
#include "reserve.h"
#include "trigger.h"

/* Deepest trigger nesting at which rows are confirmed one by one. */
#define MAX_DEPTH	256

static LrFrame *top_frame = NULL;
static LrFrame *armed[MAX_DEPTH];

static LrFrame *
push(const char *name, int depth, bool implicit)
{
	MemoryContext context = AllocSetContextCreate(TopTransactionContext,
												  "leadroute frame",
												  ALLOCSET_SMALL_SIZES);
	LrFrame    *frame = (LrFrame *) MemoryContextAllocZero(context,
														   sizeof(LrFrame));

	frame->context = context;
	frame->row_context = AllocSetContextCreate(context, "leadroute lead",
											   ALLOCSET_DEFAULT_SIZES);
	frame->name = MemoryContextStrdup(context, name);
	frame->nest = GetCurrentTransactionNestLevel();
	frame->depth = depth;
	frame->implicit = implicit;
	if (implicit)
	{
		Snapshot	snapshot = GetActiveSnapshot();

		frame->snapshot = snapshot;
		frame->curcid = snapshot->curcid;
		frame->statement = GetCurrentStatementStartTimestamp();
	}
	lr_config_accept();
	frame->table = lr_table_pin_sound(name);
	if (frame->table != NULL)
		lr_settle_prepared(lr_database());
	frame->up = top_frame;
	top_frame = frame;
	return frame;
}

/* Frees a frame that is no longer on the stack. */
static void
release(LrFrame *frame)
{
	if (frame->depth < MAX_DEPTH && armed[frame->depth] == frame)
		armed[frame->depth] = NULL;
	if (frame->binding)
		lr_binding_unpin(frame->binding);
	if (frame->table)
		lr_table_unpin(frame->table);
	MemoryContextDelete(frame->context);
}

static void
pop(LrFrame *frame)
{
	LrFrame   **link = &top_frame;

	while (*link != frame)
		link = &(*link)->up;
	*link = frame->up;
	lr_frame_discard(frame);
	release(frame);
}

void
lr_frame_open(const char *name, int depth)
{
	(void) push(name, depth, false);
}

LrFrame *
lr_frame_find(const char *name, int depth)
{
	LrFrame    *frame;

	for (frame = top_frame; frame != NULL; frame = frame->up)
		if (frame->depth == depth && strcmp(frame->name, name) == 0)
			return frame;
	return NULL;
}

void
lr_frame_close(const char *name, int depth)
{
	LrFrame    *frame;

	for (frame = top_frame; frame != NULL; frame = frame->up)
		if (!frame->implicit && frame->depth == depth &&
			strcmp(frame->name, name) == 0)
		{
			pop(frame);
			return;
		}
}

/* Statements nested in an earlier row have ended by now. */
static void
discard_deeper(int depth)
{
	LrFrame    *frame;
	LrFrame    *up;

	for (frame = top_frame; frame != NULL; frame = up)
	{
		up = frame->up;
		if (frame->depth <= depth)
			continue;
		if (frame->implicit)
			pop(frame);
		else
			lr_frame_discard(frame);
	}
}

static bool
same_statement(LrFrame *frame)
{
	Snapshot	snapshot = GetActiveSnapshot();

	return frame->snapshot == snapshot && frame->curcid == snapshot->curcid &&
		frame->statement == GetCurrentStatementStartTimestamp() &&
		frame->nest == GetCurrentTransactionNestLevel();
}

LrFrame *
lr_frame_for_row(const char *name, int depth)
{
	LrFrame    *frame;

	discard_deeper(depth);
	frame = lr_frame_find(name, depth);
	if (frame != NULL && frame->implicit && !same_statement(frame))
	{
		pop(frame);
		frame = NULL;
	}
	if (frame == NULL)
		frame = push(name, depth, true);
	lr_frame_discard(frame);
	MemoryContextReset(frame->row_context);
	return frame;
}

LrBinding *
lr_frame_bind(LrFrame *frame, const char *router)
{
	if (frame->binding != NULL && strcmp(frame->binding_name, router) == 0)
		return frame->binding;
	if (frame->binding != NULL)
	{
		lr_binding_unpin(frame->binding);
		frame->binding = NULL;
	}
	frame->binding = lr_table_bind(frame->table, router);
	if (frame->binding != NULL)
		frame->binding_name = frame->binding->router->name;
	return frame->binding;
}

void
lr_frame_arm(LrFrame *frame)
{
	frame->pending.active = true;
	if (frame->depth < MAX_DEPTH)
		armed[frame->depth] = frame;
}

void
lr_frame_disarm(int depth)
{
	if (depth < MAX_DEPTH)
		armed[depth] = NULL;
}

LrFrame *
lr_frame_armed(int depth)
{
	LrFrame    *frame = depth < MAX_DEPTH ? armed[depth] : NULL;

	return frame != NULL && frame->pending.active ? frame : NULL;
}

void
lr_frame_discard(LrFrame *frame)
{
	if (!frame->pending.active)
		return;
	frame->pending.active = false;
	if (frame->pending.move == NULL)
		lr_reserve_return(&frame->pending.decision.reservation);
}

/* ---------- statements that name a partition ---------- */

static ExecutorFinish_hook_type prev_finish_hook = NULL;
static ProcessUtility_hook_type prev_utility_hook = NULL;

/* Closes implicit frames of statements that have ended, and writes. */
static void
end_implicit(void)
{
	int			depth;

	if (top_frame == NULL || !top_frame->implicit)
		return;
	depth = lr_trigger_depth();
	while (top_frame != NULL && top_frame->implicit &&
		   top_frame->depth > depth &&
		   top_frame->nest == GetCurrentTransactionNestLevel())
		pop(top_frame);
	lr_journal_flush();
}

static void
frame_executor_finish(QueryDesc *query)
{
	if (prev_finish_hook)
		prev_finish_hook(query);
	else
		standard_ExecutorFinish(query);
	end_implicit();
}

/* COPY does not go through the executor. */
static void
frame_process_utility(PlannedStmt *pstmt, const char *query_string,
					  bool read_only_tree, ProcessUtilityContext context,
					  ParamListInfo params, QueryEnvironment *env,
					  DestReceiver *dest, QueryCompletion *qc)
{
	if (prev_utility_hook)
		prev_utility_hook(pstmt, query_string, read_only_tree, context, params,
						  env, dest, qc);
	else
		standard_ProcessUtility(pstmt, query_string, read_only_tree, context,
								params, env, dest, qc);
	if (top_frame != NULL && IsA(pstmt->utilityStmt, CopyStmt))
		end_implicit();
}

void
lr_frame_init(void)
{
	prev_finish_hook = ExecutorFinish_hook;
	ExecutorFinish_hook = frame_executor_finish;
	prev_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = frame_process_utility;
}

void
lr_frames_finish(void)
{
	while (top_frame != NULL)
		pop(top_frame);
}

void
lr_frames_abort(int nest)
{
	while (top_frame != NULL && top_frame->nest >= nest)
	{
		LrFrame    *frame = top_frame;

		top_frame = frame->up;
		release(frame);
	}
}
