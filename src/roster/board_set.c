/*
 * board_set.c
 *	  Leads that fit some members of a big team only.  See board_set.h, board.h.
 *
 * Parts are divided and never joined, so that leads settle on parts which suit
 * them all.  If there are too many, leads that would divide one more are decided
 * by looking at each whom they fit, until the board is put up again.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "base/bits.h"
#include "base/guc.h"
#include "roster/board_places.h"
#include "roster/board_set.h"

/* Picks that find a set to divide parts, before it does. */
#define MISSES			4

LrBoardSet *
lr_board_set_make(const uint8 *fits, int n)
{
	LrBoardSet *set = (LrBoardSet *) palloc0(sizeof(LrBoardSet));

	set->fits = fits;
	set->fitting = lr_bits_count(fits, n);
	set->fits_hash = lr_bits_hash(fits, n);
	return set;
}

/* ---------- parts ---------- */

/* Compares a set with the team's copy of the parts. */
static void
compare(LrBoardSet *set, const LrTeam *team)
{
	const LrGrading *grading = team->grading;
	int		   *found = (int *) palloc0(grading->parts * sizeof(int));
	int			i;

	if (set->bits == NULL)
		set->bits = (uint8 *) MemoryContextAllocZero(GetMemoryChunkContext(set),
													 LR_BITS_SIZE(team->n));
	if (set->room < grading->parts)
	{
		set->room = 0;
		set->part = (uint16 *) MemoryContextAlloc(GetMemoryChunkContext(set),
												  2 * grading->parts * sizeof(uint16));
		set->room = 2 * grading->parts;
	}
	for (i = lr_bits_next(set->fits, 0, team->n); i < team->n;
		 i = lr_bits_next(set->fits, i + 1, team->n))
		found[grading->part[i]]++;
	set->nparts = 0;
	set->divides = set->refused = false;
	for (i = 0; i < grading->parts; i++)
	{
		set->divides |= found[i] != 0 && found[i] != grading->size[i];
		if (found[i] != 0)
			set->part[set->nparts++] = i;
	}
	set->serial = grading->serial;
	pfree(found);
}

/* How many grades there are when a set has divided the parts. */
static int
grades_divided(const LrBoard *board, const uint8 *fits)
{
	int			n = 0;
	int			g;
	int			i;

	for (g = 0; g < board->grades; g++)
	{
		const LrGrade *grade = lr_grade_at(board, g);
		int			fit = 0;

		for (i = 0; i < grade->n; i++)
			fit += lr_bit(fits, *lr_ranked_at(board, grade->start + i));
		n += (fit > 0) + (fit < grade->n);
	}
	return n;
}

/* A copy of what is to be divided. */
typedef struct Former
{
	LrPart	   *part;
	LrGrade    *grade;
	int32	   *ranked;
} Former;

/*
 * Those of a former grade whom a lead fits, or the others, are the next grade of
 * a part, if there are any.
 */
static void
make_grade(LrBoard *board, const Former *former, const LrGrade *from,
		   const uint8 *fits, bool whom, LrPart *part)
{
	LrGrade		grade = {0};
	int			i;

	grade.weight = from->weight;
	grade.part = board->parts;
	grade.start = part->start + part->n;
	for (i = from->start; i < from->start + from->n; i++)
	{
		int			at = former->ranked[i];
		LrPlace    *p = lr_place_at(board, at);

		if (lr_bit(fits, at) != whom)
			continue;
		p->rank = grade.start + grade.n++;
		p->grade = board->first / LR_PLACES_PER_GRADE + board->grades;
		*lr_ranked_at(board, p->rank) = at;
		if (!lr_is_in(board, at))
			continue;
		grade.in++;
		part->unlimited += p->capacity <= 0;
	}
	/* there is room for what grades_divided has counted, not for one without any */
	if (grade.n == 0)
		return;
	part->n += grade.n;
	part->in += grade.in;
	part->grades++;
	*lr_grade_at(board, board->grades++) = grade;
}

/* The same of a former part, from a rank on; returns how many they are. */
static int
make_part(LrBoard *board, const Former *former, const LrPart *from,
		  const uint8 *fits, bool whom, int start)
{
	LrPart		part = {0};
	int			g;

	part.grade = board->grades;
	part.start = start;
	for (g = from->grade; g < from->grade + from->grades; g++)
		make_grade(board, former, &former->grade[g], fits, whom, &part);
	if (part.n > 0)
		*lr_part_at(board, board->parts++) = part;
	return part.n;
}

/*
 * Divides the parts by a set.  What the grades have gained is in the seats then, and
 * a part follows the other as its places did.  shared->lock and db->lock held.
 */
static void
divide(LrBoard *board, const Former *former, const uint8 *fits)
{
	int			parts = board->parts;
	int			start = 0;
	int			k;

	lr_board_give_gains(board);
	memcpy(former->part, lr_part_at(board, 0), parts * sizeof(LrPart));
	memcpy(former->grade, lr_grade_at(board, 0),
		   board->grades * sizeof(LrGrade));
	memcpy(former->ranked, lr_ranked_at(board, 0), board->n * sizeof(int32));
	board->parts = board->grades = 0;
	for (k = 0; k < parts; k++)
	{
		start += make_part(board, former, &former->part[k], fits, true, start);
		start += make_part(board, former, &former->part[k], fits, false, start);
	}
	lr_trees_lost(board);
	board->serial = ++lr_shared->board_serial;
}

/* The same, if there is room and the board is still the team's. */
static void
divide_board(LrDatabase *db, LrTeam *team, LrBoardSet *set)
{
	LrBoard    *board;
	Former		former;

	former.part = (LrPart *) palloc(team->grading->parts * sizeof(LrPart));
	former.grade = (LrGrade *) palloc(team->grading->grades * sizeof(LrGrade));
	former.ranked = (int32 *) palloc(team->n * sizeof(int32));
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	board = lr_board_of(team);
	if (board != NULL)
	{
		set->refused = grades_divided(board, set->fits) > lr_most_grades(team->n);
		if (!set->refused)
		{
			divide(board, &former, set->fits);
			lr_board_take_grading(board, team);
		}
	}
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
	pfree(former.part);
	pfree(former.grade);
	pfree(former.ranked);
}

bool
lr_board_set_ready(LrDatabase *db, LrTeam *team, LrBoardSet *set)
{
	/* to look at few costs less than to tell them apart */
	if (set->fitting < lr_board_members)
		return false;
	if (set->serial != team->board)
		compare(set, team);
	if (!set->divides)
		return true;
	if (set->refused || ++set->misses < MISSES)
		return false;
	set->misses = 0;
	divide_board(db, team, set);
	if (set->refused)
		return false;
	if (set->serial != team->board)
		compare(set, team);
	return !set->divides;
}

/* ---------- under the lock ---------- */

/* Those of a set who are in, as a bitmap, its hash, and how they weigh. */
static void
note_in(LrBoard *board, const LrTeam *team, LrBoardSet *set)
{
	const uint8 *in = lr_board_in(board);
	bool		by_grade = team->exact && team->graded;
	int			i;
	int			k;

	set->in = 0;
	set->weight = 0;
	for (k = 0; k < set->nparts; k++)
	{
		const LrPart *part = lr_part_at(board, set->part[k]);

		set->in += part->in;
		for (i = part->grade; by_grade && i < part->grade + part->grades; i++)
			set->weight += lr_grade_at(board, i)->in *
				lr_grade_at(board, i)->weight;
	}
	for (i = 0; i < (int) LR_BITS_SIZE(team->n); i++)
		set->bits[i] = set->fits[i] & in[i];
	if (!by_grade)
		set->weight = lr_weight_of(team, set->bits);
	set->hash = hash_bytes_extended(set->bits, (team->n + 7) / 8, team->n);
	set->in_serial = board->serial;
	set->moves = board->moves;
}

bool
lr_board_set_look(LrBoard *board, const LrTeam *team, LrBoardSet *set)
{
	if (set->serial != board->serial || set->divides)
		return false;
	if (set->in_serial != board->serial || set->moves != board->moves)
		note_in(board, team, set);
	return set->in > 0;
}

int
lr_board_set_unlimited(const LrBoard *board, const LrBoardSet *set)
{
	int			unlimited = 0;
	int			k;

	if (set == NULL)
		return board->unlimited;
	for (k = 0; k < set->nparts; k++)
		unlimited += lr_part_at(board, set->part[k])->unlimited;
	return unlimited;
}
