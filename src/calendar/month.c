/*
 * month.c
 *	  Calendar months.  See month.h.
 */
#include "postgres.h"

#include "utils/datetime.h"

#include "calendar/calendar.h"
#include "calendar/month.h"

/* The last answer, good for all moments of that month. */
typedef struct Known
{
	pg_tz	   *zone;			/* NULL: none */
	TimestampTz since;
	TimestampTz until;			/* exclusive */
	int32		month;
} Known;

static Known known = {0};

/* The moment at which a month begins. */
static TimestampTz
beginning(int32 month, pg_tz *zone)
{
	int64		day = date2j(month / 12, month % 12 + 1, 1) - POSTGRES_EPOCH_JDATE;

	return lr_local_moment(day * USECS_PER_DAY, zone);
}

int32
lr_month(const LrRouter *router, TimestampTz at)
{
	pg_tz	   *zone = router->zone;
	int64		day;
	int			year;
	int			month;
	int			mday;

	if (known.zone == zone && known.since <= at && at < known.until)
		return known.month;
	day = lr_local_reached(at, zone) / USECS_PER_DAY;
	j2date((int) day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
	known.zone = zone;
	known.month = year * 12 + month - 1;
	known.since = beginning(known.month, zone);
	known.until = beginning(known.month + 1, zone);
	return known.month;
}
