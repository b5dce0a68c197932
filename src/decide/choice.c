/*
 * choice.c
 *	  The methods: who of the candidates goes first.
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
 * What decides, and what does when that is equal.  The last is always the
 * published order of the team: by position, those without one after them, then
 * by name; two members never are equal.
 *	  round_robin		as above
 *	  least_loaded		open load by capacity, where a candidate has none by
 *						weight; who has been without a new lead for longest
 *	  longest_idle		who has been without a new lead for longest
 *	  by_target			received by target in the calendar month, see month.h,
 *						those without target last; without a lead for longest
 *	  top_producer		the tier, see measured.h; without a lead for longest
 *	  best_match		the rank, see ranking.h, none last; without a lead for longest
 *	  waterfall			nothing but the published order
 *	  random			nobody goes before anybody: a draw by weight
 */
#include "postgres.h"

#include <math.h>

#include "port/pg_bitutils.h"

#include "decide/choice.h"
#include "leadroute.h"
#include "roster/board_set.h"

/* Share of the lead; of who is no candidate: if he were one, too. */
static inline int64
share_of(const LrChoice *work, int i)
{
	double		weight = work->team->weight[i];
	bool		can = lr_is_candidate(work, i);

	if (can && work->share != NULL)
		return work->share[i];
	return (int64) (weight * ((double) LR_CREDIT_ONE /
							  (can || lr_accrues(work, i) ? work->weight :
							   work->weight + weight)));
}

/* Credit after this lead's share was added. */
static inline int64
credit_with_share(const LrChoice *work, int i)
{
	int			seat = work->team->seat[i];

	return (seat == LR_NO_SLOT ? 0 : lr_seat_credit(seat)) + share_of(work, i);
}

/* Tijdeman's 1/(2m-2). */
static inline double
release_margin(const LrChoice *work)
{
	return work->sharing > 1 ?
		(double) LR_CREDIT_ONE / (2 * work->sharing - 2) : 0;
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
load_ratio(const LrChoice *work, int i)
{
	const LrMember *m = work->team->member[i];
	double		load = (double) lr_open_load(m);

	return load / (work->capacities && m->capacity > 0 ?
				   (double) m->capacity : work->team->weight[i]);
}

static int64
last_turn(const LrChoice *work, int i)
{
	return lr_member_slots[work->team->member[i]->slot].last_turn;
}

static bool
idle_before(const LrChoice *work, int a, int b)
{
	int64		x = last_turn(work, a);
	int64		y = last_turn(work, b);

	return x != y ? x < y : a < b;
}

/* Member a goes before b by round_robin. */
static bool
turn_before(const LrChoice *work, int a, int b)
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
			double		da = deadline(margin, x, share_of(work, a));
			double		db = deadline(margin, y, share_of(work, b));

			return da != db ? da < db : a < b;
		}
	}
	return x != y ? x > y : a < b;
}

/*
 * The first by turn_before of those that were offered to it.  in_order: in the
 * order of the team, so that of equal ones the first stays.
 */
typedef struct FirstTurn
{
	double		margin;
	int			released;		/* -1: none */
	double		earliest;
	int			richest;		/* -1: none */
	int64		most;
} FirstTurn;

static inline void
offer(const LrChoice *work, FirstTurn *first, int i, int64 credit, int64 share,
	  bool in_order)
{
	if (first->richest < 0 || credit > first->most ||
		(!in_order && credit == first->most && i < first->richest))
	{
		first->richest = i;
		first->most = credit;
	}
	if (work->same_set && is_released(first->margin, credit))
	{
		double		due = deadline(first->margin, credit, share);

		if (first->released < 0 || due < first->earliest ||
			(!in_order && due == first->earliest && i < first->released))
		{
			first->released = i;
			first->earliest = due;
		}
	}
}

/* A member's credit; board: whether the team's board stands. */
static int64
credit_of(const LrTeam *team, int i, bool board)
{
	int			seat = team->seat[i];

	return board ? lr_seat_credit(seat) : lr_seats[seat].credit;
}

/*
 * The first of candidates who weigh the same, by looking: who has most credit is
 * the first to be released and has the earliest deadline.
 */
static int
richest(const LrChoice *work)
{
	LrTeam	   *team = work->team;
	bool		board = lr_board_stands(team);
	int64		most = PG_INT64_MIN;
	int			first = -1;
	int			word;

	for (word = 0; word * 64 < team->n; word++)
	{
		uint64		w = lr_bits_word(work->bitmap, word);

		for (; w != 0; w &= w - 1)
		{
			int			i = word * 64 + pg_rightmost_one_pos64(w);
			int64		credit = credit_of(team, i, board);

			if (credit > most)
			{
				most = credit;
				first = i;
			}
		}
	}
	return first;
}

/* The same where the whole team are candidates. */
static int
richest_of_all(const LrTeam *team)
{
	bool		board = lr_board_stands(team);
	int64		most = PG_INT64_MIN;
	int			first = -1;
	int			i;

	for (i = 0; i < team->n; i++)
	{
		int64		credit = credit_of(team, i, board);

		if (credit > most)
		{
			most = credit;
			first = i;
		}
	}
	return first;
}

/* The first of all candidates, by looking. */
static int
first_turn(const LrChoice *work)
{
	LrTeam	   *team = work->team;
	bool		board = lr_board_stands(team);
	FirstTurn	first = {release_margin(work), -1, 0, -1, 0};
	int			i;

	if (work->share == NULL)
		return richest(work);
	if (work->all && lr_weighs_the_same(team))
		return richest_of_all(team);
	for (i = lr_next_candidate(work, 0); i < team->n;
		 i = lr_next_candidate(work, i + 1))
	{
		int			seat = team->seat[i];

		offer(work, &first, i, work->share[i] +
			  (board ? lr_seat_credit(seat) : lr_seats[seat].credit),
			  work->share[i], true);
	}
	return first.released >= 0 ? first.released : first.richest;
}

int
lr_first_turn(int n, const bool *can, const int64 *credit, const int64 *share,
			  int sharing, bool same_set)
{
	LrChoice	work = {0};
	FirstTurn	first = {0, -1, 0, -1, 0};
	int			i;

	work.sharing = sharing;
	work.same_set = same_set;
	first.margin = release_margin(&work);
	for (i = 0; i < n; i++)
		if (can[i])
			offer(&work, &first, i, share[i] + credit[i], share[i], true);
	return first.released >= 0 ? first.released : first.richest;
}

/*
 * The same, on the board.  Who has most credit of a grade is the first to be
 * released and has the earliest deadline: the others of the grade have the same
 * share.  -1: a share is too small for deadlines to tell members apart.
 */
static int
first_turn_on_board(const LrChoice *work)
{
	LrBoard    *board = work->board;
	double		factor = (double) LR_CREDIT_ONE / work->weight;
	FirstTurn	first = {release_margin(work), -1, 0, -1, 0};
	int			k;
	int			g;

	for (k = 0; k < lr_set_parts(board, work->set); k++)
	{
		const LrPart *part = lr_board_part(board, lr_set_part(work->set, k));

		for (g = part->grade; g < part->grade + part->grades; g++)
		{
			const LrGrade *grade = lr_board_grade(board, g);
			int64		share = (int64) (grade->weight * factor);
			int			i;

			if (grade->in == 0)
				continue;
			if (share == 0)
				return -1;
			i = lr_board_first_of_grade(board, grade);
			offer(work, &first, i, share +
				  lr_seats[work->team->seat[i]].credit + grade->gained, share,
				  false);
		}
	}
	return first.released >= 0 ? first.released : first.richest;
}

/* Leads that a member has received by_target in the lead's month. */
static inline int32
received(const LrChoice *work, int i)
{
	int			seat = work->team->seat[i];

	return seat == LR_NO_SLOT ? 0 :
		lr_seat_received(&lr_seats[seat], work->request->month);
}

static inline int
tier(const LrChoice *work, int i)
{
	return lr_tier(work->team->member[i]->tier, work->team->seat[i]);
}

/* A member's place by rank. */
static inline int
place(const LrChoice *work, int i)
{
	const LrRanking *ranking = work->request->ranking;

	return ranking != NULL ? ranking->place[i] : 0;
}

/* Member a goes before b; strict, total and without regard to eligibility. */
bool
lr_goes_before(const LrChoice *work, int a, int b)
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
			return idle_before(work, a, b);
		case LR_METHOD_BY_TARGET:
			{
				int			order = lr_by_target(received(work, a),
												 work->team->target[a],
												 received(work, b),
												 work->team->target[b]);

				return order != 0 ? order < 0 : idle_before(work, a, b);
			}
		case LR_METHOD_TOP_PRODUCER:
			{
				int			x = tier(work, a);
				int			y = tier(work, b);

				return x != y ? x < y : idle_before(work, a, b);
			}
		case LR_METHOD_LONGEST_IDLE:
			return idle_before(work, a, b);
		case LR_METHOD_BEST_MATCH:
			{
				int			x = place(work, a);
				int			y = place(work, b);

				return x != y ? x < y : idle_before(work, a, b);
			}
		case LR_METHOD_WATERFALL:
			return a < b;
		default:
			/* random: nobody is due before anybody */
			return false;
	}
}

/* The candidate that a weighted draw in [0, 1) hits. */
static int
drawn(const LrChoice *work)
{
	LrTeam	   *team = work->team;
	double		at = work->draw * work->weight;
	int			last = -1;
	int			i;

	for (i = lr_next_candidate(work, 0); i < team->n;
		 i = lr_next_candidate(work, i + 1))
	{
		last = i;
		at -= team->weight[i];
		if (at < 0)
			break;
	}
	return last;
}

/*
 * The same, on the board.  Where all weigh the same and sums of the weight are
 * exact, eight bytes of candidates are drawn from at once.
 */
static int
drawn_on_board(const LrChoice *work)
{
	const LrTeam *team = work->team;
	const uint8 *in = work->all ? lr_board_in(work->board) : work->bitmap;
	bool		words = team->exact && team->graded && team->grades == 1;
	double		at = work->draw * work->weight;
	int			last = -1;
	int			i;

	for (i = 0; i < team->n; i++)
	{
		if (words && i % 64 == 0)
		{
			uint64		word;
			double		weight;

			memcpy(&word, in + i / 8, 8);
			weight = pg_popcount64(word) * team->weight[0];
			if (at >= weight)
			{
				at -= weight;
				i += 63;
				continue;
			}
		}
		if ((in[i / 8] & (1 << (i % 8))) == 0)
			continue;
		last = i;
		at -= team->weight[i];
		if (at < 0)
			break;
	}
	return last;
}

/* By looking. */
int
lr_choose(const LrChoice *work)
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
	for (i = lr_next_candidate(work, 0); i < team->n;
		 i = lr_next_candidate(work, i + 1))
		if (best < 0 || lr_goes_before(work, i, best))
			best = i;
	return best;
}

/*
 * Of the candidates in the first place that has any, the one without a lead for
 * longest.
 */
static int
first_ranked(const LrChoice *work)
{
	const LrRanking *ranking = work->request->ranking;
	int			best = -1;
	int			k;

	for (k = 0; k < ranking->n; k++)
	{
		int			i = ranking->order[k];

		if (best >= 0 && ranking->place[i] != ranking->place[best])
			break;
		if (lr_is_candidate(work, i) &&
			(best < 0 || idle_before(work, i, best)))
			best = i;
	}
	return best;
}

/* The same, on the board; -1: it cannot tell. */
int
lr_choose_on_board(const LrChoice *work)
{
	switch (work->request->method)
	{
		case LR_METHOD_ROUND_ROBIN:
			return first_turn_on_board(work);
		case LR_METHOD_LEAST_LOADED:
			return lr_board_first(work->board, work->capacities ?
								  LR_BY_CAPACITY : LR_BY_LOAD, 0, work->set);
		case LR_METHOD_LONGEST_IDLE:
			return lr_board_first(work->board, LR_BY_IDLE, 0, work->set);
		case LR_METHOD_BY_TARGET:
			return lr_board_first(work->board, LR_BY_TARGET,
								  work->request->month, work->set);
		case LR_METHOD_TOP_PRODUCER:
			return lr_board_first(work->board, LR_BY_TIER, 0, work->set);
		case LR_METHOD_BEST_MATCH:
			/* all in one place: the tree knows */
			if (work->request->ranking == NULL ||
				work->request->ranking->nplaces == 1)
				return lr_board_first(work->board, LR_BY_IDLE, 0, work->set);
			return first_ranked(work);
		case LR_METHOD_WATERFALL:
			return lr_next_candidate(work, 0);
		default:
			return drawn_on_board(work);
	}
}

/* What the method compared; false: nothing to tell. */
bool
lr_measure(const LrChoice *work, int i, double *value)
{
	LrTeam	   *team = work->team;
	int			slot = team->member[i]->slot;

	*value = 0;
	if (slot == LR_NO_SLOT || team->seat[i] == LR_NO_SLOT)
		return false;
	switch (work->request->method)
	{
		case LR_METHOD_ROUND_ROBIN:
			*value = LR_CREDIT_LEADS(lr_seat_credit(team->seat[i]));
			return true;
		case LR_METHOD_LEAST_LOADED:
			*value = load_ratio(work, i);
			return true;
		case LR_METHOD_LONGEST_IDLE:
			*value = (double) (work->request->db->last_id + 1 -
							   last_turn(work, i));
			return last_turn(work, i) > 0;
		case LR_METHOD_BY_TARGET:
			if (team->target[i] > 0)
				*value = (double) received(work, i) / team->target[i];
			return team->target[i] > 0;
		case LR_METHOD_TOP_PRODUCER:
			*value = tier(work, i);
			return true;
		case LR_METHOD_BEST_MATCH:
			if (work->request->ranking == NULL ||
				isnan(work->request->ranking->rank[place(work, i)]))
				return false;
			*value = work->request->ranking->rank[place(work, i)];
			return true;
		case LR_METHOD_WATERFALL:
			*value = i + 1;
			return true;
		default:
			*value = work->draw;
			return true;
	}
}
