/*
 * working_time.c
 *	  Working time for SQL: is_open, next_opening, working_time, available_from,
 *	  local_days.
 *
 * They are for expressions, too: there they mean the router that decides, in
 * the state that its statement sees.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "calendar/schedule.h"
#include "config/router_name.h"
#include "decide/present.h"
#include "rule/territory.h"

PG_FUNCTION_INFO_V1(lr_is_open);
PG_FUNCTION_INFO_V1(lr_next_opening);
PG_FUNCTION_INFO_V1(lr_working_time);
PG_FUNCTION_INFO_V1(lr_available_from_sql);
PG_FUNCTION_INFO_V1(lr_local_days);

/* ---------- what is asked about ---------- */

static char *
text_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

/*
 * The router of that name, pinned unless it is the one that decides; NULL: that
 * one, or the default one.
 */
static pg_noinline LrRouter *
asked_router(const char *name, bool *pinned)
{
	const LrRouter *deciding = lr_territory_deciding();
	LrRouter   *router;

	*pinned = false;
	if (deciding != NULL && (name == NULL || strcmp(name, deciding->name) == 0))
		return unconstify(LrRouter *, deciding);
	lr_require_preload();
	if (name == NULL)
		name = lr_default_router_name();
	if (deciding == NULL)
		lr_config_accept();
	router = lr_router_pin(name);
	if (router == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("router \"%s\" does not exist", name)));
	*pinned = true;
	return router;
}

/* What a function does with the router it is asked about. */
typedef Datum (*AskFn) (FunctionCallInfo fcinfo, LrRouter *router);

static Datum
ask(FunctionCallInfo fcinfo, int router_argument, AskFn function)
{
	bool		pinned;
	LrRouter   *router = asked_router(text_argument(fcinfo, router_argument),
									  &pinned);
	Datum		result;

	if (!pinned)
		return function(fcinfo, router);
	PG_TRY();
	{
		result = function(fcinfo, router);
	}
	PG_FINALLY();
	{
		lr_router_unpin(router);
	}
	PG_END_TRY();
	return result;
}

static void
unknown(const LrRouter *router, const char *what, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("%s \"%s\" of router \"%s\" does not exist", what, name,
					router->name),
			 errhint("The names are in leadroute.%s.", what)));
}

/* NULL: none is named. */
static LrMember *
member_argument(FunctionCallInfo fcinfo, int i, LrRouter *router)
{
	char	   *name = text_argument(fcinfo, i);
	LrMember   *m = name != NULL ? lr_member_by_name(router, name) : NULL;

	if (name != NULL && m == NULL)
		unknown(router, "member", name);
	return m;
}

/* Of the arguments schedule and, from there on, member and team. */
static const LrCalendar *
asked_calendar(FunctionCallInfo fcinfo, int schedule, int member,
			   LrRouter *router)
{
	static const LrCalendar always = {0};
	char	   *name = text_argument(fcinfo, schedule);
	char	   *team_name = text_argument(fcinfo, member + 1);
	LrMember   *m = member_argument(fcinfo, member, router);
	const LrSchedule *s = NULL;
	const LrSchedule *of_team = NULL;
	const LrCalendar *c;

	if (name != NULL)
	{
		s = lr_schedule_by_name(router, name);
		if (s == NULL)
			unknown(router, "schedule", name);
	}
	if (team_name != NULL)
	{
		LrTeam	   *team = lr_team_find(router, team_name);

		if (team == NULL)
			unknown(router, "team", team_name);
		of_team = team->schedule;
	}
	c = lr_calendar_of(router, m != NULL ? m->zone : NULL, s,
					   m != NULL ? m->schedule : NULL, of_team);
	return c != NULL ? c : &always;
}

static TimestampTz
moment_argument(FunctionCallInfo fcinfo, int i)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(i);

	if (!lr_calendar_covers(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("working time is not known at %s",
						timestamptz_to_str(at)),
				 errhint("Times are finite and of our era.")));
	return at;
}

/* ---------- the functions ---------- */

static Datum
is_open(FunctionCallInfo fcinfo, LrRouter *router)
{
	LrSpan		span;
	const LrCalendar *c = asked_calendar(fcinfo, 0, 2, router);

	return BoolGetDatum(lr_calendar_find(c, moment_argument(fcinfo, 1),
										 &span)->open);
}

Datum
lr_is_open(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	return ask(fcinfo, 4, is_open);
}

/* DT_NOEND: none. */
static Datum
next_opening(FunctionCallInfo fcinfo, LrRouter *router)
{
	TimestampTz at = moment_argument(fcinfo, 1);
	LrSpan		span;
	const LrCalendar *c = asked_calendar(fcinfo, 0, 2, router);

	(void) lr_calendar_find(c, at, &span);
	return TimestampTzGetDatum(span.open ? at : span.until);
}

Datum
lr_next_opening(PG_FUNCTION_ARGS)
{
	Datum		at;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	at = ask(fcinfo, 4, next_opening);
	if (DatumGetTimestampTz(at) == DT_NOEND)
		PG_RETURN_NULL();
	return at;
}

static Datum
working_time(FunctionCallInfo fcinfo, LrRouter *router)
{
	TimestampTz since = moment_argument(fcinfo, 1);
	TimestampTz until = moment_argument(fcinfo, 2);
	const LrCalendar *c = asked_calendar(fcinfo, 0, 3, router);
	Interval   *open = (Interval *) palloc0(sizeof(Interval));

	open->time = since <= until ? lr_calendar_working_time(c, since, until) :
		-lr_calendar_working_time(c, until, since);
	return IntervalPGetDatum(open);
}

Datum
lr_working_time(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	return ask(fcinfo, 5, working_time);
}

/* DT_NOEND: never. */
static Datum
available_from(FunctionCallInfo fcinfo, LrRouter *router)
{
	LrMember   *m = member_argument(fcinfo, 0, router);
	char	   *team_name = text_argument(fcinfo, 1);
	LrTeam	   *team = team_name != NULL ? lr_team_find(router, team_name) : NULL;
	LrTeam		alone = {.id = -1,.n = 1,.member = &m};
	LrCalendar *hours;

	if (team_name != NULL && team == NULL)
		unknown(router, "team", team_name);
	if (team != NULL)
		alone.id = team->id;
	hours = lr_calendar_of(router, m->zone, m->schedule,
						   team != NULL ? team->schedule : NULL, NULL);
	if (hours != NULL)
		alone.hours = &hours;
	if (lr_territory_deciding() == NULL)
		lr_people_accept(router);
	return TimestampTzGetDatum(lr_available_from(&alone, 0,
												 moment_argument(fcinfo, 2)));
}

Datum
lr_available_from_sql(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	return ask(fcinfo, 3, available_from);
}

static int64
local_midnight(DateADT day)
{
	if (DATE_NOT_FINITE(day) || !lr_calendar_covers(day * USECS_PER_DAY))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("date out of range: \"%s\"",
						DatumGetCString(DirectFunctionCall1(date_out,
															DateADTGetDatum(day))))));
	return day * USECS_PER_DAY;
}

static Datum
local_days(FunctionCallInfo fcinfo, LrRouter *router)
{
	LrMember   *m = member_argument(fcinfo, 0, router);
	pg_tz	   *zone = m != NULL ? m->local : router->zone;
	RangeBound	lower = {0};
	RangeBound	upper = {0};

	lower.val = TimestampTzGetDatum(lr_local_moment(local_midnight(PG_GETARG_DATEADT(1)),
													zone));
	lower.inclusive = lower.lower = true;
	upper.val = TimestampTzGetDatum(lr_local_moment(local_midnight(PG_GETARG_DATEADT(2)) +
													USECS_PER_DAY, zone));
	return RangeTypePGetDatum(lr_make_range(lookup_type_cache(TSTZRANGEOID,
															  TYPECACHE_RANGE_INFO),
											&lower, &upper));
}

Datum
lr_local_days(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	if (PG_GETARG_DATEADT(2) < PG_GETARG_DATEADT(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the last day is before the first")));
	return ask(fcinfo, 3, local_days);
}
