/*
 * board.h
 *	  The order of a big team's members, kept in shared memory, so that a pick
 *	  need not look at each of them.
 *
 * Terms
 *	  board		of one rotation: a place for each member of the composition it
 *				was put up for, in the published order.
 *	  in		a place is in while its member is a candidate for leads that fit
 *				everybody, as the last pick by the board has found.  Others
 *				are out.
 *	  part		places that no lead has told apart: a lead fits all members of a
 *				part or none of them.  In the beginning there is one part; when
 *				leads that fit some of a part only come again and again, it is
 *				divided, as long as there is room for grades (board_set.h).  The
 *				candidates of a lead are those who are in, of some parts.
 *	  grade		the places of one weight in one part.  A lead gives all of them
 *				that are in the same share, or none, so only the grade's sum of
 *				shares moves: what a seat says plus what its grade has gained is
 *				the credit of a place that is in.  Who is out does not follow:
 *				frozen.  Nor does a grade of a part that the lead does not fit.
 *	  tree		of winners: who goes first by one method, found at its root.
 *				Each part has its own, and a pick compares the roots of the
 *				parts that the lead fits.  Within a grade the order by credit
 *				changes with what a seat says only, so round_robin has a tree
 *				for each grade.
 *
 * Invariants, all under db->lock
 * - serial is not 0 exactly while the board stands; it changes whenever the
 *	 board is put up or divided, and is never used again.  Who knows it has
 *	 compared all places with its team (slots, seats, weights, capacities,
 *	 targets and tiers) and has a copy of who is in which grade and part.
 * - moves counts every place that came in or went out: as long as it and serial
 *	 are the same, so are those who are in.
 * - While it stands, LrSeat.place of each of its seats names its place, and its
 *	 place is in the chain of its member (LrMemberSlot.place); both say
 *	 LR_NO_SLOT otherwise.
 * - Ranks order the places by part, then by grade, then by place: grades and
 *	 parts are ranges of ranks, the grades of a part follow each other.
 * - A tree that is kept is right whatever changes: who changes load or last_turn
 *	 of a member calls lr_member_touched, and credits change by lr_seat_add
 *	 and lr_board_turn alone.
 * - full says of each place that its member cannot take one more lead: it is at
 *	 its capacity, or busy.
 * - The board is a cache of the counters: taking it down loses nothing.
 *
 * Memory is of fixed size.  A board's range of places, its grades and parts
 * change under shared->lock and db->lock; everything else here, also in
 * callbacks, is arithmetic on it.
 */
#ifndef LR_BOARD_H
#define LR_BOARD_H

#include "config/config.h"
#include "roster/roster.h"

/* Room for one grade for so many places: with more there is little to gain. */
#define LR_PLACES_PER_GRADE	4

/* So many grades at most, all of which a lead that fits everybody looks at. */
#define LR_MOST_GRADES	1024

/* One weight for so many members: more are not told apart. */
#define LR_PLACES_PER_WEIGHT	8

/* One member of a board. */
typedef struct LrPlace
{
	int			slot;			/* of the member */
	int			seat;
	int			rotation;		/* slot of the rotation whose board this is */
	int			next;			/* places of the same member in other boards */
	int			prev;
	int			grade;			/* in lr_grades */
	int			rank;			/* among all, ordered by grade and place */
	int32		capacity;
	int32		target;			/* as LrTeam.target */
	int32		tier;			/* as LrMember.tier */
	double		weight;
} LrPlace;

/* The places of one weight in one part. */
typedef struct LrGrade
{
	double		weight;
	int64		gained;			/* by each place that is in */
	int			part;			/* number in the board */
	int			start;			/* rank of its first place */
	int			n;
	int			in;				/* how many are in */
} LrGrade;

/* Places that no lead has told apart. */
typedef struct LrPart
{
	int			grade;			/* number of its first one in the board */
	int			grades;
	int			start;			/* rank of its first place */
	int			n;
	int			in;				/* how many are in */
	int			unlimited;		/* of these: without a capacity above 0 */
} LrPart;

/* Who of a team is in which grade and part of the board of that serial. */
typedef struct LrGrading
{
	uint64		serial;
	int			grades;
	int			parts;
	uint16	   *grade;			/* of each member, by index */
	uint16	   *part;
	int		   *size;			/* of each part */
} LrGrading;

/* What a hold has got on a board, kept in line with it by lr_board_follow. */
typedef struct LrBoardHold
{
	int64	   *gained;			/* by grade, of those that were in */
	int64	   *delta;			/* beside it, by place */
	uint8	   *in;				/* who was in, when moves was */
	int64		moves;			/* -1: nothing has been got yet */
} LrBoardHold;

struct LrBoardSet;
typedef struct LrBoardSet LrBoardSet;

extern LrPlace *lr_places;
extern LrGrade *lr_grades;
extern LrPart *lr_parts;
extern uint8 *lr_places_in;		/* bitmaps over all places */
extern uint8 *lr_places_full;

/* Memory for the boards of all databases, and its place in the block. */
extern Size lr_board_memory(void);
extern void lr_board_carve(char **at);

/* Takes down the boards of a database slot.  db->lock held, or nobody uses it. */
extern void lr_board_clear(int db);

/* Gives their room back, too.  shared->lock held exclusively. */
extern void lr_board_free(int db);

/*
 * Whether the team's board stands, as far as can be told without the lock; puts
 * it up after a number of picks without.  Takes the locks.
 */
extern bool lr_board_ready(LrDatabase *db, LrTeam *team);

/* The following: db->lock held. */

/* Whether any stands for the team's rotation: credits are beside the seats. */
static inline bool
lr_board_stands(const LrTeam *team)
{
	return team->rotation != LR_NO_SLOT &&
		lr_rotation_slots[team->rotation].board.serial != 0;
}

/* The board that stands for this composition; NULL: none. */
extern LrBoard *lr_board_of(const LrTeam *team);

/* Makes those in who can (a bitmap) and are not full, and the others out. */
extern void lr_board_sync(LrBoard *board, const uint8 *can);

/* Sum of the weights of those in, added in the order of their places. */
extern double lr_board_weight(LrBoard *board, const LrTeam *team);

/* Hash of those in, the same as of any bitmap of candidates. */
extern uint64 lr_board_hash(LrBoard *board);

/* The grade, the part of that number. */
static inline const LrGrade *
lr_board_grade(const LrBoard *board, int grade)
{
	return &lr_grades[board->first / LR_PLACES_PER_GRADE + grade];
}

static inline const LrPart *
lr_board_part(const LrBoard *board, int part)
{
	return &lr_parts[board->first / LR_PLACES_PER_GRADE + part];
}

/* The bitmap of those in, by place. */
static inline const uint8 *
lr_board_in(const LrBoard *board)
{
	return lr_places_in + board->first / 8;
}

/* The first place from i on that is out; -1: none. */
extern int	lr_board_next_out(const LrBoard *board, int i);

/*
 * The first by another order than credit of those in, of a set (NULL: all), which
 * are some; month: for by_target.
 */
extern int	lr_board_first(LrBoard *board, LrTree order, int32 month,
						   const LrBoardSet *set);

/* The first by credit of those in of a grade, which has some. */
extern int	lr_board_first_of_grade(LrBoard *board, const LrGrade *grade);

/* Measured tiers of a database have changed. */
extern void lr_board_measured(int db);

/* A pick found no board, or one for another composition. */
extern void lr_board_missed(const LrTeam *team);

/* Whether a place can take one more lead has to be looked at. */
extern void lr_board_note_full(int place);

/* Who was in when the hold got something, is who is in now. */
extern void lr_board_follow(const LrBoard *board, LrBoardHold *hold,
							const uint16 *grade);

/*
 * Gives sign times a lead's shares to those in, of some parts (NULL: all), whose
 * weights add up to weight, and takes their sum from the chosen one.  The hold of
 * the caller is in line with the board and gets the same.
 */
extern void lr_board_turn(LrBoard *board, double weight, int nparts,
						  const uint16 *part, int chosen, int sign,
						  LrBoardHold *hold);

/* Whether these candidates (NULL: all) are those in. */
extern bool lr_board_is_set(const LrBoard *board, const uint8 *candidates);

/* What a place's seat says has changed; alone: of few places only. */
extern void lr_board_seat(int place, bool alone);

/* Adds to a seat's credit. */
static inline void
lr_seat_add(int seat, int64 amount, bool alone)
{
	LrSeat	   *s = &lr_seats[seat];

	s->credit += amount;
	if (s->place != LR_NO_SLOT)
		lr_board_seat(s->place, alone);
}

/* Adds to what it has received by_target in a month; one too old is forgotten. */
extern void lr_seat_receive(int seat, int32 month, int32 n);

/* Its credit. */
static inline int64
lr_seat_credit(int seat)
{
	const LrSeat *s = &lr_seats[seat];
	int			place = s->place;

	if (place != LR_NO_SLOT &&
		(lr_places_in[place / 8] & (1 << (place % 8))) != 0)
		return s->credit + lr_grades[lr_places[place].grade].gained;
	return s->credit;
}

/*
 * Two members by_target: received by target, the lesser first; who has no target
 * is last, there who has received less first.  Exact.
 */
static inline int
lr_by_target(int64 received_a, int32 target_a, int64 received_b, int32 target_b)
{
	int64		x = received_a * Max(target_b, 1);
	int64		y = received_b * Max(target_a, 1);

	if ((target_a > 0) != (target_b > 0))
		return target_a > 0 ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Of who is neither measured nor set. */
#define LR_TIER_MIDDLE	2

/* A member's tier in a team: what was set, else what was measured. */
static inline int
lr_tier(int32 set, int seat)
{
	int			measured = seat == LR_NO_SLOT ? 0 : lr_seats[seat].tier;

	return set > 0 ? set : measured > 0 ? measured : LR_TIER_MIDDLE;
}

/* Load or last_turn of a member have changed. */
extern void lr_board_member(int slot);

static inline void
lr_member_touched(int slot)
{
	if (lr_member_slots[slot].place != LR_NO_SLOT)
		lr_board_member(slot);
}

#endif							/* LR_BOARD_H */
