/*
 * cap_window.h
 *	  The calendar windows in which caps count.
 *
 * Terms
 *	  window	the hour, day, week or month of a wall clock that contains a
 *				moment, as an interval of time: windows of one period and zone
 *				do not overlap and leave no gap.
 *	  key		names a window within its cap: what the journal keeps.
 *
 * When the clock is changed
 * - A day (week, month) begins when the clock first shows its midnight, or
 *	 something later where midnight is skipped.  What it shows again after it
 *	 was put back belongs to the window that has begun.  So a day may have 23
 *	 or 25 hours.
 * - An hour is what the clock shows as one, until it is changed: the hour that
 *	 is repeated is another window, one that is skipped is none.
 */
#ifndef LR_CAP_WINDOW_H
#define LR_CAP_WINDOW_H

#include "pgtime.h"
#include "utils/timestamp.h"

/* cap.period */
#define LR_PERIOD_HOUR		'h'
#define LR_PERIOD_DAY		'd'
#define LR_PERIOD_WEEK		'w'
#define LR_PERIOD_MONTH		'm'
#define LR_PERIOD_TOTAL		't'

typedef struct LrCapWindow
{
	uint32		key;			/* never 0; later windows have greater ones */
	TimestampTz since;
	TimestampTz until;			/* exclusive */
} LrCapWindow;

/* The window of a period that contains a moment. */
extern void lr_cap_window(char period, TimestampTz at, pg_tz *zone,
						  LrCapWindow *window);

#endif							/* LR_CAP_WINDOW_H */
