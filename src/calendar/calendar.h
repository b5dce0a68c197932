/*
 * calendar.h
 *	  Local time, and when somebody works.
 *
 * Local time is what the clock on the wall shows: microseconds since
 * 2000-01-01 00:00 without a zone.  It jumps ahead and back; so that each
 * working day is worked once, an edge (of working hours, of a day) takes effect
 * once: at the first moment at which the clock has reached it.  Hence
 * - an edge that the clock skips takes effect when it jumps;
 * - of a time that it shows twice, the first counts, and what is so at the end
 *	 of the repeated hour stays so while it is repeated.
 */
#ifndef LR_CALENDAR_H
#define LR_CALENDAR_H

#include "datatype/timestamp.h"
#include "pgtime.h"
#include "utils/date.h"

#include "calendar/hours.h"

/* The zone of that name; NULL: there is none. */
extern pg_tz *lr_zone(const char *name);

/* Whether it is a name of a zone, not a description of one. */
extern bool lr_zone_is_named(const char *name);

/*
 * The first moment at which the clock has reached a local time, and what the
 * clock had reached at a moment at the latest: the greatest local time whose
 * first moment is not after it.
 */
extern TimestampTz lr_local_moment(int64 local, pg_tz *zone);
extern int64 lr_local_reached(TimestampTz at, pg_tz *zone);

/* Hours with days on which there are none, as a schedule has them. */
typedef struct LrSchedule
{
	char	   *name;
	pg_tz	   *zone;			/* NULL: none of its own */
	LrHours		hours;
	int			nholidays;
	DateADT    *holiday;		/* in order, without doubles */
} LrSchedule;

/* A time in which somebody works, or does not. */
typedef struct LrSpan
{
	TimestampTz since;
	TimestampTz until;			/* exclusive */
	bool		open;
} LrSpan;

/* Several schedules at once, each in a zone: open when all are. */
#define LR_CALENDAR_PARTS	3

typedef struct LrCalendar
{
	int			n;
	struct
	{
		const LrSchedule *schedule;
		pg_tz	   *zone;
	}			part[LR_CALENDAR_PARTS];
	LrSpan		now;			/* what was found last; see lr_calendar_at */
	LrSpan		ahead;
} LrCalendar;

/* Adds a schedule to a calendar that is all zeroes at first. */
extern void lr_calendar_add(LrCalendar *c, const LrSchedule *schedule,
							pg_tz *zone);

/*
 * The span at a moment.  A closed one ends with the next opening (DT_NOEND: it
 * does not open within a year after the last holiday); the other three edges
 * are such that nothing changes between them, not the first and last of that
 * kind.  Both remember what they found last, one for the present and one for
 * moments ahead; arithmetic only.
 */
extern const LrSpan *lr_calendar_find(const LrCalendar *c, TimestampTz at,
									  LrSpan *kept);

static inline const LrSpan *
lr_calendar_at(LrCalendar *c, TimestampTz at)
{
	if (c->now.since <= at && at < c->now.until)
		return &c->now;
	return lr_calendar_find(c, at, &c->now);
}

static inline const LrSpan *
lr_calendar_ahead(LrCalendar *c, TimestampTz at)
{
	if (c->ahead.since <= at && at < c->ahead.until)
		return &c->ahead;
	return lr_calendar_find(c, at, &c->ahead);
}

/* Open time between two finite moments, in microseconds. */
extern int64 lr_calendar_working_time(const LrCalendar *c, TimestampTz since,
									  TimestampTz until);

/* Moments that can be calculated with. */
extern bool lr_calendar_covers(TimestampTz at);

#endif							/* LR_CALENDAR_H */
