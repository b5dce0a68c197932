/*
 * load.c
 *	  What a lead counts in its owner's load.  See load.h.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "config.h"
#include "evaluate.h"
#include "journal_row.h"
#include "load.h"

/* A load that fits; LR_LEAD_LOAD, and *detail says why, if it does not. */
static int
checked(double value, char **detail)
{
	if (value >= 0 && value <= PG_INT32_MAX)
		return (int) rint(value);
	lr_add_detail(detail, "load",
				  psprintf("%g is not from 0 to %d", value, PG_INT32_MAX));
	return LR_LEAD_LOAD;
}

int
lr_lead_load(LrTable *table, TupleTableSlot *row, char **detail)
{
	LrEvaluation ev;
	bool		isnull;
	Datum		value;

	if (!table->has_load)
		return LR_LEAD_LOAD;
	if (table->load == NULL)
	{
		lr_add_detail(detail, "load", table->load_broken);
		return LR_LEAD_LOAD;
	}
	lr_evaluation_begin(&ev, table, row);
	lr_evaluate_generated(&ev, table->load, detail);
	value = lr_evaluate(&ev, table->load, &isnull);
	lr_evaluation_end(&ev);
	if (ev.error)
		lr_add_detail(detail, "load", ev.error);
	return isnull ? LR_LEAD_LOAD : checked(DatumGetFloat8(value), detail);
}

int
lr_assignment_load(int64 assignment, int load)
{
	Relation	rel = table_open(lr_relid("event"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc sys;
	HeapTuple	row;

	ScanKeyInit(&key, E_ASSIGNMENT + 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(assignment));
	sys = systable_beginscan(rel, lr_relid("event_assignment"), true,
							 SnapshotSelf, 1, &key);
	while ((row = systable_getnext(sys)) != NULL)
	{
		bool		isnull;

		load += DatumGetInt32(heap_getattr(row, E_LOAD + 1,
										   RelationGetDescr(rel), &isnull));
	}
	systable_endscan(sys);
	table_close(rel, AccessShareLock);
	return load;
}
