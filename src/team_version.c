/*
 * team_version.c
 *	  The durable composition of a team, which journal rows refer to.
 *
 * A row is appended when a composition first decides something; the row of
 * another transaction serves as well once it is committed.  Two sessions may
 * append the same composition at once: harmless.
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

#include "append.h"
#include "config.h"
#include "reserve.h"

/*
 * Raised when a (sub)transaction that has appended rows is rolled back, or
 * prepared, so that it may be; what was found before, among own uncommitted
 * rows, is then looked up again.
 */
static uint64 epoch = 1;
static bool appended = false;

void
lr_team_version_abort(void)
{
	if (appended)
		epoch++;
}

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
	tuple = systable_getnext(sys);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

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
	lr_append_values("team_version", values, nulls);
	appended = true;
	return id;
}

int64
lr_team_version(LrTeam *team)
{
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
