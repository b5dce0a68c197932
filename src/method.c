/*
 * method.c
 *	  Who of a team gets a lead.
 *
 * round_robin is chairman assignment.  Each lead gives every candidate a
 * credit of its share, weight / sum of weights over the candidates; who is
 * chosen pays what all received.  While the candidates stay the same, the
 * choice is R. Tijdeman's ("The chairman assignment problem", Discrete
 * Mathematics 32, 1980): of those whose credit has reached 1/(2m-2), the one
 * with the earliest deadline, which keeps every prefix within 1 - 1/(2m-2) of
 * the exact share.  When they differ from the last lead's, the greatest credit
 * deviates less and decides.
 *
 * Everything between taking and releasing db->lock is arithmetic on memory
 * that was allocated before.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "datatype/timestamp.h"

#include "method.h"
#include "roster.h"

/* What the choice works with, allocated before the lock is taken. */
typedef struct Work
{
	const LrPickRequest *request;
	LrTeam	   *team;
	bool		plain;			/* nothing keeps any member from any lead */
	bool		all;			/* every member is a candidate */
	int			n;				/* candidates */
	double		weight;			/* sum over candidates */
	bool		same_set;		/* as at the rotation's last decision */
	uint64		set;			/* hash of the candidates */
	bool		capacities;		/* every candidate has one */
	uint8	   *bitmap;
	const int64 *share;			/* of the lead, by index */
	int64	   *until;			/* end of an absence, by index; NULL: none */
	double		draw;
} Work;

/* ---------- eligibility ---------- */

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

/*
 * Whether nothing can keep any member from any lead: all active, never away,
 * without capacity.  Looked up once a state of the people.
 */
static bool
is_plain(const LrPickRequest *request)
{
	LrTeam	   *team = request->team;
	int			i;

	if (request->usable != NULL)
		return false;
	if (team->plain_seen != request->people)
	{
		team->plain_seen = request->people;
		team->plain = true;
		for (i = 0; i < team->n; i++)
			team->plain &= team->member[i]->active &&
				team->member[i]->slot != LR_NO_SLOT &&
				team->seat[i] != LR_NO_SLOT &&
				team->member[i]->nabsence == 0 &&
				team->member[i]->capacity < 0;
	}
	return team->plain;
}

/* What can be said without the counters.  Returns members not gone for good. */
static int
look_at_people(Work *work)
{
	LrTeam	   *team = work->team;
	int			fits = 0;
	int			i;

	if (work->plain)
	{
		memset(team->why, LR_CAN, team->n);
		return team->n;
	}
	work->until = (int64 *) palloc0((team->n + 1) * sizeof(int64));
	for (i = 0; i < team->n; i++)
	{
		const LrMember *m = team->member[i];

		team->why[i] = LR_CAN;
		if (!m->active)
			team->why[i] = LR_PASSED_INACTIVE;
		else if (work->request->usable && !work->request->usable[m->index])
			team->why[i] = LR_PASSED_BAD_OWNER;
		else
		{
			fits++;
			if (m->slot == LR_NO_SLOT || team->seat[i] == LR_NO_SLOT)
				team->why[i] = LR_PASSED_NO_SLOT;
			else if (m->nabsence > 0 &&
					 is_away(m, team->id, work->request->now, &work->until[i]))
				team->why[i] = LR_PASSED_AWAY;
		}
	}
	return fits;
}

/* Open load of a member as this transaction may count it. */
static inline int64
member_load(const LrMember *m)
{
	return lr_member_slots[m->slot].load + lr_reserve_released(m->slot);
}

/* Adds what the counters say: who is a candidate.  db->lock held. */
static void
look_at_counters(Work *work)
{
	LrTeam	   *team = work->team;
	int			load = work->request->load;
	int			i;

	if (work->plain)
	{
		work->n = team->n;
		work->weight = team->total_weight;
		work->all = true;
		return;
	}
	work->n = 0;
	work->weight = 0;
	work->capacities = true;
	for (i = 0; i < team->n; i++)
	{
		const LrMember *m = team->member[i];

		if (team->why[i] == LR_CAN && m->capacity >= 0 &&
			!work->request->ignore_limits &&
			member_load(m) + load > m->capacity)
			team->why[i] = LR_PASSED_FULL;
		if (team->why[i] == LR_CAN)
		{
			work->n++;
			work->weight += team->weight[i];
			work->capacities &= m->capacity > 0;
		}
	}
	work->all = work->n == team->n;
}

/* The candidates as a bitmap and a hash, and what each one's share is. */
static void
note_candidates(Work *work)
{
	LrTeam	   *team = work->team;
	uint64		last = team->rotation != LR_NO_SLOT ?
		lr_rotation_slots[team->rotation].last_set : 0;
	double		factor = (double) LR_CREDIT_ONE / work->weight;
	int			i;

	if (work->all)
	{
		work->share = team->share;
		work->set = team->n;
	}
	else
	{
		work->share = team->lead_share;
		for (i = 0; i < team->n; i++)
		{
			/* for the others: what it would be if they were candidates too */
			team->lead_share[i] = team->why[i] == LR_CAN ?
				(int64) (team->weight[i] * factor) :
				(int64) (team->weight[i] * ((double) LR_CREDIT_ONE /
											(work->weight + team->weight[i])));
			if (team->why[i] == LR_CAN)
				work->bitmap[i / 8] |= 1 << (i % 8);
		}
		work->set = hash_bytes_extended(work->bitmap, (team->n + 7) / 8,
										team->n);
	}
	work->same_set = last == 0 || last == work->set;
}

/* ---------- the methods' orders ---------- */

/* Credit after this lead's share was added. */
static inline int64
credit_with_share(const Work *work, int i)
{
	int			seat = work->team->seat[i];

	return (seat == LR_NO_SLOT ? 0 : lr_seats[seat].credit) + work->share[i];
}

/* Tijdeman's 1/(2m-2). */
static inline double
release_margin(const Work *work)
{
	return work->n > 1 ? (double) LR_CREDIT_ONE / (2 * work->n - 2) : 0;
}

/* His release condition; an eighth of a millionth forgives rounded shares. */
static inline bool
is_released(double margin, int64 credit)
{
	return (double) credit >= margin - LR_CREDIT_ONE / (1 << 23);
}

/* His deadline, in leads. */
static inline double
deadline(double margin, int64 credit, int64 share)
{
	return ((double) LR_CREDIT_ONE - margin - (double) credit) /
		(double) share;
}

static double
load_ratio(const Work *work, int i)
{
	const LrMember *m = work->team->member[i];
	double		load = (double) member_load(m);

	return load / (work->capacities && m->capacity > 0 ?
				   (double) m->capacity : work->team->weight[i]);
}

static int64
last_turn(const Work *work, int i)
{
	return lr_member_slots[work->team->member[i]->slot].last_turn;
}

static bool
idle_before(const Work *work, int a, int b)
{
	int64		x = last_turn(work, a);
	int64		y = last_turn(work, b);

	return x != y ? x < y : a < b;
}

/* Member a goes before b by round_robin. */
static bool
turn_before(const Work *work, int a, int b)
{
	int64		x = credit_with_share(work, a);
	int64		y = credit_with_share(work, b);

	if (work->same_set)
	{
		double		margin = release_margin(work);
		bool		released = is_released(margin, x);

		if (released != is_released(margin, y))
			return released;
		if (released)
		{
			double		da = deadline(margin, x, work->share[a]);
			double		db = deadline(margin, y, work->share[b]);

			return da != db ? da < db : a < b;
		}
	}
	return x != y ? x > y : a < b;
}

/* The first of all candidates by turn_before, in one pass. */
static int
first_turn(const Work *work)
{
	LrTeam	   *team = work->team;
	double		margin = release_margin(work);
	int			released = -1;
	double		earliest = 0;
	int			richest = -1;
	int64		most = 0;
	int			i;

	for (i = 0; i < team->n; i++)
	{
		int64		credit;

		if (team->why[i] != LR_CAN)
			continue;
		credit = credit_with_share(work, i);
		if (richest < 0 || credit > most)
		{
			richest = i;
			most = credit;
		}
		if (work->same_set && is_released(margin, credit))
		{
			double		due = deadline(margin, credit, work->share[i]);

			if (released < 0 || due < earliest)
			{
				released = i;
				earliest = due;
			}
		}
	}
	return released >= 0 ? released : richest;
}

/* Member a goes before b; strict, total and without regard to eligibility. */
static bool
goes_before(const Work *work, int a, int b)
{
	switch (work->request->method)
	{
		case LR_METHOD_ROUND_ROBIN:
			/* beyond the limits no credit moves: the longest idle goes first */
			if (!work->request->ignore_limits)
				return turn_before(work, a, b);
			return idle_before(work, a, b);
		case LR_METHOD_LEAST_LOADED:
			{
				double		x = load_ratio(work, a);
				double		y = load_ratio(work, b);

				if (x != y)
					return x < y;
			}
			/* FALLTHROUGH */
		case LR_METHOD_LONGEST_IDLE:
			return idle_before(work, a, b);
		default:
			/* random: nobody is due before anybody */
			return false;
	}
}

/* The candidate that a weighted draw in [0, 1) hits. */
static int
drawn(const Work *work)
{
	LrTeam	   *team = work->team;
	double		at = work->draw * work->weight;
	int			last = -1;
	int			i;

	for (i = 0; i < team->n; i++)
		if (team->why[i] == LR_CAN)
		{
			last = i;
			at -= team->weight[i];
			if (at < 0)
				break;
		}
	return last;
}

static int
choose(const Work *work)
{
	LrTeam	   *team = work->team;
	int			best = -1;
	int			i;

	if (work->n == 0)
		return -1;
	if (work->request->method == LR_METHOD_RANDOM)
		return drawn(work);
	if (work->request->method == LR_METHOD_ROUND_ROBIN &&
		!work->request->ignore_limits)
		return first_turn(work);
	for (i = 0; i < team->n; i++)
		if (team->why[i] == LR_CAN &&
			(best < 0 || goes_before(work, i, best)))
			best = i;
	return best;
}

/* What the method compared; false: nothing to tell. */
static bool
measure(const Work *work, int i, double *value)
{
	LrTeam	   *team = work->team;
	int			slot = team->member[i]->slot;

	*value = 0;
	if (slot == LR_NO_SLOT || team->seat[i] == LR_NO_SLOT)
		return false;
	switch (work->request->method)
	{
		case LR_METHOD_ROUND_ROBIN:
			*value = LR_CREDIT_LEADS(lr_seats[team->seat[i]].credit);
			return true;
		case LR_METHOD_LEAST_LOADED:
			*value = load_ratio(work, i);
			return true;
		case LR_METHOD_LONGEST_IDLE:
			*value = (double) (work->request->db->last_id + 1 -
							   last_turn(work, i));
			return last_turn(work, i) > 0;
		default:
			*value = work->draw;
			return true;
	}
}

/* ---------- who was passed over ---------- */

static void
describe(const Work *work, int i, LrPassedOver *p)
{
	LrMember   *m = work->team->member[i];

	p->member = m;
	p->why = work->team->why[i];
	p->a = p->b = 0;
	if (p->why == LR_PASSED_AWAY)
		p->a = work->until[i] == DT_NOEND ? PG_INT64_MAX : work->until[i] +
			(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	else if (p->why == LR_PASSED_FULL)
	{
		p->a = member_load(m);
		p->b = m->capacity;
	}
}

/* Those who could not take it and were due before the chosen one. */
static void
note_passed_over(const Work *work, LrPick *pick)
{
	LrTeam	   *team = work->team;
	int			i;

	if (work->all)
		return;
	for (i = 0; i < team->n; i++)
	{
		if (team->why[i] == LR_CAN)
			continue;
		if (pick->chosen >= 0 &&
			(team->why[i] == LR_PASSED_NO_SLOT ||
			 !goes_before(work, i, pick->chosen)))
			continue;
		if (pick->npassed < lr_passed_over_limit)
			describe(work, i, &pick->passed[pick->npassed++]);
		pick->passed_count++;
	}
}

static void
note_all(const Work *work, LrPick *pick)
{
	LrTeam	   *team = work->team;
	int			i;

	for (i = 0; i < team->n; i++)
	{
		LrCandidate *c = &pick->all[i];

		c->member = team->member[i];
		describe(work, i, &c->state);
		c->has_measure = measure(work, i, &c->measure);
		c->share = team->why[i] == LR_CAN && work->weight > 0 ?
			team->weight[i] / work->weight : 0;
		c->load = team->member[i]->slot == LR_NO_SLOT ? 0 :
			member_load(team->member[i]);
	}
}

/* ---------- the choice ---------- */

static void
fill_reservation(const Work *work, LrPick *pick)
{
	LrReservation *r = &pick->reservation;
	LrTeam	   *team = work->team;
	const LrPickRequest *request = work->request;
	int			slot = team->member[pick->chosen]->slot;

	r->id = lr_next_id(request->db);
	r->member_slot = slot;
	r->load = request->load;
	r->last_turn = lr_member_slots[slot].last_turn;
	r->turn = request->method == LR_METHOD_ROUND_ROBIN &&
		!request->ignore_limits;
	r->team = team;
	r->chosen = pick->chosen;
	lr_reserve_apply(r, 1);
	if (r->turn && team->rotation != LR_NO_SLOT)
		lr_rotation_slots[team->rotation].last_set = work->set;
}

/* Under the lock: who is a candidate, who is chosen, the reservation. */
static void
decide_locked(Work *work, LrPick *pick)
{
	look_at_counters(work);
	pick->candidates = work->n;
	if (work->n > 0)
	{
		note_candidates(work);
		pick->chosen = choose(work);
		pick->has_measure = measure(work, pick->chosen, &pick->measure);
		if (!work->all)
			pick->reservation.candidates = work->bitmap;
	}
	note_passed_over(work, pick);
	if (work->request->dry_run)
		note_all(work, pick);
	else if (pick->chosen >= 0)
		fill_reservation(work, pick);
}

void
lr_pick(const LrPickRequest *request, LrPick *pick)
{
	LrTeam	   *team = request->team;
	Work		work;

	memset(pick, 0, sizeof(*pick));
	memset(&work, 0, sizeof(work));
	pick->chosen = -1;
	pick->reservation.member_slot = LR_NO_SLOT;
	work.request = request;
	work.team = team;
	work.plain = is_plain(request);
	if (!work.plain)
	{
		work.bitmap = (uint8 *) palloc0((team->n + 7) / 8 + 1);
		pick->passed = (LrPassedOver *) palloc((Min(lr_passed_over_limit, team->n) + 1) *
											   sizeof(LrPassedOver));
	}
	if (request->method == LR_METHOD_RANDOM)
	{
		pg_prng_state prng;

		pg_prng_seed(&prng, request->seed);
		work.draw = pg_prng_double(&prng);
	}
	pick->fits = look_at_people(&work);

	if (request->dry_run)
		pick->all = (LrCandidate *) palloc0((team->n + 1) * sizeof(LrCandidate));
	else
		lr_reserve_prepare(team);

	LWLockAcquire(request->db->lock, LW_EXCLUSIVE);
	decide_locked(&work, pick);
	LWLockRelease(request->db->lock);
}
