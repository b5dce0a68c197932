/*
 * month.c
 *	  Calendar months.  See month.h.
 */
#include "postgres.h"

#include "pgtime.h"
#include "utils/datetime.h"

#include "month.h"

/* The last answer, good for all moments of that month. */
typedef struct Known
{
	pg_tz	   *zone;			/* NULL: none */
	TimestampTz since;
	TimestampTz until;			/* exclusive */
	int32		month;
} Known;

static Known known = {0};

/* Local midnight of the first day of a month. */
static TimestampTz
beginning(int32 month, pg_tz *zone)
{
	struct pg_tm tm = {0};
	TimestampTz at;
	int			offset;

	tm.tm_year = month / 12;
	tm.tm_mon = month % 12 + 1;
	tm.tm_mday = 1;
	offset = DetermineTimeZoneOffset(&tm, zone);
	if (tm2timestamp(&tm, 0, &offset, &at) != 0)
		at = DT_NOBEGIN;
	return at;
}

int32
lr_month(const LrRouter *router, TimestampTz at)
{
	pg_tz	   *zone = router->zone;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;

	if (known.zone == zone && known.since <= at && at < known.until)
		return known.month;
	if (timestamp2tm(at, &offset, &tm, &fsec, NULL, zone) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	known.zone = zone;
	known.month = tm.tm_year * 12 + tm.tm_mon - 1;
	known.since = beginning(known.month, zone);
	known.until = beginning(known.month + 1, zone);
	return known.month;
}
