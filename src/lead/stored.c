/*
 * stored.c
 *	  Deciding a lead that is stored already.  See stored.h.
 */
#include "postgres.h"

#include "base/clock.h"
#include "decide/qualify.h"
#include "journal/journal.h"
#include "lead/lead.h"
#include "lead/mapped.h"
#include "lead/stored.h"
#include "leadroute.h"

void
lr_stored_facts(LrTable *table, TupleTableSlot *row, bool known,
				LrFacts *facts)
{
	LrCurrent	current;

	lr_facts_told(table, row, facts);
	if (known && !lr_table_says(table, LR_CLOSED) &&
		lr_journal_current(table->id, facts->key, &current))
		lr_facts_closed(table, facts, &current);
}

void
lr_stored_request(LrTable *table, LrBinding *b, const LrFacts *facts,
				  char *detail, LrDecideRequest *request)
{
	memset(request, 0, sizeof(*request));
	request->table = table;
	request->binding = b;
	request->row = facts->row;
	request->key = facts->key;
	request->load = facts->closed ? 0 : facts->load;
	request->now = lr_now();
	request->detail = detail;
}

void
lr_stored_decide_without(LrTable *table, LrBinding *b, const LrFacts *facts,
						 const LrMember *without, char *detail,
						 LrDecision *decision)
{
	LrDecideRequest request;

	lr_stored_request(table, b, facts, detail, &request);
	request.stored = true;
	request.without = without->id;
	request.qualified = true;
	lr_decide(&request, decision);
	decision->entry.closed = facts->closed;
	decision->entry.told = facts->told;
}

void
lr_stored_decide(LrTable *table, LrBinding *b, const LrFacts *facts,
				 bool known, const char *released, char *detail,
				 LrDecision *decision)
{
	LrDecideRequest request;
	LrCurrent	current;

	lr_stored_request(table, b, facts, detail, &request);
	request.stored = known;
	known = known && lr_journal_current(table->id, facts->key, &current);
	if (known)
	{
		request.former_kind = current.kind;
		request.released = current.released && current.router == b->router->id;
	}
	if (released != NULL)
	{
		request.released = true;
		request.detail = psprintf("released: %s", released);
	}
	/* one that waits to be ready comes after all that are held */
	if (known && lr_waits(current.kind) && !current.waits)
	{
		request.held_id = current.kind == LR_KIND_HELD &&
			current.router == b->router->id ? current.id : 0;
		request.without = lr_journal_given_up_by(table->id, facts->key,
												 &current);
	}
	lr_decide(&request, decision);
	decision->entry.closed = facts->closed;
	decision->entry.told = facts->told;
}

void
lr_stored_write(LrTable *table, LrBinding *b, const LrFacts *facts,
				bool with_owner, LrDecision *d)
{
	bool		judged = d->verdict != NULL && table->mapping != NULL;
	Datum		owner = (Datum) 0;
	LrMapped	mapped;

	with_owner = with_owner && d->member != NULL;
	if (with_owner)
		owner = lr_binding_owner(table, b, d->member);
	if (judged)
	{
		mapped = d->verdict->mapped;
		lr_mapped_stored(table, facts->row, with_owner ? &owner : NULL, &mapped,
						 d);
	}
	lr_lead_update(table, facts->key, with_owner ? &owner : NULL,
				   judged ? &mapped : NULL);
}

bool
lr_stored_settle(LrEntry *e, bool known)
{
	if (known)
		return lr_outcome_decided(e);
	lr_journal_add(e);
	return true;
}
