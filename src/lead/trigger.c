/*
 * trigger.c
 *	  The trigger function of attached tables; thin.  See frame.h.
 *
 * Not preloaded, switched off, or not attached any more: the row passes as it
 * is.  The argument of the trigger is the name in routed_table.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/row_value.h"
#include "decide/decide.h"
#include "decide/qualify.h"
#include "decide/sticky.h"
#include "decide/take.h"
#include "expression/evaluate.h"
#include "journal/journal.h"
#include "lead/adopt.h"
#include "lead/before_update.h"
#include "lead/frame.h"
#include "lead/lead_state.h"
#include "lead/mapped.h"
#include "lead/move.h"
#include "lead/outcome.h"
#include "lead/own_update.h"
#include "lead/postpone.h"
#include "lead/redecide.h"
#include "lead/test_lead.h"
#include "lead/trigger.h"
#include "leadroute.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_lead_trigger);
PG_FUNCTION_INFO_V1(lr_row_stored);

static void look_at_relation(LrFrame *frame, TriggerData *td);

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
	return trans->tuples_inserted;
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
keep_given(LrFrame *frame, LrBinding *b, TupleTableSlot *row, char *key,
		   char *owner, bool closed, char *detail)
{
	LrDecision *d = &frame->pending.decision;
	LrMember   *m = lr_binding_member(frame->table, b, owner);
	TimestampTz now = lr_now_of_tick(&frame->clock);
	bool		is_test = lr_is_test(frame->table, b, row, &detail);
	LrLeadCaps *caps = m == NULL || is_test ? NULL :
		lr_caps_judge_row(frame->table, b, row, now, &detail);

	memset(d, 0, sizeof(*d));
	lr_take(b->router, m, m == NULL || closed || is_test ? 0 :
			lr_lead_load(frame->table, row, &detail), !is_test,
			lr_caps_of_member(caps, m), &d->reservation);
	d->entry.is_test = is_test;
	d->member = m;
	lr_caps_note(&d->entry, &d->reservation);
	d->entry.id = d->reservation.id;
	d->entry.at = now;
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
			bool closed, char *detail)
{
	LrDecideRequest request = {0};

	request.table = frame->table;
	request.binding = b;
	request.row = row;
	request.key = key;
	request.load = closed ? 0 : lr_lead_load(frame->table, row, &detail);
	request.now = lr_now_of_tick(&frame->clock);
	request.detail = detail;
	if (!frame->table->postpones ||
		!lr_postpone(&request, &frame->pending.decision))
		lr_decide(&request, &frame->pending.decision);
}

/* The owner that a later trigger has set counts as one that was given. */
static void
follow_owner(LrFrame *frame, TupleTableSlot *row, char *stored)
{
	LrDecision *d = &frame->pending.decision;
	bool		closed = d->entry.closed;
	const TimestampTz *when = d->entry.when;
	const LrTold *told = d->entry.told;
	char	   *key = unconstify(char *, d->entry.lead_key);
	char	   *detail = "set by a trigger after the decision";
	struct LrSticky *sticky = d->sticky;

	lr_sticky_dropped(d);
	lr_reserve_return(&d->reservation);
	if (stored != NULL)
		keep_given(frame, frame->binding, row, key, stored, closed, detail);
	else
	{
		memset(&d->reservation, 0, sizeof(d->reservation));
		d->reservation.member_slot = LR_NO_SLOT;
		d->member = NULL;
		d->entry.kind = LR_KIND_NONE;
		d->entry.member = d->entry.load = 0;
		d->entry.turn = false;
		d->entry.month = 0;
		d->entry.ncaps = 0;
		d->entry.reason = "late_trigger";
		d->entry.detail = detail;
	}
	d->entry.closed = closed;
	d->entry.when = when;
	d->entry.told = told;
	/* a new lead's own: nobody else's owner depends on it any more */
	d->sticky = d->entry.is_test ? NULL : sticky;
}

/*
 * A trigger that ran after ours may have changed the key or the owner: what is
 * stored counts.
 */
static void
follow_stored_row(LrFrame *frame)
{
	LrPending  *p = &frame->pending;
	LrDecision *d = &p->decision;
	LrTable    *table = frame->table;
	char	   *decided = d->member != NULL ?
		frame->binding->owner_text[d->member->index] : NULL;
	MemoryContext old = MemoryContextSwitchTo(frame->row_context);
	TupleTableSlot *row = lr_table_root_row(table, p->leaf, p->slot);
	char	   *stored = lr_table_owner(table, row);

	d->entry.lead_key = lr_table_key(table, row);
	if ((d->entry.kind != LR_KIND_GIVEN || d->member != NULL) &&
		((stored == NULL) != (decided == NULL) ||
		 (stored != NULL && strcmp(stored, decided) != 0)))
		follow_owner(frame, row, stored);
	MemoryContextSwitchTo(old);
}

/* The row with what was decided. */
static HeapTuple
with_decision(TriggerData *td, LrFrame *frame)
{
	LrDecision *d = &frame->pending.decision;
	LrLeaf	   *leaf = frame->pending.leaf;
	LrBinding  *b = frame->binding;
	LrTable    *table = frame->table;

	if (d->verdict != NULL && table->mapping != NULL)
	{
		Datum		owner = d->member == NULL ? (Datum) 0 :
			lr_binding_owner(table, b, d->member);

		return lr_mapped_row(table, leaf, td->tg_relation, td->tg_trigtuple,
							 &d->verdict->mapped,
							 d->member != NULL ? &owner : NULL, d,
							 frame->row_context);
	}
	if (d->member == NULL)
		return td->tg_trigtuple;
	return lr_row_with_value(RelationGetDescr(td->tg_relation),
							 td->tg_trigtuple, leaf->owner,
							 lr_binding_owner(frame->table, b,
											  frame->pending.decision.member));
}

/* What the lead tells of itself goes into the journal, too. */
static void
tell(LrTable *table, TupleTableSlot *row, LrEntry *e)
{
	char	   *detail = unconstify(char *, e->detail);

	e->told = lr_told(table, row, &detail);
	e->detail = detail;
}

/* The lead has a decision, a move, or nothing to do with leadroute. */
static void
look_at_row(LrFrame *frame, Relation rel, TupleTableSlot *slot)
{
	LrTable    *table = frame->table;
	LrPending  *p = &frame->pending;
	LrBinding  *b = NULL;
	TupleTableSlot *row;
	char	   *detail = NULL;
	char	   *router;
	char	   *key;
	char	   *owner;
	TimestampTz *when = NULL;
	bool		closed;

	if (p->leaf == NULL || p->leaf->relid != RelationGetRelid(rel))
		p->leaf = lr_table_leaf(table, rel);
	p->slot = slot;
	p->decision.member = NULL;
	row = lr_table_root_row(table, p->leaf, slot);
	key = lr_table_key(table, row);
	p->move = lr_move_arrives(frame, rel, row, key);
	if (p->move == NULL)
	{
		lr_redecided_settle(frame);
		router = lr_lead_router(table, row, &detail);
		if (router != NULL)
			b = lr_frame_bind(frame, router);
		if (b == NULL || !b->router->enabled)
			return;
		owner = lr_table_owner(table, row);
		if (table->any_when)
		{
			when = (TimestampTz *) palloc(LR_WHENS * sizeof(TimestampTz));
			lr_lead_when(table, row, when, &detail);
		}
		closed = when != NULL && when[LR_CLOSED] != LR_NOT_YET;
		if (owner != NULL)
		{
			keep_given(frame, b, row, key, owner, closed, detail);
			if (b->router->matching != NULL && !p->decision.entry.is_test)
				lr_sticky_given(table, b, row, &p->decision);
		}
		else if (table->decide_at == LR_AT_COMMIT)
			return;				/* postpone.h: its own trigger will */
		else
			decide_lead(frame, b, row, key, closed, detail);
		p->decision.entry.closed = closed;
		p->decision.entry.when = when;
		if (table->any_told)
			tell(table, row, &p->decision.entry);
	}
	note_count(p, rel);
	lr_frame_arm(frame);
}

static HeapTuple
before_insert(TriggerData *td, const char *name)
{
	LrFrame    *frame = lr_frame_for_row(name);
	LrPending  *p = &frame->pending;
	MemoryContext old;

	lr_frame_disarm();
	if (frame->table == NULL)
		return td->tg_trigtuple;
	look_at_relation(frame, td);
	old = MemoryContextSwitchTo(frame->row_context);
	look_at_row(frame, td->tg_relation, td->tg_trigslot);
	MemoryContextSwitchTo(old);
	/* a member is there whose owner value the row does not have yet */
	if (p->active && p->move == NULL &&
		p->decision.entry.kind != LR_KIND_GIVEN)
		return with_decision(td, frame);
	return td->tg_trigtuple;
}

/* The row that has moved is stored, whatever later triggers have made of it. */
static void
follow_moved_row(LrFrame *frame)
{
	LrPending  *p = &frame->pending;
	MemoryContext old = MemoryContextSwitchTo(frame->row_context);

	lr_move_stored(p->move, frame->table, frame->last_word ? NULL :
				   lr_table_root_row(frame->table, p->leaf, p->slot));
	lr_redecided_arrived(frame, &p->move->new);
	MemoryContextSwitchTo(old);
}

/* The server has just stored the frame's row. */
static void
confirm(LrFrame *frame)
{
	LrPending  *p = &frame->pending;

	p->active = false;
	lr_frame_disarm();
	if (p->move != NULL)
		follow_moved_row(frame);
	else
	{
		if (!frame->last_word)
			follow_stored_row(frame);
		lr_journal_add(&p->decision.entry);
		lr_sticky_stored(&p->decision);
	}
}

/*
 * The WHEN condition of the AFTER ROW trigger, leadroute.row_stored(), as the
 * server's call of an expression; false, so that no event is queued.
 */
static Datum
evaluate_stored(ExprState *state, ExprContext *econtext, bool *isnull)
{
	LrFrame    *frame = lr_frame_armed();

	if (frame != NULL)
		confirm(frame);
	*isnull = false;
	return BoolGetDatum(false);
}

/* Without state of its own, so that it fits every statement. */
static ExprState stored_state = {
	.type = T_ExprState,
	.flags = EEO_FLAG_IS_QUAL,
	.evalfunc = evaluate_stored
};

/*
 * The server would read, plan and initialise the condition once a statement,
 * which costs more than the decision: it is handed over ready for use.
 */
static void
hand_over_condition(ResultRelInfo *target, Oid function)
{
	int			i;

	for (i = 0; i < target->ri_TrigDesc->numtriggers; i++)
	{
		Trigger    *trigger = &target->ri_TrigDesc->triggers[i];

		if (trigger->tgfoid == function && trigger->tgqual != NULL &&
			TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW,
								 TRIGGER_TYPE_AFTER, TRIGGER_TYPE_INSERT))
			target->ri_TrigWhenExprs[i] = &stored_state;
	}
}

bool
lr_has_last_word(const TriggerData *td)
{
	Relation	rel = td->tg_relation;
	int16		event = TRIGGER_FIRED_BY_INSERT(td->tg_event) ?
		TRIGGER_TYPE_INSERT : TRIGGER_TYPE_UPDATE;
	int			i;

	for (i = 0; i < rel->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &rel->trigdesc->triggers[i];

		if (TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW,
								 TRIGGER_TYPE_BEFORE, event) &&
			strcmp(trigger->tgname, td->tg_trigger->tgname) > 0)
			return false;
	}
	return true;
}

/* What is the same for all rows that a statement inserts into a relation. */
static void
look_at_relation(LrFrame *frame, TriggerData *td)
{
	ResultRelInfo *target;

	if (frame->relation == td->tg_relation)
		return;
	target = lr_frame_result_rel(frame, td->tg_relation);
	if (target != NULL)
		hand_over_condition(target, td->tg_trigger->tgfoid);
	frame->last_word = lr_has_last_word(td);
}

/*
 * The condition where the server evaluates it by itself, and whoever calls it
 * by hand: it confirms only if the server has counted a row since.
 */
Datum
lr_row_stored(PG_FUNCTION_ARGS)
{
	LrFrame    *frame = lr_preloaded() ? lr_frame_armed() : NULL;
	LrPending  *p = frame != NULL ? &frame->pending : NULL;

	if (p != NULL &&
		(p->counts == NULL || inserted_rows(p->counts) > p->count_before))
		confirm(frame);
	PG_RETURN_BOOL(false);
}

/* ---------- UPDATE and DELETE ---------- */

/*
 * Applies what differs between two rows of a lead.  What was decided of it in
 * this UPDATE is written down by now, but for rows of a WITH query that nobody
 * has read: ExecutorFinish stores these and fires their AFTER triggers, too.
 */
static void
after_update(TriggerData *td, const char *name)
{
	LrTable    *table = lr_table_pin_sound(name);
	LrFrame    *frame = lr_frame_find(name);
	LrLeaf	   *leaf;
	TupleTableSlot *row;
	LrFacts		old;
	LrFacts		new;

	if (frame != NULL)
		lr_frame_settle(frame);
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
	row = lr_table_root_row(table, leaf, td->tg_newslot);
	lr_facts_told(table, row, &new);
	if (lr_is_own_update())
		new.owner = old.owner;
	lr_outcome_changed(table, &old, &new);
	if (strcmp(old.key, new.key) != 0)
		lr_note_keys(table, row, &new);
	lr_table_unpin(table);
}

static void
after_delete(TriggerData *td, const char *name)
{
	LrTable    *table = lr_table_pin_sound(name);
	LrFrame    *frame = lr_frame_find(name);
	LrFacts		old;
	LrMove	   *move;

	if (frame != NULL)
		lr_frame_settle(frame);
	if (table == NULL)
		return;
	lr_facts(table, lr_table_root_row(table,
									  lr_table_leaf(table, td->tg_relation),
									  td->tg_trigslot), &old);
	move = lr_move_leaves(table, old.key);
	if (move == NULL || !move->stored)
		lr_outcome_deleted(table, &old);
	else
	{
		if (lr_is_own_update())
			move->new.owner = move->old.owner;
		lr_outcome_changed(table, &move->old, &move->new);
	}
	lr_table_unpin(table);
}

static void
after_truncate(TriggerData *td, const char *name)
{
	LrTable    *table = lr_table_pin_sound(name);

	if (table == NULL)
		return;
	lr_table_require_root(table, td->tg_relation);
	(void) lr_outcome_end_all(table->id, LR_EVENT_DELETED);
	lr_table_unpin(table);
}

/* ---------- the function ---------- */

static HeapTuple
route(TriggerData *td, const char *name)
{
	if (lr_evaluating())
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("an expression of leadroute stores, changes or deletes leads of \"%s\"",
						name),
				 errhint("A condition says whether a lead fits, and changes nothing.")));
	if (TRIGGER_FIRED_BY_TRUNCATE(td->tg_event))
		after_truncate(td, name);
	else if (TRIGGER_FIRED_FOR_STATEMENT(td->tg_event))
		return NULL;
	else if (TRIGGER_FIRED_BEFORE(td->tg_event))
		return TRIGGER_FIRED_BY_INSERT(td->tg_event) ?
			before_insert(td, name) : lr_before_update(td, name);
	else if (TRIGGER_FIRED_BY_INSERT(td->tg_event))
		lr_decide_at_commit(td, name);
	else if (TRIGGER_FIRED_BY_UPDATE(td->tg_event))
		after_update(td, name);
	else if (TRIGGER_FIRED_BY_DELETE(td->tg_event))
		after_delete(td, name);
	return NULL;
}

Datum
lr_lead_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *td = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || td->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("leadroute.lead_trigger is installed by leadroute.attach only")));
	if (lr_preloaded() && lr_routing)
		PG_RETURN_POINTER(route(td, td->tg_trigger->tgargs[0]));

	if (!lr_preloaded() && TRIGGER_FIRED_BY_INSERT(td->tg_event))
		warn_not_preloaded();
	if (TRIGGER_FIRED_FOR_ROW(td->tg_event) &&
		TRIGGER_FIRED_BEFORE(td->tg_event))
	{
		if (lr_preloaded())
			lr_frame_disarm();
		PG_RETURN_POINTER(TRIGGER_FIRED_BY_UPDATE(td->tg_event) ?
						  td->tg_newtuple : td->tg_trigtuple);
	}
	PG_RETURN_POINTER(NULL);
}
