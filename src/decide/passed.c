/*
 * passed.c
 *	  Why a member was passed over, in words.  See passed.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "pgtime.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#include "base/compat.h"
#include "config/config.h"
#include "decide/passed.h"

PG_FUNCTION_INFO_V1(lr_passed_entries);
PG_FUNCTION_INFO_V1(lr_passed_name);
PG_FUNCTION_INFO_V1(lr_passed_detail);

/* Most that a figure of an entry can be. */
#define MAX_FIGURE	PG_INT32_MAX

/* Codes of one byte, caps above it. */
#define CODES		256

typedef struct Words
{
	const char *word;
	const char *they;			/* of several members */
} Words;

static const Words words[] = {
	[LR_CAN] = {NULL, "can take it"},
	[LR_PASSED_INACTIVE] = {"inactive", "inactive"},
	[LR_PASSED_AWAY] = {"away", "away"},
	[LR_PASSED_FULL] = {"full", "at their capacity"},
	[LR_PASSED_NO_SLOT] = {"no_slot", "without room for their counters"},
	[LR_PASSED_BAD_OWNER] = {"bad_owner", "with an owner value that the column cannot hold"},
	[LR_PASSED_CLOSED] = {"closed", "closed"},
	[LR_PASSED_BUSY] = {"busy", "busy"},
	[LR_PASSED_UNFIT] = {"unfit", "whom it does not fit"},
	[LR_PASSED_CAP] = {"cap", "at a cap"},
	[LR_PASSED_HELD_FIRST] = {"held_first", "kept for leads that are held"},
	[LR_PASSED_FORMER] = {"former", "parted from this lead"},
};

const char *
lr_passed_word(int why)
{
	return why >= 0 && why < (int) lengthof(words) ? words[why].word : NULL;
}

const char *
lr_passed_they(int why)
{
	return words[why].they;
}

void
lr_passed_numbers(const LrPassedOver *p, int count, int64 *numbers)
{
	numbers[0] = count > 0 ? 0 : p->member->id;
	numbers[1] = (int64) p->cap * CODES + p->why;
	numbers[2] = count > 0 ? count : p->until;
	numbers[3] = count > 0 ? 0 :
		(Min(p->a, MAX_FIGURE) << 32) + Min(p->b, MAX_FIGURE);
}

/* ---------- sentences ---------- */

/* A moment to the minute, not before it, as the clock on the wall has it. */
static void
add_moment(StringInfo buf, TimestampTz moment, const char *zone, TimestampTz at)
{
	pg_tz	   *tz = zone != NULL ? pg_tzset(zone) : session_timezone;
	TimestampTz up = moment + USECS_PER_MINUTE - 1;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;

	if (tz == NULL)
		tz = session_timezone;
	if (timestamp2tm(up, &offset, &tm, &fsec, NULL, tz) != 0)
	{
		appendStringInfoString(buf, timestamptz_to_str(moment));
		return;
	}
	if (moment >= at && moment - at < 6 * USECS_PER_DAY)
		appendStringInfoString(buf, days[j2day(date2j(tm.tm_year, tm.tm_mon,
													  tm.tm_mday))]);
	else
		appendStringInfo(buf, "%04d-%02d-%02d", tm.tm_year, tm.tm_mon,
						 tm.tm_mday);
	appendStringInfo(buf, " %02d:%02d %s", tm.tm_hour, tm.tm_min,
					 pg_get_timezone_name(tz));
}

static void
add_until(StringInfo buf, const LrPassedOver *p, const char *never,
		  const char *zone, TimestampTz at)
{
	if (p->until == 0)
		return;
	if (p->until == DT_NOEND)
	{
		appendStringInfoString(buf, never);
		return;
	}
	appendStringInfoString(buf, " until ");
	add_moment(buf, p->until, zone, at);
}

static const char *
unfit_words(int64 unfit)
{
	switch (unfit)
	{
		case LR_UNFIT_CONDITION:
			return ": member_condition is not true";
		case LR_UNFIT_ERROR:
			return ": member_condition raised an error";
		case LR_UNFIT_TEAM:
			return ": the condition of its membership is not true";
		default:
			return "";
	}
}

char *
lr_passed_sentence(const LrPassedOver *p, const char *cap, const char *zone,
				   TimestampTz at)
{
	StringInfoData buf;

	initStringInfo(&buf);
	switch (p->why)
	{
		case LR_PASSED_AWAY:
			appendStringInfoString(&buf, "away");
			add_until(&buf, p, " until resumed", zone, at);
			break;
		case LR_PASSED_CLOSED:
			appendStringInfoString(&buf, "closed");
			add_until(&buf, p, ", and no opening in sight", zone, at);
			break;
		case LR_PASSED_FULL:
			appendStringInfo(&buf, "capacity %lld of %lld", (long long) p->a,
							 (long long) p->b);
			break;
		case LR_PASSED_CAP:
			appendStringInfoString(&buf, "cap ");
			if (cap != NULL)
				appendStringInfo(&buf, "\"%s\" ", cap);
			appendStringInfo(&buf, "%lld of %lld", (long long) p->a,
							 (long long) p->b);
			add_until(&buf, p, "", zone, at);
			break;
		case LR_PASSED_UNFIT:
			appendStringInfo(&buf, "does not fit%s", unfit_words(p->a));
			break;
		case LR_PASSED_NO_SLOT:
			appendStringInfoString(&buf, "no room in shared memory for its counters");
			break;
		case LR_PASSED_BAD_OWNER:
			appendStringInfoString(&buf, "the owner column cannot hold its owner_value");
			break;
		default:
			appendStringInfoString(&buf, words[p->why].they);
	}
	return buf.data;
}

/* ---------- SQL ---------- */

/* The entries of journal.passed_over, a row each. */
Datum
lr_passed_entries(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum	   *number;
	int			n;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT8OID, 8, FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &number, NULL, &n);
	for (i = 0; i + LR_PASSED_NUMBERS <= n; i += LR_PASSED_NUMBERS)
	{
		int32		member = (int32) DatumGetInt64(number[i]);
		int64		code = DatumGetInt64(number[i + 1]);
		int64		until = DatumGetInt64(number[i + 2]);
		int64		figures = DatumGetInt64(number[i + 3]);
		Datum		values[7];
		bool		nulls[7] = {false};

		values[0] = Int32GetDatum(member);
		nulls[0] = member == 0;
		values[1] = Int32GetDatum((int32) (code % CODES));
		values[2] = Int32GetDatum((int32) (code / CODES));
		nulls[2] = code < CODES;
		values[3] = TimestampTzGetDatum(until);
		nulls[3] = member == 0 || until == 0;
		values[4] = Int32GetDatum((int32) (figures >> 32));
		values[5] = Int32GetDatum((int32) (figures & MAX_FIGURE));
		values[6] = Int32GetDatum(member == 0 ? (int32) until : 1);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
lr_passed_name(PG_FUNCTION_ARGS)
{
	const char *word = lr_passed_word(PG_GETARG_INT32(0));

	if (word == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(word));
}

/* code, until, figure, most, cap, zone, at */
Datum
lr_passed_detail(PG_FUNCTION_ARGS)
{
	LrPassedOver p = {0};
	char	   *cap = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	char	   *zone = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5));

	if (PG_ARGISNULL(0) || lr_passed_word(PG_GETARG_INT32(0)) == NULL)
		PG_RETURN_NULL();
	p.why = (LrPassed) PG_GETARG_INT32(0);
	p.until = PG_ARGISNULL(1) ? 0 : PG_GETARG_TIMESTAMPTZ(1);
	p.a = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	p.b = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	PG_RETURN_TEXT_P(cstring_to_text(lr_passed_sentence(&p, cap, zone,
														PG_ARGISNULL(6) ? DT_NOEND :
														PG_GETARG_TIMESTAMPTZ(6))));
}
