/*
 * recheck.c
 *	  Leads that are not qualified, judged again when they change.  See
 *	  recheck.h.
 *
 * Invariants
 * - A decision that is kept belongs to the nest level at which it was made: its
 *	 reservation goes with that level, and it is confirmed or returned there.
 * - The table and the binding that it was made with are pinned until then.
 * - Of several for one lead (an AFTER trigger of the application updates it
 *	 again before ours has run) the last one counts: what it has replaced does
 *	 not find its former decision in the journal any more.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "binding.h"
#include "cap_count.h"
#include "frame.h"
#include "journal.h"
#include "mapped.h"
#include "passed.h"
#include "qualify.h"
#include "recheck.h"
#include "reserve.h"
#include "sticky.h"

/* What decisions about leads of one table and router share. */
typedef struct Basis
{
	LrTable    *table;			/* both pinned */
	LrBinding  *binding;
	int			nest;
	int			n;				/* decisions that use it */
} Basis;

typedef struct LrRecheck
{
	struct LrRecheck *next;
	struct LrRecheck *previous;
	int			nest;
	const void *statement;		/* NULL: not known, or it leaves AFTER triggers to
								 * another one */
	Basis	   *basis;
	char	   *key;			/* as the row has it then */
	char	   *owner;			/* NULL: nobody */
	int64		former;			/* decision that it takes the place of */
	LrDecision	decision;		/* what the journal and a return need of it */
} LrRecheck;

static LrRecheck *first = NULL; /* in the order of the rows */
static LrRecheck *last = NULL;
static MemoryContext kept = NULL;	/* of all of them; NULL: there are none */

/* ---------- the list ---------- */

bool
lr_rechecks_wait(void)
{
	return first != NULL;
}

static void
take_out(LrRecheck *r)
{
	if (r->previous != NULL)
		r->previous->next = r->next;
	else
		first = r->next;
	if (r->next != NULL)
		r->next->previous = r->previous;
	else
		last = r->previous;
	r->basis->n--;
}

/* One that is taken out is not needed any more. */
static void
forget(LrRecheck *r)
{
	Basis	   *basis = r->basis;

	if (basis->n == 0)
	{
		lr_binding_unpin(basis->binding);
		lr_table_unpin(basis->table);
	}
	if (first == NULL)
	{
		MemoryContextDelete(kept);
		kept = NULL;
	}
}

/* Its row was not stored. */
static void
drop(LrRecheck *r)
{
	take_out(r);
	lr_sticky_dropped(&r->decision);
	lr_reserve_return(&r->decision.reservation);
	forget(r);
}

void
lr_rechecks_end(const void *statement)
{
	int			nest = GetCurrentTransactionNestLevel();
	LrRecheck  *r = last;

	while (r != NULL)
	{
		LrRecheck  *previous = r->previous;

		if (r->nest == nest && (statement == NULL || r->statement == statement))
			drop(r);
		r = first == NULL ? NULL : previous;
	}
}

void
lr_rechecks_abort(int nest)
{
	while (last != NULL && last->nest >= nest)
	{
		/* the level's pins go with it */
		last = last->previous;
	}
	if (last != NULL)
		last->next = NULL;
	else
		first = NULL;
	if (nest == 0)
		kept = NULL;			/* it goes with the transaction's memory */
}

void
lr_rechecks_commit_sub(int nest)
{
	LrRecheck  *r;

	for (r = last; r != NULL && r->nest >= nest; r = r->previous)
		r->nest = r->basis->nest = nest - 1;
}

/* The last one for a lead, at this level; NULL: none. */
static LrRecheck *
find(LrTable *table, const char *key)
{
	int			nest = GetCurrentTransactionNestLevel();
	LrRecheck  *found = NULL;
	LrRecheck  *r;

	/* mostly the first: AFTER triggers come in the order of the rows */
	for (r = first; r != NULL; r = r->next)
	{
		if (r->nest != nest || r->basis->table->id != table->id ||
			strcmp(r->key, key) != 0)
			continue;
		found = r;
		if (r == first && (r->next == NULL || r->next->statement == r->statement))
			break;				/* a statement updates a row once */
	}
	return found;
}

/* ---------- keeping a decision ---------- */

static void *
copy_of(const void *from, Size size)
{
	return from == NULL ? NULL : memcpy(palloc(Max(size, 1)), from, size);
}

static char *
text_copy(const char *text)
{
	return text == NULL ? NULL : pstrdup(text);
}

/* A copy that depends on nothing of the statement. */
static void
copy_decision(LrDecision *to, const LrDecision *from)
{
	LrEntry    *e = &to->entry;
	LrReservation *r = &to->reservation;

	*to = *from;
	e->lead_key = text_copy(e->lead_key);
	e->detail = text_copy(e->detail);
	e->candidates = (uint8 *) copy_of(e->candidates, e->candidate_bytes);
	e->accruing = (uint8 *) copy_of(e->accruing, e->candidate_bytes);
	e->passed_over = (int64 *) copy_of(e->passed_over,
									   e->npassed * LR_PASSED_NUMBERS * sizeof(int64));
	e->when = NULL;
	e->told = NULL;
	r->caps = (LrCapTaken *) copy_of(r->caps, r->ncaps * sizeof(LrCapTaken));
	e->caps = r->caps;
	if (r->team != NULL)
	{
		r->candidates = (uint8 *) copy_of(r->candidates, LR_BITS_SIZE(r->team->n));
		r->accruing = (uint8 *) copy_of(r->accruing, LR_BITS_SIZE(r->team->n));
	}
	to->sticky = lr_sticky_copy(from->sticky);
	to->verdict = NULL;
	to->caps = NULL;
	to->trials = NIL;
}

/* The basis of the table and its binding to a router, pinned for one more. */
static Basis *
basis_of(LrTable *table, LrBinding *b)
{
	int			nest = GetCurrentTransactionNestLevel();
	Basis	   *basis;

	if (last != NULL && last->nest == nest && last->basis->table == table &&
		last->basis->binding == b)
		basis = last->basis;
	else
	{
		basis = (Basis *) palloc(sizeof(Basis));
		basis->table = lr_table_pin(table->name);
		basis->binding = lr_table_bind(basis->table, b->router->name);
		basis->nest = nest;
		basis->n = 0;
		/* the frame has them pinned, so they are the same */
		Assert(basis->table == table && basis->binding == b);
	}
	basis->n++;
	return basis;
}

static void
keep(LrTable *table, LrBinding *b, const char *key, int64 former,
	 const LrDecision *d)
{
	MemoryContext old;
	LrRecheck  *r;

	if (kept == NULL)
		kept = AllocSetContextCreate(TopTransactionContext,
									 "leadroute decisions of an UPDATE",
									 ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(kept);
	r = (LrRecheck *) palloc0(sizeof(LrRecheck));
	r->nest = GetCurrentTransactionNestLevel();
	r->statement = lr_frame_statement();
	r->basis = basis_of(table, b);
	r->key = pstrdup(key);
	r->owner = d->member == NULL ? NULL :
		pstrdup(b->owner_text[d->member->index]);
	r->former = former;
	copy_decision(&r->decision, d);
	r->previous = last;
	if (last != NULL)
		last->next = r;
	else
		first = r;
	last = r;
	MemoryContextSwitchTo(old);
}

/* ---------- BEFORE ROW ---------- */

/* Whether a row of a leaf has no owner; cheap where NULL means it. */
static bool
is_nobodys(LrTable *table, LrLeaf *leaf, TupleTableSlot *row)
{
	if (table->nobody_isnull)
		return slot_attisnull(row, leaf->owner);
	return lr_table_owner(table, lr_table_root_row(table, leaf, row)) == NULL;
}

/* Whether an UPDATE changes anything. */
static bool
changes_anything(TupleDesc desc, TupleTableSlot *old, TupleTableSlot *new)
{
	int			i;

	for (i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped &&
			TupleDescAttr(desc, i)->attgenerated == '\0' &&
			lr_column_differs(desc, i + 1, old, new))
			return true;
	return false;
}

/* Whether leads of the router are judged. */
static bool
judges(const char *name)
{
	LrRouter   *router = name == NULL ? NULL : lr_router_pin(name);
	bool		judges;

	if (router == NULL)
		return false;
	judges = router->qualification != NULL && router->enabled;
	lr_router_unpin(router);
	return judges;
}

/* Owner, status and score of a decision, in the row. */
static HeapTuple
with_decision(TriggerData *td, LrTable *table, LrLeaf *leaf, LrBinding *b,
			  HeapTuple row, LrDecision *d, MemoryContext scratch)
{
	static const LrMapped nothing = {0};
	Datum		owner = (Datum) 0;

	if (d->member != NULL)
		owner = lr_binding_owner(table, b, d->member);
	return lr_mapped_row(table, leaf, td->tg_relation, row,
						 table->mapping != NULL ? &d->verdict->mapped : &nothing,
						 d->member != NULL ? &owner : NULL, d, scratch);
}

/* Decides a lead that is kept back; in a context that is reset afterwards. */
static HeapTuple
decide_again(TriggerData *td, LrFrame *frame, LrLeaf *leaf,
			 const LrFacts *old, const LrFacts *new, HeapTuple row,
			 MemoryContext caller)
{
	LrTable    *table = frame->table;
	LrDecideRequest request = {0};
	LrRecheck  *waiting;
	LrDecision	decision;
	LrCurrent	current;
	LrBinding  *b;

	if (!lr_journal_current(table->id, old->key, &current) ||
		!lr_kept_back(current.kind) ||
		(current.closed && !lr_table_says(table, LR_CLOSED)))
		return row;
	b = lr_frame_bind(frame, new->router);
	if (b == NULL || b->router->qualification == NULL)
		return row;
	request.table = table;
	request.binding = b;
	request.row = new->row;
	request.key = new->key;
	request.load = new->load;
	request.now = lr_now();
	request.stored = true;
	/* what is kept for the lead has written its status already */
	waiting = find(table, old->key);
	request.former_kind = waiting != NULL ? waiting->decision.entry.kind :
		current.kind;
	request.status_set = table->mapping != NULL &&
		table->mapping->status.attno != 0 &&
		lr_column_differs(table->desc, table->mapping->status.attno,
						  old->row, new->row) &&
		!slot_attisnull(new->row, table->mapping->status.attno);
	lr_decide(&request, &decision);
	MemoryContextSwitchTo(caller);
	row = with_decision(td, table, leaf, b, row, &decision,
						GetMemoryChunkContext(new->key));
	if (decision.member != NULL || !lr_says_so(&current, &decision.entry))
		keep(table, b, new->key, current.id, &decision);
	else
		lr_sticky_dropped(&decision);
	return row;
}

static HeapTuple
recheck(TriggerData *td, LrTable *table, LrLeaf *leaf, const char *name,
		TupleTableSlot *slot, HeapTuple row, MemoryContext caller)
{
	LrFrame    *frame;
	LrFacts		old;
	LrFacts		new;

	lr_facts(table, lr_table_root_row(table, leaf, td->tg_trigslot), &old);
	lr_facts(table, lr_table_root_row(table, leaf, slot), &new);
	/* to another router it goes as it is; who has closed it wants nobody for it */
	if (new.closed || new.router == NULL || old.router == NULL ||
		strcmp(old.router, new.router) != 0 || !judges(new.router))
		return row;
	frame = lr_frame_get(name);
	if (frame->table == table)
		return decide_again(td, frame, leaf, &old, &new, row, caller);
	/* it has been read anew since */
	return frame->table == NULL ? row :
		recheck(td, frame->table, lr_table_leaf(frame->table, td->tg_relation),
				name, slot, row, caller);
}

HeapTuple
lr_recheck(TriggerData *td, LrTable *table, LrLeaf *leaf, const char *name,
		   HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(td->tg_relation);
	TupleTableSlot *slot = td->tg_newslot;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch;

	if (!is_nobodys(table, leaf, td->tg_trigslot))
		return row;
	scratch = AllocSetContextCreate(caller, "leadroute lead",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(scratch);
	if (row != td->tg_newtuple)
	{
		slot = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);
		ExecStoreHeapTuple(row, slot, false);
	}
	if (is_nobodys(table, leaf, slot) &&
		changes_anything(desc, td->tg_trigslot, slot))
		row = recheck(td, table, leaf, name, slot, row, caller);
	MemoryContextSwitchTo(caller);
	if (slot != td->tg_newslot)
		ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(scratch);
	return row;
}

/* ---------- AFTER ROW ---------- */

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

LrRecheck *
lr_recheck_stored(LrTable *table, const LrFacts *old, LrFacts *new)
{
	LrRecheck  *r;
	LrCurrent	current;

	if (first == NULL || old->owner != NULL)
		return NULL;
	r = find(table, new->key);
	if (r == NULL)
		return NULL;
	/* a trigger that ran later may have set another owner: that is by hand */
	if (!same_text(r->owner, new->owner) ||
		!lr_journal_current(table->id, old->key, &current) ||
		current.id != r->former)
	{
		drop(r);
		return NULL;
	}
	new->owner = NULL;
	return r;
}

void
lr_recheck_confirm(LrRecheck *r, LrTable *table, const LrFacts *new)
{
	LrEntry    *e = &r->decision.entry;
	LrCurrent	current;

	if (!lr_journal_current(table->id, new->key, &current))
		elog(ERROR, "lead %s of \"%s\" has left the journal", new->key,
			 table->name);
	lr_journal_end(table->id, new->key, &current, e->at);
	e->lead_key = new->key;
	e->hop = current.hop;
	e->previous_id = current.id;
	e->closed = new->closed;
	e->when = new->when;
	e->told = new->told;
	lr_told_on(e, &current);
	lr_journal_add(e);
	lr_journal_flush();
	lr_sticky_stored(&r->decision);
	take_out(r);
	forget(r);
}
