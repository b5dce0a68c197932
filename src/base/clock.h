/*
 * clock.h
 *	  The time that decisions take for now; and how long an interval is.
 */
#ifndef LR_CLOCK_H
#define LR_CLOCK_H

#include "datatype/timestamp.h"

/*
 * The clock of every decision: microseconds since 2000, real time unless a
 * superuser has set leadroute.test_clock.
 */
extern TimestampTz lr_now(void);

/*
 * The same for the leads of one statement, of which there may be many: within a
 * tick of the kernel's clock, a few milliseconds, they get the same time.
 * Begins with zeros.
 */
typedef struct LrTick
{
	TimestampTz now;			/* 0: no lead yet */
	int64		tick;			/* of which; 0: not known */
} LrTick;

extern TimestampTz lr_now_of_tick(LrTick *of);

/* Defines the setting leadroute.test_clock. */
extern void lr_clock_define(void);

/* An interval in microseconds: a day has 24 hours, a month 30 days. */
extern int64 lr_interval_length(const Interval *interval);

#endif							/* LR_CLOCK_H */
