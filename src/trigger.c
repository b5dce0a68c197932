/*
 * trigger.c
 *	  The trigger function of attached tables; thin.  See frame.h.
 *
 * Not preloaded, switched off, or not attached any more: the row passes as it
 * is.  The argument of the trigger is the name in routed_table.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "decide.h"
#include "frame.h"
#include "journal.h"
#include "leadroute.h"
#include "outcome.h"
#include "reserve.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(lr_lead_trigger);
PG_FUNCTION_INFO_V1(lr_row_stored);

/*
 * A row of an attached table that is being updated.  When it moves to another
 * partition, the server follows up with an insert at the same depth (BEFORE
 * ROW INSERT on the new leaf) and fires no AFTER ROW UPDATE.
 */
typedef struct Update
{
	MemoryContext context;
	int			depth;			/* 0: none */
	SubTransactionId subid;
	LocalTransactionId lxid;	/* of the transaction */
	char	   *table;
	LrFacts		old;
	char	   *new_key;
} Update;


/*
 * A row that has moved: its AFTER ROW DELETE is still to come, at the end of
 * the statement, and then counts as the update that it is.
 */
typedef struct LrMove
{
	struct LrMove *next;
	int			nest;
	bool		stored;			/* on the new partition */
	LrFacts		old;
	LrFacts		new;
} LrMove;

static Update update;
static LrMove *moves = NULL;	/* oldest first, the order of the deletes */
static LrMove **moves_end = &moves;
static SubTransactionId own_update_subid = InvalidSubTransactionId;
static int	own_update_depth = 0;
static LocalTransactionId own_update_lxid = 0;

int
lr_trigger_depth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

void
lr_own_update_begin(void)
{
	own_update_depth = lr_trigger_depth() + 1;
	own_update_subid = GetCurrentSubTransactionId();
	own_update_lxid = lr_my_lxid();
}

void
lr_own_update_end(void)
{
	own_update_depth = 0;
	own_update_subid = InvalidSubTransactionId;
}

static bool
is_own_update(int depth)
{
	return own_update_depth == depth && own_update_lxid == lr_my_lxid() &&
		own_update_subid == GetCurrentSubTransactionId();
}

/* ---------- INSERT ---------- */

static void
warn_not_preloaded(void)
{
	static bool warned = false;

	if (warned)
		return;
	warned = true;
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("leads are stored without owner: leadroute was not loaded when the server started"),
			 errhint("Run ALTER SYSTEM SET shared_preload_libraries = 'leadroute' (beside what it holds already) and restart the server.")));
}

/* Rows inserted into rel by this (sub)transaction, as the server counts them. */
static int64
inserted_rows(PgStat_TableStatus *counts)
{
	PgStat_TableXactStatus *trans = counts->trans;

	if (trans == NULL || trans->nest_level != GetCurrentTransactionNestLevel())
		return 0;
	return trans->tuples_inserted - trans->tuples_deleted;
}

/* row_stored checks itself against the server's count, where there is one. */
static void
note_count(LrPending *p, Relation rel)
{
	p->counts = NULL;
	if (rel->rd_tableam == GetHeapamTableAmRoutine() &&
		pgstat_should_count_relation(rel))
	{
		p->counts = rel->pgstat_info;
		p->count_before = inserted_rows(p->counts);
	}
}

/* The owner was given by the app: it is kept. */
static void
keep_given(LrFrame *frame, LrBinding *b, char *key, char *owner, bool closed,
		   char *detail)
{
	LrDecision *d = &frame->pending.decision;
	LrMember   *m = lr_binding_member(frame->table, b, owner);

	memset(d, 0, sizeof(*d));
	lr_take(m, m != NULL && !closed ? LR_LEAD_LOAD : 0, true, &d->reservation);
	d->member = m;
	d->entry.id = d->reservation.id;
	d->entry.at = lr_now();
	d->entry.router = b->router->id;
	d->entry.routed_table = frame->table->id;
	d->entry.lead_key = key;
	d->entry.kind = LR_KIND_GIVEN;
	d->entry.team = -1;
	d->entry.member = m != NULL ? m->id : 0;
	d->entry.load = d->reservation.load;
	d->entry.detail = detail;
	if (m == NULL)
	{
		d->entry.reason = "unknown_member";
		if (detail == NULL)
			d->entry.detail = psprintf("owner %s is no member", owner);
	}
}

static void
decide_lead(LrFrame *frame, LrBinding *b, TupleTableSlot *row, char *key,
			bool closed)
{
	LrDecideRequest request = {0};

	request.table = frame->table;
	request.binding = b;
	request.row = row;
	request.key = key;
	request.load = closed ? 0 : LR_LEAD_LOAD;
	request.now = lr_now();
	lr_decide(&request, &frame->pending.decision);
}

/*
 * A trigger that ran after ours may have set the owner: what is stored counts,
 * as an owner that was given.  Our decision goes back.
 */
static void
follow_stored_row(LrFrame *frame)
{
	LrPending  *p = &frame->pending;
	LrDecision *d = &p->decision;
	LrTable    *table = frame->table;
	char	   *decided = d->member != NULL ?
		frame->binding->owner_text[d->member->index] : NULL;
	char	   *detail = "set by a trigger after the decision";
	MemoryContext old = MemoryContextSwitchTo(frame->row_context);
	char	   *stored = lr_table_owner(table, lr_table_root_row(table, p->leaf,
																 p->slot));

	if (d->entry.kind != LR_KIND_GIVEN || d->member != NULL)
	{
		if ((stored == NULL) != (decided == NULL) ||
			(stored != NULL && strcmp(stored, decided) != 0))
		{
			bool		closed = d->entry.closed;
			char	   *key = unconstify(char *, d->entry.lead_key);

			lr_reserve_return(&d->reservation);
			if (stored != NULL)
				keep_given(frame, frame->binding, key, stored, closed, detail);
			else
			{
				memset(&d->reservation, 0, sizeof(d->reservation));
				d->reservation.member_slot = LR_NO_SLOT;
				d->member = NULL;
				d->entry.kind = LR_KIND_NONE;
				d->entry.member = d->entry.load = 0;
				d->entry.turn = false;
				d->entry.reason = "late_trigger";
				d->entry.detail = detail;
			}
			d->entry.closed = closed;
		}
	}
	MemoryContextSwitchTo(old);
}

/* The row with its owner set. */
static HeapTuple
with_owner(TriggerData *td, LrFrame *frame, LrLeaf *leaf, LrBinding *b)
{
	int			attno = leaf->owner;
	Datum		value = lr_binding_owner(frame->table, b,
										 frame->pending.decision.member);
	bool		isnull = false;

	return heap_modify_tuple_by_cols(td->tg_trigtuple,
									 RelationGetDescr(td->tg_relation),
									 1, &attno, &value, &isnull);
}

/* The row is one that an UPDATE moves to another partition. */
static bool
is_move(LrFrame *frame, int depth, const char *key)
{
	return update.depth == depth && update.table != NULL &&
		update.lxid == lr_my_lxid() &&
		update.subid == GetCurrentSubTransactionId() &&
		strcmp(update.table, frame->name) == 0 &&
		strcmp(update.new_key, key) == 0;
}

static LrMove *
note_move(LrTable *table, TupleTableSlot *row)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	LrMove	   *move = (LrMove *) palloc0(sizeof(LrMove));

	move->nest = GetCurrentTransactionNestLevel();
	move->old.key = pstrdup(update.old.key);
	move->old.owner = update.old.owner ? pstrdup(update.old.owner) : NULL;
	move->old.router = update.old.router ? pstrdup(update.old.router) : NULL;
	move->old.closed = update.old.closed;
	lr_facts(table, row, &move->new);
	*moves_end = move;
	moves_end = &move->next;
	update.depth = 0;
	MemoryContextSwitchTo(old);
	return move;
}

static HeapTuple
before_insert(TriggerData *td, const char *name, int depth)
{
	LrFrame    *frame = lr_frame_for_row(name, depth);
	LrTable    *table = frame->table;
	HeapTuple	result = td->tg_trigtuple;
	MemoryContext old;
	LrLeaf	   *leaf;
	TupleTableSlot *row;
	LrBinding  *b = NULL;
	char	   *detail = NULL;
	char	   *router;
	char	   *key;
	char	   *owner;
	bool		closed;

	lr_frame_disarm(depth);
	if (table == NULL)
		return result;
	frame->pending.slot = td->tg_trigslot;

	old = MemoryContextSwitchTo(frame->row_context);
	leaf = lr_table_leaf(table, td->tg_relation);
	row = lr_table_root_row(table, leaf, td->tg_trigslot);
	frame->pending.leaf = leaf;
	key = lr_table_key(table, row);
	if (is_move(frame, depth, key))
	{
		frame->pending.move = note_move(table, row);
		note_count(&frame->pending, td->tg_relation);
		lr_frame_arm(frame);
		MemoryContextSwitchTo(old);
		return result;
	}
	router = lr_lead_router(table, row, &detail);
	if (router != NULL)
		b = lr_frame_bind(frame, router);
	if (b != NULL && b->router->enabled)
	{
		frame->pending.move = NULL;
		owner = lr_table_owner(table, row);
		closed = lr_lead_closed(table, row, &detail);
		if (owner != NULL)
			keep_given(frame, b, key, owner, closed, detail);
		else
			decide_lead(frame, b, row, key, closed);
		frame->pending.decision.entry.closed = closed;
		note_count(&frame->pending, td->tg_relation);
		lr_frame_arm(frame);
		MemoryContextSwitchTo(old);
		if (owner == NULL && frame->pending.decision.member != NULL)
			result = with_owner(td, frame, leaf, b);
	}
	MemoryContextSwitchTo(old);
	return result;
}

/*
 * The server has just stored a row at this depth.  Confirms the decision that
 * is pending there; false, so that no event is queued.
 */
Datum
lr_row_stored(PG_FUNCTION_ARGS)
{
	LrFrame    *frame;
	LrPending  *p;

	if (!lr_preloaded())
		PG_RETURN_BOOL(false);
	frame = lr_frame_armed(lr_trigger_depth() + 1);
	if (frame == NULL)
		PG_RETURN_BOOL(false);
	p = &frame->pending;
	/* somebody calls us by hand, in the middle of a statement */
	if (p->counts != NULL && inserted_rows(p->counts) <= p->count_before)
		PG_RETURN_BOOL(false);

	p->active = false;
	lr_frame_disarm(frame->depth);
	if (p->move != NULL)
		p->move->stored = true;
	else
	{
		follow_stored_row(frame);
		lr_journal_add(&p->decision.entry);
	}
	PG_RETURN_BOOL(false);
}

/* ---------- UPDATE and DELETE ---------- */

static void
note_update(const char *name, int depth, LrTable *table, LrLeaf *leaf,
			TriggerData *td)
{
	MemoryContext old;

	if (update.context == NULL)
		update.context = AllocSetContextCreate(TopMemoryContext,
											   "leadroute update",
											   ALLOCSET_SMALL_SIZES);
	MemoryContextReset(update.context);
	update.depth = 0;
	old = MemoryContextSwitchTo(update.context);
	update.table = pstrdup(name);
	lr_facts(table, lr_table_root_row(table, leaf, td->tg_trigslot),
			 &update.old);
	update.new_key = lr_table_key(table, lr_table_root_row(table, leaf,
														   td->tg_newslot));
	MemoryContextSwitchTo(old);
	update.subid = GetCurrentSubTransactionId();
	update.lxid = lr_my_lxid();
	update.depth = depth;
}

/*
 * ON CONFLICT DO UPDATE SET owner = EXCLUDED.owner: EXCLUDED is the row as our
 * BEFORE trigger left it, so this would re-route a stored lead (which may have
 * another key, where the conflict is about another column).  An owner that
 * the app itself gave in the INSERT is meant, and stays.
 */
static HeapTuple
keep_owner_of_conflict(TriggerData *td, LrFrame *frame, LrLeaf *leaf)
{
	LrDecision *d = &frame->pending.decision;
	LrTable    *table = frame->table;
	HeapTuple	result = td->tg_newtuple;
	LrFacts		old;
	char	   *new_owner;
	MemoryContext context;

	if (!frame->pending.active || frame->pending.move ||
		d->entry.kind == LR_KIND_GIVEN)
		return result;
	context = MemoryContextSwitchTo(frame->row_context);
	lr_facts(table, lr_table_root_row(table, leaf, td->tg_trigslot), &old);
	new_owner = lr_table_owner(table, lr_table_root_row(table, leaf,
														td->tg_newslot));
	MemoryContextSwitchTo(context);
	if (new_owner != NULL && d->member != NULL &&
		(old.owner == NULL || strcmp(old.owner, new_owner) != 0) &&
		strcmp(new_owner, frame->binding->owner_text[d->member->index]) == 0)
	{
		int			attno = leaf->owner;
		bool		isnull;
		Datum		value = heap_getattr(td->tg_trigtuple, attno,
										 RelationGetDescr(td->tg_relation),
										 &isnull);

		result = heap_modify_tuple_by_cols(td->tg_newtuple,
										   RelationGetDescr(td->tg_relation),
										   1, &attno, &value, &isnull);
	}
	/* the row to insert was not stored: its turn is free at once */
	lr_frame_discard(frame);
	return result;
}

static HeapTuple
before_update(TriggerData *td, const char *name, int depth)
{
	HeapTuple	result = td->tg_newtuple;
	LrFrame    *frame = lr_frame_find(name, depth);
	LrTable    *table;
	LrLeaf	   *leaf;

	if (frame != NULL && frame->table != NULL)
		result = keep_owner_of_conflict(td, frame,
										lr_table_leaf(frame->table,
													  td->tg_relation));
	/* only partitions can lose a row to each other */
	if (!td->tg_relation->rd_rel->relispartition)
		return result;
	table = lr_table_pin_sound(name);
	if (table == NULL)
		return result;
	leaf = lr_table_leaf(table, td->tg_relation);
	note_update(name, depth, table, leaf, td);
	lr_table_unpin(table);
	return result;
}

/* Applies what differs between two rows of a lead. */
static void
after_update(TriggerData *td, const char *name, int depth)
{
	LrTable    *table = lr_table_pin_sound(name);
	LrLeaf	   *leaf;
	LrFacts		old;
	LrFacts		new;

	update.depth = 0;
	if (table == NULL)
		return;
	leaf = lr_table_leaf(table, td->tg_relation);
	if (leaf->map == NULL &&
		!lr_facts_may_differ(table, td->tg_trigslot, td->tg_newslot))
	{
		lr_table_unpin(table);
		return;
	}
	lr_facts(table, lr_table_root_row(table, leaf, td->tg_trigslot), &old);
	lr_facts(table, lr_table_root_row(table, leaf, td->tg_newslot), &new);
	if (is_own_update(depth))
		new.owner = old.owner;
	lr_outcome_changed(table, &old, &new);
	lr_table_unpin(table);
}

/* Takes the move of a lead off the list; NULL: it did not move. */
static LrMove *
take_move(const char *key)
{
	LrMove	  **link;

	for (link = &moves; *link != NULL; link = &(*link)->next)
		if (strcmp((*link)->old.key, key) == 0)
		{
			LrMove	   *move = *link;

			*link = move->next;
			if (move->next == NULL)
				moves_end = link;
			return move;
		}
	return NULL;
}

void
lr_moves_abort(int nest)
{
	LrMove	  **link = &moves;

	while (*link != NULL)
	{
		if ((*link)->nest >= nest)
			*link = (*link)->next;
		else
			link = &(*link)->next;
	}
	moves_end = link;
}

static void
after_delete(TriggerData *td, const char *name, int depth)
{
	LrTable    *table = lr_table_pin_sound(name);
	LrFacts		old;
	LrMove	   *move;

	if (table == NULL)
		return;
	lr_facts(table, lr_table_root_row(table,
									  lr_table_leaf(table, td->tg_relation),
									  td->tg_trigslot), &old);
	move = take_move(old.key);
	if (move == NULL || !move->stored)
		lr_outcome_deleted(table, &old);
	else
	{
		if (is_own_update(depth))
			move->new.owner = move->old.owner;
		lr_outcome_changed(table, &move->old, &move->new);
	}
	lr_table_unpin(table);
}

static void
after_truncate(const char *name)
{
	LrTable    *table = lr_table_pin_sound(name);

	if (table == NULL)
		return;
	(void) lr_outcome_end_all(table->id, LR_EVENT_DELETED);
	lr_table_unpin(table);
}

/* ---------- the function ---------- */

static void
statement_trigger(TriggerData *td, const char *name, int depth)
{
	if (TRIGGER_FIRED_BY_TRUNCATE(td->tg_event))
		after_truncate(name);
	else if (TRIGGER_FIRED_BEFORE(td->tg_event))
		lr_frame_open(name, depth);
	else
	{
		lr_frame_close(name, depth);
		lr_journal_flush();
	}
}

static HeapTuple
row_trigger(TriggerData *td, const char *name, int depth)
{
	if (TRIGGER_FIRED_BEFORE(td->tg_event))
		return TRIGGER_FIRED_BY_INSERT(td->tg_event) ?
			before_insert(td, name, depth) :
			before_update(td, name, depth);
	if (TRIGGER_FIRED_BY_UPDATE(td->tg_event))
		after_update(td, name, depth);
	else if (TRIGGER_FIRED_BY_DELETE(td->tg_event))
		after_delete(td, name, depth);
	return NULL;
}

Datum
lr_lead_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *td = (TriggerData *) fcinfo->context;
	bool		row;

	if (!CALLED_AS_TRIGGER(fcinfo) || td->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("leadroute.lead_trigger is installed by leadroute.attach only")));
	row = TRIGGER_FIRED_FOR_ROW(td->tg_event);
	if (lr_preloaded() && lr_routing)
	{
		const char *name = td->tg_trigger->tgargs[0];
		int			depth = lr_trigger_depth();

		if (row)
			PG_RETURN_POINTER(row_trigger(td, name, depth));
		statement_trigger(td, name, depth);
		PG_RETURN_POINTER(NULL);
	}

	if (!lr_preloaded() && TRIGGER_FIRED_BY_INSERT(td->tg_event))
		warn_not_preloaded();
	if (row && TRIGGER_FIRED_BEFORE(td->tg_event))
	{
		lr_frame_disarm(lr_trigger_depth());
		PG_RETURN_POINTER(TRIGGER_FIRED_BY_UPDATE(td->tg_event) ?
						  td->tg_newtuple : td->tg_trigtuple);
	}
	PG_RETURN_POINTER(NULL);
}
