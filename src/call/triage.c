/*
 * triage.c
 *	  Who could take a lead that is on a triage list (rule.method manual).
 *
 * The list itself is pool_entry with state triage, and the views over it.  The
 * lead is decided by whoever calls assign; here he is told of each member of
 * the team what a method would know of it: the choice is run dry.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "base/clock.h"
#include "base/generation.h"
#include "base/guc.h"
#include "config/permitted.h"
#include "decide/decide.h"
#include "expression/evaluate.h"
#include "lead/lead.h"
#include "lead/outcome.h"
#include "leadroute.h"
#include "roster/prepared.h"

PG_FUNCTION_INFO_V1(lr_triage_candidates);

/* Whom of the team the lead fits, by the rule that is still there. */
static void
find_fitting(LrTable *table, LrBinding *b, TupleTableSlot *row,
			 const LrCurrent *current, LrBoundRule *bound, LrTeam *team,
			 LrFitting *fitting)
{
	bool		by_rule = bound != NULL && bound->rule.member_condition != NULL;
	LrEvaluation ev;
	char	   *detail = NULL;

	memset(fitting, 0, sizeof(*fitting));
	if (!by_rule && team->nreach == 0)
		return;
	lr_evaluation_begin(&ev, table, row);
	ev.router = b->router;
	ev.score = current->has_score ? &current->score : NULL;
	lr_fitting_find(&ev, b, by_rule ? bound : NULL, team, true, fitting,
					&detail);
	lr_evaluation_end(&ev);
}

/* What the method would know of each of the team, without any effect. */
static LrPick *
look_at_team(LrTable *table, LrBinding *b, TupleTableSlot *row,
			 const LrFacts *facts, const LrCurrent *current, LrTeam *team)
{
	LrPick	   *pick = (LrPick *) palloc(sizeof(LrPick));
	LrBoundRule *bound = lr_binding_rule_by_id(b, current->rule);
	LrDecideRequest request = {0};
	LrDecision	decision = {0};
	LrRule		rule = {0};
	LrFitting	fitting;

	request.table = table;
	request.binding = b;
	request.row = row;
	request.key = facts->key;
	request.load = facts->load;
	request.now = lr_now();
	request.dry_run = true;
	lr_people_accept(b->router);
	if (bound != NULL)
		rule = bound->rule;
	rule.id = current->rule;
	rule.team = team;
	rule.method = LR_METHOD_MANUAL;
	find_fitting(table, b, row, current, bound, team, &fitting);
	lr_decision_caps(&request, &decision);
	lr_pick_from(&request, &rule, &fitting, false, false, decision.caps, pick);
	return pick;
}

/* Who can take it first, by load ratio; then in the order of the team. */
static int
compare_candidates(const void *a, const void *b)
{
	const LrCandidate *x = *(const LrCandidate *const *) a;
	const LrCandidate *y = *(const LrCandidate *const *) b;
	bool		can_x = x->state.why == LR_CAN;
	bool		can_y = y->state.why == LR_CAN;

	if (can_x != can_y)
		return can_x ? -1 : 1;
	if (can_x && x->measure != y->measure)
		return x->measure < y->measure ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void
put_candidate(ReturnSetInfo *rsinfo, LrBinding *b, const LrCandidate *c,
			  TimestampTz now)
{
	const LrPassedOver *p = &c->state;
	bool		can = p->why == LR_CAN;
	bool		ends = !can && p->until != 0;
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = CStringGetTextDatum(c->member->name);
	values[1] = BoolGetDatum(can);
	nulls[2] = nulls[4] = can;
	nulls[3] = !ends;
	values[3] = TimestampTzGetDatum(p->until);
	if (!can)
	{
		values[2] = CStringGetTextDatum(lr_passed_word(p->why));
		values[4] = CStringGetTextDatum(lr_passed_sentence(p,
														   lr_cap_name(b->router,
																	   p->cap),
														   pg_get_timezone_name(c->member->local),
														   now));
	}
	values[5] = Int64GetDatum(c->load);
	nulls[6] = c->member->capacity < 0;
	values[6] = Int32GetDatum(c->member->capacity);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
put_candidates(ReturnSetInfo *rsinfo, LrBinding *b, const LrPick *pick, int n)
{
	const LrCandidate **order =
		(const LrCandidate **) palloc((n + 1) * sizeof(LrCandidate *));
	TimestampTz now = lr_now();
	int			i;

	for (i = 0; i < n; i++)
		order[i] = &pick->all[i];
	qsort(order, n, sizeof(LrCandidate *), compare_candidates);
	for (i = 0; i < n; i++)
		put_candidate(rsinfo, b, order[i], now);
}

/*
 * Whether the list is the caller's.  No error if it is not: the lead may have
 * been assigned since the caller's query began.
 */
static bool
may_see(Oid caller, int32 team)
{
	return pg_class_aclcheck(lr_relid("pool_entry"), caller,
							 ACL_SELECT) == ACLCHECK_OK ||
		lr_leads_team(caller, team);
}

Datum
lr_triage_candidates(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			caller = GetUserId();
	LrTable    *table;
	LrBinding  *b = NULL;
	LrTeam	   *team = NULL;
	TupleTableSlot *row;
	LrRights	rights;
	LrCurrent	current;
	LrFacts		facts;
	char	   *key;
	bool		listed;

	lr_require_preload();
	if (lr_evaluating())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("an expression of leadroute asks who could take a lead")));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	table = lr_table_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)),
						  AccessShareLock);
	key = lr_key_argument(fcinfo, 1);
	lr_lead_become(table, true, &rights);
	SPI_connect();
	row = lr_lead_fetch(table, key, false);
	if (row != NULL)
		lr_facts(table, row, &facts);
	listed = row != NULL &&
		lr_journal_current(table->id, facts.key, &current) &&
		current.kind == LR_KIND_TRIAGE && !current.closed && !current.is_test &&
		may_see(caller, current.team);
	lr_settle_prepared(lr_database());
	if (listed && facts.router != NULL)
		b = lr_table_bind(table, facts.router);
	if (b != NULL)
		team = lr_team_by_id(b->router, current.team);
	if (team != NULL)
		put_candidates(rsinfo, b,
					   look_at_team(table, b, row, &facts, &current, team),
					   team->n);
	if (b != NULL)
		lr_binding_unpin(b);
	SPI_finish();
	lr_resign(&rights);
	lr_table_unpin(table);
	return (Datum) 0;
}
