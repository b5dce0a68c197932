/*
 * redecide.c
 *	  A stored lead is decided anew in the UPDATE that changes it.  See
 *	  redecide.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/clock.h"
#include "decide/sticky.h"
#include "lead/load.h"
#include "lead/move.h"
#include "lead/postpone.h"
#include "lead/ready.h"
#include "lead/redecide.h"
#include "lead/told.h"
#include "roster/reserve.h"

struct LrRedecided
{
	LrDecision	decision;
	Oid			leaf;			/* where the row was */
	ItemPointerData tid;
	char	   *old_key;
	const char *owner;			/* canonical, that was decided; NULL: nobody */
	bool		last_word;		/* no other trigger could change it after us */
	bool		arrived;		/* it is stored, in another partition */
	bool		as_decided;		/* if so: with this owner and the decision's key */
	int64		released_id;	/* of the row that says so; 0: not released */
	TimestampTz when[LR_WHENS];
};

/* ---------- deciding ---------- */

/*
 * Whether an UPDATE by a trigger is at a lead that is decided already.
 */
static bool
is_loop(const LrCurrent *current)
{
	int64		first = lr_first_id();

	return first != 0 && current->id >= first && current->mine &&
		DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0)) > 1;
}

static void
decide(LrFrame *frame, LrBinding *b, const LrFacts *old, const LrFacts *new,
	   const LrCurrent *current, const LrAgain *again, bool waits,
	   const char *detail, LrDecision *decision)
{
	LrDecideRequest request = {0};
	/* nothing that another router has decided holds here */
	bool		same_router = current == NULL ||
		current->router == b->router->id;
	LrMember   *former = old->owner != NULL && same_router ?
		lr_binding_member(frame->table, b, old->owner) : NULL;
	int			slot = LR_NO_SLOT;
	int			load = 0;

	request.table = frame->table;
	request.binding = b;
	request.row = new->row;
	request.key = new->key;
	request.load = new->load;
	request.now = lr_now();
	request.stored = true;
	/* the decision outlives the row that it is of */
	request.detail = detail == NULL ? NULL : pstrdup(detail);
	request.former_kind = current != NULL ? current->kind : '\0';
	request.status_set = again->status_set;
	request.released = same_router && current != NULL && current->released;
	request.held_id = same_router && current != NULL &&
		current->kind == LR_KIND_HELD && !current->waits ? current->id : 0;
	if (waits)
	{
		lr_wait(&request, decision);
		return;
	}
	if (again->released)
		request.without = former != NULL ? former->id : 0;
	else if (current != NULL && lr_has_load(current) && !current->closed)
	{
		/* the place that the lead has itself is free for it */
		slot = lr_member_slot(lr_database(), current->member);
		load = lr_assignment_load(current->id, current->load);
		lr_reserve_load(slot, -load);
	}
	lr_decide(&request, decision);
	lr_reserve_load(slot, load);
}

static void
give_up(LrDecision *decision)
{
	lr_sticky_dropped(decision);
	lr_reserve_return(&decision->reservation);
}

/* What had happened before is not to the credit of the new owner. */
static void
note_when(const LrFacts *old, const LrFacts *new, TimestampTz *when)
{
	int			i;

	for (i = 0; i < LR_WHENS; i++)
		when[i] = i == LR_CLOSED || old->when[i] != new->when[i] ?
			new->when[i] : LR_NOT_YET;
}

/*
 * Whether a lead without owner belongs to a router that has not decided it: it was
 * another one's, or of none.  A lead that the journal does not know was decided by
 * nobody while routing was off, if its router was there already.
 */
static bool
comes_to_router(const LrBinding *b, const LrFacts *old, const LrFacts *new,
				const LrCurrent *current)
{
	LrRouter   *former;

	if (old->owner != NULL || new->owner != NULL)
		return false;
	if (current != NULL)
		return current->router != b->router->id;
	former = old->router != NULL ? lr_router_pin(old->router) : NULL;
	if (former != NULL)
		lr_router_unpin(former);
	return former == NULL;
}

/*
 * Whether there is nothing to decide about a lead.  current: what the journal
 * says of it; NULL: nothing.  *waits: it was to be ready first, and still is, by
 * another router.
 */
static bool
stays(LrTable *table, const LrBinding *b, const LrFacts *old,
	  const LrFacts *new, const LrCurrent *current, const LrAgain *again,
	  bool *waits, char **detail)
{
	bool		comes = comes_to_router(b, old, new, current);

	if (current == NULL)
	{
		/* else it is decided at the end of the transaction */
		if (table->decide_at == LR_AT_COMMIT || (again->changed && !comes))
			return true;
		if (!comes)
			return false;
	}
	else if (!current->waits)
	{
		if (comes)
		{
			if (*detail == NULL)
				*detail = "came from another router";
			return false;
		}
		/* neither kind can go round: once it is decided it is of that kind no more */
		if (lr_kept_back(current->kind))
			return again->changed && b->router->qualification == NULL;
		return again->changed || is_loop(current);
	}
	*detail = NULL;
	*waits = !again->released && table->ready != NULL &&
		!lr_is_ready(table, new->row, detail);
	return *waits && !comes;
}

bool
lr_redecide(LrFrame *frame, const LrUpdatedRow *row, const LrAgain *again,
			LrRedecision *result)
{
	LrTable    *table = frame->table;
	MemoryContext caller;
	struct LrRedecided *r;
	LrCurrent	current;
	LrFacts		old;
	LrFacts		new;
	LrBinding  *b;
	bool		known;
	bool		waits = false;
	char	   *detail = again->detail;
	int64		released_id = 0;

	lr_redecided_settle(frame);
	if (frame->redecided_context == NULL)
		frame->redecided_context = AllocSetContextCreate(frame->context,
														 "leadroute decided anew",
														 ALLOCSET_SMALL_SIZES);
	MemoryContextReset(frame->redecided_context);
	caller = MemoryContextSwitchTo(frame->redecided_context);
	r = (struct LrRedecided *) palloc0(sizeof(struct LrRedecided));
	lr_facts(table, row->old, &old);
	lr_facts(table, row->new, &new);
	lr_facts_told(table, row->new, &new);
	b = new.router != NULL ? lr_frame_bind(frame, new.router) : NULL;
	known = b != NULL && lr_journal_current(table->id, old.key, &current);
	if (known)
	{
		lr_facts_closed(table, &old, &current);
		lr_facts_closed(table, &new, &current);
	}
	if (b == NULL || !b->router->enabled || new.closed ||
		stays(table, b, &old, &new, known ? &current : NULL, again, &waits,
			  &detail))
	{
		MemoryContextSwitchTo(caller);
		return false;
	}
	/* ids rise: the one before the decision's */
	if (again->released && known && lr_had_owner(&current))
		released_id = lr_reserve_id();
	result->sets_owner = false;
	decide(frame, b, &old, &new, known ? &current : NULL, again, waits, detail,
		   &r->decision);
	if (r->decision.member == NULL ?
		!again->released && row->must_have_owner :
		known && released_id == 0 &&
		current.member == r->decision.member->id)
		give_up(&r->decision);
	else
	{
		r->leaf = row->leaf->relid;
		r->tid = *row->tid;
		r->old_key = old.key;
		r->owner = r->decision.member == NULL ? NULL :
			b->owner_text[r->decision.member->index];
		r->last_word = row->last_word;
		r->released_id = released_id;
		note_when(&old, &new, r->when);
		r->decision.entry.when = r->when;
		r->decision.entry.told = new.told;
		frame->redecided = r;
		result->sets_owner = r->decision.member != NULL || old.owner != NULL;
	}
	MemoryContextSwitchTo(caller);
	result->decision = &r->decision;
	result->context = frame->redecided_context;
	if (!result->sets_owner)
		return true;
	result->isnull = r->decision.member == NULL && table->nobody_isnull;
	result->owner = r->decision.member != NULL ?
		lr_binding_owner(table, b, r->decision.member) :
		result->isnull ? (Datum) 0 : lr_owner_datum(table, table->nobody);
	return true;
}

/* ---------- the journal follows ---------- */

/* Whether these are the owner and the key that were decided. */
static bool
is_as_decided(const struct LrRedecided *r, const char *owner, const char *key)
{
	return (owner == NULL) == (r->owner == NULL) &&
		(owner == NULL || strcmp(owner, r->owner) == 0) &&
		strcmp(key, r->decision.entry.lead_key) == 0;
}

/*
 * Whether the UPDATE has replaced the version that it was to replace by one as it
 * was decided.  Whose row has left the partition, and not arrived anywhere, is gone.
 */
static bool
is_stored(LrTable *table, const struct LrRedecided *r)
{
	Relation	rel;
	TupleTableSlot *slot;
	TableScanDesc scan;
	ItemPointerData tid = r->tid;
	bool		stored;

	if (r->arrived)
		return r->as_decided;
	if (!lr_version_is_gone(r->leaf, &tid))
		return false;
	rel = table_open(r->leaf, NoLock);
	slot = table_slot_create(rel, NULL);
	scan = table_beginscan_tid(rel, SnapshotSelf);
	table_tuple_get_latest_tid(scan, &tid);
	table_endscan(scan);
	stored = table_tuple_fetch_row_version(rel, &tid, SnapshotSelf, slot);
	if (stored && !r->last_word)
	{
		TupleTableSlot *row = lr_table_root_row(table,
												lr_table_leaf(table, rel), slot);

		stored = is_as_decided(r, lr_table_owner(table, row),
							   lr_table_key(table, row));
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return stored;
}

void
lr_note_released(const LrEntry *d, int64 id, LrCurrent *current)
{
	LrEntry		e = {0};

	(void) lr_outcome_end(d->routed_table, d->lead_key, current,
						  LR_EVENT_RELEASED, true, d->at);
	e.id = id;
	e.at = d->at;
	e.router = d->router;
	e.routed_table = d->routed_table;
	e.lead_key = d->lead_key;
	e.kind = LR_KIND_RELEASED;
	e.team = -1;
	e.hop = current->hop + lr_had_owner(current);
	e.previous_id = current->id;
	e.told = d->told;
	e.is_test = current->is_test;
	lr_told_on(&e, current);
	lr_journal_add(&e);
}

static void
write_down(struct LrRedecided *r)
{
	LrEntry    *e = &r->decision.entry;
	LrCurrent	current;

	if (strcmp(r->old_key, e->lead_key) != 0 &&
		lr_journal_current(e->routed_table, r->old_key, &current))
	{
		lr_journal_rekey(e->routed_table, r->old_key, &current, e->lead_key);
		lr_journal_flush();
	}
	if (r->released_id != 0 &&
		lr_journal_current(e->routed_table, e->lead_key, &current))
		lr_note_released(e, r->released_id, &current);
	if (lr_outcome_decided(e))
		lr_sticky_stored(&r->decision);
	else
		lr_sticky_dropped(&r->decision);
}

void
lr_redecided_settle(LrFrame *frame)
{
	struct LrRedecided *r = frame->redecided;
	MemoryContext caller;

	if (r == NULL)
		return;
	frame->redecided = NULL;
	caller = MemoryContextSwitchTo(frame->redecided_context);
	if (is_stored(frame->table, r))
		write_down(r);
	else
		give_up(&r->decision);
	MemoryContextSwitchTo(caller);
}

void
lr_redecided_drop(LrFrame *frame)
{
	struct LrRedecided *r = frame->redecided;

	frame->redecided = NULL;
	if (r != NULL)
		give_up(&r->decision);
}

bool
lr_redecided_may_arrive(LrFrame *frame)
{
	struct LrRedecided *r = frame->redecided;
	LrUpdate   *update = &frame->update;

	return r != NULL && update->leaf == r->leaf &&
		ItemPointerEquals(&update->tid, &r->tid);
}

void
lr_redecided_arrived(LrFrame *frame, const LrFacts *stored)
{
	struct LrRedecided *r = frame->redecided;

	if (r == NULL)
		return;
	r->arrived = true;
	r->as_decided = is_as_decided(r, stored->owner, stored->key);
}
