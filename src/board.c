/*
 * board.c
 *	  Boards: the order of big teams, in shared memory.  See board.h.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "port/pg_bitutils.h"

#include "board.h"
#include "leadroute.h"
#include "outcome.h"

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
uint8	   *lr_places_in = NULL;
uint8	   *lr_places_full = NULL;
static int32 *nodes[LR_TREES];	/* winners, by place in the board */
static int32 *ranked = NULL;	/* place in the board by rank */

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

	size = add_size(size, mul_size(n / LR_PLACES_PER_GRADE, sizeof(LrGrade)));
	size = add_size(size, mul_size(n / 8, 2));
	size = add_size(size, mul_size(n, (LR_TREES + 1) * sizeof(int32)));
	return add_size(size, (5 + LR_TREES) * MAXIMUM_ALIGNOF);
}

void
lr_board_carve(char **at)
{
	Size		n = places_max();
	int			i;

	lr_places = lr_carve(at, n, sizeof(LrPlace));
	lr_grades = lr_carve(at, n / LR_PLACES_PER_GRADE, sizeof(LrGrade));
	lr_places_in = lr_carve(at, n / 8, 1);
	lr_places_full = lr_carve(at, n / 8, 1);
	ranked = lr_carve(at, n, sizeof(int32));
	for (i = 0; i < LR_TREES; i++)
		nodes[i] = lr_carve(at, n, sizeof(int32));
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

static inline bool
has_bit(const uint8 *bitmap, int i)
{
	return (bitmap[i / 8] & (1 << (i % 8))) != 0;
}

static inline LrPlace *
place_at(const LrBoard *board, int i)
{
	return &lr_places[board->first + i];
}

static inline LrGrade *
grade_at(const LrBoard *board, int g)
{
	return &lr_grades[board->first / LR_PLACES_PER_GRADE + g];
}

/* Whether a member cannot take one more lead. */
static inline bool
is_full(const LrPlace *p)
{
	const LrMemberSlot *m = &lr_member_slots[p->slot];

	return m->busy ||
		(p->capacity >= 0 && m->load + LR_LEAD_LOAD > p->capacity);
}

static void
note_full(int place)
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

/* ---------- trees ---------- */

static inline double
load_ratio(const LrBoard *board, const LrPlace *p)
{
	/* the very expression of method.c, so that both find the same */
	return (double) lr_member_slots[p->slot].load /
		(board->by_capacity && p->capacity > 0 ? (double) p->capacity :
		 p->weight);
}

/* Whether a goes before b by the order of a tree: total, those out last. */
static bool
goes_first(const LrBoard *board, LrTree tree, int a, int b)
{
	const LrPlace *p = place_at(board, a);
	const LrPlace *q = place_at(board, b);
	bool		in = has_bit(lr_places_in, board->first + a);
	int64		x;
	int64		y;

	if (in != has_bit(lr_places_in, board->first + b))
		return in;
	if (tree == LR_BY_CREDIT)
	{
		x = lr_seats[q->seat].credit;
		y = lr_seats[p->seat].credit;
	}
	else
	{
		int			order = 0;

		if (tree == LR_BY_LOAD)
		{
			double		r = load_ratio(board, p);
			double		s = load_ratio(board, q);

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

/* A tree of n leaves, which are the ranks or places from start on. */
typedef struct Tree
{
	const LrBoard *board;
	LrTree		order;
	int			n;
	int32	   *node;			/* 1 to n - 1; n + i is the leaf i */
	const int32 *leaf;			/* NULL: the leaf i is the place i */
} Tree;

static Tree
tree_of(const LrBoard *board, LrTree order, const LrGrade *grade)
{
	Tree		tree = {board, order, board->n, nodes[order] + board->first,
	NULL};

	if (order == LR_BY_CREDIT)
	{
		tree.n = grade->n;
		tree.node += grade->start;
		tree.leaf = ranked + board->first + grade->start;
	}
	return tree;
}

static inline int
winner(const Tree *tree, int at)
{
	if (at < tree->n)
		return tree->node[at];
	return tree->leaf != NULL ? tree->leaf[at - tree->n] : at - tree->n;
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

/* A place has changed; nothing else has since the tree was right. */
static void
replay(const LrBoard *board, LrTree order, int i)
{
	const LrPlace *p = place_at(board, i);
	const LrGrade *grade = &lr_grades[p->grade];
	Tree		tree = tree_of(board, order, grade);
	int			at = tree.n + (order == LR_BY_CREDIT ? p->rank - grade->start : i);

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
	int			g;

	if (board->kept[order])
		return;
	for (g = 0; g < (order == LR_BY_CREDIT ? board->grades : 1); g++)
	{
		Tree		tree = tree_of(board, order, grade_at(board, g));

		play_all(&tree);
	}
	board->kept[order] = true;
}

int
lr_board_first(LrBoard *board, LrTree tree, int32 month)
{
	Tree		t;

	if (tree == LR_BY_TARGET && board->month != month)
	{
		board->month = month;
		board->kept[LR_BY_TARGET] = false;
	}
	if (tree == LR_BY_LOAD && board->by_capacity != (board->unlimited == 0))
	{
		board->by_capacity = board->unlimited == 0;
		board->kept[LR_BY_LOAD] = false;
	}
	keep(board, tree);
	t = tree_of(board, tree, NULL);
	return winner(&t, 1);
}

int
lr_board_first_of_grade(LrBoard *board, int grade)
{
	Tree		t = tree_of(board, LR_BY_CREDIT, grade_at(board, grade));

	keep(board, LR_BY_CREDIT);
	return winner(&t, 1);
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

		note_full(place);
		for (tree = LR_BY_LOAD; tree < LR_TREES; tree++)
			if (board->kept[tree])
				replay(board, tree, place - board->first);
	}
}

/* ---------- who is in ---------- */

/* A place that was in is out, or the other way round: its credit stays. */
static void
move_place(LrBoard *board, int i)
{
	LrPlace    *p = place_at(board, i);
	LrGrade    *grade = &lr_grades[p->grade];
	int			place = board->first + i;
	bool		in = !has_bit(lr_places_in, place);
	int			one = in ? 1 : -1;
	LrTree		tree;

	lr_seats[p->seat].credit -= one * grade->gained;
	lr_places_in[place / 8] ^= 1 << (place % 8);
	grade->in += one;
	board->in += one;
	if (p->capacity <= 0)
		board->unlimited += one;
	board->weight_known = board->set_known = false;
	for (tree = 0; tree < LR_TREES; tree++)
		if (board->kept[tree])
			replay(board, tree, i);
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
			if ((has_bit(can, i) && !has_bit(full, i)) != has_bit(in, i))
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
			board->weight += grade_at(board, i)->in * grade_at(board, i)->weight;
	else
		for (i = 0; i < board->n; i++)
			if (has_bit(lr_places_in, board->first + i))
				board->weight += team->weight[i];
	board->weight_known = true;
	return board->weight;
}

uint64
lr_board_set(LrBoard *board)
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
		else if (has_bit(in, i))
			i++;
		else
			return i;
	}
	return -1;
}

int
lr_board_first_in(const LrBoard *board)
{
	const uint8 *in = lr_places_in + board->first / 8;
	int			at;

	for (at = 0; at < (board->n + 7) / 8; at++)
		if (in[at] != 0)
			return at * 8 + pg_rightmost_one_pos32(in[at]);
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
lr_board_seat(int place)
{
	/* who adds to one seat mostly adds to all: the tree is made again */
	lr_rotation_slots[lr_places[place].rotation].board.kept[LR_BY_CREDIT] = false;
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
		replay(board, LR_BY_TARGET, s->place - board->first);
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
		int			place = board->first + ranked[board->first + grade->start + i];

		if (has_bit(lr_places_in, place))
			lr_seats[lr_places[place].seat].credit += grade->gained;
	}
	grade->gained = 0;
}

void
lr_board_turn(LrBoard *board, const LrTeam *team, int chosen, int sign,
			  int64 *gained, int64 *delta)
{
	double		factor = (double) LR_CREDIT_ONE / lr_board_weight(board, team);
	int64		sum = 0;
	int			g;
	int			i;

	for (g = 0; g < board->grades; g++)
	{
		LrGrade    *grade = grade_at(board, g);
		int64		share = (int64) (grade->weight * factor);

		grade->gained += sign * share;
		gained[g] += sign * share;
		sum += share * grade->in;
		if (grade->gained > MOST_GAINED || grade->gained < -MOST_GAINED)
			give_gains(board, grade);
	}
	for (i = lr_board_next_out(board, 0); i >= 0;
		 i = lr_board_next_out(board, i + 1))
		delta[i] -= sign * (int64) (team->weight[i] * factor);
	lr_seats[place_at(board, chosen)->seat].credit -= sign * sum;
	delta[chosen] -= sign * sum;
	if (board->kept[LR_BY_CREDIT])
		replay(board, LR_BY_CREDIT, chosen);
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
		const LrPlace *p = place_at(board, i);

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
		LrPlace    *p = place_at(board, i);

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

static void
make_grades(LrBoard *board, const LrTeam *team)
{
	int			start = 0;
	int			g;
	int			i;

	board->grades = team->grades;
	for (g = 0; g < board->grades; g++)
	{
		LrGrade    *grade = grade_at(board, g);

		memset(grade, 0, sizeof(LrGrade));
		grade->weight = team->grade_weight[g];
	}
	for (i = 0; i < team->n; i++)
		grade_at(board, team->grade[i])->n++;
	for (g = 0; g < board->grades; g++)
	{
		grade_at(board, g)->start = start;
		start += grade_at(board, g)->n;
		grade_at(board, g)->n = 0;
	}
}

/* All places are out. */
static void
put_up(LrBoard *board, int rotation, const LrTeam *team)
{
	LrTree		tree;
	int			i;

	board->n = team->n;
	board->in = board->unlimited = 0;
	board->by_capacity = board->weight_known = board->set_known = false;
	for (tree = 0; tree < LR_TREES; tree++)
		board->kept[tree] = false;
	memset(lr_places_in + board->first / 8, 0, board->room / 8);
	memset(lr_places_full + board->first / 8, 0, board->room / 8);
	make_grades(board, team);
	for (i = 0; i < team->n; i++)
	{
		LrPlace    *p = place_at(board, i);
		LrGrade    *grade = grade_at(board, team->grade[i]);

		p->slot = team->member[i]->slot;
		p->seat = team->seat[i];
		p->rotation = rotation;
		p->grade = board->first / LR_PLACES_PER_GRADE + team->grade[i];
		p->rank = grade->start + grade->n++;
		p->capacity = team->member[i]->capacity;
		p->target = team->target[i];
		p->tier = team->member[i]->tier;
		p->weight = team->weight[i];
		ranked[board->first + p->rank] = i;
		enter_chain(board->first + i);
		lr_seats[p->seat].place = board->first + i;
		note_full(board->first + i);
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
	team->board = board->serial;
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
}

bool
lr_board_ready(LrDatabase *db, LrTeam *team)
{
	LrBoard    *board = &lr_rotation_slots[team->rotation].board;
	uint64		serial = board->serial;

	/* unlocked, as a hint: lr_board_of looks again */
	if (serial != 0 && team->board == serial)
		return true;
	if (serial != 0 && team->other_board != serial)
	{
		LWLockAcquire(db->lock, LW_SHARED);
		if (is_for(board, team))
			team->board = board->serial;
		else
			team->other_board = board->serial;
		LWLockRelease(db->lock);
		if (team->board == serial)
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
