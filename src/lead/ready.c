/*
 * ready.c
 *	  New leads that wait for more to be known of them.  See ready.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "expression/evaluate.h"
#include "expression/generated.h"
#include "lead/ready.h"

LrReady *
lr_ready_read(LrTable *table, LrScan *scan, Relation rel)
{
	char	   *text = lr_scan_text(scan, "ready_when");
	LrReady    *ready;
	Datum		within;
	bool		isnull;

	if (text == NULL)
		return NULL;
	ready = (LrReady *) palloc0(sizeof(LrReady));
	ready->when = lr_compile_table_for_leads(table, rel, text, LR_EXPR_BOOL,
											 lr_scan_text(scan, "written_by"),
											 lr_scan_text(scan, "search_path"),
											 "ready_when", &ready->broken);
	within = lr_scan_datum(scan, "ready_within", &isnull);
	ready->within = isnull ? -1 :
		lr_interval_length(DatumGetIntervalP(within));
	return ready;
}

bool
lr_is_ready(LrTable *table, TupleTableSlot *row, char **detail)
{
	const LrReady *ready = table->ready;
	bool		isnull;
	Datum		value;

	if (ready->when == NULL)
	{
		lr_add_detail(detail, "ready_when", ready->broken);
		return true;
	}
	if (!lr_evaluate_alone(table, row, ready->when, "ready_when", &value,
						   &isnull, detail))
		return true;
	return !isnull && DatumGetBool(value);
}

TimestampTz
lr_waits_until(const LrTable *table, TimestampTz since)
{
	const LrReady *ready = table->ready;

	if (ready == NULL)
		return since;
	if (ready->within < 0 || ready->within >= END_TIMESTAMP - since)
		return DT_NOEND;
	return since + ready->within;
}

char *
lr_ready_within_words(const LrTable *table)
{
	Interval	within = {0};

	within.time = table->ready->within;
	return DatumGetCString(DirectFunctionCall1(interval_out,
											   IntervalPGetDatum(&within)));
}
