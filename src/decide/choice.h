/*
 * choice.h
 *	  The methods: who of the candidates goes first.  For method.c.
 */
#ifndef LR_CHOICE_H
#define LR_CHOICE_H

#include "roster/board.h"
#include "decide/present.h"

/* What the choice works with, allocated before the lock is taken. */
typedef struct LrChoice
{
	const LrPickRequest *request;
	LrTeam	   *team;
	bool		plain;			/* nothing keeps any member from any lead */
	bool		all;			/* every member is a candidate */
	int			n;				/* candidates */
	int			sharing;		/* who has a share: they, and who accrues */
	double		weight;			/* sum over those sharing */
	bool		same_set;		/* as at the rotation's last decision */
	uint64		hash;			/* of the candidates */
	bool		capacities;		/* every candidate has one */
	uint8	   *bitmap;			/* of the candidates, unless all; see bits.h */
	uint8	   *accruing;		/* bitmap; NULL: nobody can */
	bool	   *missing;		/* who may: working time passes; with accruing */
	const int64 *share;			/* of the lead, of candidates, by index; NULL: see
								 * share_of */
	LrBoard    *board;			/* that tells who goes first; NULL: nobody does */
	LrBoardSet *set;			/* of whom it tells; NULL: of all */
	const LrRoll *roll;			/* of a team that may have one */
	bool		checks;			/* looks at each, to compare: no roll */
	const int64 *until;			/* end of an absence, by index; NULL: none */
	double		draw;
} LrChoice;

/* Open load of a member as this transaction may count it. */
static inline int64
lr_open_load(const LrMember *m)
{
	return lr_member_slots[m->slot].load + lr_reserve_released(m->slot);
}

/* Whether a member is a candidate. */
static inline bool
lr_is_candidate(const LrChoice *work, int i)
{
	return work->all || lr_bit(work->bitmap, i);
}

/* Whether a member that is not there is owed a share of the lead. */
static inline bool
lr_accrues(const LrChoice *work, int i)
{
	return work->sharing > work->n && lr_bit(work->accruing, i);
}

/* The first candidate from i on; n of the team: none. */
static inline int
lr_next_candidate(const LrChoice *work, int i)
{
	return work->all ? i : lr_bits_next(work->bitmap, i, work->team->n);
}

/* The first from i on whom the lead fits and who is no candidate; n: none. */
static inline int
lr_next_out(const LrChoice *work, int i)
{
	const uint8 *fitting = work->request->fitting;
	int			n = work->team->n;
	int			word;

	for (word = i / 64; word * 64 < n; word++)
	{
		uint64		out = lr_bits_word(fitting, word) &
		~lr_bits_word(work->bitmap, word);

		if (word == i / 64)
			out &= ~UINT64CONST(0) << (i % 64);
		if (out != 0)
			return word * 64 + pg_rightmost_one_pos64(out);
	}
	return n;
}

/*
 * Member a goes before b; strict, total and without regard to eligibility.
 * db->lock is held, here and below.
 */
extern bool lr_goes_before(const LrChoice *work, int a, int b);

/* The first candidate, -1: there is none; by looking at each member. */
extern int	lr_choose(const LrChoice *work);

/*
 * Whose turn it is of those of n who can, by round_robin, with these credits and
 * shares of the lead, which `sharing` members have; -1: nobody can.
 */
extern int	lr_first_turn(int n, const bool *can, const int64 *credit,
						  const int64 *share, int sharing, bool same_set);

/* The first of those in on the board, who are some; -1: it cannot tell. */
extern int	lr_choose_on_board(const LrChoice *work);

/* What the method compared; false: nothing to tell. */
extern bool lr_measure(const LrChoice *work, int i, double *value);

#endif							/* LR_CHOICE_H */
