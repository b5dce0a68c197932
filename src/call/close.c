/*
 * close.c
 *	  respond, close, reopen: what becomes of leads, said by calls, for tables
 *	  whose rows do not say it.
 *
 * What a table has SQL for, its rows say alone: a call about it is refused, so
 * that the two never contradict each other.  Without closed_when the journal's
 * current row is what says that a lead is closed (lr_facts_closed).
 *
 * Whoever may UPDATE the lead table may call them, for he could say it by a
 * column; where row-level security applies to him, for leads that he could.  A member may, for the
 * leads that it owns now, and who manages members.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "base/acting.h"
#include "base/clock.h"
#include "base/generation.h"
#include "base/guc.h"
#include "call/by_hand.h"
#include "config/permitted.h"
#include "lead/lead.h"
#include "lead/visible.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_respond_sql);
PG_FUNCTION_INFO_V1(lr_close_sql);
PG_FUNCTION_INFO_V1(lr_reopen_sql);

/* A call about a lead. */
typedef struct Call
{
	LrTable    *table;
	char	   *key;
	Oid			caller;
	LrRights	rights;
	bool		there;			/* the lead is stored */
	LrFacts		facts;
	LrCurrent	current;
} Call;

/* ---------- a call ---------- */

/* Looks at the lead; false: leadroute knows nothing of it, or it is not there. */
static bool
look_at(Call *call, bool lock)
{
	LrTable    *table = call->table;
	TupleTableSlot *row = lr_lead_fetch(table, call->key, lock);

	call->there = row != NULL;
	if (!call->there)
		return false;
	lr_stored_facts(table, row, true, &call->facts);
	return lr_journal_current(table->id, call->facts.key, &call->current);
}

/* Error unless the lead is the caller's; it tells nothing about the lead. */
static void
require_ownership(const Call *call, bool known)
{
	if (!known || !lr_is_member(call->caller, call->current.member))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for lead %s of table \"%s\"",
						call->key, call->table->name),
				 errdetail("Its owner may say what becomes of it, whose role_name is the current role, and roles that may UPDATE the lead.")));
}

/*
 * Locks the lead, and looks at it.  Who has no right to it waits for nobody and
 * locks nothing: whether he owns it is looked at before it is locked, and again
 * as it is then.
 */
static void
begin_call(FunctionCallInfo fcinfo, Call *call)
{
	LrTable    *table;
	bool		allowed;
	bool		known;

	lr_require_preload();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("lead_table and key must not be null")));
	table = call->table = lr_table_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)),
										RowShareLock);
	call->key = lr_key_argument(fcinfo, 1);
	call->caller = GetUserId();
	lr_act_as(call->caller);
	SPI_connect();
	allowed = lr_manages_members(call->caller) ||
		lr_may_update_lead(table, call->key, InvalidAttrNumber);
	lr_lead_become(table, true, &call->rights);
	lr_settle_prepared(lr_database());
	if (!allowed)
		require_ownership(call, look_at(call, false));
	known = look_at(call, true);
	if (!allowed)
		require_ownership(call, known);
	if (!call->there)
		lr_no_such_lead(table, call->key);
	if (!known)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("leadroute knows nothing of lead %s of table \"%s\"",
						call->key, table->name),
				 errhint("leadroute.route decides a lead that was stored without a decision.")));
}

static void
end_call(Call *call)
{
	lr_journal_flush();
	SPI_finish();
	lr_resign(&call->rights);
	lr_act_end();
	lr_table_unpin(call->table);
}

/* What the table's rows say, no call says. */
static void
refuse_if_said(const Call *call, const char *column, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s of table \"%s\" says it of its leads", column,
					call->table->name),
			 errhint("%s", hint)));
}

Datum
lr_respond_sql(PG_FUNCTION_ARGS)
{
	TimestampTz when[LR_WHENS] = {0};
	bool		change[LR_WHENS] = {false};
	bool		told_change[LR_TOLDS] = {false};
	Call		call;

	begin_call(fcinfo, &call);
	if (lr_table_says(call.table, LR_RESPONDED))
		refuse_if_said(&call, "responded_when",
					   "UPDATE the lead so that it is true.");
	if (!lr_had_owner(&call.current))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("lead %s of table \"%s\" has no owner who could respond",
						call.key, call.table->name)));
	if (!call.current.responded)
	{
		when[LR_RESPONDED] = LR_SOME_TIME;
		change[LR_RESPONDED] = true;
		lr_journal_happened(call.table->id, call.facts.key, &call.current,
							when, change, lr_now(), NULL, told_change);
	}
	end_call(&call);
	PG_RETURN_BOOL(!call.current.responded);
}

/* Whether a lead that came to this has become a customer. */
static bool
is_won(const char *outcome)
{
	return outcome != NULL &&
		(strcmp(outcome, "won") == 0 || strcmp(outcome, "converted") == 0);
}

/* The payload of the event; NULL: none. */
static char *
outcome_payload(const char *outcome)
{
	StringInfoData payload;

	if (outcome == NULL)
		return NULL;
	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"outcome\": ");
	escape_json(&payload, outcome);
	appendStringInfoChar(&payload, '}');
	return payload.data;
}

/*
 * The lead is closed or open from now on, and came to outcome (NULL: nothing, or
 * what it was).  Returns whether that is news.
 */
static bool
set_closed(Call *call, bool closed, const char *outcome, const LrTold *told,
		   bool *told_change)
{
	const LrCurrent *current = &call->current;
	TimestampTz when[LR_WHENS] = {0};
	bool		change[LR_WHENS] = {false};

	change[LR_CLOSED] = current->closed != closed;
	when[LR_CLOSED] = closed ? LR_SOME_TIME : LR_NOT_YET;
	if (!lr_table_says(call->table, LR_CONVERTED) &&
		(outcome != NULL || (!closed && is_won(current->told.outcome))))
	{
		change[LR_CONVERTED] = current->converted != is_won(outcome);
		when[LR_CONVERTED] = is_won(outcome) ? LR_SOME_TIME : LR_NOT_YET;
	}
	if (!change[LR_CLOSED] && !change[LR_CONVERTED] &&
		!told_change[LR_VALUE] && !told_change[LR_OUTCOME])
		return false;
	lr_journal_happened(call->table->id, call->facts.key, current, when,
						change, lr_now(), told, told_change);
	if (change[LR_CLOSED])
		lr_outcome_count(call->table, call->facts.key, current, closed,
						 call->facts.load, outcome_payload(outcome));
	return true;
}

Datum
lr_close_sql(PG_FUNCTION_ARGS)
{
	bool		told_change[LR_TOLDS] = {false};
	char	   *outcome = PG_ARGISNULL(2) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(2));
	bool		done;
	LrTold		told;
	Call		call;

	if (outcome != NULL && outcome[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("outcome must not be empty"),
				 errhint("Leave it out when nothing is to be said.")));
	begin_call(fcinfo, &call);
	if (lr_table_says(call.table, LR_CLOSED) && !call.facts.closed)
		refuse_if_said(&call, "closed_when",
					   "UPDATE the lead so that it is true; then outcome and value can be said of it.");
	told = call.current.told;
	if (!PG_ARGISNULL(3))
	{
		if (call.table->told[LR_VALUE] != NULL ||
			call.table->told_broken[LR_VALUE] != NULL)
			refuse_if_said(&call, "value", "UPDATE the lead.");
		told.value = NumericGetDatum(PG_GETARG_NUMERIC(3));
		if (numeric_is_nan(DatumGetNumeric(told.value)) ||
			numeric_is_inf(DatumGetNumeric(told.value)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("value must be a finite number")));
		told_change[LR_VALUE] = told.isnull[LR_VALUE] ||
			!DatumGetBool(DirectFunctionCall2(numeric_eq, told.value,
											  call.current.told.value));
		told.isnull[LR_VALUE] = false;
	}
	if (outcome != NULL)
	{
		told_change[LR_OUTCOME] = told.outcome == NULL ||
			strcmp(told.outcome, outcome) != 0;
		told.outcome = outcome;
	}
	done = set_closed(&call, true, outcome, &told, told_change);
	end_call(&call);
	PG_RETURN_BOOL(done);
}

Datum
lr_reopen_sql(PG_FUNCTION_ARGS)
{
	bool		told_change[LR_TOLDS] = {false};
	bool		done = false;
	LrTold		told;
	Call		call;

	begin_call(fcinfo, &call);
	if (lr_table_says(call.table, LR_CLOSED))
		refuse_if_said(&call, "closed_when",
					   "UPDATE the lead so that it is not true.");
	told = call.current.told;
	if (call.current.closed)
	{
		/* what it was worth was said of its end */
		told_change[LR_VALUE] = call.table->told[LR_VALUE] == NULL &&
			call.table->told_broken[LR_VALUE] == NULL &&
			!told.isnull[LR_VALUE];
		if (told_change[LR_VALUE])
			told.isnull[LR_VALUE] = true;
		done = set_closed(&call, false, NULL, &told, told_change);
	}
	end_call(&call);
	PG_RETURN_BOOL(done);
}
