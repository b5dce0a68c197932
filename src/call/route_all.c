/*
 * route_all.c
 *	  CALL leadroute.route_all: the leads that were there before.
 *
 * First the keys of all leads that are meant are collected, in order, into a
 * file that outlives transactions; then they are decided in batches (see
 * route_batch.h), each a transaction of its own.  Whatever happens, the
 * batches that are committed stay: what is left is found by calling it again,
 * since the truth about a lead is its row and the journal.  Leads that somebody
 * else has locked are tried once more at the end.
 *
 * Called inside of a transaction block or a function, all is one transaction.
 *
 * Nothing is held from one transaction to the next but the keys: table, router
 * and filter are looked up anew for each batch, so each is decided by the
 * configuration as it is then.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "base/acting.h"
#include "base/guc.h"
#include "base/progress.h"
#include "call/route_batch.h"
#include "lead/lead.h"

PG_FUNCTION_INFO_V1(lr_route_all);

/* Leads read at once when they are collected. */
#define COLLECT_CHUNK	1000

/* So many leads one after the other cannot be updated: none can, it seems. */
#define MAX_FAILED_IN_ROW	1000

typedef struct Run
{
	char	   *name;			/* of the table */
	LrWanted	wanted;
	int			batch_size;
	bool		atomic;			/* all in the caller's transaction */
	TupleDesc	desc;			/* of keys */
	Tuplestorestate *keys;		/* leads to decide */
	Tuplestorestate *busy;		/* of these, which were locked by others */
	int64		total;
	int64		done;
	int64		nbusy;
	LrRouted	routed;
	MemoryContext context;		/* of the run */
	MemoryContext batch;		/* of a transaction */
} Run;

/* ---------- transactions ---------- */

/*
 * Begins what is to be one transaction.  Rows that change meanwhile are looked
 * at again, whatever the isolation that new transactions have.
 */
static LrTable *
begin_transaction(Run *run)
{
	if (!run->atomic)
		XactIsoLevel = XACT_READ_COMMITTED;
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(run->batch);
	return lr_table_lock(run->name, RowExclusiveLock);
}

static void
end_transaction(Run *run, LrTable *table)
{
	lr_table_unpin(table);
	MemoryContextSwitchTo(run->context);
	MemoryContextReset(run->batch);
	PopActiveSnapshot();
	if (!run->atomic)
		SPI_commit();
}

/* ---------- which leads ---------- */

/* A descriptor of the key columns, for the whole run. */
static TupleDesc
key_desc(Run *run, LrTable *table)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);
	TupleDesc	desc = CreateTemplateTupleDesc(table->nkeys);
	int			i;

	for (i = 0; i < table->nkeys; i++)
		TupleDescCopyEntry(desc, i + 1, table->desc, table->key[i]);
	MemoryContextSwitchTo(old);
	return desc;
}

/* The key columns must stay what they were: their values are kept. */
static void
require_same_key(Run *run, LrTable *table)
{
	int			i;
	bool		same = run->desc->natts == table->nkeys;

	for (i = 0; same && i < table->nkeys; i++)
		same = TupleDescAttr(run->desc, i)->atttypid ==
			TupleDescAttr(table->desc, table->key[i] - 1)->atttypid;
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the key of lead table \"%s\" has changed meanwhile",
						run->name),
				 errhint("CALL leadroute.route_all again: it goes on with the leads that are left.")));
}

/*
 * SELECT of the leads without owner in the order of their keys: the key
 * columns, and the row if a filter is to see it.
 */
static Portal
open_leads(Run *run, LrTable *table)
{
	StringInfoData query;
	StringInfoData columns;
	Oid			type;
	Datum		value;
	char	   *without = lr_without_owner(table, 1, &type, &value);
	int			i;

	initStringInfo(&columns);
	for (i = 0; i < table->nkeys; i++)
		appendStringInfo(&columns, "%slr_lead.%s", i > 0 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(table->desc,
																table->key[i] - 1)->attname)));
	initStringInfo(&query);
	appendStringInfo(&query, "SELECT %s%s FROM %s AS lr_lead WHERE %s ORDER BY %s",
					 columns.data,
					 run->wanted.filter != NULL ? ", lr_lead" : "",
					 lr_lead_relation(table), without, columns.data);
	return SPI_cursor_open_with_args(NULL, query.data, OidIsValid(type) ? 1 : 0,
									 &type, &value, NULL, true, 0);
}

/* Keeps the key of a row that the query has found, if it is meant. */
static void
collect_row(Run *run, LrTable *table, LrExpr *filter, HeapTuple tuple,
			TupleDesc desc)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS] = {false};
	TupleTableSlot *row = NULL;
	bool		isnull;
	int			i;

	for (i = 0; i < table->nkeys; i++)
	{
		values[i] = SPI_getbinval(tuple, desc, i + 1, &isnull);
		/* the row may have gone when it is its turn */
		if (TupleDescAttr(run->desc, i)->attlen == -1)
			values[i] = PointerGetDatum(PG_DETOAST_DATUM(values[i]));
	}
	if (filter != NULL)
		row = lr_lead_slot(table, SPI_getbinval(tuple, desc, table->nkeys + 1,
												&isnull));
	if (!lr_lead_wanted(table, &run->wanted, filter, row,
						lr_key_of_values(table, values), &run->routed))
		return;
	tuplestore_putvalues(run->keys, run->desc, values, nulls);
	run->total++;
}

static void
collect(Run *run)
{
	LrTable    *table = begin_transaction(run);
	LrExpr	   *filter = lr_filter_compile(table, &run->wanted);
	MemoryContext row_context = AllocSetContextCreate(run->batch,
													  "leadroute collect",
													  ALLOCSET_DEFAULT_SIZES);
	int64		looked_at = 0;
	LrRights	rights;
	Portal		portal;

	run->desc = key_desc(run, table);
	MemoryContextSwitchTo(run->context);
	run->keys = tuplestore_begin_heap(false, true, work_mem);
	MemoryContextSwitchTo(run->batch);
	lr_act_as(run->wanted.caller);
	lr_lead_become(table, true, &rights);
	SPI_connect();
	portal = open_leads(run, table);
	for (;;)
	{
		uint64		i;

		lr_progress_set("collecting", looked_at, -1, NULL);
		SPI_cursor_fetch(portal, true, COLLECT_CHUNK);
		if (SPI_processed == 0)
			break;
		for (i = 0; i < SPI_processed; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(row_context);

			collect_row(run, table, filter, SPI_tuptable->vals[i],
						SPI_tuptable->tupdesc);
			MemoryContextSwitchTo(old);
			MemoryContextReset(row_context);
		}
		looked_at += SPI_processed;
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	}
	SPI_cursor_close(portal);
	SPI_finish();
	lr_resign(&rights);
	lr_act_end();
	end_transaction(run, table);
	/* they are asked again under the lock */
	run->routed.filter_failed = 0;
}

/* ---------- batches ---------- */

static void
tell(Run *run, const char *state)
{
	char		detail[200];

	snprintf(detail, sizeof(detail),
			 INT64_FORMAT " assigned, " INT64_FORMAT " without owner, "
			 INT64_FORMAT " failed, " INT64_FORMAT " locked by others",
			 run->routed.assigned, run->routed.waiting, run->routed.failed,
			 run->nbusy);
	lr_progress_set(state, run->done, run->total, detail);
}

/* The next keys of a store, in the context of the batch. */
static void
next_keys(Run *run, Tuplestorestate *store, LrKeys *keys)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(run->desc,
													&TTSOpsMinimalTuple);
	int			i;

	keys->n = 0;
	keys->value = (Datum **) palloc(run->desc->natts * sizeof(Datum *));
	for (i = 0; i < run->desc->natts; i++)
		keys->value[i] = (Datum *) palloc(run->batch_size * sizeof(Datum));
	while (keys->n < run->batch_size &&
		   tuplestore_gettupleslot(store, true, false, slot))
	{
		slot_getallattrs(slot);
		for (i = 0; i < run->desc->natts; i++)
			keys->value[i][keys->n] =
				datumCopy(slot->tts_values[i],
						  TupleDescAttr(run->desc, i)->attbyval,
						  TupleDescAttr(run->desc, i)->attlen);
		keys->n++;
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* Those that somebody else has locked are kept for the end; or only counted. */
static void
keep_busy(Run *run, const LrKeys *keys, const bool *busy, bool again)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS] = {false};
	int			i;
	int			k;

	for (i = 0; i < keys->n; i++)
	{
		if (!busy[i])
			continue;
		run->nbusy++;
		if (!again)
			continue;
		for (k = 0; k < run->desc->natts; k++)
			values[k] = keys->value[k][i];
		tuplestore_putvalues(run->busy, run->desc, values, nulls);
	}
}

/* One transaction; false: there are no more leads in the store. */
static bool
route_next(Run *run, Tuplestorestate *store, bool again)
{
	LrTable    *table = begin_transaction(run);
	LrKeys		keys;
	bool	   *busy = (bool *) palloc0(run->batch_size * sizeof(bool));
	int			n;

	require_same_key(run, table);
	next_keys(run, store, &keys);
	n = keys.n;
	lr_route_batch(table, &run->wanted, &keys, busy, &run->routed);
	keep_busy(run, &keys, busy, again);
	end_transaction(run, table);
	if (run->routed.failed_in_row >= MAX_FAILED_IN_ROW)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("leads of \"%s\" cannot be updated", run->name),
				 errdetail("The last " INT64_FORMAT " have failed, lead %s with: %s",
						   run->routed.failed_in_row, run->routed.error_key,
						   run->routed.error),
				 errhint("Errors of leads are in leadroute.event, kind route_failed. CALL leadroute.route_all again when the cause is gone.")));
	return n == run->batch_size;
}

static void
route(Run *run)
{
	MemoryContextSwitchTo(run->context);
	run->busy = tuplestore_begin_heap(false, true, work_mem);
	do
	{
		tell(run, "routing");
	} while (route_next(run, run->keys, true) &&
			 (run->done += run->batch_size) >= 0);
	run->done = run->total - run->nbusy;
	if (run->nbusy == 0)
		return;
	run->nbusy = 0;
	do
	{
		tell(run, "retrying");
	} while (route_next(run, run->busy, false) &&
			 (run->done += run->batch_size) >= 0);
}

/* ---------- the procedure ---------- */

static void
report(Run *run)
{
	LrRouted   *r = &run->routed;

	ereport(NOTICE,
			(errmsg("\"%s\": " INT64_FORMAT " leads assigned, "
					INT64_FORMAT " decided without owner, "
					INT64_FORMAT " failed, " INT64_FORMAT " locked by others",
					run->name, r->assigned, r->waiting, r->failed, run->nbusy),
			 run->nbusy > 0 ?
			 errhint("CALL leadroute.route_all again for those that were locked.") : 0));
	if (r->failed > 0)
		ereport(WARNING,
				(errmsg(INT64_FORMAT " leads of \"%s\" could not be routed",
						r->failed, run->name),
				 errdetail("Lead %s: %s", r->error_key, r->error),
				 errhint("All of them are in leadroute.event, kind route_failed.")));
	if (r->filter_error != NULL)
		ereport(WARNING,
				(errmsg("the filter raised an error for some leads, which were left out"),
				 errdetail("%s", r->filter_error)));
}

static void
read_arguments(Run *run, FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("lead_table must not be null")));
	run->name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	run->wanted.filter = PG_ARGISNULL(1) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(1));
	run->wanted.again = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	run->batch_size = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	if (run->batch_size < 1 || run->batch_size > 100000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch_size must be between 1 and 100000")));
	run->wanted.caller = GetUserId();
	run->wanted.search_path = pstrdup(GetConfigOption("search_path", false,
													  false));
	run->wanted.at_once = !run->atomic;
}

Datum
lr_route_all(PG_FUNCTION_ARGS)
{
	CallContext *call = (CallContext *) fcinfo->context;
	Run		   *run;
	MemoryContext context;

	lr_require_preload();
	PreventCommandDuringRecovery("leadroute.route_all()");
	if (call != NULL && !IsA(call, CallContext))
		call = NULL;
	SPI_connect_ext(call != NULL && !call->atomic ? SPI_OPT_NONATOMIC : 0);
	/* of SPI, outlives transactions */
	context = CurrentMemoryContext;
	run = (Run *) palloc0(sizeof(Run));
	run->context = run->routed.context = context;
	run->batch = AllocSetContextCreate(context, "leadroute route_all",
									   ALLOCSET_DEFAULT_SIZES);
	run->atomic = call == NULL || call->atomic;
	read_arguments(run, fcinfo);
	lr_progress_begin("route_all", run->name);
	PG_TRY();
	{
		if (!run->atomic)
			SPI_commit();
		collect(run);
		route(run);
	}
	PG_FINALLY();
	{
		/* their files would stay until the session ends */
		if (run->keys != NULL)
			tuplestore_end(run->keys);
		if (run->busy != NULL)
			tuplestore_end(run->busy);
		lr_progress_end();
	}
	PG_END_TRY();
	report(run);
	SPI_finish();
	PG_RETURN_VOID();
}
