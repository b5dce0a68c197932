/*
 * route_batch.c
 *	  Deciding many stored leads with few statements.  See route_batch.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/acting.h"
#include "base/guard.h"
#include "call/route_batch.h"
#include "decide/sticky.h"
#include "expression/evaluate.h"
#include "journal/journal.h"
#include "lead/lead.h"
#include "lead/lead_keys.h"
#include "lead/lead_state.h"
#include "lead/own_update.h"
#include "lead/ready.h"
#include "lead/stored.h"
#include "lead/trigger.h"
#include "roster/prepared.h"

/* A router that leads of the batch belong to. */
typedef struct Bound
{
	const char *router;
	LrBinding  *binding;		/* NULL: there is none of that name */
} Bound;

typedef struct Batch
{
	LrTable    *table;
	const LrWanted *wanted;
	const LrKeys *keys;
	LrExpr	   *filter;
	bool	   *busy;
	LrRouted   *routed;			/* of all batches */
	LrRouted	now;			/* of the present subtransaction */
	MemoryContext context;		/* of the batch */
	MemoryContext row_context;	/* of one lead */
	List	   *bound;			/* of Bound; of the present subtransaction */
} Batch;

/* ---------- which leads are meant ---------- */

LrExpr *
lr_filter_compile(LrTable *table, const LrWanted *wanted)
{
	Relation	rel;
	LrExpr	   *filter;

	if (wanted->filter == NULL)
		return NULL;
	rel = table_open(table->relid, NoLock);
	filter = lr_expr_compile(rel, wanted->filter, LR_EXPR_BOOL, wanted->caller,
							 wanted->search_path, "filter");
	table_close(rel, NoLock);
	return filter;
}

/* Whether the filter is true for the lead. */
static bool
passes(LrTable *table, LrExpr *filter, TupleTableSlot *row, LrRouted *routed)
{
	LrEvaluation ev;
	bool		isnull;
	Datum		value;

	lr_evaluation_begin(&ev, table, row);
	value = lr_evaluate(&ev, filter, &isnull);
	lr_evaluation_end(&ev);
	if (ev.error != NULL)
	{
		routed->filter_failed++;
		if (routed->filter_error == NULL)
			routed->filter_error = MemoryContextStrdup(routed->context,
													   ev.error);
	}
	return !isnull && DatumGetBool(value);
}

bool
lr_lead_wanted(LrTable *table, const LrWanted *wanted, LrExpr *filter,
			   TupleTableSlot *row, const char *key, LrRouted *routed)
{
	return (wanted->again || !lr_journal_known(table->id, key)) &&
		(filter == NULL || passes(table, filter, row, routed));
}

char *
lr_without_owner(LrTable *table, int param, Oid *type, Datum *value)
{
	char	   *owner = psprintf("lr_lead.%s",
								 quote_identifier(NameStr(TupleDescAttr(table->desc,
																		table->owner - 1)->attname)));

	*type = InvalidOid;
	if (table->nobody_isnull)
		return psprintf("%s IS NULL", owner);
	*type = table->owner_type;
	*value = lr_owner_datum(table, table->nobody);
	return psprintf("(%s IS NULL OR %s OPERATOR(pg_catalog.=) $%d)", owner,
					owner, param);
}

/* ---------- statements over many leads ---------- */

/*
 * Leads of these that have no owner: their number among at, and their row if
 * lock, for which they are locked unless somebody else has.
 */
static SPITupleTable *
select_leads(LrTable *table, const LrKeys *keys, const int *at, int n,
			 bool lock)
{
	LrKeyed	s;
	char	   *without;

	lr_keyed_begin(&s, table);
	appendStringInfo(&s.text, "SELECT lr_key.n%s FROM ",
					 lock ? ", lr_lead" : "");
	lr_keyed_keys(&s, table, keys, at, n);
	appendStringInfo(&s.text, " JOIN %s AS lr_lead ON ",
					 lr_lead_relation(table));
	lr_keyed_join(&s, table);
	without = lr_without_owner(table, s.n + 1, &s.type[s.n], &s.value[s.n]);
	s.n += OidIsValid(s.type[s.n]);
	appendStringInfo(&s.text, " WHERE %s ORDER BY lr_key.n%s", without,
					 lock ? " FOR NO KEY UPDATE OF lr_lead SKIP LOCKED" : "");
	lr_keyed_run(&s, table, NULL);
	return SPI_tuptable;
}

static int
number_of(SPITupleTable *found, uint64 i)
{
	bool		isnull;

	return (int) DatumGetInt64(SPI_getbinval(found->vals[i], found->tupdesc, 1,
											 &isnull)) - 1;
}

/*
 * Writes owners.  What triggers of the table make of the row counts, and must
 * be what was decided, or the journal would not say who has the lead.
 */
static void
set_owners(LrTable *table, const LrKeys *keys, const int *at, Datum *owner,
		   int n)
{
	LrKeyed	s;
	const char *column = quote_identifier(NameStr(TupleDescAttr(table->desc,
																table->owner - 1)->attname));
	bool		isnull;
	HeapTuple	counts;
	int64		updated;
	int64		other;
	int			k;
	int			i;
	Datum	   *values = (Datum *) palloc(n * sizeof(Datum));

	lr_keyed_begin(&s, table);
	appendStringInfo(&s.text, "WITH lr_set AS (UPDATE %s AS lr_lead SET %s = lr_key.lr_owner FROM ROWS FROM (",
					 lr_lead_relation(table), column);
	for (k = 0; k < table->nkeys; k++)
	{
		for (i = 0; i < n; i++)
			values[i] = keys->value[k][at[i]];
		lr_keyed_array(&s, values, n, lr_key_type(table, k));
	}
	lr_keyed_array(&s, owner, n, table->owner_type);
	appendStringInfoString(&s.text, ") AS lr_key (");
	for (k = 0; k < table->nkeys; k++)
		appendStringInfo(&s.text, "k%d, ", k + 1);
	appendStringInfoString(&s.text, "lr_owner) WHERE ");
	lr_keyed_join(&s, table);
	appendStringInfo(&s.text, " RETURNING lr_lead.%s IS DISTINCT FROM lr_key.lr_owner AS other)"
					 " SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE other) FROM lr_set",
					 column);
	lr_own_update_begin();
	lr_keyed_run(&s, table, NULL);
	lr_own_update_end();
	counts = SPI_tuptable->vals[0];
	updated = DatumGetInt64(SPI_getbinval(counts, SPI_tuptable->tupdesc, 1,
										  &isnull));
	other = DatumGetInt64(SPI_getbinval(counts, SPI_tuptable->tupdesc, 2,
										&isnull));
	SPI_freetuptable(SPI_tuptable);
	if (updated != n)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("the owner could not be set: a trigger or rule of the table suppressed the update")));
	if (other > 0)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("the owner could not be set: a trigger of the table wrote another one")));
}

/* ---------- one lead ---------- */

/* The binding of a lead's router; NULL: it is not routed. */
static LrBinding *
binding_of(Batch *b, const char *router)
{
	ListCell   *lc;
	Bound	   *bound = NULL;
	MemoryContext old;

	if (router == NULL)
		return NULL;
	foreach(lc, b->bound)
	{
		bound = (Bound *) lfirst(lc);
		if (strcmp(bound->router, router) == 0)
			break;
		bound = NULL;
	}
	if (bound == NULL)
	{
		old = MemoryContextSwitchTo(b->context);
		bound = (Bound *) palloc(sizeof(Bound));
		bound->router = pstrdup(router);
		bound->binding = lr_table_bind(b->table, router);
		b->bound = lappend(b->bound, bound);
		MemoryContextSwitchTo(old);
	}
	return bound->binding != NULL && bound->binding->router->enabled ?
		bound->binding : NULL;
}

/* Whether a lead waits to be ready, and is not: it is not what `again` means. */
static bool
waits(LrTable *table, const LrFacts *facts)
{
	LrCurrent	current;
	char	   *detail = NULL;

	return lr_journal_current(table->id, facts->key, &current) &&
		current.waits && !lr_is_ready(table, facts->row, &detail);
}

/* Decides a locked lead and journals it; the value of its owner, if it has one. */
static bool
decide_row(Batch *b, TupleTableSlot *row, Datum *owner)
{
	LrTable    *table = b->table;
	LrBinding  *binding = NULL;
	LrDecision	decision;
	LrFacts		facts;
	bool		known;

	lr_stored_facts(table, row, b->wanted->again, &facts);
	if (facts.owner == NULL &&
		lr_lead_wanted(table, b->wanted, b->filter, row, facts.key, &b->now))
		binding = binding_of(b, facts.router);
	if (binding == NULL)
	{
		b->now.passed++;
		return false;
	}
	known = b->wanted->again && lr_journal_known(table->id, facts.key);
	if (known && table->ready != NULL && waits(table, &facts))
	{
		b->now.passed++;
		return false;
	}
	lr_stored_decide(table, binding, &facts, known, NULL, NULL, &decision);
	lr_stored_write(table, binding, &facts, false, &decision);
	if (lr_stored_settle(&decision.entry, known))
		lr_sticky_stored(&decision);
	else
		lr_sticky_dropped(&decision);
	if (decision.member == NULL)
	{
		b->now.waiting++;
		return false;
	}
	b->now.assigned++;
	*owner = lr_binding_owner(table, binding, decision.member);
	return true;
}

/* ---------- a part of the batch ---------- */

/* Which of the leads that could not be locked are there, without owner. */
static void
note_busy(Batch *b, const int *missing, int n)
{
	SPITupleTable *found;
	uint64		i;

	if (n == 0)
		return;
	found = select_leads(b->table, b->keys, missing, n, false);
	for (i = 0; i < found->numvals; i++)
		b->busy[missing[number_of(found, i)]] = true;
	b->now.passed += n - (int64) found->numvals;
	SPI_freetuptable(found);
}

static void
decide_part(Batch *b, int first, int n)
{
	LrTable    *table = b->table;
	int		   *at = (int *) palloc(n * sizeof(int));
	bool	   *locked = (bool *) palloc0(n * sizeof(bool));
	Datum	   *owner = (Datum *) palloc(n * sizeof(Datum));
	SPITupleTable *found;
	int			owned = 0;
	int			missing = 0;
	int			nfound;
	int			i;

	for (i = 0; i < n; i++)
		at[i] = first + i;
	found = select_leads(table, b->keys, at, n, true);
	nfound = (int) found->numvals;
	for (i = 0; i < nfound; i++)
		locked[number_of(found, i)] = true;
	for (i = 0; i < n; i++)
		if (!locked[i])
			at[missing++] = first + i;
	note_busy(b, at, missing);
	for (i = 0; i < nfound; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(b->row_context);
		bool		isnull;
		TupleTableSlot *row = lr_lead_slot(table,
										   SPI_getbinval(found->vals[i],
														 found->tupdesc, 2,
														 &isnull));

		CHECK_FOR_INTERRUPTS();
		at[owned] = first + number_of(found, i);
		owned += decide_row(b, row, &owner[owned]);
		MemoryContextSwitchTo(old);
		MemoryContextReset(b->row_context);
	}
	SPI_freetuptable(found);
	lr_journal_flush();
	if (owned > 0)
		set_owners(table, b->keys, at, owner, owned);
	if (b->wanted->at_once &&
		SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not check deferred constraints");
}

/* With the rights that it takes, and the bindings that it leads to. */
static void
try_part(Batch *b, int first, int n)
{
	LrRights	rights;
	ListCell   *lc;

	b->bound = NIL;
	memset(&b->now, 0, sizeof(b->now));
	b->now.context = b->context;
	lr_act_as(b->wanted->caller);
	lr_lead_become(b->table, false, &rights);
	SPI_connect();
	lr_settle_prepared(lr_database());
	decide_part(b, first, n);
	SPI_finish();
	lr_resign(&rights);
	lr_act_end();
	foreach(lc, b->bound)
	{
		Bound	   *bound = (Bound *) lfirst(lc);

		if (bound->binding != NULL)
			lr_binding_unpin(bound->binding);
	}
}

/* Counts what the part has done, now that it is done. */
static void
add_up(Batch *b)
{
	LrRouted   *r = b->routed;

	r->assigned += b->now.assigned;
	r->waiting += b->now.waiting;
	r->passed += b->now.passed;
	r->filter_failed += b->now.filter_failed;
	if (r->filter_error == NULL && b->now.filter_error != NULL)
		r->filter_error = MemoryContextStrdup(r->context, b->now.filter_error);
	if (b->now.assigned + b->now.waiting > 0)
		r->failed_in_row = 0;
}

/* The key of a lead of the batch, canonical. */
static char *
key_text(Batch *b, int i)
{
	Datum		values[INDEX_MAX_KEYS];
	int			k;

	for (k = 0; k < b->table->nkeys; k++)
		values[k] = b->keys->value[k][i];
	return lr_key_of_values(b->table, values);
}

/* The router of a lead, as its row is now; 0: it has none, or is gone. */
static int32
router_of(Batch *b, const char *key)
{
	TupleTableSlot *row;
	LrBinding  *binding = NULL;
	LrRights	rights;
	char	   *detail = NULL;
	char	   *router;
	int32		id = 0;

	lr_lead_become(b->table, true, &rights);
	SPI_connect();
	row = lr_lead_fetch(b->table, key, false);
	router = row != NULL ? lr_lead_router(b->table, row, &detail) : NULL;
	if (router != NULL)
		binding = lr_table_bind_people(b->table, router);
	if (binding != NULL)
	{
		id = binding->router->id;
		lr_binding_unpin(binding);
	}
	SPI_finish();
	lr_resign(&rights);
	return id;
}

/* A lead whose own the error is. */
static void
note_failure(Batch *b, int i, ErrorData *error)
{
	LrRouted   *r = b->routed;
	char	   *key = key_text(b, i);
	StringInfoData payload;

	/* somebody else works on it */
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK ||
		error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
	{
		b->busy[i] = true;
		return;
	}
	if (r->failed++ == 0)
	{
		r->error = MemoryContextStrdup(r->context, error->message);
		r->error_key = MemoryContextStrdup(r->context, key);
	}
	r->failed_in_row++;
	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"error\": ");
	escape_json(&payload, error->message);
	appendStringInfoChar(&payload, '}');
	lr_event_add(LR_EVENT_ROUTE_FAILED, router_of(b, key), b->table->id, key,
				 0, 0, 0, payload.data);
}

/* Whether an error says nothing about the leads. */
static bool
stops_all(ErrorData *error)
{
	return lr_error_is_fatal(error->sqlerrcode) &&
		ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_TRANSACTION_ROLLBACK;
}

typedef struct Part
{
	Batch	   *batch;
	int			first;
	int			n;
} Part;

static void
try_one_part(void *arg)
{
	Part	   *part = (Part *) arg;

	try_part(part->batch, part->first, part->n);
}

/*
 * A part as a subtransaction; if it fails, its halves.  Nothing but memory of
 * the batch is used across the error.
 */
static void
route_part(Batch *b, int first, int n)
{
	Part		part = {b, first, n};
	ErrorData  *error;

	CHECK_FOR_INTERRUPTS();
	error = lr_guarded_error(try_one_part, &part);
	if (error == NULL)
		add_up(b);
	else if (stops_all(error))
		ReThrowError(error);
	else
	{
		memset(b->busy + first, false, n * sizeof(bool));
		if (n == 1)
			note_failure(b, first, error);
		else
		{
			route_part(b, first, n / 2);
			route_part(b, first + n / 2, n - n / 2);
		}
	}
}

void
lr_route_batch(LrTable *table, const LrWanted *wanted, const LrKeys *keys,
			   bool *busy, LrRouted *routed)
{
	Batch		b = {0};
	MemoryContext old;

	if (keys->n == 0)
		return;
	b.table = table;
	b.wanted = wanted;
	b.keys = keys;
	b.busy = busy;
	b.routed = routed;
	b.context = AllocSetContextCreate(CurrentMemoryContext,
									  "leadroute route batch",
									  ALLOCSET_DEFAULT_SIZES);
	b.row_context = AllocSetContextCreate(b.context, "leadroute lead",
										  ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(b.context);
	b.filter = lr_filter_compile(table, wanted);
	route_part(&b, 0, keys->n);
	lr_journal_flush();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(b.context);
}
