/*
 * lint_hours.c
 *	  What is odd about working hours: hours that never meet, zones that this
 *	  server does not know.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "base/scan.h"
#include "calendar/schedule.h"
#include "explain/lint.h"

/* Members that a finding names; of others it says how many. */
#define NAMED	3

/* Whether a member never works for a team, as far as can be seen. */
static bool
never_works(const LrLint *lint, const LrTeam *team, int i)
{
	const LrSpan *span;

	if (team->hours == NULL || team->hours[i] == NULL)
		return false;
	span = lr_calendar_at(team->hours[i], lint->now);
	return !span->open && span->until == DT_NOEND;
}

static void
look_at_team(LrLint *lint, const LrTeam *team)
{
	StringInfoData names;
	int			n = 0;
	int			i;

	initStringInfo(&names);
	for (i = 0; i < team->n; i++)
		if (never_works(lint, team, i) && n++ < NAMED)
			appendStringInfo(&names, "%s\"%s\"", n > 1 ? ", " : "",
							 team->member[i]->name);
	if (n > NAMED)
		appendStringInfo(&names, " and %d more", n - NAMED);
	if (n > 0)
		lr_lint_finding(lint, "warning", NULL, "hours_never_meet",
						psprintf("%d of %d members of team \"%s\" can never get a lead there, for their hours and those of the team do not meet: %s.",
								 n, team->n, team->name, names.data),
						"Change their schedule, or the team's.");
	pfree(names.data);
}

/* Zones of a table of the router that this server does not know. */
static void
look_at_zones(LrLint *lint, const char *table, const char *index,
			  const char *key)
{
	LrScan		scan;

	lr_scan_begin(&scan, table, index, key, lint->router->name);
	while (lr_scan_next(&scan))
	{
		char	   *zone = lr_scan_text(&scan, "timezone");

		if (zone != NULL && lr_zone(zone) == NULL)
			lr_lint_finding(lint, "error", NULL, "timezone_unknown",
							psprintf("Time zone \"%s\" of %s \"%s\" is not known to this server, and is left out.",
									 zone, table, lr_scan_text(&scan, "name")),
							"Write a name of pg_timezone_names, or install the server's time zones.");
	}
	lr_scan_end(&scan);
}

void
lr_lint_hours(LrLint *lint)
{
	int			i;

	for (i = 0; i < lint->router->nteams; i++)
		look_at_team(lint, lint->router->team[i]);
	look_at_zones(lint, "router", "router_pkey", "name");
	look_at_zones(lint, "schedule", "schedule_pkey", "router");
	look_at_zones(lint, "member", "member_pkey", "router");
}
