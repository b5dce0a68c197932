/*
 * board.c
 *	  Boards: the order of big teams, in shared memory.  See board.h.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "base/guc.h"
#include "roster/board_places.h"

/* Places of a range are a multiple of this, and so is where it begins. */
#define RANGE_UNIT		64

/*
 * A grade gains this at most before it is given to the seats: 2^20 leads for each
 * member, far from what an int64 holds.
 */
#define MOST_GAINED		(INT64CONST(1) << 60)

/* Picks in a row that find no board, before one is put up. */
#define MISSES			8

LrPlace    *lr_places = NULL;
LrGrade    *lr_grades = NULL;
LrPart	   *lr_parts = NULL;
uint8	   *lr_places_in = NULL;
uint8	   *lr_places_full = NULL;
int32	   *lr_nodes[LR_TREES];
int32	   *lr_ranked = NULL;

/* ---------- memory ---------- */

/* Seats are never more than max_seats; the rest is room for ranges. */
static int
places_max(void)
{
	int64		n = (int64) lr_max_seats + lr_max_seats / 4 + RANGE_UNIT;

	return (int) (n / RANGE_UNIT * RANGE_UNIT);
}

Size
lr_board_memory(void)
{
	Size		n = places_max();
	Size		size = mul_size(n, sizeof(LrPlace));

	size = add_size(size, mul_size(n / LR_PLACES_PER_GRADE,
								   sizeof(LrGrade) + sizeof(LrPart)));
	size = add_size(size, mul_size(n / 8, 2));
	size = add_size(size, mul_size(n, (LR_TREES + 1) * sizeof(int32)));
	return add_size(size, (6 + LR_TREES) * MAXIMUM_ALIGNOF);
}

void
lr_board_carve(char **at)
{
	Size		n = places_max();
	int			i;

	lr_places = lr_carve(at, n, sizeof(LrPlace));
	lr_grades = lr_carve(at, n / LR_PLACES_PER_GRADE, sizeof(LrGrade));
	lr_parts = lr_carve(at, n / LR_PLACES_PER_GRADE, sizeof(LrPart));
	lr_places_in = lr_carve(at, n / 8, 1);
	lr_places_full = lr_carve(at, n / 8, 1);
	lr_ranked = lr_carve(at, n, sizeof(int32));
	for (i = 0; i < LR_TREES; i++)
		lr_nodes[i] = lr_carve(at, n, sizeof(int32));
}

/* A range of places that nobody has; -1: none.  shared->lock held. */
static int
find_range(int room)
{
	int			first = 0;
	int			i;

	/* behind each range that is in the way, until there is none */
	for (i = 0; i < lr_shared->rotations_used; i++)
	{
		const LrBoard *b = &lr_rotation_slots[i].board;

		if (b->room > 0 && first < b->first + b->room && b->first < first + room)
		{
			first = b->first + b->room;
			i = -1;
		}
	}
	return first + room <= places_max() ? first : -1;
}

/* ---------- places ---------- */

/* Whether a member cannot take one more lead. */
static inline bool
is_full(const LrPlace *p)
{
	const LrMemberSlot *m = &lr_member_slots[p->slot];

	return m->busy ||
		(p->capacity >= 0 && m->load + LR_LEAD_LOAD > p->capacity);
}

void
lr_board_note_full(int place)
{
	uint8		bit = 1 << (place % 8);

	if (is_full(&lr_places[place]))
		lr_places_full[place / 8] |= bit;
	else
		lr_places_full[place / 8] &= ~bit;
}

static void
enter_chain(int place)
{
	LrPlace    *p = &lr_places[place];
	LrMemberSlot *m = &lr_member_slots[p->slot];

	p->prev = LR_NO_SLOT;
	p->next = m->place;
	if (p->next != LR_NO_SLOT)
		lr_places[p->next].prev = place;
	m->place = place;
}

static void
leave_chain(int place)
{
	LrPlace    *p = &lr_places[place];

	if (p->next != LR_NO_SLOT)
		lr_places[p->next].prev = p->prev;
	if (p->prev != LR_NO_SLOT)
		lr_places[p->prev].next = p->next;
	else
		lr_member_slots[p->slot].place = p->next;
}

/* ---------- who is in ---------- */

/* A place that was in is out, or the other way round: its credit stays. */
static void
move_place(LrBoard *board, int i)
{
	LrPlace    *p = lr_place_at(board, i);
	LrGrade    *grade = &lr_grades[p->grade];
	LrPart	   *part = lr_part_at(board, grade->part);
	int			place = board->first + i;
	bool		in = !lr_has_bit(lr_places_in, place);
	int			one = in ? 1 : -1;
	LrTree		tree;

	lr_seats[p->seat].credit -= one * grade->gained;
	lr_places_in[place / 8] ^= 1 << (place % 8);
	grade->in += one;
	part->in += one;
	board->in += one;
	board->moves++;
	if (p->capacity <= 0)
	{
		part->unlimited += one;
		board->unlimited += one;
	}
	board->weight_known = board->set_known = false;
	for (tree = 0; tree < LR_TREES; tree++)
		if (board->kept[tree])
			lr_tree_replay(board, tree, i);
}

void
lr_board_sync(LrBoard *board, const uint8 *can)
{
	const uint8 *in = lr_places_in + board->first / 8;
	const uint8 *full = lr_places_full + board->first / 8;
	int			bytes = (board->n + 7) / 8;
	int			at;

	/* eight bytes at once: a range begins at a multiple, can has room */
	for (at = 0; at < bytes; at += 8)
	{
		uint64		c;
		uint64		f;
		uint64		now;
		int			i;

		memcpy(&c, can + at, 8);
		memcpy(&f, full + at, 8);
		memcpy(&now, in + at, 8);
		if ((c & ~f) == now)
			continue;
		for (i = at * 8; i < Min((at + 8) * 8, board->n); i++)
			if ((lr_has_bit(can, i) && !lr_has_bit(full, i)) != lr_has_bit(in, i))
				move_place(board, i);
	}
}

double
lr_board_weight(LrBoard *board, const LrTeam *team)
{
	int			i;

	if (board->in == board->n)
		return team->total_weight;
	if (board->weight_known)
		return board->weight;
	board->weight = 0;
	if (team->exact && team->graded)
		for (i = 0; i < board->grades; i++)
			board->weight += lr_grade_at(board, i)->in * lr_grade_at(board, i)->weight;
	else
		for (i = 0; i < board->n; i++)
			if (lr_is_in(board, i))
				board->weight += team->weight[i];
	board->weight_known = true;
	return board->weight;
}

uint64
lr_board_hash(LrBoard *board)
{
	if (board->in == board->n)
		return board->n;
	if (!board->set_known)
		board->set = hash_bytes_extended(lr_places_in + board->first / 8,
										 (board->n + 7) / 8, board->n);
	board->set_known = true;
	return board->set;
}

int
lr_board_next_out(const LrBoard *board, int i)
{
	const uint8 *in = lr_places_in + board->first / 8;

	if (board->in == board->n)
		return -1;
	while (i < board->n)
	{
		uint64		word;

		memcpy(&word, in + i / 64 * 8, 8);
		if (word == ~UINT64CONST(0))
			i = (i / 64 + 1) * 64;
		else if (in[i / 8] == 0xFF)
			i = (i / 8 + 1) * 8;
		else if (lr_has_bit(in, i))
			i++;
		else
			return i;
	}
	return -1;
}

bool
lr_board_is_set(const LrBoard *board, const uint8 *candidates)
{
	if (candidates == NULL)
		return board->in == board->n;
	return memcmp(lr_places_in + board->first / 8, candidates,
				  (board->n + 7) / 8) == 0;
}

/* ---------- credits ---------- */

void
lr_board_seat(int place, bool alone)
{
	LrBoard    *board = &lr_rotation_slots[lr_places[place].rotation].board;

	/* who adds to one seat mostly adds to all: the trees are made again */
	if (!alone)
		board->kept[LR_BY_CREDIT] = false;
	else if (board->kept[LR_BY_CREDIT])
		lr_tree_replay(board, LR_BY_CREDIT, place - board->first);
}

void
lr_seat_receive(int seat, int32 month, int32 n)
{
	LrSeat	   *s;
	LrBoard    *board;

	if (seat == LR_NO_SLOT)
		return;
	s = &lr_seats[seat];
	if (month > s->month && n < 0)
		return;					/* forgotten with the counters that it was in */
	if (month > s->month)
	{
		s->before = lr_seat_received(s, month - 1);
		s->received = 0;
		s->month = month;
	}
	if (month == s->month)
		s->received += n;
	else if (month == s->month - 1)
		s->before += n;
	if (s->place == LR_NO_SLOT)
		return;
	board = &lr_rotation_slots[lr_places[s->place].rotation].board;
	if (board->kept[LR_BY_TARGET])
		lr_tree_replay(board, LR_BY_TARGET, s->place - board->first);
}

void
lr_board_measured(int db)
{
	int			i;

	for (i = 0; i < lr_shared->rotations_used; i++)
		if (lr_rotation_slots[i].db == db)
			lr_rotation_slots[i].board.kept[LR_BY_TIER] = false;
}

/* What a grade has gained, goes to its seats; their order stays. */
static void
give_gains(LrBoard *board, LrGrade *grade)
{
	int			i;

	for (i = 0; i < grade->n; i++)
	{
		int			place = *lr_ranked_at(board, grade->start + i);

		if (lr_is_in(board, place))
			lr_seats[lr_place_at(board, place)->seat].credit += grade->gained;
	}
	grade->gained = 0;
}

void
lr_board_give_gains(LrBoard *board)
{
	int			g;

	for (g = 0; g < board->grades; g++)
		give_gains(board, lr_grade_at(board, g));
}

void
lr_board_follow(const LrBoard *board, LrBoardHold *hold, const uint16 *grade)
{
	const uint8 *in = lr_board_in(board);
	int			bytes = (board->n + 7) / 8;
	int			at;

	if (hold->moves == board->moves)
		return;
	/* from here on who has come in gets what his grade gets, no more */
	for (at = 0; at < bytes && hold->moves >= 0; at++)
	{
		uint8		changed = hold->in[at] ^ in[at];

		for (; changed != 0; changed &= changed - 1)
		{
			int			bit = pg_rightmost_one_pos32(changed);
			int			i = at * 8 + bit;
			int64		gained = hold->gained[grade[i]];

			hold->delta[i] += (hold->in[at] & (1 << bit)) != 0 ? gained : -gained;
		}
	}
	memcpy(hold->in, in, bytes);
	hold->moves = board->moves;
}

void
lr_board_turn(LrBoard *board, double weight, int nparts, const uint16 *part,
			  int chosen, int sign, LrBoardHold *hold)
{
	double		factor = (double) LR_CREDIT_ONE / weight;
	int64		sum = 0;
	int			k;
	int			g;

	for (k = 0; k < nparts; k++)
	{
		const LrPart *p = lr_part_at(board, part != NULL ? part[k] : k);

		for (g = p->grade; g < p->grade + p->grades; g++)
		{
			LrGrade    *grade = lr_grade_at(board, g);
			int64		share = (int64) (grade->weight * factor);

			grade->gained += sign * share;
			hold->gained[g] += sign * share;
			sum += share * grade->in;
			if (grade->gained > MOST_GAINED || grade->gained < -MOST_GAINED)
				give_gains(board, grade);
		}
	}
	lr_seats[lr_place_at(board, chosen)->seat].credit -= sign * sum;
	hold->delta[chosen] -= sign * sum;
	if (board->kept[LR_BY_CREDIT])
		lr_tree_replay(board, LR_BY_CREDIT, chosen);
}

/* ---------- putting up, taking down ---------- */

/* Whether the board is of these members, weights and capacities. */
static bool
is_for(const LrBoard *board, const LrTeam *team)
{
	int			i;

	if (board->serial == 0 || board->n != team->n)
		return false;
	for (i = 0; i < team->n; i++)
	{
		const LrPlace *p = lr_place_at(board, i);

		if (p->slot != team->member[i]->slot || p->seat != team->seat[i] ||
			p->weight != team->weight[i] ||
			p->capacity != team->member[i]->capacity ||
			p->target != team->target[i] || p->tier != team->member[i]->tier)
			return false;
	}
	return true;
}

static void
take_down(LrBoard *board)
{
	int			i;

	if (board->serial == 0)
		return;
	for (i = 0; i < board->n; i++)
	{
		LrPlace    *p = lr_place_at(board, i);

		lr_seats[p->seat].credit = lr_seat_credit(p->seat);
		lr_seats[p->seat].place = LR_NO_SLOT;
		leave_chain(board->first + i);
	}
	board->serial = 0;
}

/* Finds room for n places; false: there is none.  shared->lock held. */
static bool
make_room(LrBoard *board, int n)
{
	int			room = (n + RANGE_UNIT - 1) / RANGE_UNIT * RANGE_UNIT;

	if (board->room >= n)
		return true;
	board->room = 0;
	board->first = find_range(room);
	if (board->first >= 0)
		board->room = room;
	return board->room > 0;
}

/* One part. */
static void
make_grades(LrBoard *board, const LrTeam *team)
{
	LrPart	   *part = lr_part_at(board, 0);
	int			start = 0;
	int			g;
	int			i;

	board->parts = 1;
	board->grades = team->grades;
	memset(part, 0, sizeof(LrPart));
	part->n = team->n;
	part->grades = team->grades;
	for (g = 0; g < board->grades; g++)
	{
		LrGrade    *grade = lr_grade_at(board, g);

		memset(grade, 0, sizeof(LrGrade));
		grade->weight = team->grade_weight[g];
	}
	for (i = 0; i < team->n; i++)
		lr_grade_at(board, team->grade[i])->n++;
	for (g = 0; g < board->grades; g++)
	{
		lr_grade_at(board, g)->start = start;
		start += lr_grade_at(board, g)->n;
		lr_grade_at(board, g)->n = 0;
	}
}

/* All places are out. */
static void
put_up(LrBoard *board, int rotation, const LrTeam *team)
{
	int			i;

	board->n = team->n;
	board->in = board->unlimited = 0;
	board->moves = 0;
	board->weight_known = board->set_known = false;
	lr_trees_lost(board);
	memset(lr_places_in + board->first / 8, 0, board->room / 8);
	memset(lr_places_full + board->first / 8, 0, board->room / 8);
	make_grades(board, team);
	for (i = 0; i < team->n; i++)
	{
		LrPlace    *p = lr_place_at(board, i);
		LrGrade    *grade = lr_grade_at(board, team->grade[i]);

		p->slot = team->member[i]->slot;
		p->seat = team->seat[i];
		p->rotation = rotation;
		p->grade = board->first / LR_PLACES_PER_GRADE + team->grade[i];
		p->rank = grade->start + grade->n++;
		p->capacity = team->member[i]->capacity;
		p->target = team->target[i];
		p->tier = team->member[i]->tier;
		p->weight = team->weight[i];
		*lr_ranked_at(board, p->rank) = i;
		enter_chain(board->first + i);
		lr_seats[p->seat].place = board->first + i;
		lr_board_note_full(board->first + i);
	}
	board->serial = ++lr_shared->board_serial;
	board->missed = 0;
	board->picks = 0;
}

static bool
has_all_slots(const LrTeam *team)
{
	int			i;

	for (i = 0; i < team->n; i++)
		if (team->member[i]->slot == LR_NO_SLOT || team->seat[i] == LR_NO_SLOT)
			return false;
	return true;
}

/* Room for a copy of who is in which grade and part. */
static void
make_grading(LrTeam *team)
{
	MemoryContext old;
	if (team->grading != NULL)
		return;
	old = MemoryContextSwitchTo(GetMemoryChunkContext(team));
	team->grading = (LrGrading *) palloc0(sizeof(LrGrading));
	team->grading->grade = (uint16 *) palloc(team->n * sizeof(uint16));
	team->grading->part = (uint16 *) palloc(team->n * sizeof(uint16));
	team->grading->size = (int *) palloc(lr_most_grades(team->n) * sizeof(int));
	MemoryContextSwitchTo(old);
}

void
lr_board_take_grading(const LrBoard *board, LrTeam *team)
{
	LrGrading  *grading = team->grading;
	int			i;

	team->board = board->serial;
	if (grading->serial == board->serial)
		return;
	grading->serial = board->serial;
	grading->grades = board->grades;
	grading->parts = board->parts;
	for (i = 0; i < board->parts; i++)
		grading->size[i] = lr_part_at(board, i)->n;
	for (i = 0; i < board->n; i++)
	{
		int			grade = lr_place_at(board, i)->grade;

		grading->grade[i] = grade - board->first / LR_PLACES_PER_GRADE;
		grading->part[i] = lr_grades[grade].part;
	}
}

/* Puts the team's board up, unless another session just has. */
static void
build(LrDatabase *db, LrTeam *team)
{
	LrBoard    *board = &lr_rotation_slots[team->rotation].board;

	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	if (!is_for(board, team))
	{
		take_down(board);
		if (make_room(board, team->n))
			put_up(board, team->rotation, team);
		else
			board->missed = INT_MIN / 2;	/* not soon again */
	}
	team->board = 0;
	if (board->serial != 0)
		lr_board_take_grading(board, team);
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
}

bool
lr_board_ready(LrDatabase *db, LrTeam *team)
{
	LrBoard    *board = &lr_rotation_slots[team->rotation].board;
	uint64		serial = board->serial;
	bool		is_ours;

	/* unlocked, as a hint: lr_board_of looks again */
	if (serial != 0 && team->board == serial)
		return true;
	make_grading(team);
	if (serial != 0 && team->other_board != serial)
	{
		LWLockAcquire(db->lock, LW_SHARED);
		is_ours = is_for(board, team);
		if (is_ours)
			lr_board_take_grading(board, team);
		else
			team->other_board = board->serial;
		LWLockRelease(db->lock);
		if (is_ours)
			return true;
	}
	if (board->missed < MISSES || !has_all_slots(team))
		return false;
	build(db, team);
	return team->board != 0;
}

LrBoard *
lr_board_of(const LrTeam *team)
{
	LrBoard    *board;

	if (team->rotation == LR_NO_SLOT || team->board == 0)
		return NULL;
	board = &lr_rotation_slots[team->rotation].board;
	return board->serial == team->board ? board : NULL;
}

void
lr_board_missed(const LrTeam *team)
{
	lr_rotation_slots[team->rotation].board.missed++;
}

void
lr_board_clear(int db)
{
	int			i;

	for (i = 0; i < lr_shared->rotations_used; i++)
		if (lr_rotation_slots[i].db == db)
			take_down(&lr_rotation_slots[i].board);
}

void
lr_board_free(int db)
{
	int			i;

	lr_board_clear(db);
	for (i = 0; i < lr_shared->rotations_used; i++)
		if (lr_rotation_slots[i].db == db)
			lr_rotation_slots[i].board.room = 0;
}
