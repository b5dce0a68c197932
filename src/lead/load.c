/*
 * load.c
 *	  What a lead counts in its owner's load.  See load.h.
 */
#include "postgres.h"

#include <math.h>

#include "base/scan.h"
#include "expression/evaluate.h"
#include "journal/journal_row.h"
#include "lead/load.h"

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
	bool		isnull;
	Datum		value;

	if (!table->has_load)
		return LR_LEAD_LOAD;
	if (table->load == NULL)
	{
		lr_add_detail(detail, "load", table->load_broken);
		return LR_LEAD_LOAD;
	}
	(void) lr_evaluate_alone(table, row, table->load, "load", &value, &isnull,
							 detail);
	return isnull ? LR_LEAD_LOAD : checked(DatumGetFloat8(value), detail);
}

int
lr_assignment_load(int64 assignment, int load)
{
	LrScan		scan;

	lr_scan_begin_long(&scan, "event", "event_assignment", "assignment",
					   assignment);
	while (lr_scan_next(&scan))
		load += lr_scan_int_at(&scan, E_LOAD + 1, 0);
	lr_scan_end(&scan);
	return load;
}
