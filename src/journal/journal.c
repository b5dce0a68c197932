/*
 * journal.c
 *	  What the journal and its companions say, made into rows.
 *
 * Invariants
 * - Whatever moves a counter in shared memory is a row of journal (its load
 *	 and turn) or event (its load, and the turn that it gives back);
 *	 recovery.c adds these up and gets the counters.
 * - The history of a lead is found from its key by indexes: what is current,
 *	 what has ended, and by previous_id what ended under another key.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "base/acting.h"
#include "base/clock.h"
#include "base/guc.h"
#include "cap/cap_count.h"
#include "decide/passed.h"
#include "journal/candidate_set.h"
#include "journal/journal_row.h"
#include "leadroute.h"
#include "roster/late.h"
#include "roster/reserve.h"

static void
set_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL || text[0] == '\0';
	if (!nulls[column])
		values[column] = CStringGetTextDatum(text);
}

static void
set_int(Datum *values, bool *nulls, int column, int32 value, int32 null_value)
{
	nulls[column] = value == null_value;
	values[column] = Int32GetDatum(value);
}

static Datum
int8_array(const int64 *numbers, int n)
{
	Datum	   *elements = (Datum *) palloc(n * sizeof(Datum));
	int			i;

	for (i = 0; i < n; i++)
		elements[i] = Int64GetDatum(numbers[i]);
	return PointerGetDatum(construct_array(elements, n, INT8OID, 8,
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
cap_array(const LrEntry *e)
{
	int64	   *tags = (int64 *) palloc(e->ncaps * sizeof(int64));
	int			i;

	for (i = 0; i < e->ncaps; i++)
		tags[i] = e->caps[i].tag;
	return int8_array(tags, e->ncaps);
}

Datum
lr_bitmap_datum(const uint8 *bits, int bytes)
{
	bytea	   *value;

	/* trailing zero bytes say nothing */
	while (bytes > 0 && bits[bytes - 1] == 0)
		bytes--;
	value = (bytea *) palloc(VARHDRSZ + bytes);
	SET_VARSIZE(value, VARHDRSZ + bytes);
	memcpy(VARDATA(value), bits, bytes);
	return PointerGetDatum(value);
}

void
lr_pool_add(const LrEntry *e)
{
	Datum		values[P_COLUMNS];
	bool		nulls[P_COLUMNS] = {false};

	values[P_ROUTED_TABLE] = Int32GetDatum(e->routed_table);
	values[P_LEAD_KEY] = CStringGetTextDatum(e->lead_key);
	values[P_ROUTER] = Int32GetDatum(e->router);
	set_int(values, nulls, P_RULE, e->rule, 0);
	set_int(values, nulls, P_TEAM, e->team, -1);
	values[P_STATE] = CStringGetTextDatum(e->kind == LR_KIND_TRIAGE ? "triage" :
										  e->held.waits ? "waiting" : "held");
	values[P_ASSIGNMENT] = Int64GetDatum(e->id);
	values[P_ENTERED_AT] = TimestampTzGetDatum(e->at);
	/* who is on a triage list stands in no line, and the worker leaves it alone */
	nulls[P_LINE] = e->held.line == 0 || e->kind == LR_KIND_TRIAGE;
	values[P_LINE] = Int64GetDatum(e->held.line);
	nulls[P_WAY] = e->held.way == 0 || e->kind == LR_KIND_TRIAGE;
	values[P_WAY] = Int64GetDatum(e->held.way);
	nulls[P_AVAILABLE_FROM] = !e->held.waits;
	values[P_AVAILABLE_FROM] = TimestampTzGetDatum(e->held.until);
	lr_row_add(ROW_POOL, values, nulls);
	if (e->held.waits)
		lr_lead_waits(e->held.until);
	else if (e->kind != LR_KIND_TRIAGE)
		lr_lead_held(&e->held);
}

void
lr_set_happened(Datum *values, bool *nulls, LrWhen what, TimestampTz when,
				TimestampTz at)
{
	static const int column[LR_WHENS] = {
		[LR_CLOSED] = J_CLOSED_AT,
		[LR_RESPONDED] = J_RESPONDED_AT,
		[LR_CONVERTED] = J_CONVERTED_AT,
		[LR_ACCEPTED] = J_ACCEPTED_AT,
	};

	nulls[column[what]] = when == LR_NOT_YET;
	values[column[what]] = TimestampTzGetDatum(when == LR_SOME_TIME ? at : when);
}

void
lr_set_told(Datum *values, bool *nulls, const LrTold *told)
{
	nulls[J_CAPTURED_AT] = told->isnull[LR_CAPTURED_AT];
	values[J_CAPTURED_AT] = TimestampTzGetDatum(told->captured_at);
	set_text(values, nulls, J_SOURCE,
			 told->isnull[LR_SOURCE] ? NULL : told->source);
	nulls[J_VALUE] = told->isnull[LR_VALUE];
	values[J_VALUE] = told->value;
	set_text(values, nulls, J_OUTCOME, told->outcome);
}

void
lr_journal_add(const LrEntry *e)
{
	Datum		values[J_COLUMNS];
	bool		nulls[J_COLUMNS] = {false};
	int64		set;
	int			i;

	values[J_ID] = Int64GetDatum(e->id);
	values[J_ASSIGNED_AT] = TimestampTzGetDatum(e->at);
	values[J_ROUTER] = Int32GetDatum(e->router);
	values[J_ROUTED_TABLE] = Int32GetDatum(e->routed_table);
	set_int(values, nulls, J_RULE, e->rule, 0);
	set_int(values, nulls, J_RULE_VERSION, e->rule_version, 0);
	set_int(values, nulls, J_TEAM, e->team, -1);
	set_int(values, nulls, J_MEMBER, e->member, 0);
	values[J_LOAD] = Int32GetDatum(e->load);
	set_int(values, nulls, J_TARGET_MONTH, e->month, 0);
	values[J_SHARE] = Int16GetDatum(1);
	values[J_HOP] = Int16GetDatum((int16) Min(e->hop, PG_INT16_MAX));
	values[J_KIND] = CharGetDatum(e->kind);
	nulls[J_METHOD] = e->method == '\0';
	values[J_METHOD] = CharGetDatum(e->method);
	values[J_TURN] = BoolGetDatum(e->turn);
	values[J_SUPERSEDED] = BoolGetDatum(false);
	values[J_LEAD_KEY] = CStringGetTextDatum(e->lead_key);
	values[J_ROLE_NAME] = CStringGetTextDatum(lr_acting_role());
	nulls[J_TEAM_VERSION] = e->team_version == 0;
	values[J_TEAM_VERSION] = Int64GetDatum(e->team_version);
	nulls[J_MEASURE] = !e->has_measure;
	values[J_MEASURE] = Float8GetDatum(e->measure);
	set = lr_candidate_set(e);
	nulls[J_CANDIDATE_SET] = set == 0;
	values[J_CANDIDATE_SET] = Int64GetDatum(set);
	nulls[J_CANDIDATES] = e->candidates == NULL || set != 0;
	if (!nulls[J_CANDIDATES])
		values[J_CANDIDATES] = lr_bitmap_datum(e->candidates, e->candidate_bytes);
	nulls[J_ACCRUING] = e->accruing == NULL || set != 0;
	if (!nulls[J_ACCRUING])
		values[J_ACCRUING] = lr_bitmap_datum(e->accruing, e->candidate_bytes);
	nulls[J_PASSED_OVER] = e->npassed == 0;
	if (e->npassed)
		values[J_PASSED_OVER] = int8_array(e->passed_over,
										   e->npassed * LR_PASSED_NUMBERS);
	set_int(values, nulls, J_PASSED_OVER_COUNT, e->passed_count, 0);
	set_text(values, nulls, J_REASON, e->reason);
	set_text(values, nulls, J_DETAIL, e->detail);
	set_text(values, nulls, J_ACTOR, lr_actor);
	nulls[J_ENDED_AT] = true;
	for (i = 0; i < LR_WHENS; i++)
		lr_set_happened(values, nulls, i, e->when != NULL ? e->when[i] :
						i == LR_CLOSED && e->closed ? LR_SOME_TIME : LR_NOT_YET,
						e->at);
	nulls[J_PREVIOUS_ID] = e->previous_id == 0;
	values[J_PREVIOUS_ID] = Int64GetDatum(e->previous_id);
	nulls[J_CAPS] = e->ncaps == 0;
	if (e->ncaps > 0)
		values[J_CAPS] = cap_array(e);
	nulls[J_SCORE] = !e->has_score;
	values[J_SCORE] = Float8GetDatum(e->score);
	nulls[J_RELEASED] = !e->released;
	values[J_RELEASED] = BoolGetDatum(true);
	nulls[J_IS_TEST] = !e->is_test;
	values[J_IS_TEST] = BoolGetDatum(true);
	nulls[J_CAPTURED_AT] = nulls[J_SOURCE] = nulls[J_VALUE] = nulls[J_OUTCOME] = true;
	if (e->told != NULL)
		lr_set_told(values, nulls, e->told);
	lr_late_lead(e->id);
	lr_row_add(ROW_JOURNAL, values, nulls);
	if (lr_waits(e->kind) && !e->closed && !e->is_test)
		lr_pool_add(e);
}

static void
set_bitmap(Datum *values, bool *nulls, int column, struct varlena *bitmap)
{
	nulls[column] = bitmap == NULL;
	values[column] = PointerGetDatum(bitmap);
}

static void
add_event(const char *kind, int32 router, int32 routed_table,
		  const char *lead_key, int64 assignment, int32 member, int load,
		  const char *payload, const LrTurn *turn, int ncaps,
		  const int64 *caps)
{
	Datum		values[E_COLUMNS];
	bool		nulls[E_COLUMNS] = {false};

	values[E_ID] = Int64GetDatum(lr_reserve_id());
	values[E_AT] = TimestampTzGetDatum(lr_now());
	values[E_KIND] = CStringGetTextDatum(kind);
	values[E_ROUTER] = Int32GetDatum(router);
	set_int(values, nulls, E_ROUTED_TABLE, routed_table, 0);
	nulls[E_ASSIGNMENT] = assignment == 0;
	values[E_ASSIGNMENT] = Int64GetDatum(assignment);
	set_int(values, nulls, E_MEMBER, member, 0);
	values[E_LOAD] = Int32GetDatum(load);
	set_text(values, nulls, E_LEAD_KEY, lead_key);
	values[E_ROLE_NAME] = CStringGetTextDatum(lr_acting_role());
	set_text(values, nulls, E_ACTOR, lr_actor);
	nulls[E_PAYLOAD] = payload == NULL;
	if (payload)
		values[E_PAYLOAD] = DirectFunctionCall1(jsonb_in,
												CStringGetDatum(payload));
	nulls[E_TEAM] = turn == NULL;
	nulls[E_TEAM_VERSION] = turn == NULL || !turn->turn;
	nulls[E_CANDIDATES] = nulls[E_ACCRUING] = nulls[E_CANDIDATE_SET] = true;
	nulls[E_TARGET_MONTH] = turn == NULL || turn->month == 0;
	if (turn != NULL)
	{
		values[E_TEAM] = Int32GetDatum(turn->team);
		values[E_TARGET_MONTH] = Int32GetDatum(turn->month);
	}
	if (turn != NULL && turn->turn)
	{
		values[E_TEAM_VERSION] = Int64GetDatum(turn->version);
		set_bitmap(values, nulls, E_CANDIDATES, turn->candidates);
		set_bitmap(values, nulls, E_ACCRUING, turn->accruing);
		nulls[E_CANDIDATE_SET] = turn->set == 0;
		values[E_CANDIDATE_SET] = Int64GetDatum(turn->set);
	}
	nulls[E_CAPS] = ncaps == 0;
	if (ncaps > 0)
		values[E_CAPS] = int8_array(caps, ncaps);
	lr_row_add(ROW_EVENT, values, nulls);
}

void
lr_event_add(const char *kind, int32 router, int32 routed_table,
			 const char *lead_key, int64 assignment, int32 member, int load,
			 const char *payload)
{
	add_event(kind, router, routed_table, lead_key, assignment, member, load,
			  payload, NULL, 0, NULL);
}

void
lr_event_ended(const char *kind, int32 routed_table, const char *lead_key,
			   const LrCurrent *current, int load, bool given_back)
{
	add_event(kind, current->router, routed_table, lead_key, current->id,
			  current->member, load, NULL, given_back ? current->turn : NULL,
			  given_back ? current->ncaps : 0, current->caps);
}
