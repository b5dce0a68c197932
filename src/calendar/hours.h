/*
 * hours.h
 *	  A week of working hours: from text to windows.
 *
 * Windows are minutes of a local week that begins on Monday 00:00.  They do not
 * overlap or touch, are in order, begin within the week, and the last one may
 * end after it: then it goes on at the beginning.  Hours are never empty.
 */
#ifndef LR_HOURS_H
#define LR_HOURS_H

#define LR_MINUTES_PER_DAY	(24 * 60)
#define LR_MINUTES_PER_WEEK	(7 * LR_MINUTES_PER_DAY)

typedef struct LrWindow
{
	int			start;
	int			end;			/* exclusive */
} LrWindow;

typedef struct LrHours
{
	bool		always;			/* the whole week: no edges */
	int			n;
	LrWindow   *window;
} LrHours;

/* What is wrong with a text of hours. */
typedef struct LrHoursError
{
	const char *message;
	int			at;				/* offset in the text, in bytes */
	int			length;			/* of the word there, in bytes */
} LrHoursError;

/* Reads hours, in the current context; false: error is filled in. */
extern bool lr_hours_parse(const char *text, LrHours *hours,
						   LrHoursError *error);

#endif							/* LR_HOURS_H */
