/*
 * lint_triage.c
 *	  What is odd about triage lists: rules with method manual for teams in which
 *	  nobody would decide.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/scan.h"
#include "explain/lint.h"

/* What keeps the lead_member of a team from deciding; NULL: nothing. */
static char *
find_fault(const LrLint *lint, const char *team, char **what_to_do)
{
	LrScan		scan;
	char	   *lead = NULL;
	char	   *fault = NULL;

	lr_scan_begin_pair(&scan, "team", "team_pkey", "router", lint->router->name,
					   "name", team);
	if (lr_scan_next(&scan))
		lead = lr_scan_text(&scan, "lead_member");
	lr_scan_end(&scan);
	if (lead == NULL)
	{
		*what_to_do = psprintf("UPDATE leadroute.team SET lead_member = ... WHERE router = %s AND name = %s;",
							   quote_literal_cstr(lint->router->name),
							   quote_literal_cstr(team));
		return psprintf("Its leads wait for somebody to decide, and team \"%s\" has no lead_member.",
						team);
	}
	lr_scan_begin_pair(&scan, "member", "member_pkey", "router",
					   lint->router->name, "name", lead);
	if (lr_scan_next(&scan))
	{
		if (!lr_scan_bool(&scan, "active"))
		{
			fault = psprintf("Its leads wait for \"%s\" to decide, the lead_member of team \"%s\", who is inactive.",
							 lead, team);
			*what_to_do = "Name another lead_member.";
		}
		else if (lr_scan_text(&scan, "role_name") == NULL)
		{
			fault = psprintf("Its leads wait for \"%s\" to decide, the lead_member of team \"%s\", who has no role_name: leadroute.my_triage shows it nothing.",
							 lead, team);
			*what_to_do = "Set member.role_name, or let a manager read leadroute.triage.";
		}
	}
	lr_scan_end(&scan);
	return fault;
}

static void
look_at_rule(LrLint *lint, const LrLintRule *rule)
{
	char	   *what_to_do;
	char	   *fault;

	if (rule->team == NULL)
	{
		if (!rule->computed)
			lr_lint_finding(lint, "warning", rule, "triage_unattended",
							"Its leads wait for somebody to decide, and it names no team whose lead_member would.",
							"Name a team with a lead_member, or let a manager read leadroute.triage.");
		return;
	}
	fault = find_fault(lint, rule->team, &what_to_do);
	if (fault != NULL)
		lr_lint_finding(lint, "warning", rule, "triage_unattended", fault,
						what_to_do);
}

void
lr_lint_triage(LrLint *lint)
{
	int			i;

	for (i = 0; i < lint->nrules; i++)
		if (lint->rule[i]->manual)
			look_at_rule(lint, lint->rule[i]);
}
