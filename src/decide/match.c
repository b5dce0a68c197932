/*
 * match.c
 *	  Whether a rule takes a lead, and for which team.  See match.h.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "decide/match.h"
#include "decide/trial.h"
#include "rule/rule_scope.h"

/* Whether a rule's condition is true for the lead. */
static bool
matches(const LrDecideRequest *request, LrEvaluation *ev, LrBoundRule *bound,
		LrDecision *decision)
{
	bool		isnull = false;
	Datum		value = BoolGetDatum(true);
	char	   *error;

	/* the index has told already */
	if (!bound->evaluate)
		return true;
	lr_binding_compile(request->table, request->binding, bound);
	error = bound->broken;
	if (bound->condition != NULL)
	{
		char	   *detail = unconstify(char *, decision->entry.detail);

		lr_evaluate_generated(ev, bound->condition, &detail);
		decision->entry.detail = detail;
		value = lr_evaluate(ev, bound->condition, &isnull);
		error = ev->error;
	}
	if (error == NULL && !isnull && DatumGetBool(value))
		return true;
	if (error != NULL)
	{
		lr_trial_note(decision, &bound->rule, error);
		lr_trial_report(request, bound, error);
	}
	if (request->dry_run)
		(void) lr_trial_add(decision, &bound->rule, error ? LR_TRIED_ERROR :
							LR_TRIED_NO_MATCH, error, bound->condition);
	return false;
}

bool
lr_match(const LrDecideRequest *request, LrEvaluation *ev, LrBoundRule *bound,
		 LrDecision *decision)
{
	if (!lr_rule_in_force(&bound->rule.scope, request->now))
	{
		if (request->dry_run)
			(void) lr_trial_add(decision, &bound->rule, LR_TRIED_NOT_IN_FORCE,
								NULL, NULL);
		return false;
	}
	if (!matches(request, ev, bound, decision))
		return false;
	if (request->no_key ? bound->rule.scope.percent >= 100 :
		lr_rule_takes(&bound->rule.scope, request->binding->router->id,
					  bound->rule.id, request->key))
		return true;
	if (request->dry_run)
		(void) lr_trial_add(decision, &bound->rule, LR_TRIED_NOT_DRAWN, NULL,
							NULL);
	return false;
}

/* A rule that matches names nobody: the next one is tried. */
static LrRule *
no_target(const LrDecideRequest *request, LrBoundRule *bound,
		  const char *reason, char *why, LrDecision *decision)
{
	lr_trial_note(decision, &bound->rule, why);
	if (decision->entry.reason == NULL)
		decision->entry.reason = reason;
	if (request->dry_run)
		(void) lr_trial_add(decision, &bound->rule, LR_TRIED_NO_TARGET, why,
							bound->target);
	return NULL;
}

/* The member of that name, else the one with that owner value; NULL: none. */
static LrMember *
find_member(const LrDecideRequest *request, const char *name)
{
	LrMember   *m = lr_member_by_name(request->binding->router, name);

	return m != NULL ? m :
		lr_binding_member(request->table, request->binding, name);
}

LrRule *
lr_match_target(const LrDecideRequest *request, LrEvaluation *ev,
				LrBoundRule *bound, LrDecision *decision)
{
	LrRouter   *router = request->binding->router;
	char	   *detail = unconstify(char *, decision->entry.detail);
	const char *column = bound->rule.member_expr ? "member" : "team";
	const char *reason = bound->rule.member_expr ? "unknown_member" : "unknown_team";
	LrRule	   *rule;
	LrMember   *m;
	char	   *name;
	bool		isnull;
	Datum		value;

	if (bound->rule.team_expr == NULL && bound->rule.member_expr == NULL)
		return &bound->rule;
	lr_binding_compile(request->table, request->binding, bound);
	if (bound->target == NULL)
	{
		lr_trial_report(request, bound, bound->target_broken);
		return no_target(request, bound, reason, bound->target_broken, decision);
	}
	lr_evaluate_generated(ev, bound->target, &detail);
	decision->entry.detail = detail;
	value = lr_evaluate(ev, bound->target, &isnull);
	if (ev->error != NULL)
	{
		lr_trial_report(request, bound, ev->error);
		return no_target(request, bound, reason, ev->error, decision);
	}
	if (isnull)
		return no_target(request, bound, reason,
						 psprintf("%s_expr is NULL", column), decision);
	name = TextDatumGetCString(value);
	rule = (LrRule *) palloc(sizeof(LrRule));
	*rule = bound->rule;
	if (rule->team_expr != NULL)
		rule->team = lr_team_by_name(router, name);
	else
	{
		m = find_member(request, name);
		rule->team = m != NULL ? lr_team_alone(router, m) : NULL;
		/* one member: nothing to choose, and no turn to take */
		rule->method = LR_METHOD_LONGEST_IDLE;
	}
	if (rule->team == NULL)
		return no_target(request, bound, reason,
						 psprintf("there is no %s \"%s\"", column, name),
						 decision);
	return rule;
}
