/*
 * adopt.c
 *	  Leads that have an owner before leadroute knows of them.  See adopt.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/acting.h"
#include "base/clock.h"
#include "base/owner_rights.h"
#include "base/scan.h"
#include "cap/cap.h"
#include "config/router_sql.h"
#include "decide/sticky.h"
#include "decide/take.h"
#include "journal/journal.h"
#include "lead/adopt.h"
#include "lead/lead.h"
#include "lead/outcome.h"
#include "lead/test_lead.h"
#include "leadroute.h"
#include "roster/late.h"
#include "roster/reserve.h"

/* Leads read at once. */
#define ADOPT_CHUNK	1000

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

int64
lr_adopt_table(LrTable *table, List *member_ids)
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

bool
lr_adopt_one(LrTable *table, const char *key)
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
		(void) lr_adopt_table(table, member_ids);
		lr_table_unpin(table);
	}
}
