/*
 * schedule.h
 *	  A router's schedules, and whose hours they are.
 *
 * Local time is the member's zone, else the schedule's, else the router's; the
 * hours of a team are read in the local time of each of its members.
 */
#ifndef LR_SCHEDULE_H
#define LR_SCHEDULE_H

#include "calendar/calendar.h"
#include "config/config.h"

/*
 * Refuses hours that cannot be read, with the place, and names that are no zone:
 * the latter as a warning where a server may just know fewer than the one that
 * a dump is from.
 */
extern void lr_hours_check(const char *schedule, const char *hours);
extern void lr_zone_unknown(const char *zone, int elevel);

/*
 * The schedule of that name; NULL: there is none, or no name.  A router's schedules are
 * read when the first one is asked for: most have none.
 */
extern const LrSchedule *lr_schedule_by_name(LrRouter *router,
											 const char *name);

/*
 * The calendar of schedules, NULLs left out, for somebody with a zone of his
 * own (NULL: none).  NULL: always open.  It is shared and stays as long as
 * the router.
 */
extern LrCalendar *lr_calendar_of(LrRouter *router, pg_tz *zone,
								  const LrSchedule *a, const LrSchedule *b,
								  const LrSchedule *c);

/*
 * The zone in which a member's days are meant: its own, else its schedule's, else
 * the router's.  Kept as LrMember.local.
 */
extern pg_tz *lr_member_zone(const LrRouter *router, const LrMember *m);

/* Fills in the hours of a team that has its members. */
extern void lr_team_hours(LrRouter *router, LrTeam *team);

#endif							/* LR_SCHEDULE_H */
