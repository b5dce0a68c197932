/*
 * reserve.c
 *	  Reservations of this transaction.  See reserve.h.
 *
 * What transaction.c calls when a level ends allocates nothing and raises no
 * error, but for lr_reserve_prepare_sub and lr_reserve_pre_prepare, which come
 * before the end.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

#include "board.h"
#include "compat.h"
#include "due.h"
#include "held.h"
#include "late.h"
#include "prepared.h"
#include "reserve.h"
#include "reserve_cap.h"

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
typedef struct TeamHold
{
	struct TeamHold *next;
	Composition *composition;
	int64		whole;			/* leads for which all were candidates */
	int64	   *delta;			/* beyond that, by index; see amount_of */
	LrBoardHold board;			/* on the composition's board; shares delta */
	int32		month;			/* if not 0: received in this month, no credits */
	int32	   *received;		/* by index */
} TeamHold;

/* What one level took from one member. */
typedef struct LoadHold
{
	int			slot;
	int64		load;			/* added to the shared counter */
	int64		released;		/* to be added when we commit; <= 0, all levels together */
	int64		turn_before;	/* last_turn before, see note_turn; -1: untouched */
	int64		turn_set;		/* last_turn as this level left it */
	bool		turn_mixed;		/* others had turns between those of this level */
} LoadHold;

typedef struct Level
{
	struct Level *up;
	uint64		serial;			/* of this level, in this backend */
	int			nest;			/* transaction nest level */
	TeamHold   *teams;
	int			nloads;
	int			room;
	LoadHold   *loads;
	int			nbuckets;		/* power of 2, at least twice room */
	int		   *bucket;			/* index into loads + 1; 0: empty */
	LrCapHolds	caps;
} Level;

static LrDatabase *held_db = NULL;	/* database of all holds */
static bool journal_rewritten = false;	/* see lr_journal_rewritten */
static bool own_rows_loaded = false;	/* see lr_counters_loaded */
static bool any_released = false;	/* by any level */
static Level *top_level = NULL;
static Composition *compositions = NULL;
static uint64 last_level = 0;

/*
 * Who gives to one of so many at most, keeps the trees right instead of losing
 * them.
 */
#define FEW		16

/* An xid whose entries this backend has made and not yet handed over. */
static TransactionId preparing = InvalidTransactionId;

void
lr_journal_rewritten(void)
{
	journal_rewritten = true;
}

void
lr_counters_loaded(void)
{
	own_rows_loaded = journal_rewritten;
}

/* ---------- levels ---------- */

static void
rehash(Level *level)
{
	int			i;

	memset(level->bucket, 0, level->nbuckets * sizeof(int));
	for (i = 0; i < level->nloads; i++)
	{
		uint32		b = (uint32) level->loads[i].slot * 2654435761u;

		while (level->bucket[b & (level->nbuckets - 1)] != 0)
			b++;
		level->bucket[b & (level->nbuckets - 1)] = i + 1;
	}
}

/* Makes sure that a level can take more loads without allocating. */
static void
grow_level(Level *level, int more)
{
	int			room = Max(level->room, 16);

	while (level->nloads + more > room)
		room *= 2;
	if (room == level->room)
		return;
	if (level->loads == NULL)
		level->loads = MemoryContextAlloc(TopTransactionContext,
										  room * sizeof(LoadHold));
	else
		level->loads = repalloc(level->loads, room * sizeof(LoadHold));
	level->room = room;
	if (level->bucket)
		pfree(level->bucket);
	level->nbuckets = 0;
	level->bucket = MemoryContextAllocZero(TopTransactionContext,
										   room * 2 * sizeof(int));
	level->nbuckets = room * 2;
	rehash(level);
}

static Level *
current_level(void)
{
	int			nest = GetCurrentTransactionNestLevel();
	Level	   *level;

	if (top_level != NULL && top_level->nest == nest)
		return top_level;
	/* rebuild waits for us, and keeps us out while it runs */
	LockRelationOid(lr_relid("journal"), RowExclusiveLock);
	level = MemoryContextAllocZero(TopTransactionContext, sizeof(Level));
	level->up = top_level;
	level->serial = ++last_level;
	level->nest = nest;
	grow_level(level, 1);
	top_level = level;
	return level;
}

/* The hold on a member; the level has room.  Allocates nothing. */
static LoadHold *
load_hold(Level *level, int slot)
{
	uint32		b = (uint32) slot * 2654435761u;
	LoadHold   *hold;

	for (;; b++)
	{
		int		   *bucket = &level->bucket[b & (level->nbuckets - 1)];

		if (*bucket == 0)
		{
			hold = &level->loads[level->nloads++];
			hold->slot = slot;
			hold->load = hold->released = 0;
			hold->turn_before = -1;
			hold->turn_set = 0;
			hold->turn_mixed = false;
			*bucket = level->nloads;
			return hold;
		}
		if (level->loads[*bucket - 1].slot == slot)
			return &level->loads[*bucket - 1];
	}
}

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

static TeamHold *
find_team_hold(Level *level, uint64 serial, int32 month)
{
	TeamHold   *hold;

	for (hold = level->teams; hold != NULL; hold = hold->next)
		if (hold->composition->serial == serial && hold->month == month)
			return hold;
	return NULL;
}

/*
 * The same for a team, which remembers it: one statement may distribute to
 * thousands of teams.  Holds stay where they are as long as their level does.
 */
static TeamHold *
hold_of(Level *level, LrTeam *team, int32 month)
{
	TeamHold   *hold;

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

/*
 * From now on the transaction has reservations in this slot.  Another one than
 * before: the extension was dropped and created in this transaction, or that
 * was rolled back.
 */
static void
hold(LrDatabase *db)
{
	if (db == held_db)
		return;
	if (top_level != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("leadroute was dropped or created in a transaction that has routed leads"),
				 errhint("Run DROP EXTENSION and CREATE EXTENSION in a transaction of their own.")));
	if (held_db != NULL)
	{
		/* all that it held there has been rolled back */
		LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
		lr_forget_ids(held_db);
		LWLockRelease(held_db->lock);
	}
	held_db = db;
	lr_me()->holds = lr_db_index(db) + 1;
}

static TeamHold *
make_team_hold(Level *level, LrTeam *team, int32 month)
{
	Composition *c = composition_of(team);
	Size		size = c->n * (month != 0 ? sizeof(int32) : sizeof(int64));
	TeamHold   *hold = MemoryContextAllocZero(TopTransactionContext,
											  MAXALIGN(sizeof(TeamHold)) + size);
	char	   *arrays = (char *) hold + MAXALIGN(sizeof(TeamHold));

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
leave_board(TeamHold *hold)
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
	Level	   *level;
	TeamHold   *hold;

	for (level = top_level; level != NULL; level = level->up)
		for (hold = level->teams; hold != NULL; hold = hold->next)
			if (hold->composition == c && hold->month == 0)
				leave_board(hold);
	c->board = team->board;
	c->grades = team->grading->grades;
	memcpy(c->grade, team->grading->grade, c->n * sizeof(uint16));
}

/* Makes what lr_board_turn needs. */
static void
go_on_board(TeamHold *hold, const LrTeam *team)
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
lr_reserve_prepare(LrTeam *team, int32 month)
{
	Level	   *level;
	TeamHold   *of_team;

	hold(lr_database());
	level = current_level();
	grow_level(level, 1);
	if (team == NULL)
		return;
	of_team = hold_of(level, team, month);
	if (of_team == NULL)
		of_team = make_team_hold(level, team, month);
	if (month == 0 && team->board != 0)
		go_on_board(of_team, team);
}

void
lr_reserve_prepare_caps(int n)
{
	lr_cap_holds_grow(&top_level->caps, n);
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
amount_of(const TeamHold *hold, int i)
{
	return hold->delta[i] + hold->whole * hold->composition->share[i] +
		(hold->board.in != NULL && lr_bit(hold->board.in, i) ?
		 hold->board.gained[hold->composition->grade[i]] : 0);
}

/* Gives those who have a share of a lead that not all have; returns the sum. */
static int64
give_shares(const LrReservation *r, TeamHold *hold, bool stands, int sign)
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
apply_turn_on_board(const LrReservation *r, TeamHold *hold, int sign)
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

static void
apply_turn(const LrReservation *r, int sign)
{
	LrTeam	   *team = r->team;
	TeamHold   *hold = hold_of(top_level, team, 0);
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

/*
 * A level has moved last_turn from before to set.  If the level is given back,
 * turns that others have had meanwhile must stay: so what was before is what
 * was there when others had moved it last.  Who of them has taken a turn of ours
 * for the one before his own, is not known; so last_turn is in doubt then.
 */
static void
note_turn(LoadHold *hold, int64 before, int64 set, bool mixed)
{
	if (hold->turn_before >= 0 && before != hold->turn_set)
		mixed = true;
	if (hold->turn_before < 0 || before != hold->turn_set)
		hold->turn_before = before;
	hold->turn_set = set;
	hold->turn_mixed |= mixed;
}

/*
 * A member has a place again that this transaction had taken.  If it is the one
 * that decides held leads, nothing has changed for those that come later: they
 * would not have been refused it.
 */
static void
freed(int member_slot)
{
	if (lr_looking())
		return;
	lr_freed(held_db, member_slot);
	lr_place_freed();
}

/* The level has room. */
static void
apply_caps(const LrReservation *r, int sign)
{
	int			i;

	for (i = 0; i < r->ncaps; i++)
	{
		const LrCapTaken *taken = &r->caps[i];

		/* a window that is too old is of no more concern to anybody */
		if (lr_cap_enter(&lr_cap_slots[taken->slot], &taken->window) == NULL)
			continue;
		lr_cap_add(taken->slot, taken->window.key, sign);
		if (sign < 0)
			freed(LR_NO_SLOT);
		lr_cap_hold(&top_level->caps, taken->slot,
					taken->window.key)->taken += sign;
	}
}

void
lr_reserve_apply(const LrReservation *r, int sign)
{
	if (r->member_slot != LR_NO_SLOT)
	{
		LrMemberSlot *slot = &lr_member_slots[r->member_slot];
		LoadHold   *hold = load_hold(top_level, r->member_slot);

		slot->load += sign * r->load;
		hold->load += sign * r->load;
		if (sign < 0 && r->load > 0)
			freed(r->member_slot);
		if (r->last_turn >= 0)
		{
			if (sign > 0)
			{
				note_turn(hold, r->last_turn, r->id, false);
				slot->last_turn = r->id;
			}
			else if (slot->last_turn == r->id)
				hold->turn_set = slot->last_turn = r->last_turn;
			else
				/* others may have this one for the one before their own */
				slot->turn_dirty = true;
		}
		lr_member_touched(r->member_slot);
	}
	if (r->turn)
		apply_turn(r, sign);
	if (r->month != 0)
	{
		hold_of(top_level, r->team, r->month)->received[r->chosen] += sign;
		lr_seat_receive(r->team->seat[r->chosen], r->month, sign);
	}
	if (r->ncaps > 0)
		apply_caps(r, sign);
}

void
lr_reserve_return(const LrReservation *r)
{
	lr_reserve_prepare(r->turn || r->month != 0 ? r->team : NULL, r->month);
	if (r->ncaps > 0)
		lr_reserve_prepare_caps(r->ncaps);
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	lr_reserve_apply(r, -1);
	LWLockRelease(held_db->lock);
}

/* The hold of a level on a member, if it has one. */
static LoadHold *
find_load_hold(Level *level, int slot)
{
	uint32		b = (uint32) slot * 2654435761u;

	for (;; b++)
	{
		int			i = level->bucket[b & (level->nbuckets - 1)];

		if (i == 0)
			return NULL;
		if (level->loads[i - 1].slot == slot)
			return &level->loads[i - 1];
	}
}

int64
lr_reserve_released(int member_slot)
{
	int64		released = 0;
	Level	   *level;

	if (!any_released)
		return 0;
	for (level = top_level; level != NULL; level = level->up)
	{
		LoadHold   *hold = find_load_hold(level, member_slot);

		if (hold != NULL)
			released += hold->released;
	}
	return released;
}

bool
lr_reserve_releases(void)
{
	return any_released;
}

void
lr_reserve_load(int member_slot, int load)
{
	LrReservation r = {0};
	LoadHold   *hold;
	int64		kept;

	if (member_slot == LR_NO_SLOT || load == 0)
		return;
	lr_reserve_prepare(NULL, 0);
	hold = load_hold(top_level, member_slot);
	if (load < 0)
	{
		hold->released += load;
		any_released = true;
		return;
	}
	/*
	 * What is given back at the commit only is reserved still: taking it again
	 * is keeping it.  The levels together never give back less than nothing,
	 * since those above stay when this one is rolled back.
	 */
	kept = Min(load, -lr_reserve_released(member_slot));
	hold->released += kept;
	if (kept == load)
		return;
	r.member_slot = member_slot;
	r.load = load - kept;
	r.last_turn = -1;
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	lr_reserve_apply(&r, 1);
	LWLockRelease(held_db->lock);
}

void
lr_reserve_give_back_cap(int slot, uint32 key)
{
	lr_reserve_prepare(NULL, 0);
	lr_reserve_prepare_caps(1);
	lr_cap_hold(&top_level->caps, slot, key)->released--;
	any_released = true;
}

int64
lr_reserve_cap_released(int slot, uint32 key)
{
	int64		released = 0;
	Level	   *level;

	if (!any_released)
		return 0;
	for (level = top_level; level != NULL; level = level->up)
	{
		LrCapHold  *hold = lr_cap_hold_find(&level->caps, slot, key);

		if (hold != NULL)
			released += hold->released;
	}
	return released;
}

int64
lr_reserve_id(void)
{
	int64		id;

	lr_reserve_prepare(NULL, 0);
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	id = lr_next_id(held_db);
	LWLockRelease(held_db->lock);
	return id;
}

/* ---------- giving back, keeping ---------- */

/* Gives back what a level holds.  db->lock held. */
static void
return_level(Level *level)
{
	TeamHold   *hold;
	int			i;

	for (hold = level->teams; hold != NULL; hold = hold->next)
		for (i = 0; i < hold->composition->n; i++)
			if (hold->month == 0)
				add_credit(true, false, hold->composition->seat[i], -amount_of(hold, i));
			else if (hold->received[i] != 0)
				lr_seat_receive(hold->composition->seat[i], hold->month,
								-hold->received[i]);
	for (i = 0; i < level->nloads; i++)
	{
		LoadHold   *load = &level->loads[i];
		LrMemberSlot *slot = &lr_member_slots[load->slot];

		slot->load -= load->load;
		if (load->load > 0)
			freed(load->slot);
		if (load->turn_before >= 0 && slot->last_turn == load->turn_set)
			slot->last_turn = load->turn_before;
		else if (load->turn_before >= 0)
			slot->turn_dirty = true;
		slot->turn_dirty |= load->turn_mixed;
		lr_member_touched(load->slot);
	}
	if (lr_cap_holds_return(&level->caps))
		freed(LR_NO_SLOT);
}

static void
free_hold(TeamHold *hold)
{
	if (hold->board.in != NULL)
	{
		pfree(hold->board.in);
		pfree(hold->board.gained);
	}
	pfree(hold);
}

/* Adds the holds of a level to the one above, which has room.  No lock. */
static void
merge_level(Level *from, Level *to)
{
	TeamHold   *hold;
	TeamHold   *next;
	int			i;

	for (hold = from->teams; hold != NULL; hold = next)
	{
		TeamHold   *same = find_team_hold(to, hold->composition->serial,
										  hold->month);

		next = hold->next;
		if (same != NULL && hold->month != 0)
		{
			for (i = 0; i < hold->composition->n; i++)
				same->received[i] += hold->received[i];
			free_hold(hold);
		}
		else if (same != NULL)
		{
			same->whole += hold->whole;
			for (i = 0; i < hold->composition->n; i++)
				same->delta[i] += amount_of(hold, i) -
					hold->whole * hold->composition->share[i];
			free_hold(hold);
		}
		else
		{
			hold->next = to->teams;
			to->teams = hold;
		}
	}
	from->teams = NULL;
	for (i = 0; i < from->nloads; i++)
	{
		LoadHold   *f = &from->loads[i];
		LoadHold   *t = load_hold(to, f->slot);

		t->load += f->load;
		t->released += f->released;
		if (f->turn_before >= 0)
			note_turn(t, f->turn_before, f->turn_set, f->turn_mixed);
	}
	lr_cap_holds_merge(&from->caps, &to->caps);
}

static void
free_level(Level *level)
{
	while (level->teams != NULL)
	{
		TeamHold   *hold = level->teams;

		level->teams = hold->next;
		free_hold(hold);
	}
	lr_cap_holds_free(&level->caps);
	pfree(level->loads);
	pfree(level->bucket);
	pfree(level);
}

/* The server has not prepared the transaction after all. */
static void
drop_preparing(void)
{
	if (!TransactionIdIsValid(preparing))
		return;
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	lr_prepared_drop(held_db, preparing);
	LWLockRelease(held_db->lock);
	LWLockRelease(lr_shared->lock);
}

void
lr_reserve_abort(int nest)
{
	if (nest == 0)
		drop_preparing();
	while (top_level != NULL && top_level->nest >= nest)
	{
		Level	   *level = top_level;

		LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
		return_level(level);
		LWLockRelease(held_db->lock);
		top_level = level->up;
		free_level(level);
	}
}

void
lr_reserve_prepare_sub(int nest)
{
	if (top_level == NULL || top_level->nest != nest)
		return;
	if (top_level->up != NULL && top_level->up->nest == nest - 1)
	{
		grow_level(top_level->up, top_level->nloads);
		if (top_level->caps.n > 0)
			lr_cap_holds_grow(&top_level->up->caps, top_level->caps.n);
	}
}

void
lr_reserve_commit_sub(int nest)
{
	Level	   *level = top_level;

	if (level == NULL || level->nest != nest)
		return;
	if (level->up != NULL && level->up->nest == nest - 1)
	{
		merge_level(level, level->up);
		top_level = level->up;
		free_level(level);
	}
	else
		level->nest = nest - 1;
}

void
lr_reserve_commit(void)
{
	int			i;

	if (!any_released || top_level == NULL)
		return;
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	for (i = 0; i < top_level->nloads; i++)
	{
		int			slot = top_level->loads[i].slot;

		lr_member_slots[slot].load += top_level->loads[i].released;
		if (top_level->loads[i].released < 0)
			lr_freed(held_db, slot);
		lr_member_touched(slot);
	}
	if (lr_cap_holds_commit(&top_level->caps))
		lr_freed(held_db, LR_NO_SLOT);
	LWLockRelease(held_db->lock);
}

/* ---------- prepared transactions ---------- */

/* Enters what the transaction holds of one member. */
static bool
enter_load(TransactionId xid, const LoadHold *hold)
{
	/* the entry does not say so; no checkpoint is beyond our ids till it ends */
	if (hold->turn_mixed)
		lr_member_slots[hold->slot].turn_dirty = true;
	return (hold->load == 0 ||
			lr_prepared_add(held_db, xid, LR_COUNTER_LOAD, hold->slot,
						  hold->load, 0)) &&
		(hold->released == 0 ||
		 lr_prepared_add(held_db, xid, LR_COUNTER_RELEASE, hold->slot,
					   hold->released, 0)) &&
		(hold->turn_before < 0 ||
		 lr_prepared_add(held_db, xid, LR_COUNTER_TURN, hold->slot,
					   hold->turn_set, hold->turn_before));
}

/* Copies the holds of the transaction into the array; false: no room. */
static bool
enter_holds(TransactionId xid)
{
	Level	   *level = top_level;
	TeamHold   *hold;
	int64		min_id = lr_me()->min_id;
	bool		ok = lr_prepared_add(held_db, xid, LR_COUNTER_XACT, 0, min_id,
								   lr_late_mark());
	int			i;

	for (i = 0; ok && level && i < level->nloads; i++)
		ok = enter_load(xid, &level->loads[i]);
	if (ok && level)
		ok = lr_cap_holds_enter(&level->caps, held_db, xid);
	for (hold = level ? level->teams : NULL; ok && hold != NULL; hold = hold->next)
		for (i = 0; ok && i < hold->composition->n; i++)
		{
			bool		credit = hold->month == 0;
			int64		amount = credit ? amount_of(hold, i) : hold->received[i];

			if (amount != 0 && hold->composition->seat[i] != LR_NO_SLOT)
				ok = lr_prepared_add(held_db, xid, credit ? LR_COUNTER_CREDIT :
								   LR_COUNTER_RECEIVED,
								   hold->composition->seat[i], amount,
								   hold->month);
		}
	return ok;
}

void
lr_reserve_pre_prepare(void)
{
	TransactionId xid;
	bool		ok;

	if (held_db == NULL ||
		lr_me()->min_id == 0)
		return;
	lr_settle_all();
	xid = GetTopTransactionId();
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	LWLockAcquire(held_db->lock, LW_EXCLUSIVE);
	ok = enter_holds(xid);
	if (!ok)
		lr_prepared_drop(held_db, xid);
	LWLockRelease(held_db->lock);
	LWLockRelease(lr_shared->lock);
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("prepared transactions hold too many counters of leadroute"),
				 errhint("Commit or roll back prepared transactions, or raise leadroute.max_prepared_counters, %d now, and restart the server.",
						 lr_max_prepared_counters)));
	preparing = xid;
}

void
lr_reserve_hand_over(void)
{
	if (TransactionIdIsValid(preparing))
		lr_prepared_hand_over(held_db, preparing);
}

/* ---------- the end ---------- */

void
lr_reserve_end(bool committed)
{
	LrDatabase *db = held_db != NULL ? held_db :
		journal_rewritten ? lr_database_pinned() : NULL;

	if (db != NULL)
	{
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		if (lr_me()->min_id != 0)
			lr_ids_ended(db, TransactionIdIsValid(preparing));
		lr_forget_ids(db);
		/* whoever routes leads is no longer restoring them */
		if (db->restored && top_level != NULL && committed)
		{
			db->restored = false;
			lr_look_at_held();
		}
		if (journal_rewritten && committed)
			db->restored = true;
		if ((journal_rewritten && committed) || own_rows_loaded)
		{
			db->rewritten++;	/* who is loading begins again */
			db->state = LR_EMPTY;
		}
		LWLockRelease(db->lock);
	}
	held_db = NULL;
	top_level = NULL;
	compositions = NULL;
	any_released = journal_rewritten = own_rows_loaded = false;
	preparing = InvalidTransactionId;
}
