/*
 * frame.c
 *	  The stack of statements, and their frames.  See frame.h.
 *
 * Invariants
 * - statements[0 .. running] are those that run, the innermost last, each with
 *	 the transaction nest level it runs at.  A hook takes its entry off when it
 *	 returns; an error that passes through it ends a (sub)transaction of that
 *	 level or an outer one, whose callback does (lr_frames_abort).  Entry 0
 *	 stands for whatever is not seen by a hook.
 * - Frames lie on a stack; those of inner statements are above those of outer
 *	 ones.  All frames of a statement are gone when it has ended.
 * - lr_frames_abort is called by transaction callbacks: it unpins and frees,
 *	 and can raise nothing; the counters go back with the level (reserve.c).
 * - Frames that have ended wait in a list with their memory contexts, so that
 *	 a statement of one row makes none.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "tcop/utility.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "decide/sticky.h"
#include "journal/journal.h"
#include "lead/frame.h"
#include "lead/redecide.h"
#include "roster/reserve.h"

typedef struct Statement
{
	const void *key;			/* QueryDesc; of a COPY, the hook's own */
	EState	   *estate;			/* NULL: not the executor's */
	int			nest;
	LrFrame    *armed;			/* whose row is confirmed when it is stored */
} Statement;

static Statement *statements = NULL;
static int	running = 0;
static int	statement_room = 0;
static LrFrame *top_frame = NULL;
static LrFrame *idle_frames = NULL;

/* ---------- statements ---------- */

static Statement *
current_statement(void)
{
	/* the library was loaded in the middle of a statement */
	if (statements == NULL)
	{
		statement_room = 16;
		statements = (Statement *) MemoryContextAllocZero(TopMemoryContext,
														  statement_room * sizeof(Statement));
	}
	return &statements[running];
}

/* Returns the entry's place, for leave_statement. */
static int
enter_statement(const void *key, EState *estate)
{
	Statement  *statement = current_statement();

	if (running + 1 == statement_room)
	{
		statements = (Statement *) repalloc(statements,
											2 * statement_room * sizeof(Statement));
		statement_room *= 2;
	}
	statement = &statements[++running];
	statement->key = key;
	statement->estate = estate;
	statement->nest = GetCurrentTransactionNestLevel();
	statement->armed = NULL;
	return running;
}

static void
leave_statement(int place)
{
	running = place - 1;
}

/* ---------- frames ---------- */

static LrFrame *
new_frame(void)
{
	LrFrame    *frame = idle_frames;

	if (frame != NULL)
	{
		idle_frames = frame->up;
		return frame;
	}
	frame = (LrFrame *) MemoryContextAllocZero(TopMemoryContext,
											   sizeof(LrFrame));
	frame->context = AllocSetContextCreate(TopMemoryContext, "leadroute frame",
										   ALLOCSET_SMALL_SIZES);
	frame->row_context = AllocSetContextCreate(TopMemoryContext,
											   "leadroute lead",
											   ALLOCSET_DEFAULT_SIZES);
	return frame;
}

static LrFrame *
push(const char *name)
{
	LrFrame    *frame;
	LrTable    *table;

	lr_config_accept();
	table = lr_table_pin_sound(name);
	frame = new_frame();
	frame->statement = current_statement()->key;
	frame->nest = GetCurrentTransactionNestLevel();
	frame->name = MemoryContextStrdup(frame->context, name);
	frame->asked_as = name;
	frame->table = table;
	frame->binding = NULL;
	frame->relation = NULL;
	frame->result_rel = NULL;
	frame->pending.active = false;
	memset(&frame->clock, 0, sizeof(frame->clock));
	frame->pending.leaf = NULL;
	frame->update.leaf = InvalidOid;
	frame->update.context = NULL;
	frame->redecided_context = NULL;
	frame->redecided = NULL;
	frame->up = top_frame;
	top_frame = frame;
	if (table != NULL)
		lr_settle_prepared(lr_database());
	return frame;
}

/* Puts a frame that is no longer on the stack aside. */
static void
release(LrFrame *frame)
{
	int			i;

	for (i = 0; i <= running; i++)
		if (statements[i].armed == frame)
			statements[i].armed = NULL;
	if (frame->binding)
		lr_binding_unpin(frame->binding);
	if (frame->table)
		lr_table_unpin(frame->table);
	MemoryContextReset(frame->context);
	MemoryContextReset(frame->row_context);
	frame->up = idle_frames;
	idle_frames = frame;
}

static void
pop(LrFrame *frame)
{
	LrFrame   **link = &top_frame;

	while (*link != frame)
		link = &(*link)->up;
	lr_frame_settle(frame);
	*link = frame->up;
	release(frame);
}

LrFrame *
lr_frame_find(const char *name)
{
	const void *key = current_statement()->key;
	LrFrame    *frame;

	for (frame = top_frame; frame != NULL; frame = frame->up)
		if (frame->statement == key &&
			((name == frame->asked_as && key != NULL) ||
			 strcmp(frame->name, name) == 0))
			return frame;
	return NULL;
}

LrFrame *
lr_frame_get(const char *name)
{
	LrFrame    *frame = lr_frame_find(name);

	/* rows of an unknown statement may each be of another one */
	if (frame != NULL && frame->statement == NULL)
	{
		pop(frame);
		frame = NULL;
	}
	return frame != NULL ? frame : push(name);
}

LrFrame *
lr_frame_for_row(const char *name)
{
	LrFrame    *frame = lr_frame_get(name);

	lr_frame_discard(frame);
	if (!lr_redecided_may_arrive(frame))
		lr_redecided_settle(frame);
	MemoryContextReset(frame->row_context);
	return frame;
}

LrBinding *
lr_frame_bind(LrFrame *frame, const char *router)
{
	/* the pinned table's own router has the same address for all rows */
	if (frame->binding != NULL &&
		((router == frame->table->router && router == frame->bound_as) ||
		 strcmp(frame->binding->router->name, router) == 0))
		return frame->binding;
	if (frame->binding != NULL)
	{
		lr_binding_unpin(frame->binding);
		frame->binding = NULL;
	}
	frame->binding = lr_table_bind(frame->table, router);
	frame->bound_as = router;
	return frame->binding;
}

/*
 * A target of the statement that is this relation, and updates rows that
 * conflict from this slot, if one is given.
 */
static ResultRelInfo *
target_in(List *targets, Relation rel, TupleTableSlot *conflict)
{
	ListCell   *lc;

	foreach(lc, targets)
	{
		ResultRelInfo *target = (ResultRelInfo *) lfirst(lc);

		if (target->ri_RelationDesc == rel &&
			(conflict == NULL ||
			 (target->ri_onConflict != NULL &&
			  target->ri_onConflict->oc_ProjSlot == conflict)))
			return target;
	}
	return NULL;
}

static ResultRelInfo *
find_target(Relation rel, TupleTableSlot *conflict)
{
	EState	   *estate = current_statement()->estate;
	ResultRelInfo *target;

	if (estate == NULL)
		return NULL;
	target = target_in(estate->es_opened_result_relations, rel, conflict);
	return target != NULL ? target :
		target_in(estate->es_tuple_routing_result_relations, rel, conflict);
}

ResultRelInfo *
lr_frame_result_rel(LrFrame *frame, Relation rel)
{
	if (frame->relation != rel)
	{
		frame->relation = rel;
		frame->result_rel = find_target(rel, NULL);
	}
	return frame->result_rel;
}

bool
lr_frame_is_conflict(Relation rel, TupleTableSlot *newslot)
{
	return find_target(rel, newslot) != NULL;
}

void
lr_frame_arm(LrFrame *frame)
{
	frame->pending.active = true;
	current_statement()->armed = frame;
}

void
lr_frame_disarm(void)
{
	current_statement()->armed = NULL;
}

LrFrame *
lr_frame_armed(void)
{
	LrFrame    *frame = current_statement()->armed;

	return frame != NULL && frame->pending.active ? frame : NULL;
}

void
lr_frame_discard(LrFrame *frame)
{
	if (!frame->pending.active)
		return;
	frame->pending.active = false;
	if (frame->pending.move == NULL)
	{
		lr_sticky_dropped(&frame->pending.decision);
		lr_reserve_return(&frame->pending.decision.reservation);
	}
	else
		lr_redecided_drop(frame);
}

void
lr_frame_settle(LrFrame *frame)
{
	lr_frame_discard(frame);
	lr_redecided_settle(frame);
}

/* ---------- hooks ---------- */

static ExecutorRun_hook_type prev_run_hook = NULL;
static ExecutorFinish_hook_type prev_finish_hook = NULL;
static ProcessUtility_hook_type prev_utility_hook = NULL;

/* The statement has stored its rows: closes its frames, writes the journal. */
static void
end_rows(const void *key)
{
	LrFrame    *frame;
	LrFrame    *up;
	bool		any = false;

	for (frame = top_frame; frame != NULL; frame = up)
	{
		up = frame->up;
		if (frame->statement == key)
		{
			pop(frame);
			any = true;
		}
	}
	if (any)
		lr_journal_flush();
}

#if PG_VERSION_NUM >= 180000
#define RUN_PARAMETERS	QueryDesc *query, ScanDirection direction, uint64 count
#define RUN_ARGUMENTS	query, direction, count
#else
#define RUN_PARAMETERS	QueryDesc *query, ScanDirection direction, uint64 count, \
						bool once
#define RUN_ARGUMENTS	query, direction, count, once
#endif

static void
frame_executor_run(RUN_PARAMETERS)
{
	int			place = enter_statement(query, query->estate);

	if (prev_run_hook)
		prev_run_hook(RUN_ARGUMENTS);
	else
		standard_ExecutorRun(RUN_ARGUMENTS);
	leave_statement(place);
}

/*
 * AFTER triggers run here: their statements find the journal written.  So may
 * rows of a WITH query that nobody has read to its end.
 */
static void
frame_executor_finish(QueryDesc *query)
{
	int			place;

	end_rows(query);
	place = enter_statement(query, query->estate);
	if (prev_finish_hook)
		prev_finish_hook(query);
	else
		standard_ExecutorFinish(query);
	leave_statement(place);
	end_rows(query);
}

/* COPY does not go through the executor. */
static void
frame_process_utility(PlannedStmt *pstmt, const char *query_string,
					  bool read_only_tree, ProcessUtilityContext context,
					  ParamListInfo params, QueryEnvironment *env,
					  DestReceiver *dest, QueryCompletion *qc)
{
	bool		copy = IsA(pstmt->utilityStmt, CopyStmt);
	int			place = 0;

	/* a function that recurs runs one and the same pstmt again */
	if (copy)
		place = enter_statement(&place, NULL);

	if (prev_utility_hook)
		prev_utility_hook(pstmt, query_string, read_only_tree, context, params,
						  env, dest, qc);
	else
		standard_ProcessUtility(pstmt, query_string, read_only_tree, context,
								params, env, dest, qc);
	if (copy)
	{
		leave_statement(place);
		end_rows(&place);
	}
}

void
lr_frame_init(void)
{
	prev_run_hook = ExecutorRun_hook;
	ExecutorRun_hook = frame_executor_run;
	prev_finish_hook = ExecutorFinish_hook;
	ExecutorFinish_hook = frame_executor_finish;
	prev_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = frame_process_utility;
}

/* ---------- the end of transactions ---------- */

void
lr_frames_finish(void)
{
	while (top_frame != NULL)
		pop(top_frame);
}

void
lr_frames_abort(int nest)
{
	while (running > 0 && statements[running].nest >= nest)
		running--;
	while (top_frame != NULL && top_frame->nest >= nest)
	{
		LrFrame    *frame = top_frame;

		top_frame = frame->up;
		frame->pending.active = false;
		frame->redecided = NULL;
		release(frame);
	}
}
