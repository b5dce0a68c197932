/*
 * clock.c
 *	  The time that decisions take for now; and intervals.  See clock.h.
 */
#include "postgres.h"

#include <time.h>

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "base/compat.h"

static char *test_clock = NULL;
static TimestampTz test_clock_value = 0;

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

void
lr_clock_define(void)
{
	DefineCustomStringVariable("leadroute.test_clock",
							   "Time that decisions take for now, for tests; empty means real time.",
							   NULL, &test_clock, "", PGC_SUSET,
							   GUC_NOT_IN_SAMPLE,
							   check_test_clock, assign_test_clock, NULL);
}

int64
lr_interval_length(const Interval *interval)
{
	double		length = (double) interval->time +
		((double) interval->month * DAYS_PER_MONTH + interval->day) *
		(double) USECS_PER_DAY;

	return length >= 1e18 ? INT64CONST(1000000000000000000) : (int64) length;
}
