/*
 * note_passed.c
 *	  Who was passed over, for the journal and for explain.  See eligible.h.
 */
#include "postgres.h"

#include "datatype/timestamp.h"

#include "base/guc.h"
#include "cap/cap.h"
#include "decide/eligible.h"
#include "leadroute.h"

/*
 * Members whom a lead does not fit are no candidates and may be many: so many
 * of them, in the order of the team, are asked whether they were due, fewer
 * where each member of the team is not looked at either.
 */
#define UNFIT_LOOKED		64
#define UNFIT_LOOKED_BIG	8

/* Which SQL says that the lead does not fit a member. */
static LrUnfit
unfit_by(const LrPickRequest *request, int i)
{
	if (request->reached != NULL && !lr_bit(request->reached, i))
		return LR_UNFIT_TEAM;
	return request->raised != NULL && lr_bit(request->raised, i) ?
		LR_UNFIT_ERROR : LR_UNFIT_CONDITION;
}

static void
describe(const LrChoice *work, int i, LrPassedOver *p)
{
	LrMember   *m = work->team->member[i];

	p->member = m;
	p->why = work->team->why[i];
	p->cap = 0;
	p->until = p->a = p->b = 0;
	if (p->why == LR_PASSED_AWAY || p->why == LR_PASSED_CLOSED)
		p->until = work->until[i];
	else if (p->why == LR_PASSED_CAP)
		lr_cap_reached_by(work->request->caps, i, p);
	else if (p->why == LR_PASSED_FULL)
	{
		p->a = lr_open_load(m);
		p->b = m->capacity;
	}
	else if (p->why == LR_PASSED_UNFIT)
		p->a = unfit_by(work->request, i);
}

/*
 * Notes who could not take it, if he was due before the chosen one.  Who has no
 * counters is never due, whatever else keeps him from it.
 */
void
lr_note_passed(const LrChoice *work, int i, LrPick *pick)
{
	if (pick->chosen >= 0 &&
		(work->team->why[i] == LR_PASSED_NO_SLOT ||
		 work->team->member[i]->slot == LR_NO_SLOT ||
		 !lr_goes_before(work, i, pick->chosen)))
		return;
	if (pick->npassed < lr_passed_over_limit)
		describe(work, i, &pick->passed[pick->npassed++]);
	else
		pick->passed_rest[work->team->why[i]]++;
	pick->passed_count++;
}

/* Those whom the lead does not fit: the first ones only. */
void
lr_note_unfit(const LrChoice *work, LrPick *pick)
{
	const LrPickRequest *request = work->request;
	LrTeam	   *team = work->team;
	int			most = team->n >= lr_board_members ? UNFIT_LOOKED_BIG :
		UNFIT_LOOKED;
	int			looked = 0;
	int			i;

	for (i = lr_bits_next_clear(request->fitting, 0, team->n);
		 i < team->n && (looked < most || request->dry_run);
		 i = lr_bits_next_clear(request->fitting, i + 1, team->n))
	{
		team->why[i] = lr_why_unfit(request, i);
		if (looked++ < most)
			lr_note_passed(work, i, pick);
	}
}

/* All of those. */
void
lr_note_passed_over(const LrChoice *work, LrPick *pick)
{
	const LrPickRequest *request = work->request;
	LrTeam	   *team = work->team;
	int			i;

	if (work->all)
		return;
	if (work->roll != NULL)
		for (i = lr_next_out(work, 0); i < team->n; i = lr_next_out(work, i + 1))
			lr_note_passed(work, i, pick);
	else
		for (i = lr_next_fitting(request, 0); i < team->n;
			 i = lr_next_fitting(request, i + 1))
			if (team->why[i] != LR_CAN)
				lr_note_passed(work, i, pick);
	if (request->fitting != NULL)
		lr_note_unfit(work, pick);
}

void
lr_note_all(const LrChoice *work, LrPick *pick)
{
	LrTeam	   *team = work->team;
	int			i;

	pick->same_set = work->same_set;
	for (i = 0; i < team->n; i++)
	{
		LrCandidate *c = &pick->all[i];

		c->member = team->member[i];
		describe(work, i, &c->state);
		c->has_measure = lr_measure(work, i, &c->measure);
		c->share = team->why[i] == LR_CAN && work->weight > 0 ?
			team->weight[i] / work->weight : 0;
		c->load = team->member[i]->slot == LR_NO_SLOT ? 0 :
			lr_open_load(team->member[i]);
	}
}

/* What a lead that is held for this has to know, see held.h. */
void
lr_note_nobody(const LrChoice *work, LrPick *pick)
{
	LrTeam	   *team = work->team;
	LrPassedOver reached;
	int			i;

	pick->seq = work->request->db->free_seq;
	pick->available_from = DT_NOEND;
	for (i = lr_next_fitting(work->request, 0); i < team->n;
		 i = lr_next_fitting(work->request, i + 1))
	{
		pick->withheld |= team->why[i] == LR_PASSED_HELD_FIRST;
		if (team->why[i] != LR_PASSED_CAP)
			continue;
		/* it may be a cap of this lead only, and has room in the next window */
		pick->own_way = true;
		describe(work, i, &reached);
		if (reached.until != 0)
			pick->available_from = Min(pick->available_from, reached.until);
	}
}
