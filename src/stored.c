/*
 * stored.c
 *	  Deciding a lead that is stored already.  See stored.h.
 */
#include "postgres.h"

#include "journal.h"
#include "leadroute.h"
#include "stored.h"

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
lr_stored_decide(LrTable *table, LrBinding *b, const LrFacts *facts,
				 bool known, LrDecision *decision)
{
	LrDecideRequest request = {0};
	LrCurrent	current;

	request.table = table;
	request.binding = b;
	request.row = facts->row;
	request.key = facts->key;
	request.load = facts->closed ? 0 : facts->load;
	request.now = lr_now();
	request.stored = known;
	if (known && lr_journal_current(table->id, facts->key, &current) &&
		current.kind == LR_KIND_HELD)
	{
		request.held_id = current.id;
		request.without = lr_journal_given_up_by(table->id, facts->key,
												 &current);
	}
	lr_decide(&request, decision);
	decision->entry.closed = facts->closed;
	decision->entry.told = facts->told;
}

bool
lr_stored_settle(LrEntry *e, bool known)
{
	if (known)
		return lr_outcome_decided(e);
	lr_journal_add(e);
	return true;
}
