/*
 * board_places.h
 *	  The arrays of all boards, for board*.c alone.  See board.h.
 */
#ifndef LR_BOARD_PLACES_H
#define LR_BOARD_PLACES_H

#include "roster/board.h"

extern int32 *lr_ranked;		/* place in the board by rank */
extern int32 *lr_nodes[LR_TREES];	/* winners: places in the board, by rank */

static inline bool
lr_has_bit(const uint8 *bitmap, int i)
{
	return (bitmap[i / 8] & (1 << (i % 8))) != 0;
}

static inline LrPlace *
lr_place_at(const LrBoard *board, int i)
{
	return &lr_places[board->first + i];
}

static inline LrGrade *
lr_grade_at(const LrBoard *board, int g)
{
	return &lr_grades[board->first / LR_PLACES_PER_GRADE + g];
}

static inline LrPart *
lr_part_at(const LrBoard *board, int p)
{
	return &lr_parts[board->first / LR_PLACES_PER_GRADE + p];
}

static inline int32 *
lr_ranked_at(const LrBoard *board, int rank)
{
	return &lr_ranked[board->first + rank];
}

static inline bool
lr_is_in(const LrBoard *board, int i)
{
	return lr_has_bit(lr_places_in, board->first + i);
}

/* No tree is right any more. */
static inline void
lr_trees_lost(LrBoard *board)
{
	memset(board->kept, 0, sizeof(board->kept));
}

/* So many grades at most, for a team of n; room for so many there is. */
static inline int
lr_most_grades(int n)
{
	return Min(LR_MOST_GRADES, (n + 63) / 64 * 64 / LR_PLACES_PER_GRADE);
}

/*
 * The board is the team's: makes the team's copy of who is in which grade and part.
 * db->lock held, at least shared.
 */
extern void lr_board_take_grading(const LrBoard *board, LrTeam *team);

/* A place has changed; nothing else has since the tree was right. */
extern void lr_tree_replay(const LrBoard *board, LrTree order, int i);

/* What all grades have gained, goes to their seats; their order stays. */
extern void lr_board_give_gains(LrBoard *board);

#endif							/* LR_BOARD_PLACES_H */
