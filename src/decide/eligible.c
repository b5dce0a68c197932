/*
 * eligible.c
 *	  Who of a team can take a lead.  See eligible.h.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "base/guc.h"
#include "cap/cap.h"
#include "decide/eligible.h"
#include "decide/held.h"
#include "leadroute.h"

/*
 * Whether nothing can keep any member from the lead: all active, never away,
 * without hours or capacity, no cap, and nobody is busy.  Looked up once a
 * state of the people.  Who becomes busy from now on, has done so after this lead.
 */
bool
lr_is_plain(const LrPickRequest *request)
{
	LrTeam	   *team = request->team;
	int			i;

	if (request->usable != NULL || request->without != 0 ||
		request->fitting != NULL || request->in_line || request->db->busy > 0 || request->caps != NULL)
		return false;
	if (team->plain_seen != request->people)
	{
		team->plain_seen = request->people;
		team->plain = team->hours == NULL;
		for (i = 0; i < team->n; i++)
			team->plain &= team->member[i]->active &&
				team->member[i]->slot != LR_NO_SLOT &&
				team->seat[i] != LR_NO_SLOT &&
				team->member[i]->nabsence == 0 &&
				team->member[i]->capacity < 0;
	}
	return team->plain;
}

/* Whether who is not there may be owed a share of the lead. */
bool
lr_may_accrue(const LrPickRequest *request)
{
	return request->team->catch_up &&
		request->method == LR_METHOD_ROUND_ROBIN && !request->ignore_limits;
}

/* Whether the roll says who of a big team, whom the lead fits, is present. */
static bool
may_use_roll(const LrPickRequest *request)
{
	return request->fitting != NULL && request->team->n >= lr_board_members &&
		request->usable == NULL && request->without == 0 &&
		!request->in_line && !request->dry_run &&
		!request->ignore_limits && !lr_may_accrue(request);
}

/* How many whom the lead fits are not gone for good. */
int
lr_fitting_of_roll(const LrChoice *work)
{
	const LrPickRequest *request = work->request;
	int			fits = lr_bits_count(request->fitting, work->team->n);
	int			i;

	if (work->roll->fits == work->team->n)
		return fits;
	for (i = lr_next_fitting(request, 0); i < work->team->n;
		 i = lr_next_fitting(request, i + 1))
		fits -= work->roll->why[i] == LR_PASSED_INACTIVE;
	return fits;
}

/*
 * What can be said without the counters, of those whom the lead fits.  Returns
 * how many of them are not gone for good.
 */
int
lr_look_at_people(LrChoice *work)
{
	LrTeam	   *team = work->team;
	int			fits;
	int			i;

	if (work->plain)
	{
		memset(team->why, LR_CAN, team->n);
		return team->n;
	}
	if (!work->checks && may_use_roll(work->request))
	{
		work->roll = lr_roll_call(work->request);
		work->until = work->roll->away_until;
		return lr_fitting_of_roll(work);
	}
	work->until = team->until;
	fits = lr_who_is_present(work->request, team->why, team->until);
	if (work->accruing != NULL)
	{
		work->missing = (bool *) palloc((team->n + 1) * sizeof(bool));
		for (i = lr_next_fitting(work->request, 0); i < team->n;
			 i = lr_next_fitting(work->request, i + 1))
			work->missing[i] = !lr_is_off_duty(team, i, work->request->now);
	}
	return fits;
}

/*
 * What look_at_counters does for those whom the lead fits, with the roll.  Of
 * who is no candidate, why says the reason.
 */
static void
look_at_roll(LrChoice *work)
{
	const LrPickRequest *request = work->request;
	const LrRoll *roll = work->roll;
	LrTeam	   *team = work->team;
	bool		limits = roll->limits || request->db->busy > 0 ||
		request->caps != NULL;
	int			i;

	for (i = 0; i < (int) LR_BITS_SIZE(team->n); i++)
		work->bitmap[i] = roll->can[i] & request->fitting[i];
	for (i = lr_next_out(work, 0); i < team->n; i = lr_next_out(work, i + 1))
		team->why[i] = roll->why[i];
	work->capacities = limits;
	for (i = lr_bits_next(work->bitmap, 0, team->n); limits && i < team->n;
		 i = lr_bits_next(work->bitmap, i + 1, team->n))
	{
		const LrMember *m = team->member[i];

		if (lr_member_slots[m->slot].busy)
			team->why[i] = LR_PASSED_BUSY;
		else if (m->capacity >= 0 && lr_open_load(m) + request->load > m->capacity)
			team->why[i] = LR_PASSED_FULL;
		else if (request->caps != NULL && !lr_caps_allow(request->caps, i))
			team->why[i] = LR_PASSED_CAP;
		else
		{
			work->capacities &= m->capacity > 0;
			continue;
		}
		work->bitmap[i / 8] &= ~(1 << (i % 8));
	}
	work->n = lr_bits_count(work->bitmap, team->n);
	work->all = work->n == team->n;
	work->weight = lr_weight_of(team, work->bitmap);
}

/* Adds what the counters say: who is a candidate.  db->lock held. */
void
lr_look_at_counters(LrChoice *work)
{
	LrTeam	   *team = work->team;
	const LrCapCheck *caps = work->request->ignore_limits ? NULL :
		work->request->caps;
	int			load = work->request->load;
	int			i;

	if (work->plain)
	{
		work->n = team->n;
		work->weight = team->total_weight;
		work->all = true;
		return;
	}
	if (work->roll != NULL)
	{
		look_at_roll(work);
		return;
	}
	work->n = 0;
	work->weight = 0;
	work->capacities = true;
	for (i = lr_next_fitting(work->request, 0); i < team->n;
		 i = lr_next_fitting(work->request, i + 1))
	{
		const LrMember *m = team->member[i];

		if (team->why[i] == LR_CAN && lr_member_slots[m->slot].busy)
			team->why[i] = LR_PASSED_BUSY;
		if (team->why[i] == LR_CAN && m->capacity >= 0 &&
			!work->request->ignore_limits &&
			lr_open_load(m) + load > m->capacity)
			team->why[i] = LR_PASSED_FULL;
		if (team->why[i] == LR_CAN && caps != NULL && !lr_caps_allow(caps, i))
			team->why[i] = LR_PASSED_CAP;
		if (team->why[i] == LR_CAN && work->request->in_line &&
			lr_is_fresh(work->request->db, m->slot, work->request->now))
			team->why[i] = LR_PASSED_HELD_FIRST;
		if (team->why[i] == LR_CAN)
		{
			work->n++;
			work->weight += team->weight[i];
			work->capacities &= m->capacity > 0;
		}
	}
	work->all = work->n == team->n;
}

/*
 * Who has a share of the lead though he is not there: members of a team with
 * catch_up in their working time, as long as the share takes their credit to
 * credit_limit at most.  The share is taken as it would be if nobody else
 * accrued, so what one has does not depend on the others.
 */
static void
note_accruing(LrChoice *work)
{
	LrTeam	   *team = work->team;
	double		candidates = work->weight;
	int			i;

	memset(work->accruing, 0, LR_BITS_SIZE(team->n));
	for (i = lr_next_fitting(work->request, 0); i < team->n;
		 i = lr_next_fitting(work->request, i + 1))
	{
		double		weight = team->weight[i];

		if (team->why[i] == LR_CAN || !lr_is_owed(team->why[i]) ||
			!work->missing[i] || team->seat[i] == LR_NO_SLOT ||
			lr_seat_credit(team->seat[i]) +
			(int64) (weight * ((double) LR_CREDIT_ONE / (candidates + weight))) >
			team->credit_limit)
			continue;
		lr_bit_set(work->accruing, i);
		work->sharing++;
	}
	if (work->sharing == work->n)
		return;
	work->weight = 0;
	for (i = lr_next_fitting(work->request, 0); i < team->n;
		 i = lr_next_fitting(work->request, i + 1))
		if (team->why[i] == LR_CAN || lr_bit(work->accruing, i))
			work->weight += team->weight[i];
}

/*
 * The candidates as a bitmap and a hash, and their shares.  The weights are
 * added in the order of the team, as whoever reads the journal adds them.
 */
void
lr_note_candidates(LrChoice *work)
{
	LrTeam	   *team = work->team;
	uint64		last = team->rotation != LR_NO_SLOT ?
		lr_rotation_slots[team->rotation].last_set : 0;
	int			i;

	work->sharing = work->n;
	if (work->all)
	{
		work->share = team->share;
		work->hash = team->n;
	}
	else
	{
		double		factor;

		if (work->accruing != NULL)
			note_accruing(work);
		if (work->roll == NULL)
		{
			memset(work->bitmap, 0, LR_BITS_SIZE(team->n));
			for (i = lr_next_fitting(work->request, 0); i < team->n;
				 i = lr_next_fitting(work->request, i + 1))
				if (team->why[i] == LR_CAN)
					lr_bit_set(work->bitmap, i);
		}
		factor = (double) LR_CREDIT_ONE / work->weight;
		work->share = team->lead_share;
		if (lr_weighs_the_same(team))
			work->share = NULL;
		else
			for (i = lr_next_candidate(work, 0); i < team->n;
				 i = lr_next_candidate(work, i + 1))
				team->lead_share[i] = (int64) (team->weight[i] * factor);
		work->hash = hash_bytes_extended(work->bitmap, (team->n + 7) / 8,
										team->n);
		if (work->sharing > work->n)
			work->hash = hash_combine64(work->hash,
									   hash_bytes_extended(work->accruing,
														   (team->n + 7) / 8,
														   team->n));
	}
	work->same_set = last == 0 || last == work->hash;
}
