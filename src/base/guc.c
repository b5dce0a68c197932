/*
 * guc.c
 *	  The settings leadroute.*, and whether the server has loaded the library at
 *	  its start.  See guc.h.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "base/clock.h"
#include "base/guc.h"

bool		lr_routing = true;
char	   *lr_router_setting = NULL;
char	   *lr_actor = NULL;
int			lr_passed_over_limit = 16;
int			lr_board_members = 32;
int			lr_candidate_set_after = 4096;
bool		lr_check_picks = false;
int			lr_max_databases = 16;
int			lr_max_members = 20000;
int			lr_max_teams = 2000;
int			lr_max_seats = 50000;
int			lr_max_caps = 20000;
int			lr_max_prepared_counters = 20000;
int			lr_rule_memory = 256;
int			lr_checkpoint_interval = 10;
int			lr_checkpoint_rows = 50000;
int			lr_held_retry_interval = 30;
int			lr_measured_window = 90 * 86400;
int			lr_measured_delay = 7 * 86400;
int			lr_measured_interval = 3600;

static bool preloaded = false;

bool
lr_preloaded(void)
{
	return preloaded;
}

void
lr_require_preload(void)
{
	if (!preloaded)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("leadroute was not loaded when the server started"),
				 errhint("Run ALTER SYSTEM SET shared_preload_libraries = 'leadroute' (beside what it holds already) and restart the server.")));
}

static void
define_user_settings(void)
{
	DefineCustomBoolVariable("leadroute.routing",
							 "Routes leads as they are inserted; off for loads of data that has its owners.",
							 NULL, &lr_routing, true, PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomStringVariable("leadroute.router",
							   "Router meant where none is written.",
							   NULL, &lr_router_setting, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("leadroute.actor",
							   "Who acts behind the application's role; recorded in the journal.",
							   NULL, &lr_actor, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.passed_over_limit",
							"Most members a journal row names as passed over; the rest is counted.",
							NULL, &lr_passed_over_limit, 16, 0, 1000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.board_members",
							"Members of a team from which on its order is kept in shared memory, instead of looking at each for every lead.",
							NULL, &lr_board_members, 32, 2, INT_MAX,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.candidate_set_after",
							"Bytes that a session writes into the journal to say which members of a team were the same candidates, before a row of candidate_set says it.",
							NULL, &lr_candidate_set_after, 4096, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_BYTE, NULL, NULL, NULL);
	DefineCustomBoolVariable("leadroute.check_picks",
							 "Looks at each member of a big team too, and raises an error when somebody else would be chosen; for tests.",
							 NULL, &lr_check_picks, false, PGC_SUSET,
							 GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
	lr_clock_define();
}

static void
define_server_settings(void)
{
	DefineCustomIntVariable("leadroute.max_databases",
							"Most databases of the server that route leads.",
							NULL, &lr_max_databases, 16, 1, 1000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.max_members",
							"Most members of all routers of the server.",
							NULL, &lr_max_members, 20000, 10, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.max_teams",
							"Most teams of all routers of the server.",
							NULL, &lr_max_teams, 2000, 10, 1000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.max_seats",
							"Most memberships of teams of all routers of the server.",
							NULL, &lr_max_seats, 50000, 10, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.max_caps",
							"Most counters of caps of all routers of the server: one a cap, or one a member where each has its own.",
							NULL, &lr_max_caps, 20000, 10, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.max_prepared_counters",
							"Most counters that prepared transactions of the server may hold.",
							NULL, &lr_max_prepared_counters, 20000, 100, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.rule_memory",
							"Most memory for the rules that all sessions share; 0: each session reads them by itself.",
							NULL, &lr_rule_memory, 256, 0, 1000000,
							PGC_SIGHUP, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.checkpoint_interval",
							"Longest time between two checkpoints of the counters while leads are routed.",
							NULL, &lr_checkpoint_interval, 10, 1, 3600,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.checkpoint_rows",
							"Decisions after which a checkpoint of the counters is written at once.",
							NULL, &lr_checkpoint_rows, 50000, 100, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.held_retry_interval",
							"Longest time between two attempts to decide held leads.",
							NULL, &lr_held_retry_interval, 30, 1, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.measured_window",
							"How long back leads count in what members are measured by.",
							NULL, &lr_measured_window, 90 * 86400, 3600, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.measured_delay",
							"How old a lead is before it counts in what members are measured by.",
							NULL, &lr_measured_delay, 7 * 86400, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("leadroute.measured_interval",
							"Least time between two measurements of members, while decisions use them.",
							NULL, &lr_measured_interval, 3600, 1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
}

void
lr_guc_init(void)
{
	define_user_settings();
	preloaded = process_shared_preload_libraries_in_progress;
	if (preloaded)
		define_server_settings();
	MarkGUCPrefixReserved("leadroute");
}
