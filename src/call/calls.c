/*
 * calls.c
 *	  route, adopt, release_table: decisions about stored leads.
 *
 * Order, always: lock the lead's row, decide and reserve, update the lead,
 * write the journal.  The row lock serialises everybody who touches a lead.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/acting.h"
#include "base/clock.h"
#include "base/guc.h"
#include "base/owner_rights.h"
#include "base/scan.h"
#include "call/adopt.h"
#include "call/by_hand.h"
#include "call/calls.h"
#include "cap/cap.h"
#include "config/permitted.h"
#include "config/router_sql.h"
#include "decide/decide.h"
#include "decide/sticky.h"
#include "decide/take.h"
#include "journal/journal.h"
#include "lead/lead.h"
#include "lead/outcome.h"
#include "lead/ready.h"
#include "lead/stored.h"
#include "lead/test_lead.h"
#include "lead/visible.h"
#include "leadroute.h"
#include "roster/late.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_route);
PG_FUNCTION_INFO_V1(lr_release);
PG_FUNCTION_INFO_V1(lr_adopt);
PG_FUNCTION_INFO_V1(lr_adopted);
PG_FUNCTION_INFO_V1(lr_adopt_key);
PG_FUNCTION_INFO_V1(lr_release_table);

/* Leads read at once when adopting. */
#define ADOPT_CHUNK	1000

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
 * Decides a stored lead without owner; returns the owner's name or NULL.
 * released: it must be quarantined, and that ends for this reason; NULL: not.
 * waits: only if it waits to be ready, and is, or has waited long enough.
 */
static char *
route_lead(LrTable *table, const char *key, const char *released, bool waits)
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
	if (waits && goes_on_waiting(table, &facts, &detail))
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
route_for_worker(const char *name, const char *key, bool waits)
{
	LrTable    *table = lr_begin_for_worker(name, RowExclusiveLock);

	lr_settle_prepared(lr_database());
	(void) route_lead(table, key, NULL, waits);
	lr_end_for_worker(table);
}

void
lr_route_held(const char *name, const char *key)
{
	route_for_worker(name, key, false);
}

void
lr_route_waiting(const char *name, const char *key)
{
	route_for_worker(name, key, true);
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
	name = route_lead(table, key, released, false);
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

/*
 * Whether a lead is not in the journal yet, or there without a member: its
 * owner has become one only now.  Such a row ends: *former, whose id is 0 if
 * there is none.
 */
static bool
may_adopt(LrTable *table, const char *key, LrCurrent *former)
{
	former->id = 0;
	if (!lr_journal_known(table->id, key) ||
		!lr_journal_current(table->id, key, former))
	{
		former->id = 0;
		return true;
	}
	if (former->member != 0)
		return false;
	lr_journal_end(table->id, key, former, lr_now());
	return true;
}

/* Whether the owner of a lead that may be adopted is a member. */
static bool
may_be_owned(LrTable *table, TupleTableSlot *row)
{
	LrFacts		facts;
	LrBinding  *b;
	bool		owned;

	lr_facts(table, row, &facts);
	if (facts.owner == NULL || facts.router == NULL)
		return false;
	b = lr_table_bind_people(table, facts.router);
	if (b == NULL)
		return false;
	owned = (!facts.closed || b->router->matching != NULL) &&
		lr_binding_member(table, b, facts.owner) != NULL;
	lr_binding_unpin(b);
	return owned;
}

/* Whether a lead that is closed may have other leads follow it. */
static bool
may_be_known_by(LrBinding *b, const LrFacts *facts)
{
	const LrMatching *m = b->router->matching;

	if (m == NULL)
		return false;
	return m->sticky_window < 0 || facts->told == NULL ||
		facts->told->isnull[LR_CAPTURED_AT] ||
		lr_now() - facts->told->captured_at < Max(m->sticky_window,
												  m->duplicate_window);
}

bool
lr_adopt_lead(LrTable *table, const LrFacts *facts)
{
	LrReservation r;
	LrEntry		e = {0};
	LrBinding  *b;
	LrMember   *m;
	LrCurrent	former;
	bool		adopted = false;

	if (facts->owner == NULL || facts->router == NULL)
		return false;
	b = lr_table_bind(table, facts->router);
	if (b == NULL)
		return false;
	m = lr_binding_member(table, b, facts->owner);
	if (m != NULL && (!facts->closed || may_be_known_by(b, facts)) &&
		may_adopt(table, facts->key, &former))
	{
		LrLeadCaps *caps;
		char	   *detail = NULL;

		e.at = lr_now();
		e.is_test = lr_is_test(table, b, facts->row, &detail);
		caps = e.is_test ? NULL :
			lr_caps_judge_row(table, b, facts->row, e.at, &detail);
		lr_take(b->router, m, facts->closed || e.is_test ? 0 : facts->load, false,
				lr_caps_of_member(caps, m), &r);
		lr_caps_note(&e, &r);
		e.id = r.id;
		e.detail = detail;
		e.router = b->router->id;
		e.routed_table = table->id;
		e.lead_key = facts->key;
		e.previous_id = former.id;
		e.kind = LR_KIND_ADOPTED;
		e.team = -1;
		e.member = m->id;
		e.load = r.load;
		e.when = facts->when;
		e.told = facts->told;
		if (e.previous_id != 0)
			lr_told_on(&e, &former);
		lr_journal_add(&e);
		adopted = true;
	}
	lr_binding_unpin(b);
	return adopted;
}

void
lr_note_keys(LrTable *table, TupleTableSlot *row, const LrFacts *facts)
{
	LrCurrent	current;
	LrBinding  *b;

	if (facts->owner == NULL || facts->router == NULL)
		return;
	b = lr_table_bind_people(table, facts->router);
	if (b == NULL)
		return;
	/* what a duplicate is known by is the first lead's; a test is not known */
	if (b->router->matching != NULL &&
		lr_journal_current(table->id, facts->key, &current) &&
		current.kind != LR_KIND_DUPLICATE && !current.is_test)
		lr_sticky_note(table, b, row, facts->key, current.id,
					   current.kind == LR_KIND_ADOPTED &&
					   !current.told.isnull[LR_CAPTURED_AT] ?
					   current.told.captured_at : current.at,
					   current.member);
	lr_binding_unpin(b);
}

static bool
adopt_row(LrTable *table, TupleTableSlot *row)
{
	LrFacts		facts;
	bool		adopted;

	lr_facts_told(table, row, &facts);
	adopted = lr_adopt_lead(table, &facts);
	lr_note_keys(table, row, &facts);
	return adopted;
}

/* Owner values of these members, as the table's owner column has them. */
static ArrayType *
owner_values(LrTable *table, List *member_ids)
{
	LrScan		scan;
	Datum	   *values;
	int			n = 0;
	int16		len;
	bool		byval;
	char		align;

	values = (Datum *) palloc(list_length(member_ids) * sizeof(Datum));
	/* with router_expr they may be of any router */
	lr_scan_begin(&scan, "member", "member_pkey", "router", table->router);
	while (lr_scan_next(&scan))
		if (list_member_int(member_ids, lr_scan_int(&scan, "id", 0)))
			values[n++] = lr_owner_datum(table,
										 lr_scan_text(&scan, "owner_value"));
	lr_scan_end(&scan);
	get_typlenbyvalalign(table->owner_type, &len, &byval, &align);
	return n == 0 ? NULL :
		construct_array(values, n, table->owner_type, len, byval, align);
}

/*
 * member_ids NIL: of all members; the caller has locked the table.  Else the
 * leads are locked, but under an old snapshot, where that may fail.  Returns
 * how many leads were adopted.
 */
static int64
adopt_table(LrTable *table, List *member_ids)
{
	bool		lock = member_ids != NIL && !IsolationUsesXactSnapshot();
	char	   *owner = pstrdup(quote_identifier(NameStr(TupleDescAttr(table->desc, table->owner - 1)->attname)));
	char	   *query;
	Oid			types[1];
	Datum		values[1];
	int			nargs = 0;
	Portal		portal;
	int64		adopted = 0;
	LrRights	rights;
	MemoryContext context;

	query = psprintf("SELECT lr_lead FROM %s AS lr_lead WHERE %s IS NOT NULL",
					 lr_lead_relation(table), owner);
	if (member_ids != NIL)
	{
		ArrayType  *array = owner_values(table, member_ids);

		if (array == NULL)
			return 0;
		types[0] = get_array_type(getBaseType(table->owner_type));
		values[0] = PointerGetDatum(array);
		nargs = 1;
		query = psprintf("%s AND %s OPERATOR(pg_catalog.=) ANY ($1)%s", query,
						 owner,
						 lock ? " FOR NO KEY UPDATE" : "");
	}
	context = AllocSetContextCreate(CurrentMemoryContext, "leadroute adopt",
									ALLOCSET_DEFAULT_SIZES);
	lr_act_as(GetUserId());
	lr_lead_become(table, true, &rights);
	SPI_connect();
	portal = SPI_cursor_open_with_args(NULL, query, nargs, types, values, NULL,
									   !lock, 0);
	for (;;)
	{
		uint64		i;

		SPI_cursor_fetch(portal, true, ADOPT_CHUNK);
		if (SPI_processed == 0)
			break;
		for (i = 0; i < SPI_processed; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(context);
			bool		isnull;
			Datum		row = SPI_getbinval(SPI_tuptable->vals[i],
											SPI_tuptable->tupdesc, 1, &isnull);

			adopted += adopt_row(table, lr_lead_slot(table, row));
			MemoryContextSwitchTo(old);
			MemoryContextReset(context);
		}
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	}
	SPI_cursor_close(portal);
	lr_journal_flush();
	SPI_finish();
	lr_resign(&rights);
	lr_act_end();
	MemoryContextDelete(context);
	return adopted;
}

/*
 * Adopts one lead, if its owner is a member by now.  Most are not: so the
 * lead is looked at before it is locked, too.
 */
static bool
adopt_key(LrTable *table, const char *key)
{
	TupleTableSlot *row = lr_lead_fetch(table, key, false);
	bool		adopted;

	if (row == NULL || !may_be_owned(table, row))
		return false;
	row = lr_lead_fetch(table, key, true);
	adopted = row != NULL && adopt_row(table, row);
	lr_journal_flush();
	return adopted;
}

void
lr_adopt_late(const char *name, const char *key)
{
	LrTable    *table = lr_begin_for_worker(name, RowShareLock);

	(void) adopt_key(table, key);
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
	adopted = adopt_key(table, key);
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
	adopted = adopt_table(table, NIL);
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

/* Names of attached tables whose relation carries the triggers. */
static List *
tables_with_triggers(void)
{
	List	   *names = NIL;
	LrScan		scan;

	lr_scan_begin(&scan, "routed_table", NULL, NULL, NULL);
	while (lr_scan_next(&scan))
	{
		bool		isnull;

		if (lr_has_triggers(DatumGetObjectId(lr_scan_datum(&scan, "relation",
														   &isnull))))
			names = lappend(names, lr_scan_text(&scan, "name"));
	}
	lr_scan_end(&scan);
	return names;
}

void
lr_adopt_members(List *member_ids)
{
	List	   *names;
	ListCell   *lc;

	lr_config_accept();
	names = tables_with_triggers();
	if (names == NIL)
		return;
	/* an id, so that it has an entry should it be prepared */
	(void) lr_reserve_id();
	lr_late_members(lr_database());
	foreach(lc, names)
	{
		LrTable    *table = lr_table_lock_sound((char *) lfirst(lc),
												RowShareLock);

		if (table == NULL)
			continue;
		(void) adopt_table(table, member_ids);
		lr_table_unpin(table);
	}
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
