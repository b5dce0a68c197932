/*
 * postpone.c
 *	  Leads that are not decided in their INSERT.  See postpone.h.
 *
 * Until it commits, the row of a new lead is this transaction's own: nobody else
 * can lock or change it, and its last version is found from the first one.  A row
 * that has moved to another partition has an event of its own there.
 *
 * The owner is written as route writes it, by an UPDATE with the rights of the
 * table's owner: checks, foreign keys and triggers of the app see it.  Row by row,
 * so that memory does not depend on how many there are.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/acting.h"
#include "decide/sticky.h"
#include "journal/journal.h"
#include "lead/lead.h"
#include "lead/postpone.h"
#include "lead/ready.h"
#include "lead/stored.h"
#include "roster/reserve.h"

/* It is held for that reason. */
static void
hold_back(const LrDecideRequest *request, const char *reason,
		  LrDecision *decision)
{
	LrEntry    *e = &decision->entry;

	lr_decision_begin(request, decision);
	e->kind = LR_KIND_HELD;
	e->reason = reason;
	/* nobody has been looked for: it stands in no line, and is due at once */
	e->held.way = 0;
	e->held.again = true;
	decision->reservation.member_slot = LR_NO_SLOT;
	e->id = decision->reservation.id = lr_reserve_id();
}

void
lr_wait(const LrDecideRequest *request, LrDecision *decision)
{
	hold_back(request, LR_NOT_READY, decision);
	decision->entry.held.waits = true;
	decision->entry.held.until = lr_waits_until(request->table, request->now);
}

/* The same, unless it is ready. */
static bool
waits(LrDecideRequest *request, LrDecision *decision)
{
	if (lr_is_ready(request->table, request->row, &request->detail))
		return false;
	lr_wait(request, decision);
	return true;
}

bool
lr_postpone(LrDecideRequest *request, LrDecision *decision)
{
	if (request->table->ready != NULL && waits(request, decision))
		return true;
	if (request->table->decide_at != LR_AT_WORKER)
		return false;
	hold_back(request, "decide_at", decision);
	return true;
}

/* The last version of a row that this transaction has inserted; false: gone. */
static bool
fetch_last(Relation rel, ItemPointer inserted, TupleTableSlot *slot)
{
	ItemPointerData tid = *inserted;
	TableScanDesc scan = table_beginscan_tid(rel, SnapshotSelf);

	table_tuple_get_latest_tid(scan, &tid);
	table_endscan(scan);
	return table_tuple_fetch_row_version(rel, &tid, SnapshotSelf, slot);
}

/* Decides a lead of which the journal says nothing, as route does. */
static void
decide(LrTable *table, LrBinding *b, LrFacts *facts)
{
	LrDecideRequest request;
	LrDecision	decision;
	LrRights	rights;

	lr_settle_prepared(lr_database());
	lr_stored_request(table, b, facts, NULL, &request);
	if (table->ready != NULL && waits(&request, &decision))
	{
		decision.entry.closed = facts->closed;
		decision.entry.told = facts->told;
	}
	else
		lr_stored_decide(table, b, facts, false, NULL, request.detail,
						 &decision);
	decision.entry.when = facts->when;
	lr_act_as(GetUserId());
	lr_lead_become(table, false, &rights);
	SPI_connect();
	lr_stored_write(table, b, facts, true, &decision);
	SPI_finish();
	lr_resign(&rights);
	lr_act_end();
	(void) lr_stored_settle(&decision.entry, false);
	lr_journal_flush();
	lr_sticky_stored(&decision);
}

void
lr_decide_at_commit(TriggerData *td, const char *name)
{
	Relation	rel = td->tg_relation;
	TupleTableSlot *slot;
	LrTable    *table;
	LrBinding  *b;
	LrCurrent	current;
	LrFacts		facts;

	lr_config_accept();
	table = lr_table_pin_sound(name);
	if (table == NULL)
		return;
	slot = table_slot_create(rel, NULL);
	if (fetch_last(rel, &td->tg_trigtuple->t_self, slot))
	{
		TupleTableSlot *row = lr_table_root_row(table,
												lr_table_leaf(table, rel), slot);

		lr_stored_facts(table, row, false, &facts);
		b = facts.owner == NULL && facts.router != NULL ?
			lr_table_bind(table, facts.router) : NULL;
		if (b != NULL)
		{
			if (b->router->enabled &&
				!lr_journal_current(table->id, facts.key, &current))
				decide(table, b, &facts);
			lr_binding_unpin(b);
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	lr_table_unpin(table);
}
