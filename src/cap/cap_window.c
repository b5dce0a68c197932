/*
 * cap_window.c
 *	  The calendar windows in which caps count.  See cap_window.h.
 *
 * Dates are those of calendar.h; hours in whole seconds since 1970, as the
 * server's time zone code has them.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/datetime.h"

#include "calendar/calendar.h"
#include "cap/cap_window.h"

#define UNIX_OFFSET	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

/* The only window of a total. */
#define KEY_TOTAL	1

static pg_time_t
to_unix(TimestampTz at)
{
	int64		seconds = at / USECS_PER_SEC;

	/* rounded down, also before 2000 */
	if (at % USECS_PER_SEC < 0)
		seconds--;
	return (pg_time_t) (seconds + UNIX_OFFSET);
}

static TimestampTz
from_unix(pg_time_t t)
{
	return (TimestampTz) (t - UNIX_OFFSET) * USECS_PER_SEC;
}

/*
 * The offset from UTC that holds from a moment on; *change: until when;
 * PG_INT64_MAX: for good.
 */
static long
offset_at(pg_time_t t, pg_tz *zone, pg_time_t *change)
{
	long		before;
	long		after;
	int			before_dst;
	int			after_dst;
	pg_time_t	boundary;

	*change = PG_INT64_MAX;
	switch (pg_next_dst_boundary(&t, &before, &before_dst, &boundary, &after,
								 &after_dst, zone))
	{
		case 1:
			*change = boundary;
			return before;
		case 0:
			return before;
		default:
			return 0;
	}
}

/* The first date of the period after the one that begins with a date. */
static int
next_period(char period, int julian)
{
	int			year;
	int			month;
	int			day;

	if (period == LR_PERIOD_DAY)
		return julian + 1;
	if (period == LR_PERIOD_WEEK)
		return julian + 7;
	j2date(julian, &year, &month, &day);
	return month == 12 ? date2j(year + 1, 1, 1) : date2j(year, month + 1, 1);
}

static int
first_date(char period, int julian)
{
	int			year;
	int			month;
	int			day;

	switch (period)
	{
		case LR_PERIOD_DAY:
			return julian;
		case LR_PERIOD_WEEK:
			/* j2day is 0 on Sunday */
			return julian - (j2day(julian) + 6) % 7;
		default:
			j2date(julian, &year, &month, &day);
			return date2j(year, month, 1);
	}
}

static TimestampTz
begin_of(int julian, pg_tz *zone)
{
	return lr_local_moment((int64) (julian - POSTGRES_EPOCH_JDATE) *
						   USECS_PER_DAY, zone);
}

static void
date_window(char period, TimestampTz at, pg_tz *zone, LrCapWindow *window)
{
	int64		reached = lr_local_reached(at, zone);
	int64		day = reached / USECS_PER_DAY - (reached % USECS_PER_DAY < 0);
	int			date = first_date(period, POSTGRES_EPOCH_JDATE + (int) day);

	window->since = begin_of(date, zone);
	window->until = begin_of(next_period(period, date), zone);
}

static void
hour_window(pg_time_t t, pg_tz *zone, LrCapWindow *window)
{
	pg_time_t	since;
	pg_time_t	change;
	long		offset = offset_at(t, zone, &change);
	int64		reading = t + offset;
	int64		into = reading % SECS_PER_HOUR;

	if (into < 0)
		into += SECS_PER_HOUR;
	since = t - into;
	window->until = from_unix(Min(since + SECS_PER_HOUR, change));
	/* not before the last change of the clock */
	(void) offset_at(since, zone, &change);
	while (change <= t)
	{
		since = change;
		(void) offset_at(change, zone, &change);
	}
	window->since = from_unix(since);
}

void
lr_cap_window(char period, TimestampTz at, pg_tz *zone, LrCapWindow *window)
{
	if (period == LR_PERIOD_TOTAL)
	{
		window->key = KEY_TOTAL;
		window->since = DT_NOBEGIN;
		window->until = DT_NOEND;
		return;
	}
	if (period == LR_PERIOD_HOUR)
		hour_window(to_unix(at), zone, window);
	else
		date_window(period, at, zone, window);
	/* zones differ by minutes at least: so do windows */
	window->key = (uint32) Max(window->since / USECS_PER_MINUTE, KEY_TOTAL + 1);
}
