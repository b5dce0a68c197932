/*
 * handover.c
 *	  handover: the leads of a member go to another one, or to whom the rules
 *	  say; all or none.
 *
 * Table by table in the order of their names, lead by lead in the order of their
 * keys: first all are locked, then each is looked at under its lock and moved
 * as assign or route would.  A lead that is given to the member by a transaction
 * that is still open is not seen.  If the member has left (it is inactive), that
 * is an event, by which the worker knows what to do with such leads (late.h); if
 * not, it would go on to get leads anyway.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "base/acting.h"
#include "base/guard.h"
#include "base/guc.h"
#include "base/owner_rights.h"
#include "base/scan.h"
#include "call/by_hand.h"
#include "call/calls.h"
#include "config/router_name.h"
#include "decide/sticky.h"
#include "lead/lead.h"
#include "lead/redecide.h"
#include "leadroute.h"
#include "roster/late.h"
#include "roster/recovery.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_handover);

typedef struct Handover
{
	char	   *router;
	char	   *from;
	char	   *to;				/* NULL: whom the rules say */
	bool		only_open;
	bool		ignore_limits;
	char	   *reason;			/* NULL: none was given */
	int64		moved;
	int64		without_owner;
} Handover;

/* Error if the router has no such member; returns whether it is active, its id. */
static bool
require_member(const char *router, const char *name, int32 *id)
{
	LrScan		scan;
	bool		found;
	bool		active = false;

	lr_scan_begin_pair(&scan, "member", "member_pkey", "router", router,
					   "name", name);
	found = lr_scan_next(&scan);
	if (found)
	{
		active = lr_scan_bool(&scan, "active");
		*id = lr_scan_int(&scan, "id", 0);
	}
	lr_scan_end(&scan);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("member \"%s\" of router \"%s\" does not exist", name,
						router),
				 errhint("The names of members are in leadroute.member; SET leadroute.router names the router.")));
	return active;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp((char *) lfirst(a), (char *) lfirst(b));
}

/* Attached tables that may hold leads of the router, by name. */
static List *
tables_of(const char *router)
{
	List	   *names = NIL;
	LrScan		scan;

	lr_scan_begin(&scan, "routed_table", NULL, NULL, NULL);
	while (lr_scan_next(&scan))
	{
		char	   *only = lr_scan_text(&scan, "router");

		if (only == NULL || strcmp(only, router) == 0)
			names = lappend(names, lr_scan_text(&scan, "name"));
	}
	lr_scan_end(&scan);
	list_sort(names, compare_names);
	return names;
}

/* Locks the leads with this owner, in the order of their keys: which are these. */
static List *
lock_leads(LrTable *table, Datum owner)
{
	StringInfoData query;
	List	   *keys = NIL;
	uint64		i;
	int			k;

	initStringInfo(&query);
	appendStringInfo(&query,
					 "SELECT lr_lead FROM %s AS lr_lead WHERE %s OPERATOR(pg_catalog.=) $1 ORDER BY ",
					 lr_lead_relation(table),
					 quote_identifier(NameStr(TupleDescAttr(table->desc, table->owner - 1)->attname)));
	for (k = 0; k < table->nkeys; k++)
		appendStringInfo(&query, "%s%s", k > 0 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(table->desc, table->key[k] - 1)->attname)));
	appendStringInfoString(&query, " FOR NO KEY UPDATE");
	if (SPI_execute_with_args(query.data, 1, &table->owner_type, &owner, NULL,
							  false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read lead table \"%s\"", table->name);
	for (i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		row = SPI_getbinval(SPI_tuptable->vals[i],
										SPI_tuptable->tupdesc, 1, &isnull);
		TupleTableSlot *slot = lr_lead_slot(table, row);

		keys = lappend(keys, lr_table_key(table, slot));
		ExecDropSingleTupleTableSlot(slot);
	}
	SPI_freetuptable(SPI_tuptable);
	return keys;
}

static bool
is_duplicate(LrTable *table, const char *key)
{
	LrCurrent	current;

	return lr_journal_current(table->id, key, &current) &&
		current.kind == LR_KIND_DUPLICATE;
}

/* The rules say who has the lead from now on, but not its owner. */
static void
take_away(LrTable *table, LrBinding *b, const LrFacts *facts, LrMember *from,
		  char *detail, LrDecision *decision)
{
	/* ids rise: the one before the decision's */
	int64		released_id = lr_reserve_id();
	LrCurrent	current;

	lr_stored_decide_without(table, b, facts, from, detail, decision);
	lr_stored_write(table, b, facts, true, decision);
	if (decision->member == NULL)
	{
		/* so that it does not get the lead back from those that wait, either */
		lr_lead_clear_owner(table, facts->key);
		if (lr_journal_current(table->id, facts->key, &current))
			lr_note_released(&decision->entry, released_id, &current);
	}
	if (lr_outcome_decided(&decision->entry))
		lr_sticky_stored(decision);
	else
		lr_sticky_dropped(decision);
}

/* Moves a lead, unless a trigger has taken it from the member meanwhile. */
static void
move_lead(LrTable *table, LrBinding *b, const char *key, Handover *h)
{
	TupleTableSlot *row = lr_lead_fetch(table, key, true);
	LrMember   *from = lr_member_by_name(b->router, h->from);
	LrDecision	decision;
	LrFacts		facts;

	if (row == NULL)
		return;
	lr_stored_facts(table, row, true, &facts);
	if (facts.owner == NULL || facts.router == NULL ||
		strcmp(facts.router, h->router) != 0 ||
		lr_binding_member(table, b, facts.owner) != from ||
		(facts.closed && h->only_open))
		return;
	if (h->to != NULL)
	{
		lr_assign_stored(table, b, &facts, lr_member_for_assign(b, h->to),
						 h->ignore_limits, is_duplicate(table, facts.key),
						 "handover", h->reason, InvalidOid);
		h->moved++;
		return;
	}
	take_away(table, b, &facts, from,
			  h->reason == NULL ?
			  psprintf("handed over from \"%s\"", h->from) :
			  psprintf("handed over from \"%s\": %s", h->from, h->reason),
			  &decision);
	if (decision.member != NULL)
		h->moved++;
	else
		h->without_owner++;
}

static void
hand_over_table(const char *name, Handover *h)
{
	LrTable    *table = lr_table_lock_sound(name, RowExclusiveLock);
	LrBinding  *b;
	LrMember   *from;
	MemoryContext context;
	LrRights	rights;
	ListCell   *lc;

	if (table == NULL)
		return;
	b = lr_table_bind(table, h->router);
	from = b != NULL ? lr_member_by_name(b->router, h->from) : NULL;
	/* who cannot own a lead of the table has none */
	if (from == NULL || (b->usable != NULL && !b->usable[from->index]))
	{
		if (b != NULL)
			lr_binding_unpin(b);
		lr_table_unpin(table);
		return;
	}
	lr_lead_become(table, false, &rights);
	SPI_connect();
	context = AllocSetContextCreate(CurrentMemoryContext, "leadroute handover",
									ALLOCSET_DEFAULT_SIZES);
	foreach(lc, lock_leads(table, lr_binding_owner(table, b, from)))
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		move_lead(table, b, (char *) lfirst(lc), h);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	SPI_finish();
	lr_resign(&rights);
	lr_binding_unpin(b);
	lr_table_unpin(table);
}

/* ---------- who has left, and still gets leads of transactions that were open */

/* The member's leads are handed over for good: so are those that come yet. */
static void
note_offboarded(const Handover *h, int32 member)
{
	StringInfoData payload;

	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"to_member\": ");
	if (h->to != NULL)
		escape_json(&payload, h->to);
	else
		appendStringInfoString(&payload, "null");
	appendStringInfoString(&payload, ", \"reason\": ");
	if (h->reason != NULL)
		escape_json(&payload, h->reason);
	else
		appendStringInfoString(&payload, "null");
	appendStringInfoChar(&payload, '}');
	/* an id, so that it has an entry should it be prepared, before the look */
	lr_event_add(LR_EVENT_OFFBOARDED, lr_router_id(h->router), 0, NULL, 0, member,
				 0, payload.data);
	lr_late_members(lr_database());
}

static char *
copy_of(const char *text)
{
	return text != NULL ? pstrdup(text) : NULL;
}

/* What was said of the leads of whom this one was given to; false: nothing. */
static bool
read_order(const char *name, const char *key, Handover *h)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2];
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	bool		found;

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(key);
	SPI_connect();
	if (SPI_execute_with_args("SELECT m.router, m.name, o.payload ->> 'to_member',"
							  " o.payload ->> 'reason'" LR_LEFT_LEADS
							  " AND t.name = $1 AND j.lead_key = $2",
							  2, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read what was said of leads that are left");
	found = SPI_processed > 0;
	old = MemoryContextSwitchTo(caller);
	if (found)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		h->router = pstrdup(SPI_getvalue(tuple, desc, 1));
		h->from = pstrdup(SPI_getvalue(tuple, desc, 2));
		h->to = copy_of(SPI_getvalue(tuple, desc, 3));
		h->reason = copy_of(SPI_getvalue(tuple, desc, 4));
		h->only_open = true;
	}
	MemoryContextSwitchTo(old);
	SPI_finish();
	return found;
}

/* move_lead, for lr_guarded_error. */
typedef struct LateMove
{
	LrTable    *table;
	LrBinding  *b;
	const char *key;
	Handover   *h;
} LateMove;

static void
move_late(void *arg)
{
	LateMove   *m = (LateMove *) arg;

	move_lead(m->table, m->b, m->key, m->h);
}

void
lr_hand_over_late(const char *name, const char *key)
{
	Handover	h = {0};
	LateMove	m;
	LrMember   *from;
	ErrorData  *error;

	if (!read_order(name, key, &h))
		return;
	m.table = lr_begin_for_worker(name, RowExclusiveLock);
	m.b = lr_table_bind(m.table, h.router);
	m.key = key;
	m.h = &h;
	lr_settle_prepared(lr_database());
	from = m.b != NULL ? lr_member_by_name(m.b->router, h.from) : NULL;
	if (from != NULL && !from->active)
	{
		error = h.to != NULL ? lr_guarded_error(move_late, &m) : NULL;
		/* who was to have them cannot, or is gone himself: the rules say who */
		if (error != NULL)
		{
			if (error->sqlerrcode != ERRCODE_CONFIGURATION_LIMIT_EXCEEDED &&
				error->sqlerrcode != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE &&
				error->sqlerrcode != ERRCODE_UNDEFINED_OBJECT)
				ReThrowError(error);
			h.to = NULL;
		}
		if (h.to == NULL)
			move_late(&m);
	}
	if (m.b != NULL)
		lr_binding_unpin(m.b);
	lr_end_for_worker(m.table);
}

Datum
lr_handover(PG_FUNCTION_ARGS)
{
	Handover	h = {0};
	ListCell   *lc;
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	bool		active;
	int32		member = 0;
	int32		to = 0;

	lr_require_preload();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("from_member must not be null")));
	h.router = lr_default_router_name();
	h.from = text_to_cstring(PG_GETARG_TEXT_PP(0));
	h.to = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	h.only_open = PG_ARGISNULL(2) || PG_GETARG_BOOL(2);
	h.ignore_limits = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	h.reason = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	lr_config_accept();
	active = require_member(h.router, h.from, &member);
	if (h.to != NULL && strcmp(h.from, h.to) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the leads of member \"%s\" cannot be handed over to itself",
						h.from)));
	if (h.to != NULL && !require_member(h.router, h.to, &to))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("member \"%s\" is inactive", h.to),
				 errhint("UPDATE leadroute.member SET active = true, or choose another member.")));
	if (h.to == NULL && h.ignore_limits)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ignore_limits needs to_member"),
				 errhint("Without to_member the rules distribute the leads, within all limits.")));
	lr_act_as(GetUserId());
	lr_settle_prepared(lr_database());
	if (!active)
		note_offboarded(&h, member);
	foreach(lc, tables_of(h.router))
		hand_over_table((char *) lfirst(lc), &h);
	lr_act_end();
	values[0] = Int64GetDatum(h.moved);
	values[1] = Int64GetDatum(h.without_owner);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
