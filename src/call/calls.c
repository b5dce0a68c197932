/*
 * calls.c
 *	  route, release, adopt, release_table: decisions about stored leads.
 *
 * Order, always: lock the lead's row, decide and reserve, update the lead,
 * write the journal.  The row lock serialises everybody who touches a lead.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/acting.h"
#include "base/clock.h"
#include "base/guc.h"
#include "base/owner_rights.h"
#include "base/scan.h"
#include "call/by_hand.h"
#include "call/calls.h"
#include "config/permitted.h"
#include "decide/decide.h"
#include "decide/sticky.h"
#include "journal/journal.h"
#include "lead/adopt.h"
#include "lead/lead.h"
#include "lead/outcome.h"
#include "lead/ready.h"
#include "lead/stored.h"
#include "lead/visible.h"
#include "leadroute.h"

PG_FUNCTION_INFO_V1(lr_route);
PG_FUNCTION_INFO_V1(lr_release);
PG_FUNCTION_INFO_V1(lr_adopt);
PG_FUNCTION_INFO_V1(lr_adopted);
PG_FUNCTION_INFO_V1(lr_adopt_key);
PG_FUNCTION_INFO_V1(lr_release_table);

static int64 adopted_by_attach = 0; /* since lr_adopted was last called */

void
lr_no_such_lead(LrTable *table, const char *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("lead table \"%s\" has no lead %s", table->name, key)));
}

/* Error unless the lead is quarantined. */
static void
require_quarantine(LrTable *table, const char *key)
{
	LrCurrent	current;

	if (lr_journal_current(table->id, key, &current) &&
		current.kind == LR_KIND_QUARANTINED)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("lead %s of \"%s\" is not quarantined", key, table->name),
			 errhint("leadroute.why tells what was decided about it; leadroute.route decides a lead without owner anew.")));
}

/*
 * Whether there is no reason to decide a lead as one that has waited to be
 * ready; puts right when the worker looks at it again.  *detail: why it is
 * decided, if it is not ready.
 */
static bool
goes_on_waiting(LrTable *table, const LrFacts *facts, char **detail)
{
	LrCurrent	current;
	TimestampTz until;

	if (facts->owner != NULL ||
		!lr_journal_current(table->id, facts->key, &current) || !current.waits)
		return true;
	if (table->ready == NULL || lr_is_ready(table, facts->row, detail))
		return false;
	until = lr_waits_until(table, current.at);
	if (until > lr_now())
	{
		lr_journal_wait_until(table->id, facts->key, current.id, until);
		return true;
	}
	*detail = psprintf("was not ready within %s",
					   lr_ready_within_words(table));
	return false;
}

/*
 * Whether the lead, which is locked now, is not held any more: since the worker
 * has listed it, it has been closed, quarantined or given to somebody.
 */
static bool
held_no_more(LrTable *table, const LrFacts *facts)
{
	LrCurrent	current;

	return facts->closed ||
		!lr_journal_current(table->id, facts->key, &current) ||
		current.kind != LR_KIND_HELD || current.waits;
}

/* Why a stored lead is decided. */
typedef enum
{
	ASKED,						/* somebody wants it */
	HELD,						/* the worker has found it to be held */
	WAITING						/* or to wait until it is ready */
} Occasion;

/*
 * Decides a stored lead without owner; returns the owner's name or NULL.
 * released: it must be quarantined, and that ends for this reason; NULL: not.
 * What the worker has found must still be so.
 */
static char *
route_lead(LrTable *table, const char *key, const char *released,
		   Occasion occasion)
{
	TupleTableSlot *row = lr_lead_fetch(table, key, true);
	LrDecision	decision;
	LrFacts		facts;
	LrBinding  *b;
	char	   *name = NULL;
	char	   *detail = NULL;

	if (row == NULL)
		lr_no_such_lead(table, key);
	lr_stored_facts(table, row, true, &facts);
	if (occasion == HELD && held_no_more(table, &facts))
		return NULL;
	if (occasion == WAITING && goes_on_waiting(table, &facts, &detail))
		return NULL;
	if (released != NULL)
		require_quarantine(table, facts.key);
	b = facts.router != NULL ? lr_table_bind(table, facts.router) : NULL;
	if (b == NULL)
		return NULL;
	if (facts.owner != NULL)
	{
		LrMember   *m = lr_binding_member(table, b, facts.owner);

		name = m != NULL ? m->name : facts.owner;
	}
	else if (b->router->enabled)
	{
		lr_stored_decide(table, b, &facts, true, released, detail, &decision);
		lr_stored_write(table, b, &facts, true, &decision);
		if (lr_outcome_decided(&decision.entry))
			lr_sticky_stored(&decision);
		else
			lr_sticky_dropped(&decision);
		name = decision.member != NULL ? decision.member->name : NULL;
	}
	lr_binding_unpin(b);
	return name;
}

LrTable *
lr_begin_for_worker(const char *name, LOCKMODE lockmode)
{
	LrTable    *table = lr_table_lock(name, lockmode);

	lr_act_as(GetUserId());
	lr_become_until_end(table->relowner, table->search_path);
	SPI_connect();
	return table;
}

void
lr_end_for_worker(LrTable *table)
{
	SPI_finish();
	lr_table_unpin(table);
}

static void
route_for_worker(const char *name, const char *key, Occasion occasion)
{
	LrTable    *table = lr_begin_for_worker(name, RowExclusiveLock);

	lr_settle_prepared(lr_database());
	(void) route_lead(table, key, NULL, occasion);
	lr_end_for_worker(table);
}

void
lr_route_held(const char *name, const char *key)
{
	route_for_worker(name, key, HELD);
}

void
lr_route_waiting(const char *name, const char *key)
{
	route_for_worker(name, key, WAITING);
}

/* released: see route_lead. */
static Datum
route(FunctionCallInfo fcinfo, const char *released)
{
	LrTable    *table;
	LrRights	rights;
	char	   *key;
	char	   *name;
	text	   *result = NULL;
	MemoryContext caller = CurrentMemoryContext;

	lr_require_preload();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	table = lr_table_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)),
						  RowExclusiveLock);
	key = lr_key_argument(fcinfo, 1);
	lr_act_as(GetUserId());
	SPI_connect();
	if (lr_leads_hidden(table) && !lr_manages_members(GetUserId()))
		lr_require_visible(table, key, "decided for");
	lr_lead_become(table, false, &rights);
	lr_settle_prepared(lr_database());
	name = route_lead(table, key, released, ASKED);
	if (name != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);

		result = cstring_to_text(name);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	lr_resign(&rights);
	lr_act_end();
	lr_table_unpin(table);
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}

Datum
lr_route(PG_FUNCTION_ARGS)
{
	return route(fcinfo, NULL);
}

Datum
lr_release(PG_FUNCTION_ARGS)
{
	return route(fcinfo, PG_ARGISNULL(2) ? "by hand" :
				 text_to_cstring(PG_GETARG_TEXT_PP(2)));
}

/* ---------- adopt ---------- */

void
lr_adopt_late(const char *name, const char *key)
{
	LrTable    *table = lr_begin_for_worker(name, RowShareLock);

	(void) lr_adopt_one(table, key);
	lr_end_for_worker(table);
}

Datum
lr_adopt_key(PG_FUNCTION_ARGS)
{
	LrTable    *table;
	LrRights	rights;
	char	   *key;
	bool		adopted;

	lr_require_preload();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	table = lr_table_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)), RowShareLock);
	key = lr_key_argument(fcinfo, 1);
	lr_act_as(GetUserId());
	lr_lead_become(table, true, &rights);
	SPI_connect();
	adopted = lr_adopt_one(table, key);
	SPI_finish();
	lr_resign(&rights);
	lr_act_end();
	lr_table_unpin(table);
	PG_RETURN_BOOL(adopted);
}

Datum
lr_adopt(PG_FUNCTION_ARGS)
{
	LrTable    *table;
	int64		adopted;

	lr_require_preload();
	/* attach has this lock already */
	table = lr_table_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)),
						  ShareRowExclusiveLock);
	adopted = lr_adopt_table(table, NIL);
	lr_table_unpin(table);
	adopted_by_attach += adopted;
	PG_RETURN_INT64(adopted);
}

/* attach asks: a trigger has called lr_adopt, which can tell nobody. */
Datum
lr_adopted(PG_FUNCTION_ARGS)
{
	int64		adopted = adopted_by_attach;

	adopted_by_attach = 0;
	PG_RETURN_INT64(adopted);
}

/* ---------- detach ---------- */

Datum
lr_release_table(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	LrScan		scan;
	int32		id = 0;

	lr_require_preload();
	/* the relation may have been dropped: only its row is needed */
	lr_scan_begin(&scan, "routed_table", "routed_table_pkey", "name", name);
	if (lr_scan_next(&scan))
		id = lr_scan_int(&scan, "id", 0);
	lr_scan_end(&scan);
	if (id == 0)
		(void) lr_table_require(name);
	PG_RETURN_INT64(lr_outcome_end_all(id, LR_EVENT_RELEASED));
}
