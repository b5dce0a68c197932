/*
 * reserve_team.c
 *	  What the levels of a transaction have taken from the credits and monthly
 *	  counts of teams.  See reserve_team.h.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "roster/board.h"
#include "roster/prepared.h"
#include "roster/reserve_team.h"

/* Seats and shares of a composition, kept while a level refers to it. */
typedef struct Composition
{
	struct Composition *next;
	uint64		serial;			/* LrTeam.serial */
	int			n;
	int		   *seat;
	int64	   *share;
	int64		share_sum;
	uint64		board;			/* the last one that its seats had; 0: none */
	int			grades;			/* of that */
	uint16	   *grade;			/* of each seat, as LrGrading.grade */
} Composition;

/* What one level took from the credits of one composition. */
struct LrTeamHold
{
	struct LrTeamHold *next;
	Composition *composition;
	int64		whole;			/* leads for which all were candidates */
	int64	   *delta;			/* beyond that, by index; see amount_of */
	LrBoardHold board;			/* on the composition's board; shares delta */
	int32		month;			/* if not 0: received in this month, no credits */
	int32	   *received;		/* by index */
};

static Composition *compositions = NULL;

/*
 * Who gives to one of so many at most, keeps the trees right instead of losing
 * them.
 */
#define FEW		16

/* ---------- holds ---------- */

static Composition *
composition_of(LrTeam *team)
{
	Composition *c;

	for (c = compositions; c != NULL; c = c->next)
		if (c->serial == team->serial)
			return c;
	/* its arrays behind it, the widest first */
	c = MemoryContextAlloc(TopTransactionContext,
						   MAXALIGN(sizeof(Composition)) +
						   team->n * (sizeof(int64) + sizeof(int) +
									  sizeof(uint16)));
	c->serial = team->serial;
	c->n = team->n;
	c->share = (int64 *) ((char *) c + MAXALIGN(sizeof(Composition)));
	c->seat = (int *) (c->share + team->n);
	c->grade = (uint16 *) (c->seat + team->n);
	memcpy(c->seat, team->seat, team->n * sizeof(int));
	memcpy(c->share, team->share, team->n * sizeof(int64));
	c->share_sum = team->share_sum;
	c->board = 0;
	c->grades = 0;
	c->next = compositions;
	compositions = c;
	return c;
}

static LrTeamHold *
find_team_hold(LrLevel *level, uint64 serial, int32 month)
{
	LrTeamHold   *hold;

	for (hold = level->teams; hold != NULL; hold = hold->next)
		if (hold->composition->serial == serial && hold->month == month)
			return hold;
	return NULL;
}

/*
 * The same for a team, which remembers it: one statement may distribute to
 * thousands of teams.  Holds stay where they are as long as their level does.
 */
static LrTeamHold *
hold_of(LrLevel *level, LrTeam *team, int32 month)
{
	LrTeamHold   *hold;

	if (team->hold_level == level->serial && team->hold->month == month)
		return team->hold;
	hold = find_team_hold(level, team->serial, month);
	if (hold != NULL)
	{
		team->hold = hold;
		team->hold_level = level->serial;
	}
	return hold;
}

static LrTeamHold *
make_team_hold(LrLevel *level, LrTeam *team, int32 month)
{
	Composition *c = composition_of(team);
	Size		size = c->n * (month != 0 ? sizeof(int32) : sizeof(int64));
	LrTeamHold   *hold = MemoryContextAllocZero(TopTransactionContext,
											  MAXALIGN(sizeof(LrTeamHold)) + size);
	char	   *arrays = (char *) hold + MAXALIGN(sizeof(LrTeamHold));

	hold->composition = c;
	hold->month = month;
	if (month != 0)
		hold->received = (int32 *) arrays;
	else
		hold->delta = (int64 *) arrays;
	hold->next = level->teams;
	level->teams = hold;
	return hold;
}

/* What a hold has got on a board goes to its members. */
static void
leave_board(LrTeamHold *hold)
{
	int			i;

	if (hold->board.in == NULL)
		return;
	for (i = 0; i < hold->composition->n; i++)
		if (lr_bit(hold->board.in, i))
			hold->delta[i] += hold->board.gained[hold->composition->grade[i]];
	pfree(hold->board.in);
	pfree(hold->board.gained);
	memset(&hold->board, 0, sizeof(hold->board));
}

/* The holds on a composition are on the team's present board from now on. */
static void
change_board(Composition *c, const LrTeam *team)
{
	LrLevel	   *level;
	LrTeamHold   *hold;

	for (level = lr_top_level; level != NULL; level = level->up)
		for (hold = level->teams; hold != NULL; hold = hold->next)
			if (hold->composition == c && hold->month == 0)
				leave_board(hold);
	c->board = team->board;
	c->grades = team->grading->grades;
	memcpy(c->grade, team->grading->grade, c->n * sizeof(uint16));
}

/* Makes what lr_board_turn needs. */
static void
go_on_board(LrTeamHold *hold, const LrTeam *team)
{
	Composition *c = hold->composition;

	if (c->board != team->board)
		change_board(c, team);
	if (hold->board.in != NULL)
		return;
	hold->board.gained = MemoryContextAllocZero(TopTransactionContext,
												c->grades * sizeof(int64));
	hold->board.delta = hold->delta;
	hold->board.moves = -1;
	hold->board.in = MemoryContextAllocZero(TopTransactionContext,
											LR_BITS_SIZE(c->n));
}

void
lr_team_hold_prepare(LrLevel *level, LrTeam *team, int32 month)
{
	LrTeamHold *hold = hold_of(level, team, month);

	if (hold == NULL)
		hold = make_team_hold(level, team, month);
	if (month == 0 && team->board != 0)
		go_on_board(hold, team);
}

/* ---------- applying ---------- */

/* board: one may stand for the seat's rotation; alone: of few seats only. */
static inline void
add_credit(bool board, bool alone, int seat, int64 amount)
{
	if (seat == LR_NO_SLOT)
		return;
	if (board)
		lr_seat_add(seat, amount, alone);
	else
		lr_seats[seat].credit += amount;
}

/* What a hold has given to a seat of its composition. */
static inline int64
amount_of(const LrTeamHold *hold, int i)
{
	return hold->delta[i] + hold->whole * hold->composition->share[i] +
		(hold->board.in != NULL && lr_bit(hold->board.in, i) ?
		 hold->board.gained[hold->composition->grade[i]] : 0);
}

/* Gives those who have a share of a lead that not all have; returns the sum. */
static int64
give_shares(const LrReservation *r, LrTeamHold *hold, bool stands, int sign)
{
	LrTeam	   *team = r->team;
	bool		same = lr_weighs_the_same(team) && r->accruing == NULL;
	bool		few = stands &&
		lr_bits_count(r->candidates, team->n) <= team->n / FEW;
	double		weight = 0;
	double		factor;
	int64		share;
	int64		sum = 0;
	int			i;

	if (same)
		weight = lr_weight_of(team, r->candidates);
	else
		for (i = lr_next_sharing(r, 0, team->n); i < team->n;
			 i = lr_next_sharing(r, i + 1, team->n))
			weight += team->weight[i];
	factor = (double) LR_CREDIT_ONE / weight;
	if (same && !stands)
	{
		int			word;

		share = sign * (int64) (team->weight[0] * factor);
		for (word = 0; word * 64 < team->n; word++)
		{
			uint64		w = lr_bits_word(r->candidates, word);

			for (; w != 0; w &= w - 1)
			{
				i = word * 64 + pg_rightmost_one_pos64(w);
				add_credit(false, false, team->seat[i], share);
				hold->delta[i] += share;
				sum += share;
			}
		}
		return sign * sum;
	}
	for (i = lr_next_sharing(r, 0, team->n); i < team->n;
		 i = lr_next_sharing(r, i + 1, team->n))
	{
		share = (int64) (team->weight[i] * factor);
		add_credit(stands, few, team->seat[i], sign * share);
		hold->delta[i] += sign * share;
		sum += share;
	}
	return sum;
}

/*
 * Moves the credits of a turn on the board.  false: it cannot, since the
 * candidates are not those who are in, all or as the reservation has it.
 */
static bool
apply_turn_on_board(const LrReservation *r, LrTeamHold *hold, int sign)
{
	LrTeam	   *team = r->team;
	LrBoard    *board = team->graded ? lr_board_of(team) : NULL;
	bool		known;

	if (board == NULL || hold->composition->board != board->serial ||
		hold->board.in == NULL || r->accruing != NULL)
		return false;
	known = r->board == board->serial && r->moves == board->moves;
	if (!known && !lr_board_is_set(board, r->candidates))
		return false;
	lr_board_follow(board, &hold->board, hold->composition->grade);
	if (known && r->parts != NULL)
		lr_board_turn(board, r->weight, r->nparts, r->parts, r->chosen, sign,
					  &hold->board);
	else
		lr_board_turn(board, lr_board_weight(board, team), board->parts, NULL,
					  r->chosen, sign, &hold->board);
	return true;
}

void
lr_team_turn(const LrReservation *r, int sign)
{
	LrTeam	   *team = r->team;
	LrTeamHold   *hold = hold_of(lr_top_level, team, 0);
	bool		stands = lr_board_stands(team);
	int64		sum = 0;
	int			i;

	if (stands && apply_turn_on_board(r, hold, sign))
		return;
	if (r->candidates == NULL)
	{
		for (i = 0; i < team->n; i++)
			add_credit(stands, false, team->seat[i], sign * team->share[i]);
		sum = team->share_sum;
		hold->whole += sign;
	}
	else
	{
		sum = give_shares(r, hold, stands, sign);
	}
	/* the chosen one pays what all received, so the sum stays 0 */
	add_credit(stands, true, team->seat[r->chosen], -sign * sum);
	hold->delta[r->chosen] -= sign * sum;
}

void
lr_team_receive(const LrReservation *r, int sign)
{
	hold_of(lr_top_level, r->team, r->month)->received[r->chosen] += sign;
	lr_seat_receive(r->team->seat[r->chosen], r->month, sign);
}

/* ---------- the end of levels ---------- */

void
lr_team_holds_return(LrLevel *level)
{
	LrTeamHold *hold;
	int			i;

	for (hold = level->teams; hold != NULL; hold = hold->next)
		for (i = 0; i < hold->composition->n; i++)
			if (hold->month == 0)
				add_credit(true, false, hold->composition->seat[i],
						   -amount_of(hold, i));
			else if (hold->received[i] != 0)
				lr_seat_receive(hold->composition->seat[i], hold->month,
								-hold->received[i]);
}

static void
free_hold(LrTeamHold *hold)
{
	if (hold->board.in != NULL)
	{
		pfree(hold->board.in);
		pfree(hold->board.gained);
	}
	pfree(hold);
}

/* Adds a hold to another of the same composition and month. */
static void
add_hold(const LrTeamHold *from, LrTeamHold *to)
{
	int			i;

	if (from->month != 0)
	{
		for (i = 0; i < from->composition->n; i++)
			to->received[i] += from->received[i];
		return;
	}
	to->whole += from->whole;
	for (i = 0; i < from->composition->n; i++)
		to->delta[i] += amount_of(from, i) -
			from->whole * from->composition->share[i];
}

void
lr_team_holds_merge(LrLevel *from, LrLevel *to)
{
	LrTeamHold *hold;

	while ((hold = from->teams) != NULL)
	{
		LrTeamHold *same = find_team_hold(to, hold->composition->serial,
										  hold->month);

		from->teams = hold->next;
		if (same != NULL)
		{
			add_hold(hold, same);
			free_hold(hold);
		}
		else
		{
			hold->next = to->teams;
			to->teams = hold;
		}
	}
}

void
lr_team_holds_free(LrLevel *level)
{
	LrTeamHold *hold;

	while ((hold = level->teams) != NULL)
	{
		level->teams = hold->next;
		free_hold(hold);
	}
}

void
lr_team_holds_forget(void)
{
	compositions = NULL;
}

bool
lr_team_holds_enter(const LrLevel *level, LrDatabase *db, TransactionId xid)
{
	const LrTeamHold *hold;
	bool		ok = true;
	int			i;

	for (hold = level->teams; ok && hold != NULL; hold = hold->next)
		for (i = 0; ok && i < hold->composition->n; i++)
		{
			bool		credit = hold->month == 0;
			int64		amount = credit ? amount_of(hold, i) : hold->received[i];

			if (amount != 0 && hold->composition->seat[i] != LR_NO_SLOT)
				ok = lr_prepared_add(db, xid, credit ? LR_COUNTER_CREDIT :
									 LR_COUNTER_RECEIVED,
									 hold->composition->seat[i], amount,
									 hold->month);
		}
	return ok;
}
