/*
 * trial.c
 *	  What is told of the rules that a decision has tried.  See trial.h.
 */
#include "postgres.h"

#include "utils/json.h"

#include "decide/trial.h"
#include "expression/evaluate.h"

/* Least time between two events about the same error of a rule. */
#define REPORT_INTERVAL		(60 * USECS_PER_SEC)

/* Rules that a decision's detail tells about; of the others it says how many. */
#define MAX_RULES_TOLD		8

void
lr_trial_note(LrDecision *decision, LrRule *rule, const char *what)
{
	char	   *detail = unconstify(char *, decision->entry.detail);

	if (decision->told == MAX_RULES_TOLD)
	{
		decision->untold++;
		return;
	}
	decision->told++;
	lr_add_detail(&detail, psprintf("rule \"%s\"", rule->name), what);
	decision->entry.detail = detail;
}

void
lr_trial_report(const LrDecideRequest *request, LrBoundRule *bound,
				const char *error)
{
	StringInfoData payload;

	if (request->dry_run ||
		(bound->reported_at != 0 &&
		 request->now - bound->reported_at < REPORT_INTERVAL))
		return;
	bound->reported_at = request->now;
	initStringInfo(&payload);
	appendStringInfo(&payload, "{\"rule\": %d, \"version\": %d, \"error\": ",
					 bound->rule.id, bound->rule.version);
	escape_json(&payload, error);
	appendStringInfoChar(&payload, '}');
	lr_event_add(LR_EVENT_RULE_ERROR, request->binding->router->id,
				 request->table->id, request->key, 0, 0, 0, payload.data);
}

LrTrial *
lr_trial_add(LrDecision *decision, LrRule *rule, LrTried tried, char *error,
			 const LrExpr *said_by)
{
	LrTrial    *trial = (LrTrial *) palloc0(sizeof(LrTrial));

	trial->rule = rule;
	trial->tried = tried;
	trial->error = error;
	trial->said_by = said_by;
	decision->trials = lappend(decision->trials, trial);
	return trial;
}
