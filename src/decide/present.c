/*
 * present.c
 *	  Who of a team can take a lead, without the counters.  See present.h.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/memutils.h"

#include "calendar/calendar.h"
#include "decide/present.h"

/* The end of an absence from this team that covers now; false: present. */
static bool
is_away(const LrMember *m, int32 team, TimestampTz now, int64 *until)
{
	bool		away = false;
	int			i;

	*until = now;
	/* absences may overlap or follow each other: the end of the chain */
	for (i = 0; i < m->nabsence; i++)
	{
		const LrAbsence *a = &m->absence[i];

		if ((a->team == -1 || a->team == team) &&
			a->since <= *until && *until < a->until)
		{
			away = true;
			*until = a->until;
			i = -1;
		}
	}
	return away;
}

TimestampTz
lr_available_from(const LrTeam *team, int i, TimestampTz at)
{
	LrCalendar *hours = team->hours != NULL ? team->hours[i] : NULL;

	TimestampTz now = at;

	for (;;)
	{
		const LrSpan *span;
		int64		until;
		bool		away = is_away(team->member[i], team->id, at, &until);

		if (hours == NULL || until == DT_NOEND || (!away && at > now))
			return until;
		span = away ? lr_calendar_ahead(hours, until) :
			lr_calendar_at(hours, at);
		if (span->open || span->until == DT_NOEND)
			return span->open ? until : DT_NOEND;
		at = span->until;
	}
}

bool
lr_is_off_duty(const LrTeam *team, int i, TimestampTz now)
{
	return team->hours != NULL && team->hours[i] != NULL &&
		!lr_calendar_at(team->hours[i], now)->open;
}

/* Whether, and why, a member is gone for good, or for this lead. */
static inline LrPassed
why_gone(const LrPickRequest *request, const LrMember *m)
{
	if (!m->active)
		return LR_PASSED_INACTIVE;
	if (request->usable && !request->usable[m->index])
		return LR_PASSED_BAD_OWNER;
	if (request->without != 0 && request->without == m->id)
		return LR_PASSED_FORMER;
	return LR_CAN;
}

LrPassed
lr_why_unfit(const LrPickRequest *request, int i)
{
	LrPassed	gone = why_gone(request, request->team->member[i]);

	return gone != LR_CAN ? gone : LR_PASSED_UNFIT;
}

int
lr_who_is_present(const LrPickRequest *request, uint8 *why, int64 *away_until)
{
	LrTeam	   *team = request->team;
	int			fits = 0;
	int			i;

	for (i = lr_next_fitting(request, 0); i < team->n;
		 i = lr_next_fitting(request, i + 1))
	{
		const LrMember *m = team->member[i];

		why[i] = why_gone(request, m);
		if (why[i] == LR_CAN)
		{
			fits++;
			if (m->slot == LR_NO_SLOT || team->seat[i] == LR_NO_SLOT)
				why[i] = LR_PASSED_NO_SLOT;
			else if (m->nabsence > 0 &&
					 is_away(m, team->id, request->now, &away_until[i]))
				why[i] = LR_PASSED_AWAY;
			else if (!request->ignore_limits &&
					 lr_is_off_duty(team, i, request->now))
				why[i] = LR_PASSED_CLOSED;
			if (team->hours != NULL && (why[i] == LR_PASSED_AWAY ||
										why[i] == LR_PASSED_CLOSED))
				away_until[i] = lr_available_from(team, i, request->now);
		}
	}
	return fits;
}

/* Until when, and since when, nobody comes or goes. */
static void
note_moments(LrRoll *roll, const LrTeam *team, TimestampTz now)
{
	int			i;
	int			j;

	roll->since = DT_NOBEGIN;
	roll->until = DT_NOEND;
	for (i = 0; i < team->n; i++)
	{
		if (team->hours != NULL && team->hours[i] != NULL)
		{
			const LrSpan *span = lr_calendar_at(team->hours[i], now);

			roll->since = Max(roll->since, span->since);
			roll->until = Min(roll->until, span->until);
		}
		for (j = 0; j < team->member[i]->nabsence; j++)
		{
			const LrAbsence *a = &team->member[i]->absence[j];

			if (a->since > now)
				roll->until = Min(roll->until, a->since);
			else
				roll->since = Max(roll->since, a->since);
			if (a->until > now)
				roll->until = Min(roll->until, a->until);
			else
				roll->since = Max(roll->since, a->until);
		}
	}
}

static LrRoll *
make_roll(LrTeam *team)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(team));
	LrRoll	   *roll = (LrRoll *) palloc0(sizeof(LrRoll));

	roll->can = (uint8 *) palloc0(MAXALIGN(team->n / 8 + 1));
	roll->why = (uint8 *) palloc0(team->n + 1);
	roll->away_until = (int64 *) palloc0((team->n + 1) * sizeof(int64));
	MemoryContextSwitchTo(old);
	return roll;
}

const LrRoll *
lr_roll_call(const LrPickRequest *request)
{
	LrTeam	   *team = request->team;
	LrPickRequest everybody = *request;
	LrRoll	   *roll;
	int			i;

	Assert(request->usable == NULL && request->without == 0);
	/* other leads will be decided by it, too */
	everybody.fitting = NULL;
	if (team->roll == NULL)
		team->roll = make_roll(team);
	roll = team->roll;
	if (roll->people == request->people && roll->people != 0 &&
		roll->since <= request->now && request->now < roll->until)
		return roll;

	/* other capacities may hold: the board is to be compared again */
	if (roll->people != request->people)
		team->board = team->other_board = 0;
	roll->people = 0;
	roll->fits = lr_who_is_present(&everybody, roll->why, roll->away_until);
	note_moments(roll, team, request->now);
	roll->limits = false;
	memset(roll->can, 0, team->n / 8 + 1);
	for (i = 0; i < team->n; i++)
	{
		roll->limits |= team->member[i]->capacity >= 0;
		if (roll->why[i] == LR_CAN)
			roll->can[i / 8] |= 1 << (i % 8);
	}
	roll->people = request->people;
	return roll;
}
