/*
 * router_sql.c
 *	  SQL of a router over its leads, as its row says.  See router_sql.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/clock.h"
#include "config/router_sql.h"
#include "roster/claim.h"

/* A column that is an interval, in microseconds. */
static int64
window(LrScan *scan, const char *column, int64 if_null)
{
	bool		isnull;
	Datum		value = lr_scan_datum(scan, column, &isnull);

	return isnull ? if_null : lr_interval_length(DatumGetIntervalP(value));
}

LrMatching *
lr_matching_read(LrScan *scan)
{
	bool		isnull;
	Datum		value = lr_scan_datum(scan, "sticky_key", &isnull);
	LrMatching *m;
	Datum	   *element;
	bool	   *nulls;
	int			i;

	if (isnull)
		return NULL;
	m = (LrMatching *) palloc0(sizeof(LrMatching));
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &element, &nulls, &m->n);
	/* a restore may bring what check_config has not seen */
	m->n = Min(m->n, LR_MAX_STICKY_KEYS);
	if (m->n == 0)
		return NULL;
	m->expr = (char **) palloc(m->n * sizeof(char *));
	for (i = 0; i < m->n; i++)
		m->expr[i] = nulls[i] ? "NULL" : TextDatumGetCString(element[i]);
	m->sticky_window = window(scan, "sticky_window", -1);
	m->duplicate_window = window(scan, "duplicate_window", 0);
	m->written_by = lr_scan_text(scan, "written_by");
	m->search_path = lr_scan_text(scan, "search_path");
	return m;
}

LrTestWhen *
lr_test_when_read(LrScan *scan)
{
	char	   *expr = lr_scan_text(scan, "test_when");
	LrTestWhen *t;

	if (expr == NULL)
		return NULL;
	t = (LrTestWhen *) palloc(sizeof(LrTestWhen));
	t->expr = expr;
	t->written_by = lr_scan_text(scan, "written_by");
	t->search_path = lr_scan_text(scan, "search_path");
	return t;
}
