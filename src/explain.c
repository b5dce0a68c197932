/*
 * explain.c
 *	  What would be decided now, and why: the decision core run dry.
 *
 * Consumes nothing and writes nothing.  The text form is made from the same
 * walk over the trials as the JSON form.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "decide.h"
#include "lead.h"
#include "leadroute.h"
#include "outcome.h"
#include "owner_rights.h"
#include "rule_scope.h"

PG_FUNCTION_INFO_V1(lr_explain);

static const char *
method_word(char method)
{
	switch (method)
	{
		case LR_METHOD_LEAST_LOADED:
			return "least_loaded";
		case LR_METHOD_LONGEST_IDLE:
			return "longest_idle";
		case LR_METHOD_RANDOM:
			return "random";
		default:
			return "round_robin";
	}
}

static const char *
tried_word(LrTried tried)
{
	switch (tried)
	{
		case LR_TRIED_NO_MATCH:
			return "no match";
		case LR_TRIED_NOT_IN_FORCE:
			return "not in force now";
		case LR_TRIED_NOT_DRAWN:
			return "matches, but the lead is not in its percent";
		case LR_TRIED_NO_TARGET:
			return "matches, but names nobody";
		case LR_TRIED_ERROR:
			return "error";
		case LR_TRIED_NO_MEMBER:
			return "matches, but its team has no member";
		case LR_TRIED_NOBODY:
			return "matches, but nobody can take the lead now";
		default:
			return "matches";
	}
}

/* Why a member cannot take the lead, in words. */
static char *
passed_words(const LrPassedOver *p)
{
	switch (p->why)
	{
		case LR_CAN:
			return pstrdup("can take it");
		case LR_PASSED_INACTIVE:
			return pstrdup("inactive");
		case LR_PASSED_AWAY:
			if (p->a == PG_INT64_MAX)
				return pstrdup("away until resumed");
			return psprintf("away until %s",
							timestamptz_to_str(p->a -
											   (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) *
											   USECS_PER_DAY));
		case LR_PASSED_FULL:
			return psprintf("at its capacity, %lld of %lld",
							(long long) p->a, (long long) p->b);
		case LR_PASSED_NO_SLOT:
			return pstrdup("no room in shared memory for its counters");
		default:
			return pstrdup("the owner column cannot hold its owner value");
	}
}

static char *
measure_words(char method, const LrCandidate *c)
{
	if (!c->has_measure)
		return pstrdup(method == LR_METHOD_LONGEST_IDLE ? "never had a lead" :
					   "not measured");
	switch (method)
	{
		case LR_METHOD_LEAST_LOADED:
			return psprintf("load ratio %.3f", c->measure);
		case LR_METHOD_LONGEST_IDLE:
			/* what is counted are decisions up to this one */
			return c->measure == 1 ? pstrdup("1 decision since its last lead") :
				psprintf("%.0f decisions since its last lead", c->measure);
		case LR_METHOD_RANDOM:
			return psprintf("draw %.3f", c->measure);
		default:
			return psprintf("credit %.3f", c->measure);
	}
}

/* When a rule is in force. */
static char *
valid_words(const LrRule *rule)
{
	char	   *since = pstrdup(timestamptz_to_str(rule->scope.since));

	if (rule->scope.since == DT_NOBEGIN)
		return psprintf("until %s", timestamptz_to_str(rule->scope.until));
	if (rule->scope.until == DT_NOEND)
		return psprintf("from %s", since);
	return psprintf("from %s until %s", since,
					timestamptz_to_str(rule->scope.until));
}

/* ---------- text ---------- */

static void
line(ReturnSetInfo *rsinfo, char *text)
{
	Datum		value = CStringGetTextDatum(text);
	bool		isnull = false;

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
}

static void
explain_team(ReturnSetInfo *rsinfo, const LrTrial *trial)
{
	LrTeam	   *team = trial->rule->team;
	const LrPick *pick = trial->pick;
	int			i;

	if (team->id < 0)
		line(rsinfo, psprintf("      member \"%s\"", team->name));
	else
		line(rsinfo, psprintf("      %s, %s: %d of %d %s can take it",
							  team->name ? psprintf("team \"%s\"", team->name) :
							  "every member", method_word(trial->rule->method),
							  pick->candidates, team->n,
							  team->n == 1 ? "member" : "members"));
	for (i = 0; i < team->n; i++)
	{
		const LrCandidate *c = &pick->all[i];

		if (c->state.why == LR_CAN)
			line(rsinfo, psprintf("      %s \"%s\": share %.4f, %s, %lld open%s",
								  i == pick->chosen ? "->" : "  ",
								  c->member->name, c->share,
								  measure_words(trial->rule->method, c),
								  (long long) c->load,
								  c->member->capacity >= 0 ?
								  psprintf(" of %d", c->member->capacity) : ""));
		else
			line(rsinfo, psprintf("         \"%s\": %s", c->member->name,
								  passed_words(&c->state)));
	}
}

static char *
result_words(const LrDecision *d)
{
	if (d->member != NULL)
		return psprintf("assigned to \"%s\"%s", d->member->name,
						d->entry.reason ? " (limits ignored)" : "");
	if (d->entry.kind == LR_KIND_NONE)
		return pstrdup("stays without owner, as the rule's overflow says");
	return psprintf("held: %s", strcmp(d->entry.reason, "no_rule") == 0 ?
					"no rule matches" :
					strcmp(d->entry.reason, "no_member") == 0 ?
					"the teams of the rules that match have no member" :
					strncmp(d->entry.reason, "unknown", 7) == 0 ?
					"the rules that match name nobody" :
					"nobody can take it now");
}

static void
explain_text(ReturnSetInfo *rsinfo, LrTable *table, LrBinding *b,
			 const LrFacts *facts, const LrDecision *d)
{
	ListCell   *lc;

	line(rsinfo, psprintf("Lead %s of \"%s\", router \"%s\" (configuration version %lld)",
						  facts->key, table->name, b->router->name,
						  (long long) b->router->version));
	if (facts->owner != NULL)
		line(rsinfo, psprintf("  It has the owner %s; without one:", facts->owner));
	foreach(lc, d->trials)
	{
		LrTrial    *t = (LrTrial *) lfirst(lc);

		line(rsinfo, psprintf("  Rule \"%s\" (priority %d, version %d): %s%s%s",
							  t->rule->name, t->rule->priority, t->rule->version,
							  tried_word(t->tried), t->error ? ": " : "",
							  t->error ? t->error : ""));
		if (t->rule->condition != NULL)
			line(rsinfo, psprintf("      Condition: %s", t->rule->condition));
		if (t->tried == LR_TRIED_NOT_IN_FORCE)
			line(rsinfo, psprintf("      In force: %s", valid_words(t->rule)));
		if (t->rule->scope.percent < 100)
			line(rsinfo, psprintf("      Percent: %g, the lead falls at %.4f",
								  t->rule->scope.percent,
								  lr_rule_draw(b->router->id, t->rule->id,
											   facts->key)));
		if (t->pick != NULL && t->rule->team->n > 0)
			explain_team(rsinfo, t);
	}
	line(rsinfo, psprintf("  Result: %s", result_words(d)));
}

/* ---------- JSON ---------- */

static void
json_text(StringInfo buf, const char *name, const char *value)
{
	appendStringInfo(buf, "\"%s\": ", name);
	if (value != NULL)
		escape_json(buf, value);
	else
		appendStringInfoString(buf, "null");
}

static void
json_members(StringInfo buf, const LrTrial *t)
{
	int			i;

	appendStringInfoString(buf, ", \"members\": [");
	for (i = 0; i < t->rule->team->n; i++)
	{
		const LrCandidate *c = &t->pick->all[i];

		appendStringInfoString(buf, i > 0 ? ", {" : "{");
		json_text(buf, "member", c->member->name);
		appendStringInfo(buf, ", \"can\": %s, \"chosen\": %s, ",
						 c->state.why == LR_CAN ? "true" : "false",
						 i == t->pick->chosen ? "true" : "false");
		json_text(buf, "detail", passed_words(&c->state));
		appendStringInfo(buf, ", \"share\": %.6f, \"measure\": %s, \"load\": %lld, \"capacity\": ",
						 c->share, c->has_measure ? psprintf("%.6f", c->measure) :
						 "null", (long long) c->load);
		if (c->member->capacity >= 0)
			appendStringInfo(buf, "%d}", c->member->capacity);
		else
			appendStringInfoString(buf, "null}");
	}
	appendStringInfoChar(buf, ']');
}

static void
explain_json(ReturnSetInfo *rsinfo, LrTable *table, LrBinding *b,
			 const LrFacts *facts, const LrDecision *d)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	json_text(&buf, "routed_table", table->name);
	appendStringInfoString(&buf, ", ");
	json_text(&buf, "lead_key", facts->key);
	appendStringInfoString(&buf, ", ");
	json_text(&buf, "router", b->router->name);
	appendStringInfo(&buf, ", \"version\": %lld, ", (long long) b->router->version);
	json_text(&buf, "owner", facts->owner);
	appendStringInfoString(&buf, ", \"rules\": [");
	foreach(lc, d->trials)
	{
		LrTrial    *t = (LrTrial *) lfirst(lc);

		appendStringInfoString(&buf, foreach_current_index(lc) > 0 ? ", {" : "{");
		json_text(&buf, "rule", t->rule->name);
		appendStringInfo(&buf, ", \"version\": %d, \"priority\": %d, ",
						 t->rule->version, t->rule->priority);
		json_text(&buf, "condition", t->rule->condition);
		appendStringInfoString(&buf, ", ");
		json_text(&buf, "result", tried_word(t->tried));
		appendStringInfoString(&buf, ", ");
		json_text(&buf, "error", t->error);
		if (t->rule->scope.percent < 100)
			appendStringInfo(&buf, ", \"percent\": %g, \"draw\": %.4f",
							 t->rule->scope.percent,
							 lr_rule_draw(b->router->id, t->rule->id,
											   facts->key));
		if (t->pick != NULL)
		{
			appendStringInfoString(&buf, ", ");
			json_text(&buf, "team", t->rule->team->name);
			appendStringInfoString(&buf, ", ");
			json_text(&buf, "method", method_word(t->rule->method));
			json_members(&buf, t);
		}
		appendStringInfoChar(&buf, '}');
	}
	appendStringInfoString(&buf, "], ");
	json_text(&buf, "member", d->member ? d->member->name : NULL);
	appendStringInfoString(&buf, ", ");
	json_text(&buf, "reason", d->entry.reason);
	appendStringInfoString(&buf, ", ");
	json_text(&buf, "result", result_words(d));
	appendStringInfoChar(&buf, '}');
	line(rsinfo, buf.data);
}

/* ---------- the function ---------- */

static void
explain_lead(ReturnSetInfo *rsinfo, LrTable *table, const char *key, bool json)
{
	TupleTableSlot *row = lr_lead_fetch(table, key, false);
	LrDecideRequest request = {0};
	LrDecision	decision;
	LrFacts		facts;
	LrBinding  *b;

	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("lead table \"%s\" has no lead %s", table->name, key)));
	lr_facts(table, row, &facts);
	b = facts.router != NULL ? lr_table_bind(table, facts.router) : NULL;
	if (b == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("lead %s of \"%s\" belongs to no router", key,
						table->name)));
	request.table = table;
	request.binding = b;
	request.row = row;
	request.key = facts.key;
	request.load = facts.closed ? 0 : LR_LEAD_LOAD;
	request.now = lr_now();
	request.dry_run = true;
	lr_decide(&request, &decision);
	if (json)
		explain_json(rsinfo, table, b, &facts, &decision);
	else
		explain_text(rsinfo, table, b, &facts, &decision);
	lr_binding_unpin(b);
}

Datum
lr_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LrTable    *table;
	LrRights	rights;
	char	   *key;
	char	   *format;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return (Datum) 0;
	format = text_to_cstring(PG_GETARG_TEXT_PP(2));
	if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid format \"%s\"", format),
				 errhint("Valid words: text, json.")));
	table = lr_table_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)),
						  AccessShareLock);
	key = lr_key_argument(fcinfo, 1);
	lr_lead_become(table, true, &rights);
	SPI_connect();
	explain_lead(rsinfo, table, key, strcmp(format, "json") == 0);
	SPI_finish();
	lr_resign(&rights);
	lr_table_unpin(table);
	return (Datum) 0;
}
