/*
 * leadroute.c
 *	  Module start: settings, shared memory request, callbacks, worker.
 *
 * Outside shared_preload_libraries only the settings are defined, so that a
 * CREATE EXTENSION during a restore or a pg_upgrade never fails here; what
 * needs shared memory then raises one clear error, and the triggers store the
 * lead without owner.
 */
#include "postgres.h"

#include <time.h>

#include <limits.h>

#include "commands/extension.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "acting.h"
#include "compat.h"
#include "config.h"
#include "territory.h"
#include "transaction.h"
#include "frame.h"
#include "leadroute.h"
#include "progress.h"
#include "roster.h"
#include "rule_share.h"
#include "refuse.h"
#include "worker.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

bool		lr_routing = true;
char	   *lr_router_setting = NULL;
char	   *lr_actor = NULL;
int			lr_passed_over_limit = 16;
int			lr_board_members = 32;
bool		lr_check_picks = false;
int			lr_max_databases = 16;
int			lr_max_members = 20000;
int			lr_max_teams = 2000;
int			lr_max_seats = 50000;
int			lr_max_caps = 20000;
int			lr_max_prepared_counters = 20000;
int			lr_checkpoint_interval = 10;
int			lr_checkpoint_rows = 50000;
int			lr_held_retry_interval = 30;
int			lr_measured_window = 90 * 86400;
int			lr_measured_delay = 7 * 86400;
int			lr_measured_interval = 3600;

static char *test_clock = NULL;
static TimestampTz test_clock_value = 0;
static bool preloaded = false;

PG_FUNCTION_INFO_V1(lr_version);
PG_FUNCTION_INFO_V1(lr_is_preloaded);
PG_FUNCTION_INFO_V1(lr_require_preload_sql);

/* leadroute.test_clock: a timestamp with time zone, or empty for real time. */
static bool
check_test_clock(char **newval, void **extra, GucSource source)
{
	TimestampTz *value = (TimestampTz *) lr_guc_malloc(sizeof(TimestampTz));
	MemoryContext context = CurrentMemoryContext;
	volatile bool ok = true;

	if (value == NULL)
		return false;
	*value = 0;
	PG_TRY();
	{
		if (*newval != NULL && **newval != '\0')
			*value = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
															 CStringGetDatum(*newval),
															 ObjectIdGetDatum(InvalidOid),
															 Int32GetDatum(-1)));
	}
	PG_CATCH();
	{
		/* the postmaster reads settings too: it must not stop for one */
		MemoryContextSwitchTo(context);
		FlushErrorState();
		ok = false;
	}
	PG_END_TRY();
	*extra = value;
	return ok;
}

static void
assign_test_clock(const char *newval, void *extra)
{
	test_clock_value = *(TimestampTz *) extra;
}

TimestampTz
lr_now(void)
{
	return test_clock_value != 0 ? test_clock_value : GetCurrentTimestamp();
}

TimestampTz
lr_now_of_tick(LrTick *of)
{
#ifdef CLOCK_MONOTONIC_COARSE
	struct timespec ts;
	int64		tick;

	/* most statements have one lead, which pays for nothing of this */
	if (of->now != 0 && test_clock_value == 0 &&
		clock_gettime(CLOCK_MONOTONIC_COARSE, &ts) == 0)
	{
		tick = ts.tv_sec * INT64CONST(1000000000) + ts.tv_nsec;
		if (tick == of->tick)
			return of->now;
		of->tick = tick;
	}
#endif
	return of->now = lr_now();
}

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

Datum
lr_is_preloaded(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(preloaded);
}

Datum
lr_require_preload_sql(PG_FUNCTION_ARGS)
{
	lr_require_preload();
	PG_RETURN_VOID();
}

Datum
lr_version(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(LR_VERSION);
	values[1] = CStringGetTextDatum(lr_extension_version());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
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
	DefineCustomBoolVariable("leadroute.check_picks",
							 "Looks at each member of a big team too, and raises an error when somebody else would be chosen; for tests.",
							 NULL, &lr_check_picks, false, PGC_SUSET,
							 GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
	DefineCustomStringVariable("leadroute.test_clock",
							   "Time that decisions take for now, for tests; empty means real time.",
							   NULL, &test_clock, "", PGC_SUSET,
							   GUC_NOT_IN_SAMPLE,
							   check_test_clock, assign_test_clock, NULL);
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
_PG_init(void)
{
	define_user_settings();
	if (process_shared_preload_libraries_in_progress)
	{
		define_server_settings();
		preloaded = true;
		lr_roster_request();
		lr_share_request();
		lr_progress_init();
		lr_worker_register();
		/* the zone of most routers: sessions inherit it, none reads its file */
		(void) pg_tzset("UTC");
		lr_frame_init();
		lr_refuse_init();
	}
	MarkGUCPrefixReserved("leadroute");

	lr_config_init();
	lr_territory_init();
	lr_acting_init();
	lr_transaction_init();
}
