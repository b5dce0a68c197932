/*
 * board_set.h
 *	  Leads that fit some members of a big team only, on its board: which parts
 *	  these members are, and who of them can take a lead.
 *
 * A set is of one session: it is part of what fit_cache.h remembers of a lead's
 * values, so that it is found with them.  Everything in it but fits is a copy
 * of what the board said, under its serial and moves.
 */
#ifndef LR_BOARD_SET_H
#define LR_BOARD_SET_H

#include "roster/board.h"

struct LrBoardSet
{
	const uint8 *fits;			/* bits.h: whom the lead fits, not all */
	int			fitting;		/* how many these are */
	uint64		fits_hash;

	uint64		serial;			/* of the board that it was compared with */
	bool		divides;		/* it is a part of some parts */
	bool		refused;		/* and there is no room to divide these */
	int			misses;			/* picks that found it so */
	int			nparts;
	int			room;
	uint16	   *part;

	/* who of them is in */
	uint64		in_serial;		/* and moves: of the board that says so */
	int64		moves;
	int			in;
	double		weight;
	uint64		hash;
	uint8	   *bits;

	uint64		people;			/* LrRouter.people_seen; 0: not counted yet */
	int			present;		/* of whom it fits, how many are not gone for good */
};

/* Of some of n members, in the current context; fits is to stay. */
extern LrBoardSet *lr_board_set_make(const uint8 *fits, int n);

/*
 * Whether the team's board, which is ready, tells who of a set goes first, as far
 * as can be told without the lock.  Divides its parts after a number of picks
 * without.  Takes the locks.
 */
extern bool lr_board_set_ready(LrDatabase *db, LrTeam *team, LrBoardSet *set);

/*
 * Finds out who of a set is in; false: the board is not the one that the set was
 * compared with, or nobody is.  db->lock held.
 */
extern bool lr_board_set_look(LrBoard *board, const LrTeam *team,
							  LrBoardSet *set);

/* The parts of a set; NULL: all. */
static inline int
lr_set_parts(const LrBoard *board, const LrBoardSet *set)
{
	return set == NULL ? board->parts : set->nparts;
}

static inline int
lr_set_part(const LrBoardSet *set, int k)
{
	return set == NULL ? k : set->part[k];
}

/* Of those in, how many have no capacity above 0.  db->lock held. */
extern int	lr_board_set_unlimited(const LrBoard *board, const LrBoardSet *set);

#endif							/* LR_BOARD_SET_H */
