/*
 * method.c
 *	  Who of a team gets a lead.
 *
 * Who it is, is found in one of two ways, which always agree
 * (leadroute.check_picks looks whether they do):
 *	  by looking		at each member: small teams, dry runs, beyond the limits
 *	  on the board		board.h, for big teams: at those who go first of each
 *						weight and at those who cannot take the lead
 *
 * Everything between taking and releasing db->lock is arithmetic on memory
 * that was allocated before.
 */
#include "postgres.h"

#include "common/pg_prng.h"

#include "base/guc.h"
#include "cap/cap_view.h"
#include "decide/eligible.h"
#include "leadroute.h"
#include "roster/board_set.h"

/* ---------- the choice ---------- */

static void
fill_reservation(const LrChoice *work, LrPick *pick)
{
	LrReservation *r = &pick->reservation;
	LrTeam	   *team = work->team;
	const LrPickRequest *request = work->request;
	int			slot = team->member[pick->chosen]->slot;

	r->id = lr_next_id(request->db);
	lr_caps_decided(request->db, request->router, r->id);
	r->member_slot = slot;
	r->load = request->load;
	r->last_turn = request->keeps_turns ? -1 : lr_member_slots[slot].last_turn;
	r->turn = request->method == LR_METHOD_ROUND_ROBIN &&
		!request->ignore_limits;
	r->team = team;
	r->chosen = pick->chosen;
	r->month = request->month;
	if (request->caps != NULL)
		lr_caps_reserve(request->caps, pick->chosen, r);
	lr_reserve_apply(r, 1);
	if (r->turn && team->rotation != LR_NO_SLOT)
		lr_rotation_slots[team->rotation].last_set = work->hash;
}

/*
 * Whether the team's board can tell: not what is seen by this lead or
 * transaction only, nor turns of too many weights.
 */
static bool
may_use_board(const LrPickRequest *request)
{
	const LrTeam *team = request->team;

	return team->n >= lr_board_members && team->rotation != LR_NO_SLOT &&
		(team->graded || request->method != LR_METHOD_ROUND_ROBIN) &&
		(request->caps == NULL || !request->caps->by_member ||
		 request->caps->view != NULL) &&
		request->usable == NULL && request->without == 0 &&
		(request->fitting == NULL || request->set != NULL) &&
		!request->in_line && !request->dry_run && !request->ignore_limits &&
		!lr_reserve_releases() && !lr_may_accrue(request);
}

/* Who is a candidate, who is chosen, who was passed over.  db->lock held. */
static void
choose_by_looking(LrChoice *work, LrPick *pick)
{
	lr_look_at_counters(work);
	pick->candidates = work->n;
	if (work->n > 0)
	{
		lr_note_candidates(work);
		pick->hash = work->hash;
		pick->chosen = lr_choose(work);
		pick->has_measure = lr_measure(work, pick->chosen, &pick->measure);
		if (!work->all)
			pick->reservation.candidates = work->bitmap;
		if (work->sharing > work->n)
			pick->reservation.accruing = work->accruing;
	}
	lr_note_passed_over(work, pick);
	if (pick->chosen < 0)
		lr_note_nobody(work, pick);
}

/* The same, and the reservation. */
static void
decide_locked(LrChoice *work, LrPick *pick)
{
	if (work->request->caps != NULL && !work->request->ignore_limits)
		lr_cap_reached_by(work->request->caps, LR_CAP_ALL, &pick->reached);
	if (may_use_board(work->request) && lr_board_of(work->team) == NULL)
		lr_board_missed(work->team);
	choose_by_looking(work, pick);
	if (work->request->dry_run)
		lr_note_all(work, pick);
	else if (pick->chosen >= 0)
		fill_reservation(work, pick);
}

/* ---------- on the board ---------- */

/*
 * Who is a candidate, as the board has it; what lr_note_candidates says.  false:
 * nobody is, or the board does not know.
 */
static bool
note_those_in(LrChoice *work)
{
	LrBoard    *board = work->board;
	LrBoardSet *set = work->set;
	LrTeam	   *team = work->team;
	uint64		last = lr_rotation_slots[team->rotation].last_set;

	if (set != NULL)
	{
		if (!lr_board_set_look(board, team, set))
			return false;
		work->n = set->in;
		work->weight = set->weight;
		work->hash = set->hash;
		memcpy(work->bitmap, set->bits, LR_BITS_SIZE(team->n));
	}
	else
	{
		work->n = board->in;
		work->weight = lr_board_weight(board, team);
		work->hash = lr_board_hash(board);
		if (work->n > 0 && work->n < team->n)
			memcpy(work->bitmap, lr_board_in(board), LR_BITS_SIZE(team->n));
	}
	work->sharing = work->n;
	work->all = work->n == team->n;
	work->capacities = lr_board_set_unlimited(board, set) == 0;
	work->share = work->all ? team->share : NULL;
	work->same_set = last == 0 || last == work->hash;
	return work->n > 0;
}

/* How many whom the lead fits are not gone for good. */
static int
fitting_of_board(const LrChoice *work)
{
	LrBoardSet *set = work->set;

	if (set == NULL)
		return work->roll->fits;
	if (set->people != work->request->people)
	{
		set->present = lr_fitting_of_roll(work);
		set->people = work->request->people;
	}
	return set->present;
}

/* The first from i on whom the lead fits and who is out; n: none. */
static int
next_out_on_board(const LrChoice *work, int i)
{
	if (work->set != NULL)
		return lr_next_out(work, i);
	i = lr_board_next_out(work->board, i);
	return i < 0 ? work->team->n : i;
}

/* Why who is out is so: who is present, is busy, full or at a cap. */
static LrPassed
why_out(const LrChoice *work, int i)
{
	const LrMember *m = work->team->member[i];

	return work->roll->why[i] != LR_CAN ? work->roll->why[i] :
		lr_member_slots[m->slot].busy ? LR_PASSED_BUSY :
		m->capacity >= 0 &&
		lr_open_load(m) + work->request->load > m->capacity ? LR_PASSED_FULL :
		LR_PASSED_CAP;
}

/* What lr_note_passed_over does. */
static void
note_those_out(const LrChoice *work, LrPick *pick)
{
	const LrPickRequest *request = work->request;
	LrTeam	   *team = work->team;
	int			i;

	team->why[pick->chosen] = LR_CAN;
	for (i = next_out_on_board(work, 0); i < team->n;
		 i = next_out_on_board(work, i + 1))
	{
		team->why[i] = why_out(work, i);
		lr_note_passed(work, i, pick);
	}
	if (request->fitting != NULL)
		lr_note_unfit(work, pick);
}

/* Who is present, and has room under the caps of members. */
static const uint8 *
who_can(const LrChoice *work)
{
	const LrCapCheck *caps = work->request->caps;
	LrCapView  *view = caps != NULL ? caps->view : NULL;
	int			i;

	if (view == NULL)
		return work->roll->can;
	for (i = 0; i < (int) LR_BITS_SIZE(work->team->n); i++)
		view->can[i] = work->roll->can[i] & ~view->reached[i];
	return view->can;
}

/*
 * What decide_locked does, with the board; false: it cannot, and nothing has
 * been done.
 */
static bool
decide_on_board(LrChoice *work, LrPick *pick)
{
	const LrPickRequest *request = work->request;
	LrBoard    *board = lr_board_of(work->team);

	if (request->caps != NULL && !lr_caps_allow_any(request->caps))
		return false;
	/* it counts who can take one more lead, not how many */
	if (board == NULL || (work->plain && request->db->busy > 0) ||
		(work->roll->limits && request->load != LR_LEAD_LOAD))
		return false;
	work->board = board;
	lr_board_sync(board, who_can(work));
	if (!note_those_in(work))
		return false;
	pick->chosen = lr_choose_on_board(work);
	if (pick->chosen < 0)
		return false;
	board->missed = 0;
	board->picks++;
	pick->candidates = work->n;
	pick->hash = work->hash;
	pick->fits = fitting_of_board(work);
	pick->has_measure = lr_measure(work, pick->chosen, &pick->measure);
	pick->reservation.board = board->serial;
	pick->reservation.moves = board->moves;
	pick->reservation.weight = work->weight;
	if (work->set != NULL)
		memcpy(pick->reservation.parts, work->set->part,
			   work->set->nparts * sizeof(uint16));
	if (!work->all)
	{
		pick->reservation.candidates = work->bitmap;
		note_those_out(work, pick);
	}
	return true;
}

/* ---------- both ways ---------- */

/* Memory for what a pick says. */
static void
make_pick(const LrChoice *work, LrPick *pick)
{
	memset(pick, 0, sizeof(*pick));
	pick->chosen = -1;
	pick->reservation.member_slot = LR_NO_SLOT;
	pick->caps = work->request->caps;
	if (!work->plain)
		pick->passed = (LrPassedOver *) palloc((Min(lr_passed_over_limit, work->team->n) + 1) *
											   sizeof(LrPassedOver));
	if (work->request->dry_run)
		pick->all = (LrCandidate *) palloc0((work->team->n + 1) *
											sizeof(LrCandidate));
}

static bool
same_passed_over(const LrPick *a, const LrPick *b)
{
	int			i;

	for (i = 0; i < a->npassed && i < b->npassed; i++)
		if (a->passed[i].member != b->passed[i].member ||
			a->passed[i].why != b->passed[i].why ||
			a->passed[i].cap != b->passed[i].cap ||
			a->passed[i].until != b->passed[i].until ||
			a->passed[i].a != b->passed[i].a || a->passed[i].b != b->passed[i].b)
			return false;
	return a->npassed == b->npassed && a->passed_count == b->passed_count &&
		memcmp(a->passed_rest, b->passed_rest, sizeof(a->passed_rest)) == 0;
}

/* The first difference of two picks of the same lead; NULL: none. */
static const char *
difference(const LrPick *a, const LrPick *b, int n)
{
	if (a->chosen != b->chosen)
		return "chosen";
	if (a->fits != b->fits)
		return "fits";
	if (a->candidates != b->candidates)
		return "candidates";
	if (a->chosen >= 0 && a->candidates < n &&
		memcmp(a->reservation.candidates, b->reservation.candidates,
			   (n + 7) / 8) != 0)
		return "who are candidates";
	if (a->has_measure != b->has_measure || a->measure != b->measure)
		return "measure";
	return same_passed_over(a, b) ? NULL : "passed over";
}

/*
 * Picks by looking at each member, to compare with what the board or the roll
 * says.  Allocates.
 */
static void
begin_check(const LrChoice *work, LrChoice *check, LrPick *pick)
{
	*check = *work;
	check->checks = true;
	check->roll = NULL;
	if (!check->plain)
		check->bitmap = (uint8 *) palloc(LR_BITS_SIZE(work->team->n) + 1);
	make_pick(check, pick);
	pick->fits = lr_look_at_people(check);
}

/* What differs between a pick and one by looking at each member. */
static const char *
end_check(const LrChoice *work, const LrPick *pick, const LrChoice *check,
		  const LrPick *looked)
{
	return check->hash != work->hash ? "set of candidates" :
		difference(pick, looked, work->team->n);
}

static void
report_difference(const LrPickRequest *request, const char *by,
				  const char *differs, const LrPick *pick,
				  const LrPick *looked)
{
	if (differs != NULL)
		elog(ERROR, "pick of team %d by method %c %s differs from one by looking: %s (%d and %d of %d)",
			 request->team->id, request->method, by, differs, pick->chosen,
			 looked->chosen, request->team->n);
}

/* Room for the reservation; what it is of, the team's board, stays the same. */
static void
prepare(const LrPickRequest *request)
{
	lr_reserve_prepare(request->team, request->month);
	if (request->caps != NULL)
		lr_reserve_prepare_caps(request->caps->n);
}

static bool
pick_on_board(LrChoice *work, LrPick *pick)
{
	const LrPickRequest *request = work->request;
	const char *differs = NULL;
	LrChoice	check;
	LrPick		looked;
	bool		done;

	work->roll = lr_roll_call(request);
	work->until = work->roll->away_until;
	if (!lr_board_ready(request->db, request->team))
		return false;
	if (request->set != NULL)
	{
		if (!lr_board_set_ready(request->db, request->team, request->set))
			return false;
		work->set = request->set;
		pick->reservation.nparts = request->set->nparts;
		pick->reservation.parts = (uint16 *) palloc(request->set->nparts *
													sizeof(uint16));
	}
	prepare(request);
	if (lr_check_picks)
		begin_check(work, &check, &looked);
	lr_lock_counters_with_view(request->db, request->caps);
	if (lr_check_picks)
		choose_by_looking(&check, &looked);
	done = decide_on_board(work, pick);
	if (done && lr_check_picks)
		differs = end_check(work, pick, &check, &looked);
	if (done)
		fill_reservation(work, pick);
	LWLockRelease(request->db->lock);
	report_difference(request, "on the board", differs, pick, &looked);
	return done;
}

static void
pick_by_looking(LrChoice *work, LrPick *pick)
{
	const LrPickRequest *request = work->request;
	const char *differs = NULL;
	LrChoice	check;
	LrPick		looked;
	bool		compare;

	pick->fits = lr_look_at_people(work);
	compare = lr_check_picks && work->roll != NULL;
	if (compare)
		begin_check(work, &check, &looked);
	lr_lock_counters(request->db, request->caps);
	if (compare)
		choose_by_looking(&check, &looked);
	decide_locked(work, pick);
	if (compare)
		differs = end_check(work, pick, &check, &looked);
	LWLockRelease(request->db->lock);
	report_difference(request, "by the roll", differs, pick, &looked);
}

/*
 * When the first of those comes who are away or off, or a cap's window ends:
 * nobody is a candidate.
 */
static TimestampTz
first_to_come(const LrChoice *work)
{
	TimestampTz first = work->request->caps == NULL ? DT_NOEND :
		lr_caps_end(work->request->caps);
	int			i;

	for (i = lr_next_fitting(work->request, 0);
		 i < work->team->n && work->until != NULL;
		 i = lr_next_fitting(work->request, i + 1))
		if (work->team->why[i] == LR_PASSED_AWAY ||
			work->team->why[i] == LR_PASSED_CLOSED)
			first = Min(first, work->until[i]);
	return first;
}

void
lr_pick(const LrPickRequest *request, LrPick *pick)
{
	LrTeam	   *team = request->team;
	LrChoice	work;

	memset(&work, 0, sizeof(work));
	work.request = request;
	work.team = team;
	work.plain = lr_is_plain(request);
	if (!work.plain)
		work.bitmap = (uint8 *) palloc(LR_BITS_SIZE(team->n) + 1);
	if (lr_may_accrue(request) && !work.plain)
		work.accruing = (uint8 *) palloc(LR_BITS_SIZE(team->n) + 1);
	make_pick(&work, pick);
	if (request->method == LR_METHOD_RANDOM)
	{
		pg_prng_state prng;

		pg_prng_seed(&prng, request->seed);
		work.draw = pg_prng_double(&prng);
	}
	if (may_use_board(request))
	{
		if (pick_on_board(&work, pick))
			return;
		work.roll = NULL;
		work.board = NULL;
		work.set = NULL;
	}
	if (!request->dry_run)
		prepare(request);
	pick_by_looking(&work, pick);
	if (pick->chosen < 0)
		pick->available_from = Min(pick->available_from, first_to_come(&work));
}
