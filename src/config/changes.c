/*
 * changes.c
 *	  What a configuration change sets off: version, messages, history,
 *	  adoption.
 *
 * The version of a router rises once a transaction (by the row lock in
 * config_state, editors of one router queue); a rolled back subtransaction
 * forgets that it raised it.  The messages are sent for every row, and the
 * server drops doubles.  The trigger is ENABLE ALWAYS and FOR EACH ROW, since
 * a logical replication apply worker fires nothing else.
 *
 * An editor who has locked a row and then waits for that row lock could be
 * waited for by who holds it: a deadlock.  Therefore editors queue before they
 * lock any row, behind a lock on (config_state, router.id): at the beginning of
 * each statement, as far as the router can be known then (it is the only one,
 * or the setting leadroute.router names it; import_config knows its own).
 * Lock order: that lock, rows of the configuration, the row of config_state.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/append.h"
#include "base/generation.h"
#include "base/guc.h"
#include "base/owner_rights.h"
#include "base/scan.h"
#include "config/changes.h"
#include "config/router_name.h"
#include "lead/adopt.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_config_changed);
PG_FUNCTION_INFO_V1(lr_members_saved);
PG_FUNCTION_INFO_V1(lr_await_editors);
PG_FUNCTION_INFO_V1(lr_editors_queue);

/* Rules a transaction names in rule_change before it says "many". */
#define MAX_NOTED_RULES	1000

/* A router whose version this transaction has raised. */
typedef struct Raised
{
	struct Raised *next;
	int			nest;
	int64		version;
	int			nrules;			/* noted in rule_change */
	char	   *router;
} Raised;

static Raised *raised = NULL;

/* Members saved by the running statements, to be adopted at their end. */
typedef struct Saved
{
	struct Saved *next;
	int			nest;
	int32		member;
} Saved;

static Saved *saved_members = NULL;

void
lr_changes_end(void)
{
	if (raised != NULL)
		lr_config_own_change();
	raised = NULL;
	saved_members = NULL;
}

void
lr_changes_commit_sub(int nest)
{
	Raised	   *r;
	Saved	   *s;

	for (r = raised; r != NULL && r->nest >= nest; r = r->next)
		r->nest = nest - 1;
	for (s = saved_members; s != NULL && s->nest >= nest; s = s->next)
		s->nest = nest - 1;
}

void
lr_changes_abort_sub(int nest)
{
	Raised	   *r;

	if (raised != NULL)
		lr_config_own_change();
	while (raised != NULL && raised->nest >= nest)
		raised = raised->next;
	/* a note that says "many" may have been rolled back */
	for (r = raised; r != NULL; r = r->next)
		if (r->nrules > MAX_NOTED_RULES)
			r->nrules = 0;
	while (saved_members != NULL && saved_members->nest >= nest)
		saved_members = saved_members->next;
}

/* ---------- editors of one router queue ---------- */

/* To the end of the transaction; a router that does not exist has no queue. */
static void
await_editors(const char *router)
{
	int32		id = lr_router_id(router);

	if (id != 0)
		LockDatabaseObject(lr_relid("config_state"), id, 0, ExclusiveLock);
}

Datum
lr_await_editors(PG_FUNCTION_ARGS)
{
	await_editors(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}

/* BEFORE STATEMENT; an ordinary trigger, which replication does without. */
Datum
lr_editors_queue(PG_FUNCTION_ARGS)
{
	char	   *router;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("leadroute.editors_queue is a trigger function")));
	router = lr_meant_router_name();
	if (router != NULL)
		await_editors(router);
	PG_RETURN_POINTER(NULL);
}

/* ---------- version ---------- */

/* Forgets notes that are too old for anybody, see LR_RULE_CHANGES_KEPT. */
static void
trim_rule_changes(const char *router, int64 version)
{
	Oid			types[2] = {TEXTOID, INT8OID};
	Datum		values[2];

	values[0] = CStringGetTextDatum(router);
	values[1] = Int64GetDatum(version - 2 * LR_RULE_CHANGES_KEPT);
	SPI_connect();
	if (SPI_execute_with_args("DELETE FROM leadroute.rule_change"
							  " WHERE router = $1 AND version < $2",
							  2, types, values, NULL, false,
							  0) != SPI_OK_DELETE)
		elog(ERROR, "could not trim leadroute.rule_change");
	SPI_finish();
}

static Raised *
add_raised(const char *router, int64 version)
{
	Raised	   *r = (Raised *) MemoryContextAlloc(TopTransactionContext,
												  sizeof(Raised));

	r->router = MemoryContextStrdup(TopTransactionContext, router);
	r->nest = GetCurrentTransactionNestLevel();
	r->version = version;
	r->nrules = 0;
	r->next = raised;
	raised = r;
	return r;
}

static Raised *
raise_version(const char *router)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1];
	LrRights	rights;
	Raised	   *r;
	bool		isnull;
	int64		version = 0;

	for (r = raised; r != NULL; r = r->next)
		if (strcmp(r->router, router) == 0)
			return r;

	lr_become_owner(&rights);
	SPI_connect();
	values[0] = CStringGetTextDatum(router);
	if (SPI_execute_with_args("INSERT INTO leadroute.config_state AS s (router)"
							  " SELECT name FROM leadroute.router WHERE name = $1"
							  " ON CONFLICT (router) DO UPDATE SET version = s.version + 1"
							  " RETURNING version",
							  1, types, values, NULL, false,
							  0) != SPI_OK_INSERT_RETURNING)
		elog(ERROR, "could not raise the configuration version");
	if (SPI_processed == 1)
		version = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
											  SPI_tuptable->tupdesc, 1,
											  &isnull));
	SPI_finish();
	if (version > 0 && version % LR_RULE_CHANGES_KEPT == 0)
		trim_rule_changes(router, version);
	lr_resign(&rights);
	return add_raised(router, version);
}

bool
lr_changes_pending(void)
{
	return raised != NULL;
}

/* ---------- which rules have changed ---------- */

/*
 * Notes in rule_change that a rule has changed.  A rolled back subtransaction
 * takes its notes with it; having counted them only makes "many" come sooner.
 */
static void
note_rule(Raised *r, int32 rule)
{
	Datum		values[3];
	bool		nulls[3] = {false};

	/* version 0: the router is being deleted */
	if (r->nrules > MAX_NOTED_RULES || r->version == 0)
		return;
	if (rule == 0)
		r->nrules = MAX_NOTED_RULES;
	if (++r->nrules > MAX_NOTED_RULES)
		rule = 0;
	values[0] = CStringGetTextDatum(r->router);
	values[1] = Int64GetDatum(r->version);
	values[2] = Int32GetDatum(rule);
	lr_append_values("rule_change", values, nulls);
}

/* A text column of a configuration row; NULL if the table has none. */
static char *
text_column(TriggerData *td, HeapTuple tuple, const char *column)
{
	TupleDesc	desc = RelationGetDescr(td->tg_relation);
	int			attno = SPI_fnumber(desc, column);

	return tuple == NULL || attno <= 0 ? NULL : SPI_getvalue(tuple, desc, attno);
}

static bool
differs(TriggerData *td, HeapTuple old, HeapTuple new, const char *column)
{
	return strcmp(text_column(td, old, column),
				  text_column(td, new, column)) != 0;
}

static int32
int_column(TriggerData *td, HeapTuple tuple, const char *column)
{
	TupleDesc	desc = RelationGetDescr(td->tg_relation);
	bool		isnull;
	Datum		value = heap_getattr(tuple, SPI_fnumber(desc, column), desc,
									 &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

bool
lr_same_row(TupleDesc desc, HeapTuple a, HeapTuple b)
{
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		bool		a_null;
		bool		b_null;
		Datum		x = heap_getattr(a, i + 1, desc, &a_null);
		Datum		y = heap_getattr(b, i + 1, desc, &b_null);

		if (a_null != b_null ||
			(!a_null && !datum_image_eq(x, y, att->attbyval, att->attlen)))
			return false;
	}
	return true;
}

/* ---------- history ---------- */

static Datum
row_as_jsonb(TriggerData *td, HeapTuple tuple)
{
	Datum		row = heap_copy_tuple_as_datum(tuple,
											   RelationGetDescr(td->tg_relation));
	text	   *json = DatumGetTextPP(DirectFunctionCall1(row_to_json, row));

	return DirectFunctionCall1(jsonb_in,
							   CStringGetDatum(text_to_cstring(json)));
}

/* Keeps the state before an UPDATE or DELETE; never copies of a restore. */
static void
keep_history(TriggerData *td, HeapTuple old, HeapTuple new)
{
	Datum		values[7];
	bool		nulls[7] = {false};
	char	   *router = text_column(td, old, "router");

	if (strcmp(RelationGetRelationName(td->tg_relation), "router") == 0)
		router = text_column(td, old, "name");
	values[0] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[1] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	nulls[2] = lr_actor == NULL || lr_actor[0] == '\0';
	if (!nulls[2])
		values[2] = CStringGetTextDatum(lr_actor);
	nulls[3] = router == NULL;
	if (router)
		values[3] = CStringGetTextDatum(router);
	values[4] = CStringGetTextDatum(RelationGetRelationName(td->tg_relation));
	values[5] = row_as_jsonb(td, old);
	nulls[6] = new == NULL;
	if (new)
		values[6] = row_as_jsonb(td, new);
	lr_append_values("config_history", values, nulls);
}

/* TRUNCATE: all rows that there are. */
static void
keep_history_of_all(TriggerData *td)
{
	LrScan		scan;

	lr_scan_begin(&scan, RelationGetRelationName(td->tg_relation), NULL, NULL,
				  NULL);
	while (lr_scan_next(&scan))
	{
		CHECK_FOR_INTERRUPTS();
		keep_history(td, scan.tuple, NULL);
	}
	lr_scan_end(&scan);
}

/* ---------- the triggers ---------- */

static void
raise_versions(TriggerData *td, HeapTuple old, HeapTuple new)
{
	bool		is_router = strcmp(RelationGetRelationName(td->tg_relation),
								   "router") == 0;
	const char *column = is_router ? "name" : "router";
	char	   *old_router = text_column(td, old, column);
	char	   *new_router = text_column(td, new, column);

	bool		is_rule = strcmp(RelationGetRelationName(td->tg_relation),
								 "rule") == 0;
	bool		moves = old_router != NULL && new_router != NULL &&
		strcmp(old_router, new_router) != 0;

	if (new_router != NULL)
	{
		Raised	   *r = raise_version(new_router);

		if (is_rule)
			note_rule(r, int_column(td, new, "id"));
		if (is_rule && old != NULL &&
			int_column(td, old, "id") != int_column(td, new, "id"))
			note_rule(r, int_column(td, old, "id"));
		/* what was noted under another name says nothing any more */
		else if (is_router && moves)
			note_rule(r, 0);
	}
	if (old_router != NULL && !is_router && (new_router == NULL || moves))
	{
		Raised	   *r = raise_version(old_router);

		if (is_rule)
			note_rule(r, int_column(td, old, "id"));
	}
}

/* TRUNCATE says nothing about rows: every router has changed. */
static void
raise_all(void)
{
	LrRights	rights;

	lr_become_owner(&rights);
	SPI_connect();
	SPI_execute("UPDATE leadroute.config_state SET version = version + 1",
				false, 0);
	SPI_execute("INSERT INTO leadroute.rule_change (router, version, rule)"
				" SELECT router, version, 0 FROM leadroute.config_state",
				false, 0);
	SPI_finish();
	lr_resign(&rights);
	/* no router of that name: it only says that something was raised */
	(void) add_raised("", 0);
}

Datum
lr_config_changed(PG_FUNCTION_ARGS)
{
	TriggerData *td = (TriggerData *) fcinfo->context;
	const char *table;
	HeapTuple	old = NULL;
	HeapTuple	new = NULL;
	bool		is_config;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("leadroute.config_changed is a trigger function")));
	table = RelationGetRelationName(td->tg_relation);
	if (TRIGGER_FIRED_BY_TRUNCATE(td->tg_event) &&
		TRIGGER_FIRED_BEFORE(td->tg_event))
	{
		keep_history_of_all(td);
		PG_RETURN_POINTER(NULL);
	}
	/* a migration that runs twice changes nothing the second time */
	if (TRIGGER_FIRED_BY_UPDATE(td->tg_event) &&
		lr_same_row(RelationGetDescr(td->tg_relation), td->tg_trigtuple,
					td->tg_newtuple))
		PG_RETURN_POINTER(NULL);
	is_config = strcmp(table, "absence") != 0 &&
		strcmp(table, "suppression") != 0;
	/* suppressions are looked up lead by lead: nobody keeps them */
	if (strcmp(table, "suppression") != 0)
		CacheInvalidateRelcacheByRelid(lr_relid("absence"));
	if (is_config)
	{
		CacheInvalidateRelcacheByRelid(lr_relid("config_state"));
		lr_config_own_change();
	}

	if (strcmp(table, "territory") == 0)
		CacheInvalidateRelcacheByRelid(lr_relid("territory"));

	if (TRIGGER_FIRED_BY_TRUNCATE(td->tg_event))
	{
		if (strcmp(table, "suppression") != 0)
			raise_all();
		PG_RETURN_POINTER(NULL);
	}
	if (TRIGGER_FIRED_BY_INSERT(td->tg_event))
		new = td->tg_trigtuple;
	else
		old = td->tg_trigtuple;
	if (TRIGGER_FIRED_BY_UPDATE(td->tg_event))
		new = td->tg_newtuple;

	/* nor absences: no rule is read again for them */
	if (is_config)
		raise_versions(td, old, new);
	if (old != NULL)
		keep_history(td, old, new);
	if (lr_preloaded())
	{
		(void) lr_database_slot();
		lr_look_at_held();
		if (strcmp(table, "routed_table") == 0)
			lr_look_at_waiting();
	}
	if (new != NULL && strcmp(table, "member") == 0 &&
		(old == NULL || differs(td, old, new, "owner_value") ||
		 differs(td, old, new, "router")))
	{
		Saved	   *s = (Saved *) MemoryContextAlloc(TopTransactionContext,
													 sizeof(Saved));

		s->member = int_column(td, new, "id");
		s->nest = GetCurrentTransactionNestLevel();
		s->next = saved_members;
		saved_members = s;
	}
	PG_RETURN_POINTER(NULL);
}

/*
 * AFTER STATEMENT on member: leads that such a member owns already are
 * adopted.  An ordinary trigger; a restore and routing = off adopt nothing.
 */
Datum
lr_members_saved(PG_FUNCTION_ARGS)
{
	List	   *members = NIL;
	Saved	   *s;

	/* in the order in which they were saved */
	for (s = saved_members; s != NULL; s = s->next)
		members = lcons_int(s->member, members);
	saved_members = NULL;
	if (members != NIL && lr_preloaded() && lr_routing)
		lr_adopt_members(members);
	PG_RETURN_POINTER(NULL);
}
