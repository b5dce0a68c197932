/*
 * schedule.c
 *	  A router's schedules, and whose hours they are.  See schedule.h.
 *
 * All of it lives in the router's context and is read anew with the router,
 * for schedules and holidays are configuration.  Members that share schedules
 * and zone share a calendar, so that what one of them has found is known for
 * all.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/scan.h"
#include "calendar/schedule.h"

/* ---------- checking ---------- */

void
lr_zone_unknown(const char *zone, int elevel)
{
	ereport(elevel,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("time zone \"%s\" is not known", zone),
			 errhint("Zones have names as in pg_timezone_names, for example Europe/Madrid or UTC.")));
}

void
lr_hours_check(const char *schedule, const char *text)
{
	LrHours		hours;
	LrHoursError error;

	if (schedule == NULL || text == NULL || lr_hours_parse(text, &hours, &error))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("hours of schedule \"%s\" cannot be read: %s", schedule,
					error.message),
			 error.length > 0 ?
			 errdetail("At character %d: \"%.*s\".",
					   pg_mbstrlen_with_len(text, error.at) + 1, error.length,
					   text + error.at) :
			 errdetail("At the end of \"%s\".", text),
			 errhint("Hours are written like Mon-Fri 09:00-12:30,13:30-18:00; Sat 22:00-06:00 or Mon-Sun 24 h.")));
}

/* ---------- reading ---------- */

static int
compare_schedules(const void *a, const void *b)
{
	return strcmp((*(LrSchedule *const *) a)->name,
				  (*(LrSchedule *const *) b)->name);
}

static LrSchedule *
find_schedule(LrSchedule **all, int n, const char *name)
{
	LrSchedule	key = {.name = unconstify(char *, name)};
	LrSchedule *wanted = &key;
	LrSchedule **found = (LrSchedule **) bsearch(&wanted, all, n,
												 sizeof(LrSchedule *),
												 compare_schedules);

	return found != NULL ? *found : NULL;
}

/* The schedules of a router, by name. */
static LrSchedule **
read_schedule_rows(const LrRouter *router, int *n)
{
	LrScan		scan;
	int			room = 16;
	LrSchedule **all = (LrSchedule **) palloc(room * sizeof(LrSchedule *));

	*n = 0;
	lr_scan_begin(&scan, "schedule", "schedule_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrSchedule *s = (LrSchedule *) palloc0(sizeof(LrSchedule));
		LrHoursError error;

		s->name = lr_scan_text(&scan, "name");
		s->zone = lr_zone(lr_scan_text(&scan, "timezone"));
		/* it was checked when it was saved; a restore may have gone around */
		if (!lr_hours_parse(lr_scan_text(&scan, "hours"), &s->hours, &error))
			continue;
		if (*n == room)
			all = (LrSchedule **) repalloc(all, (room *= 2) *
										   sizeof(LrSchedule *));
		all[(*n)++] = s;
	}
	lr_scan_end(&scan);
	qsort(all, *n, sizeof(LrSchedule *), compare_schedules);
	return all;
}

static int
compare_days(const void *a, const void *b)
{
	DateADT		x = *(const DateADT *) a;
	DateADT		y = *(const DateADT *) b;

	return x < y ? -1 : x > y;
}

/* The key of the table makes days unique. */
static void
read_holidays(const LrRouter *router, LrSchedule **all, int n)
{
	LrScan		scan;
	int			i;

	lr_scan_begin(&scan, "holiday", "holiday_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrSchedule *s = find_schedule(all, n, lr_scan_text(&scan, "schedule"));
		bool		isnull;
		DateADT		day = DatumGetDateADT(lr_scan_datum(&scan, "day", &isnull));

		if (s == NULL)
			continue;
		if ((s->nholidays & (s->nholidays - 1)) == 0)
		{
			int			room = Max(1, 2 * s->nholidays);

			s->holiday = s->holiday == NULL ?
				(DateADT *) palloc(room * sizeof(DateADT)) :
				(DateADT *) repalloc(s->holiday, room * sizeof(DateADT));
		}
		s->holiday[s->nholidays++] = day;
	}
	lr_scan_end(&scan);
	for (i = 0; i < n; i++)
		if (all[i]->nholidays > 0)
			qsort(all[i]->holiday, all[i]->nholidays, sizeof(DateADT),
				  compare_days);
}

const LrSchedule *
lr_schedule_by_name(LrRouter *router, const char *name)
{
	if (name == NULL)
		return NULL;
	if (router->schedule == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(router->context);
		int			n;
		LrSchedule **all = read_schedule_rows(router, &n);

		read_holidays(router, all, n);
		MemoryContextSwitchTo(old);
		/* an error on the way leaves nothing in the router */
		router->nschedules = n;
		router->schedule = all;
	}
	return find_schedule(router->schedule, router->nschedules, name);
}

/* ---------- calendars ---------- */

typedef struct CalendarKey
{
	pg_tz	   *zone;
	const LrSchedule *schedule[LR_CALENDAR_PARTS];
} CalendarKey;

typedef struct CalendarEntry
{
	CalendarKey key;
	LrCalendar	calendar;
} CalendarEntry;

static HTAB *
make_calendars(LrRouter *router)
{
	HASHCTL		ctl;

	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = sizeof(CalendarKey);
	ctl.entrysize = sizeof(CalendarEntry);
	ctl.hcxt = router->context;
	return hash_create("leadroute calendars", 64, &ctl,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

LrCalendar *
lr_calendar_of(LrRouter *router, pg_tz *zone, const LrSchedule *a,
			   const LrSchedule *b, const LrSchedule *c)
{
	const LrSchedule *all[] = {a, b, c};
	CalendarKey key;
	CalendarEntry *entry;
	bool		found;
	int			n = 0;
	int			i;

	memset(&key, 0, sizeof(key));
	for (i = 0; i < (int) lengthof(all); i++)
		if (all[i] != NULL)
			key.schedule[n++] = all[i];
	if (n == 0)
		return NULL;
	key.zone = zone;
	if (router->calendars == NULL)
		router->calendars = make_calendars(router);
	entry = (CalendarEntry *) hash_search(router->calendars, &key, HASH_ENTER,
										  &found);
	if (found)
		return &entry->calendar;
	memset(&entry->calendar, 0, sizeof(LrCalendar));
	for (i = 0; i < n; i++)
		lr_calendar_add(&entry->calendar, key.schedule[i],
						zone != NULL ? zone :
						key.schedule[i]->zone != NULL ? key.schedule[i]->zone :
						router->zone);
	return &entry->calendar;
}

pg_tz *
lr_member_zone(const LrRouter *router, const LrMember *m)
{
	if (m->zone != NULL)
		return m->zone;
	if (m->schedule != NULL && m->schedule->zone != NULL)
		return m->schedule->zone;
	return router->zone;
}

void
lr_team_hours(LrRouter *router, LrTeam *team)
{
	int			i;

	for (i = 0; i < team->n; i++)
	{
		LrMember   *m = team->member[i];
		LrCalendar *calendar = lr_calendar_of(router, m->zone, m->schedule,
											  team->schedule, NULL);

		if (calendar == NULL)
			continue;
		if (team->hours == NULL)
			team->hours = (LrCalendar **) palloc0(team->n * sizeof(LrCalendar *));
		team->hours[i] = calendar;
	}
}
