/*
 * calendar.c
 *	  Local time, and when somebody works.  See calendar.h.
 *
 * Zones are the server's, through pg_next_dst_boundary: a zone is a sequence of
 * segments with a constant offset.  All calculation is in integers; nothing is
 * allocated.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "calendar/calendar.h"

#define UNIX_SECONDS	((pg_time_t) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)
#define USECS_PER_WEEK	(7 * USECS_PER_DAY)

/* 2000-01-03, a Monday. */
#define FIRST_MONDAY	(2 * USECS_PER_DAY)

/* Offsets are less than a day; what was shown before that is behind. */
#define LOOK_BACK	(2 * USECS_PER_DAY)

/* Hours of different zones meet within a year, if ever. */
#define LOOK_AHEAD	(400 * USECS_PER_DAY)

/* Years in which nothing overflows. */
#define FIRST_MOMENT	(INT64CONST(-1900) * 366 * USECS_PER_DAY)
#define LAST_MOMENT		(INT64CONST(200000) * 365 * USECS_PER_DAY)

#define LOCAL_NOBEGIN	PG_INT64_MIN
#define LOCAL_NOEND		PG_INT64_MAX

/* ---------- zones ---------- */

pg_tz *
lr_zone(const char *name)
{
	pg_tz	   *zone = name != NULL ? pg_tzset(name) : NULL;

	return zone != NULL && pg_tz_acceptable(zone) ? zone : NULL;
}

bool
lr_zone_is_named(const char *name)
{
	pg_tzenum  *all;
	pg_tz	   *zone;
	bool		found = false;

	if (lr_zone(name) == NULL)
		return false;
	/* a description (EST5EDT4, <-03>3) has a figure; few names have */
	if (strpbrk(name, "0123456789<") == NULL)
		return true;
	all = pg_tzenumerate_start();
	while (!found && (zone = pg_tzenumerate_next(all)) != NULL)
		found = pg_strcasecmp(pg_get_timezone_name(zone), name) == 0;
	pg_tzenumerate_end(all);
	return found;
}

/* ---------- segments ---------- */

static int64
floor_div(int64 a, int64 b)
{
	return a / b - (a % b < 0);
}

/* The offset of a zone at a moment, and the end of its segment. */
static int64
offset_at(TimestampTz at, pg_tz *zone, TimestampTz *end)
{
	pg_time_t	t = floor_div(at, USECS_PER_SEC) + UNIX_SECONDS;
	pg_time_t	boundary;
	long int	before = 0;
	long int	after;
	int			dst;
	int			n;

	n = pg_next_dst_boundary(&t, &before, &dst, &boundary, &after, &dst, zone);
	*end = n > 0 ? (boundary - UNIX_SECONDS) * USECS_PER_SEC : DT_NOEND;
	return n < 0 ? 0 : before * USECS_PER_SEC;
}

TimestampTz
lr_local_moment(int64 local, pg_tz *zone)
{
	TimestampTz since = local - LOOK_BACK;

	if (local == LOCAL_NOBEGIN)
		return DT_NOBEGIN;
	if (local == LOCAL_NOEND)
		return DT_NOEND;
	for (;;)
	{
		TimestampTz end;
		int64		offset = offset_at(since, zone, &end);

		if (local - offset < since)
			return since;		/* skipped: the clock jumps now */
		if (local - offset < end)
			return local - offset;
		since = end;
	}
}

int64
lr_local_reached(TimestampTz at, pg_tz *zone)
{
	TimestampTz since = at - LOOK_BACK;
	int64		reached = PG_INT64_MIN;

	for (;;)
	{
		TimestampTz end;
		int64		offset = offset_at(since, zone, &end);

		if (at < end)
			return Max(reached, at + offset);
		reached = Max(reached, end + offset - 1);
		since = end;
	}
}

bool
lr_calendar_covers(TimestampTz at)
{
	return at >= FIRST_MOMENT && at <= LAST_MOMENT;
}

/* ---------- one schedule, in local time ---------- */

/* The window that a local time is in, or the gap; edges may be of other weeks. */
static bool
find_window(const LrHours *hours, int64 local, int64 *since, int64 *until)
{
	int64		week = floor_div(local - FIRST_MONDAY, USECS_PER_WEEK) *
		USECS_PER_WEEK + FIRST_MONDAY;
	int			minute = (local - week) / USECS_PER_MINUTE;
	const LrWindow *last = &hours->window[hours->n - 1];
	int			i;

	if (hours->always)
	{
		*since = LOCAL_NOBEGIN;
		*until = LOCAL_NOEND;
		return true;
	}
	/* what the last window of the week before has left */
	if (minute + LR_MINUTES_PER_WEEK < last->end)
	{
		*since = week + (last->start - LR_MINUTES_PER_WEEK) * USECS_PER_MINUTE;
		*until = week + (last->end - LR_MINUTES_PER_WEEK) * USECS_PER_MINUTE;
		return true;
	}
	*since = week + (last->end - LR_MINUTES_PER_WEEK) * USECS_PER_MINUTE;
	for (i = 0; i < hours->n; i++)
	{
		const LrWindow *w = &hours->window[i];

		if (minute < w->start)
		{
			*until = week + w->start * USECS_PER_MINUTE;
			return false;
		}
		if (minute < w->end)
		{
			*since = week + w->start * USECS_PER_MINUTE;
			*until = week + w->end * USECS_PER_MINUTE;
			return true;
		}
		*since = week + w->end * USECS_PER_MINUTE;
	}
	*until = week + (hours->window[0].start + LR_MINUTES_PER_WEEK) *
		USECS_PER_MINUTE;
	return false;
}

/* The first holiday on or after a day. */
static int
next_holiday(const LrSchedule *s, int64 day)
{
	int			low = 0;
	int			high = s->nholidays;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (s->holiday[middle] < day)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
find_local_span(const LrSchedule *s, bool holidays, int64 local, int64 *since,
				int64 *until)
{
	bool		open = find_window(&s->hours, local, since, until);
	int64		day;
	int			i;

	if (s->nholidays == 0 || !holidays)
		return open;
	day = floor_div(local, USECS_PER_DAY);
	i = next_holiday(s, day);
	if (i < s->nholidays && s->holiday[i] == day)
	{
		*since = day * USECS_PER_DAY;
		while (i + 1 < s->nholidays && s->holiday[i + 1] == s->holiday[i] + 1)
			i++;
		*until = (s->holiday[i] + INT64CONST(1)) * USECS_PER_DAY;
		return false;
	}
	if (i > 0)
		*since = Max(*since, (s->holiday[i - 1] + INT64CONST(1)) * USECS_PER_DAY);
	if (i < s->nholidays)
		*until = Min(*until, s->holiday[i] * USECS_PER_DAY);
	return open;
}

/* ---------- calendars ---------- */

void
lr_calendar_add(LrCalendar *c, const LrSchedule *schedule, pg_tz *zone)
{
	Assert(c->n < LR_CALENDAR_PARTS);
	c->part[c->n].schedule = schedule;
	c->part[c->n++].zone = zone;
}

/*
 * A span around a moment in which nothing changes; holidays: those count, too.
 * It ends after the moment: the clock has not reached the edge that is next, so
 * its moment is still to come.
 */
static void
find_span(const LrCalendar *c, bool holidays, TimestampTz at, LrSpan *span)
{
	int			i;

	span->since = DT_NOBEGIN;
	span->until = DT_NOEND;
	span->open = true;
	for (i = 0; i < c->n; i++)
	{
		pg_tz	   *zone = c->part[i].zone;
		int64		since;
		int64		until;
		bool		open = find_local_span(c->part[i].schedule, holidays,
										   lr_local_reached(at, zone),
										   &since, &until);
		TimestampTz first = lr_local_moment(since, zone);
		TimestampTz end = lr_local_moment(until, zone);

		if (open && span->open)
		{
			span->since = Max(span->since, first);
			span->until = Min(span->until, end);
		}
		else if (!open && (span->open || end > span->until))
		{
			/* where one is closed, it does not matter what the others are */
			span->since = first;
			span->until = end;
			span->open = false;
		}
	}
	Assert(span->since <= at && at < span->until);
}

/* No opening is looked for after it. */
static TimestampTz
horizon(const LrCalendar *c, bool holidays, TimestampTz at)
{
	int			i;

	for (i = 0; i < c->n; i++)
	{
		const LrSchedule *s = c->part[i].schedule;

		if (s->nholidays > 0 && holidays)
			at = Max(at, s->holiday[s->nholidays - 1] * USECS_PER_DAY);
	}
	return at + LOOK_AHEAD;
}

/* The first opening after the end of a span that is closed; DT_NOEND: none. */
static TimestampTz
next_opening(const LrCalendar *c, bool holidays, TimestampTz end)
{
	TimestampTz last = horizon(c, holidays, end);
	LrSpan		next;

	while (end < last)
	{
		find_span(c, holidays, end, &next);
		if (next.open)
			return end;
		end = next.until;
	}
	return DT_NOEND;
}

const LrSpan *
lr_calendar_find(const LrCalendar *c, TimestampTz at, LrSpan *kept)
{
	if (!lr_calendar_covers(at))
	{
		kept->since = at;
		kept->until = at + 1;
		kept->open = false;
		return kept;
	}
	find_span(c, true, at, kept);
	if (kept->open)
		return kept;

	/*
	 * Hours that never meet do not on other days either.  Those that do are
	 * looked at one by one: there are no more in vain than there are holidays.
	 */
	if (next_opening(c, false, at) == DT_NOEND)
		kept->until = DT_NOEND;
	else
		kept->until = next_opening(c, true, kept->until);
	return kept;
}

int64
lr_calendar_working_time(const LrCalendar *c, TimestampTz since,
						 TimestampTz until)
{
	int64		open = 0;

	while (since < until)
	{
		LrSpan		span;

		CHECK_FOR_INTERRUPTS();
		find_span(c, true, since, &span);
		if (span.until > until)
			span.until = until;
		if (span.open)
			open += span.until - since;
		since = span.until;
	}
	return open;
}
