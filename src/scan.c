/*
 * scan.c
 *	  Reading leadroute's own tables on the path of a lead; see scan.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "config.h"
#include "scan.h"

static AttrNumber
column_number(TupleDesc desc, const char *column)
{
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), column) == 0)
			return i + 1;
	}
	elog(ERROR, "column \"%s\" of a leadroute table is missing", column);
	return 0;
}

static void
begin(LrScan *scan, const char *table, const char *index, int nkeys,
	  const char *const *column, const char *const *key)
{
	ScanKeyData skey[2];
	int			i;

	scan->rel = table_open(lr_relid(table), AccessShareLock);
	scan->desc = RelationGetDescr(scan->rel);
	scan->tuple = NULL;
	for (i = 0; i < nkeys; i++)
		ScanKeyEntryInitialize(&skey[i], 0,
							   column_number(scan->desc, column[i]),
							   BTEqualStrategyNumber, TEXTOID,
							   C_COLLATION_OID, F_TEXTEQ,
							   CStringGetTextDatum(key[i]));
	scan->sys = systable_beginscan(scan->rel,
								   nkeys > 0 ? lr_relid(index) : InvalidOid,
								   nkeys > 0, SnapshotSelf, nkeys, skey);
}

void
lr_scan_begin(LrScan *scan, const char *table, const char *index,
			  const char *key_column, const char *key)
{
	begin(scan, table, index, key != NULL, &key_column, &key);
}

void
lr_scan_begin_pair(LrScan *scan, const char *table, const char *index,
				   const char *first_column, const char *first,
				   const char *second_column, const char *second)
{
	const char *column[2];
	const char *key[2];

	column[0] = first_column;
	column[1] = second_column;
	key[0] = first;
	key[1] = second;
	begin(scan, table, index, 2, column, key);
}

bool
lr_scan_next(LrScan *scan)
{
	scan->tuple = systable_getnext(scan->sys);
	return HeapTupleIsValid(scan->tuple);
}

void
lr_scan_end(LrScan *scan)
{
	systable_endscan(scan->sys);
	table_close(scan->rel, AccessShareLock);
}

Datum
lr_scan_datum(LrScan *scan, const char *column, bool *isnull)
{
	return heap_getattr(scan->tuple, column_number(scan->desc, column),
						scan->desc, isnull);
}

int32
lr_scan_int(LrScan *scan, const char *column, int32 if_null)
{
	bool		isnull;
	Datum		value = lr_scan_datum(scan, column, &isnull);

	return isnull ? if_null : DatumGetInt32(value);
}

bool
lr_scan_bool(LrScan *scan, const char *column)
{
	bool		isnull;
	Datum		value = lr_scan_datum(scan, column, &isnull);

	return !isnull && DatumGetBool(value);
}

char *
lr_scan_text(LrScan *scan, const char *column)
{
	bool		isnull;
	Datum		value = lr_scan_datum(scan, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}
