/*
 * next_turns.c
 *	  Whose turn comes when in a rotation, for people.
 *
 * The next leads are distributed in memory as choice.c would, starting from the
 * credits as they are, each lead fitting everybody and nobody coming or going
 * meanwhile.  Nothing is reserved; of shared memory it only reads.
 */
#include "postgres.h"

#include <math.h>

#include "datatype/timestamp.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/clock.h"
#include "base/guc.h"
#include "cap/cap.h"
#include "config/router_name.h"
#include "decide/choice.h"
#include "decide/method.h"
#include "journal/journal.h"
#include "lead/lead.h"
#include "lead/outcome.h"
#include "leadroute.h"
#include "roster/board.h"

PG_FUNCTION_INFO_V1(lr_next_turns);

/* Members looked at, over all leads, before it is left at that. */
#define MOST_LOOKS	INT64CONST(5000000)

/* A rotation while its next leads are distributed. */
typedef struct Course
{
	LrTeam	   *team;
	const LrPick *pick;			/* how it is now */
	TimestampTz now;
	bool	   *can;
	bool	   *shares;			/* who can, and who accrues */
	int			sharing;
	int64	   *credit;
	int64	   *share;			/* of the lead */
	int64		total;			/* of these */
	int64	   *next_in;		/* 0: not yet */
} Course;

static bool
accrues(const Course *c, int i, double candidates)
{
	double		weight = c->team->weight[i];

	return c->team->catch_up && lr_is_owed(c->pick->all[i].state.why) &&
		c->team->seat[i] != LR_NO_SLOT &&
		!lr_is_off_duty(c->team, i, c->now) &&
		c->credit[i] + (int64) (weight * ((double) LR_CREDIT_ONE /
										  (candidates + weight))) <=
		c->team->credit_limit;
}

/* Who has a share of the next lead, and which; see method.c. */
static bool
share_out(Course *c)
{
	LrTeam	   *team = c->team;
	double		candidates = 0;
	double		weight = 0;
	double		factor;
	bool		changed = false;
	int			i;

	for (i = 0; i < team->n; i++)
		if (c->can[i])
			candidates += team->weight[i];
	c->sharing = 0;
	for (i = 0; i < team->n; i++)
	{
		bool		shares = c->can[i] || accrues(c, i, candidates);

		changed |= shares != c->shares[i];
		c->shares[i] = shares;
		if (shares)
		{
			c->sharing++;
			weight += team->weight[i];
		}
	}
	factor = (double) LR_CREDIT_ONE / weight;
	c->total = 0;
	for (i = 0; i < team->n; i++)
	{
		c->share[i] = c->shares[i] ? (int64) (team->weight[i] * factor) : 0;
		c->total += c->share[i];
	}
	return changed;
}

/* Distributes leads until everybody who can has had one. */
static void
run(Course *c, int candidates)
{
	bool		same_set = c->pick->same_set;
	int64		most = MOST_LOOKS / Max(c->team->n, 1) + 1;
	int64		lead;
	int			left = candidates;

	(void) share_out(c);
	for (lead = 1; left > 0 && lead <= most; lead++)
	{
		int			chosen = lr_first_turn(c->team->n, c->can, c->credit,
										   c->share, c->sharing, same_set);
		int			i;

		CHECK_FOR_INTERRUPTS();
		for (i = 0; i < c->team->n; i++)
			c->credit[i] += c->share[i];
		c->credit[chosen] -= c->total;
		if (c->next_in[chosen] == 0)
		{
			c->next_in[chosen] = lead;
			left--;
		}
		/* who accrues may have come to his limit */
		same_set = !c->team->catch_up || !share_out(c);
	}
}

static void
begin_course(Course *c, LrDatabase *db, LrTeam *team, const LrPick *pick,
			 TimestampTz now)
{
	int			n = team->n + 1;
	int			i;

	c->team = team;
	c->pick = pick;
	c->now = now;
	c->can = (bool *) palloc0(n * sizeof(bool));
	c->shares = (bool *) palloc0(n * sizeof(bool));
	c->credit = (int64 *) palloc0(n * sizeof(int64));
	c->share = (int64 *) palloc0(n * sizeof(int64));
	c->next_in = (int64 *) palloc0(n * sizeof(int64));
	LWLockAcquire(db->lock, LW_SHARED);
	for (i = 0; i < team->n; i++)
	{
		c->can[i] = pick->all[i].state.why == LR_CAN;
		c->credit[i] = team->seat[i] == LR_NO_SLOT ? 0 :
			lr_seat_credit(team->seat[i]);
	}
	LWLockRelease(db->lock);
}

static void
put_rows(ReturnSetInfo *rsinfo, const Course *c, const int64 *credit)
{
	LrTeam	   *team = c->team;
	int			i;

	for (i = 0; i < team->n; i++)
	{
		const LrPassedOver *state = &c->pick->all[i].state;
		Datum		values[6] = {0};
		bool		nulls[6] = {false};

		values[0] = CStringGetTextDatum(team->member[i]->name);
		values[1] = Float8GetDatum(team->weight[i]);
		/* shares are rounded, too: what is owed to nobody shows as 0 */
		values[2] = Float8GetDatum(rint(LR_CREDIT_LEADS(credit[i]) * 1e6) / 1e6);
		nulls[3] = c->next_in[i] == 0;
		values[3] = Int64GetDatum(c->next_in[i]);
		nulls[4] = state->why == LR_CAN;
		if (!nulls[4])
			values[4] = CStringGetTextDatum(lr_passed_word(state->why));
		nulls[5] = state->until == 0;
		values[5] = TimestampTzGetDatum(state->until);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/* The caps that hold for every lead; NULL: there are none. */
static LrCapCheck *
plain_caps(LrRouter *router, LrTeam *team, TimestampTz now)
{
	LrLeadCaps *lead = (LrLeadCaps *) palloc0(sizeof(LrLeadCaps));
	bool	   *concerns = (bool *) palloc((router->ncaps + 1) * sizeof(bool));
	int			i;

	for (i = 0; i < router->ncaps; i++)
		concerns[i] = router->cap[i]->condition == NULL;
	lead->router = router;
	lead->now = now;
	lead->concerns = concerns;
	return router->ncaps == 0 ? NULL : lr_caps_of_team(lead, 0, team);
}

static LrTeam *
team_named(LrRouter *router, const char *name)
{
	LrTeam	   *team = name == NULL ? lr_team_by_id(router, 0) :
		lr_team_by_name(router, name);

	if (team == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("team \"%s\" of router \"%s\" does not exist",
						name, router->name)));
	return team;
}

/* team, router */
Datum
lr_next_turns(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LrPickRequest request = {0};
	LrRouter   *router;
	LrPick		pick;
	Course		c;
	int64	   *credit;
	char	   *name;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	lr_config_accept();
	name = PG_ARGISNULL(1) ? lr_default_router_name() :
		text_to_cstring(PG_GETARG_TEXT_PP(1));
	router = lr_router_pin(name);
	if (router == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("router \"%s\" does not exist", name)));
	lr_people_accept(router);
	request.db = lr_database();
	lr_settle_prepared(request.db);
	lr_journal_flush();
	request.router = router;
	request.team = team_named(router, PG_ARGISNULL(0) ? NULL :
							  text_to_cstring(PG_GETARG_TEXT_PP(0)));
	request.method = LR_METHOD_ROUND_ROBIN;
	request.dry_run = true;
	request.load = LR_LEAD_LOAD;
	request.people = router->people_seen;
	request.now = lr_now();
	request.caps = plain_caps(router, request.team, request.now);
	lr_pick(&request, &pick);
	begin_course(&c, request.db, request.team, &pick, request.now);
	credit = (int64 *) palloc((request.team->n + 1) * sizeof(int64));
	memcpy(credit, c.credit, request.team->n * sizeof(int64));
	run(&c, pick.candidates);
	put_rows(rsinfo, &c, credit);
	lr_router_unpin(router);
	return (Datum) 0;
}
