/*
 * board_tree.c
 *	  The trees of winners of boards.  See board.h.
 */
#include "postgres.h"

#include "roster/board_places.h"
#include "roster/board_set.h"

static inline double
load_ratio(LrTree tree, const LrPlace *p)
{
	/* the very expression of choice.c, so that both find the same */
	return (double) lr_member_slots[p->slot].load /
		(tree == LR_BY_CAPACITY && p->capacity > 0 ? (double) p->capacity :
		 p->weight);
}

/* Whether a goes before b by the order of a tree: total, those out last. */
static bool
goes_first(const LrBoard *board, LrTree tree, int a, int b)
{
	const LrPlace *p = lr_place_at(board, a);
	const LrPlace *q = lr_place_at(board, b);
	bool		in = lr_is_in(board, a);
	int64		x;
	int64		y;

	if (in != lr_is_in(board, b))
		return in;
	if (tree == LR_BY_CREDIT)
	{
		x = lr_seats[q->seat].credit;
		y = lr_seats[p->seat].credit;
	}
	else
	{
		int			order = 0;

		if (tree == LR_BY_LOAD || tree == LR_BY_CAPACITY)
		{
			double		r = load_ratio(tree, p);
			double		s = load_ratio(tree, q);

			order = r < s ? -1 : r > s;
		}
		else if (tree == LR_BY_TARGET)
			order = lr_by_target(lr_seat_received(&lr_seats[p->seat], board->month),
								 p->target,
								 lr_seat_received(&lr_seats[q->seat], board->month),
								 q->target);
		else if (tree == LR_BY_TIER)
			order = lr_tier(p->tier, p->seat) - lr_tier(q->tier, q->seat);
		if (order != 0)
			return order < 0;
		x = lr_member_slots[p->slot].last_turn;
		y = lr_member_slots[q->slot].last_turn;
	}
	return x != y ? x < y : a < b;
}

/* A tree of n leaves: the ranks from start on of a board. */
typedef struct Tree
{
	const LrBoard *board;
	LrTree		order;
	int			n;
	int32	   *node;			/* 1 to n - 1; n + i is the leaf i */
	const int32 *leaf;			/* its place */
} Tree;

static inline Tree
tree_of(const LrBoard *board, LrTree order, int start, int n)
{
	Tree		tree = {board, order, n, lr_nodes[order] + board->first + start,
	lr_ranked_at(board, start)};

	return tree;
}

static inline Tree
tree_of_grade(const LrBoard *board, const LrGrade *grade)
{
	return tree_of(board, LR_BY_CREDIT, grade->start, grade->n);
}

static inline Tree
tree_of_part(const LrBoard *board, LrTree order, const LrPart *part)
{
	return tree_of(board, order, part->start, part->n);
}

static inline int
winner(const Tree *tree, int at)
{
	return at < tree->n ? tree->node[at] : tree->leaf[at - tree->n];
}

static inline int
play(const Tree *tree, int at)
{
	int			a = winner(tree, 2 * at);
	int			b = winner(tree, 2 * at + 1);

	return goes_first(tree->board, tree->order, a, b) ? a : b;
}

static void
play_all(const Tree *tree)
{
	int			at;

	for (at = tree->n - 1; at > 0; at--)
		tree->node[at] = play(tree, at);
}

void
lr_tree_replay(const LrBoard *board, LrTree order, int i)
{
	const LrPlace *p = lr_place_at(board, i);
	const LrGrade *grade = &lr_grades[p->grade];
	Tree		tree = order == LR_BY_CREDIT ? tree_of_grade(board, grade) :
		tree_of_part(board, order, lr_part_at(board, grade->part));
	int			at = tree.n + (int) (lr_ranked_at(board, p->rank) - tree.leaf);

	for (at /= 2; at > 0; at /= 2)
	{
		int			now = play(&tree, at);

		/* who has won before and wins again, hides the change */
		if (now == tree.node[at] && now != i)
			break;
		tree.node[at] = now;
	}
}

static void
keep(LrBoard *board, LrTree order)
{
	int			n = order == LR_BY_CREDIT ? board->grades : board->parts;
	int			i;

	if (board->kept[order])
		return;
	for (i = 0; i < n; i++)
	{
		Tree		tree = order == LR_BY_CREDIT ?
			tree_of_grade(board, lr_grade_at(board, i)) :
			tree_of_part(board, order, lr_part_at(board, i));

		play_all(&tree);
	}
	board->kept[order] = true;
}

int
lr_board_first(LrBoard *board, LrTree order, int32 month,
			   const LrBoardSet *set)
{
	int			best = -1;
	int			k;

	if (order == LR_BY_TARGET && board->month != month)
	{
		board->month = month;
		board->kept[LR_BY_TARGET] = false;
	}
	keep(board, order);
	for (k = 0; k < lr_set_parts(board, set); k++)
	{
		const LrPart *part = lr_part_at(board, lr_set_part(set, k));
		Tree		tree = tree_of_part(board, order, part);
		int			first;

		if (part->in == 0)
			continue;
		first = winner(&tree, 1);
		if (best < 0 || goes_first(board, order, first, best))
			best = first;
	}
	return best;
}

int
lr_board_first_of_grade(LrBoard *board, const LrGrade *grade)
{
	Tree		tree = tree_of_grade(board, grade);

	keep(board, LR_BY_CREDIT);
	return winner(&tree, 1);
}

void
lr_board_member(int slot)
{
	int			place;

	for (place = lr_member_slots[slot].place; place != LR_NO_SLOT;
		 place = lr_places[place].next)
	{
		LrBoard    *board = &lr_rotation_slots[lr_places[place].rotation].board;
		LrTree		tree;

		lr_board_note_full(place);
		for (tree = LR_BY_CREDIT + 1; tree < LR_TREES; tree++)
			if (board->kept[tree])
				lr_tree_replay(board, tree, place - board->first);
	}
}
