/*
 * fold_turns.c
 *	  Turns of the journal, made into credits.  See fold_turns.h.
 *
 * The shares of each (composition, set of candidates) are worked out here, as
 * integers that depend on nothing else: the very numbers that reserve_team.c
 * added.
 *
 * A turn whose composition or set is not there counts for nobody: a restore has
 * not come to it yet, see restore.c.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/generation.h"
#include "config/config.h"
#include "journal/candidate_set.h"
#include "journal/companion.h"
#include "roster/fold_turns.h"
#include "roster/roster.h"

static bool
is_in(const bytea *bitmap, int i)
{
	return i / 8 < (int) VARSIZE_ANY_EXHDR(bitmap) &&
		(((uint8 *) VARDATA_ANY(bitmap))[i / 8] & (1 << (i % 8))) != 0;
}

bool
lr_has_share(const LrShares *shares, int i)
{
	return shares->candidates == NULL || is_in(shares->candidates, i) ||
		(shares->accruing != NULL && is_in(shares->accruing, i));
}

static bool
same_bitmap(const bytea *a, const bytea *b)
{
	return a == NULL || b == NULL ? a == b :
		VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static bool
same_key(const LrTurnKey *a, const LrTurnKey *b)
{
	return a->router == b->router && a->team == b->team &&
		a->version == b->version && a->set == b->set &&
		same_bitmap(a->candidates, b->candidates) &&
		same_bitmap(a->accruing, b->accruing);
}

static bytea *
copy_bitmap(const bytea *bitmap)
{
	return bitmap == NULL ? NULL :
		(bytea *) memcpy(palloc(VARSIZE_ANY(bitmap)), bitmap, VARSIZE_ANY(bitmap));
}

/* Members and weights of a composition, unless they are those of the last key. */
static void
read_composition(LrTurns *turns, const LrTurnKey *key)
{
	Relation	rel;
	HeapTuple	row;
	MemoryContext old;

	if (turns->version == key->version && turns->router == key->router &&
		turns->team == key->team)
		return;
	MemoryContextReset(turns->composition_context);
	old = MemoryContextSwitchTo(turns->composition_context);
	turns->version = key->version;
	turns->router = key->router;
	turns->team = key->team;
	turns->n = 0;
	rel = table_open(lr_relid("team_version"), AccessShareLock);
	row = lr_companion_row(rel, "team_version_id", key->version,
						   turns->of_others);
	if (row != NULL)
		lr_composition_of(row, RelationGetDescr(rel), &turns->member,
						  &turns->weight, &turns->n);
	table_close(rel, AccessShareLock);
	turns->seat = (LrSeatState **) palloc0((turns->n + 1) *
										   sizeof(LrSeatState *));
	MemoryContextSwitchTo(old);
}

/* What each has of a lead. */
static void
work_out(LrTurns *turns)
{
	LrShares   *shares = &turns->shares;
	double		weight = 0;
	double		factor;
	int			i;

	turns->share = (int64 *) palloc0((shares->n + 1) * sizeof(int64));
	turns->sum = 0;
	for (i = 0; i < shares->n; i++)
		if (lr_has_share(shares, i))
			weight += DatumGetFloat8(shares->weight[i]);
	factor = (double) LR_CREDIT_ONE / weight;
	for (i = 0; i < shares->n; i++)
		if (lr_has_share(shares, i))
		{
			turns->share[i] = (int64) (DatumGetFloat8(shares->weight[i]) * factor);
			turns->sum += turns->share[i];
		}
}

static void
begin_key(LrTurns *turns, const LrTurnKey *key)
{
	MemoryContext old = MemoryContextSwitchTo(turns->context);
	LrStoredSet set = {NULL, NULL};

	turns->any = true;
	turns->count = 0;
	turns->key = *key;
	turns->key.candidates = copy_bitmap(key->candidates);
	turns->key.accruing = copy_bitmap(key->accruing);
	memset(&turns->shares, 0, sizeof(turns->shares));
	if (key->set == 0)
	{
		set.candidates = turns->key.candidates;
		set.accruing = turns->key.accruing;
	}
	if (key->set == 0 ||
		lr_candidate_set_read(key->set, turns->of_others, &set))
	{
		read_composition(turns, key);
		turns->shares.n = turns->n;
		turns->shares.weight = turns->weight;
	}
	turns->shares.candidates = set.candidates;
	turns->shares.accruing = set.accruing;
	work_out(turns);
	MemoryContextSwitchTo(old);
}

/*
 * The seat of the i-th member of the composition.  Only of who has a share: a
 * seat that is looked up is there from then on.
 */
static LrSeatState *
seat_of(LrTurns *turns, int i)
{
	if (turns->seat[i] == NULL)
		turns->seat[i] = lr_state_seat(turns->state, turns->key.router,
									   turns->key.team,
									   DatumGetInt32(turns->member[i]));
	return turns->seat[i];
}

/* What was added so far is in the credits then. */
static void
end_key(LrTurns *turns)
{
	int			i;

	for (i = 0; i < turns->shares.n && turns->count != 0; i++)
		if (turns->share[i] != 0)
			seat_of(turns, i)->credit += turns->count * turns->share[i];
	turns->any = false;
	MemoryContextReset(turns->context);
}

void
lr_turns_begin(LrTurns *turns, LrState *state, bool of_others)
{
	memset(turns, 0, sizeof(*turns));
	turns->state = state;
	turns->of_others = of_others;
	turns->composition_context = AllocSetContextCreate(CurrentMemoryContext,
													   "leadroute composition",
													   ALLOCSET_DEFAULT_SIZES);
	turns->context = AllocSetContextCreate(CurrentMemoryContext,
										   "leadroute turns",
										   ALLOCSET_DEFAULT_SIZES);
}

void
lr_turns_add(LrTurns *turns, const LrTurnKey *key, int32 chosen, int64 count)
{
	if (!turns->any || !same_key(&turns->key, key))
	{
		CHECK_FOR_INTERRUPTS();
		end_key(turns);
		begin_key(turns, key);
	}
	if (turns->shares.n == 0)
		return;
	turns->count += count;
	lr_state_seat(turns->state, key->router, key->team, chosen)->credit -=
		count * turns->sum;
}

void
lr_turns_end(LrTurns *turns)
{
	end_key(turns);
	MemoryContextDelete(turns->context);
	MemoryContextDelete(turns->composition_context);
}
