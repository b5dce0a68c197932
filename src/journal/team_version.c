/*
 * team_version.c
 *	  The durable composition of a team, which journal rows refer to.
 *
 * A row is appended when a composition first decides something; the row of
 * another transaction serves as well, see companion.h.  Two sessions may append
 * the same composition at once: harmless.
 *
 * A turn is given back by the composition that it was taken in: the very
 * shares come back, whatever the team is now.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/generation.h"
#include "config/config.h"
#include "journal/candidate_set.h"
#include "journal/companion.h"
#include "journal/journal.h"
#include "roster/board.h"
#include "roster/reserve.h"

static int64
composition_hash(LrTeam *team)
{
	uint64		hash = team->n;
	int			i;

	for (i = 0; i < team->n; i++)
	{
		hash = hash_combine64(hash, hash_bytes_uint32_extended(team->member[i]->id, 0));
		hash = hash_combine64(hash, hash_bytes_extended((unsigned char *) &team->weight[i],
														sizeof(double), 0));
	}
	return (int64) hash;
}

/* id of a row with this composition that we can see; 0: none. */
static int64
find_version(LrTeam *team, int64 hash)
{
	Relation	rel = table_open(lr_relid("team_version"), AccessShareLock);
	ScanKeyData key[3];
	SysScanDesc sys;
	HeapTuple	tuple;
	int64		id = 0;

	ScanKeyInit(&key[0], 2, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(team->router));
	ScanKeyInit(&key[1], 3, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(team->id));
	ScanKeyInit(&key[2], 4, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(hash));
	sys = systable_beginscan(rel, lr_relid("team_version_find"), true,
							 SnapshotSelf, 3, key);
	while (id == 0 && (tuple = systable_getnext(sys)) != NULL)
	{
		bool		isnull;

		if (lr_companion_usable(tuple))
			id = DatumGetInt64(heap_getattr(tuple, 1, RelationGetDescr(rel),
											&isnull));
	}
	systable_endscan(sys);
	table_close(rel, AccessShareLock);
	return id;
}

static int64
append_version(LrTeam *team, int64 hash)
{
	Datum	   *member = (Datum *) palloc(team->n * sizeof(Datum));
	Datum	   *weight = (Datum *) palloc(team->n * sizeof(Datum));
	Datum		values[6];
	bool		nulls[6] = {false};
	int64		id = lr_reserve_id();
	int			i;

	for (i = 0; i < team->n; i++)
	{
		member[i] = Int32GetDatum(team->member[i]->id);
		weight[i] = Float8GetDatum(team->weight[i]);
	}
	values[0] = Int64GetDatum(id);
	values[1] = Int32GetDatum(team->router);
	values[2] = Int32GetDatum(team->id);
	values[3] = Int64GetDatum(hash);
	values[4] = PointerGetDatum(construct_array(member, team->n, INT4OID,
												4, true, TYPALIGN_INT));
	values[5] = PointerGetDatum(construct_array(weight, team->n, FLOAT8OID,
												8, FLOAT8PASSBYVAL,
												TYPALIGN_DOUBLE));
	lr_companion_append("team_version", values, nulls);
	return id;
}

int64
lr_team_version(LrTeam *team)
{
	uint64		epoch = lr_companion_epoch();
	int64		hash;

	if (team->version != 0 && team->version_epoch == epoch)
		return team->version;
	hash = composition_hash(team);
	team->version = find_version(team, hash);
	if (team->version == 0)
		team->version = append_version(team, hash);
	team->version_epoch = epoch;
	return team->version;
}

void
lr_composition_of(HeapTuple row, TupleDesc desc, Datum **member, Datum **weight,
				  int *n)
{
	bool		isnull;

	deconstruct_array(DatumGetArrayTypeP(heap_getattr(row, 5, desc, &isnull)),
					  INT4OID, 4, true, TYPALIGN_INT, member, NULL, n);
	deconstruct_array(DatumGetArrayTypeP(heap_getattr(row, 6, desc, &isnull)),
					  FLOAT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, weight,
					  NULL, n);
}

/* ---------- giving a turn back ---------- */

/* Compositions by which this transaction has given turns back. */
typedef struct Former
{
	struct Former *next;
	LrTeam		team;			/* without members */
	int32	   *member;			/* id of each */
} Former;

static Former *formers = NULL;
static LocalTransactionId formers_lxid = InvalidLocalTransactionId;

/* Fills in what reserve.c needs of a team, from a row of team_version. */
static void
fill_former(Former *f, HeapTuple tuple, TupleDesc desc)
{
	LrDatabase *db = lr_database();
	LrTeam	   *team = &f->team;
	Datum	   *member;
	Datum	   *weight;
	double		factor;
	int			i;

	lr_composition_of(tuple, desc, &member, &weight, &team->n);
	team->serial = lr_team_serial();
	team->rotation = lr_rotation_slot(db, team->router, team->id);
	f->member = (int32 *) palloc((team->n + 1) * sizeof(int32));
	team->weight = (double *) palloc((team->n + 1) * sizeof(double));
	team->seat = (int *) palloc((team->n + 1) * sizeof(int));
	team->share = (int64 *) palloc((team->n + 1) * sizeof(int64));
	team->grade = (uint8 *) palloc0(team->n + 1);
	team->grades = 1;
	for (i = 0; i < team->n; i++)
	{
		f->member[i] = DatumGetInt32(member[i]);
		team->seat[i] = lr_seat_slot(db, team->router, team->id, f->member[i]);
		team->weight[i] = DatumGetFloat8(weight[i]);
		team->total_weight += team->weight[i];
	}
	factor = (double) LR_CREDIT_ONE / team->total_weight;
	for (i = 0; i < team->n; i++)
	{
		team->share[i] = (int64) (team->weight[i] * factor);
		team->share_sum += team->share[i];
	}
}

/* The composition of that id; NULL: it is not there. */
static Former *
former_team(int32 router, const LrTurn *turn)
{
	Relation	rel;
	HeapTuple	tuple;
	MemoryContext old;
	Former	   *f;

	if (formers_lxid != lr_my_lxid())
		formers = NULL;
	formers_lxid = lr_my_lxid();
	for (f = formers; f != NULL; f = f->next)
		if (f->team.version == turn->version)
			return f;

	rel = table_open(lr_relid("team_version"), AccessShareLock);
	tuple = lr_companion_row(rel, "team_version_id", turn->version, false);
	if (HeapTupleIsValid(tuple))
	{
		old = MemoryContextSwitchTo(TopTransactionContext);
		f = (Former *) palloc0(sizeof(Former));
		f->team.id = turn->team;
		f->team.router = router;
		f->team.version = turn->version;
		fill_former(f, tuple, RelationGetDescr(rel));
		f->next = formers;
		formers = f;
		MemoryContextSwitchTo(old);
	}
	table_close(rel, AccessShareLock);
	return f;
}

/* A bitmap of the journal, with the zero bytes that it leaves out. */
static uint8 *
whole_bitmap(struct varlena *bitmap, int n)
{
	uint8	   *bits;

	if (bitmap == NULL)
		return NULL;
	bits = (uint8 *) palloc0(LR_BITS_SIZE(n) + 1);
	memcpy(bits, VARDATA_ANY(bitmap),
		   Min(VARSIZE_ANY_EXHDR(bitmap), (Size) (n + 7) / 8));
	return bits;
}

void
lr_give_turn_back(int32 router, int32 member, const LrTurn *turn)
{
	Former	   *f = former_team(router, turn);
	LrStoredSet set = {turn->candidates, turn->accruing};
	LrReservation r = {0};

	/* half a restore: the turn is in no credit either, see fold.c */
	if (f == NULL ||
		(turn->set != 0 && !lr_candidate_set_read(turn->set, false, &set)))
		return;
	r.member_slot = LR_NO_SLOT;
	r.turn = turn->turn;
	r.month = turn->month;
	r.team = &f->team;
	while (r.chosen < f->team.n && f->member[r.chosen] != member)
		r.chosen++;
	if (r.chosen == f->team.n)
		elog(ERROR, "member id %d was not in team composition %lld", member,
			 (long long) turn->version);
	r.candidates = whole_bitmap(set.candidates, f->team.n);
	r.accruing = whole_bitmap(set.accruing, f->team.n);
	lr_reserve_return(&r);
}
