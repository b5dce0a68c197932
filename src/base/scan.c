/*
 * scan.c
 *	  Reading leadroute's own tables on the path of a lead; see scan.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/generation.h"
#include "base/scan.h"

static bool
is_column(TupleDesc desc, int attno, const char *column)
{
	Form_pg_attribute att = TupleDescAttr(desc, attno - 1);

	return !att->attisdropped && strcmp(NameStr(att->attname), column) == 0;
}

/* Callers pass literals: where one was found last is the first guess. */
static AttrNumber
column_number(TupleDesc desc, const char *column)
{
	static AttrNumber guess[256];
	int			at = ((uintptr_t) column >> 2) % lengthof(guess);
	int			i;

	if (guess[at] > 0 && guess[at] <= desc->natts &&
		is_column(desc, guess[at], column))
		return guess[at];
	for (i = 1; i <= desc->natts; i++)
		if (is_column(desc, i, column))
			return guess[at] = i;
	elog(ERROR, "column \"%s\" of a leadroute table is missing", column);
	return 0;
}

static void
begin(LrScan *scan, const char *table, const char *index, int nkeys,
	  const char *const *column, const char *const *key)
{
	ScanKeyData skey[2];
	bool		by_index;
	int			i;

	scan->rel = table_open(lr_relid(table), AccessShareLock);
	scan->desc = RelationGetDescr(scan->rel);
	scan->tuple = NULL;
	/* many tables of many routers are empty: a new session spares the index */
	by_index = nkeys > 0 && RelationGetNumberOfBlocks(scan->rel) > 0;
	for (i = 0; i < nkeys; i++)
		ScanKeyEntryInitialize(&skey[i], 0,
							   column_number(scan->desc, column[i]),
							   BTEqualStrategyNumber, TEXTOID,
							   C_COLLATION_OID, F_TEXTEQ,
							   CStringGetTextDatum(key[i]));
	scan->sys = systable_beginscan(scan->rel,
								   by_index ? lr_relid(index) : InvalidOid,
								   by_index, SnapshotSelf, nkeys, skey);
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

void
lr_scan_begin_after(LrScan *scan, const char *table, const char *index,
					const char *key_column, const char *key,
					const char *column, int64 after)
{
	ScanKeyData skey[2];

	scan->rel = table_open(lr_relid(table), AccessShareLock);
	scan->desc = RelationGetDescr(scan->rel);
	scan->tuple = NULL;
	ScanKeyEntryInitialize(&skey[0], 0, column_number(scan->desc, key_column),
						   BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID,
						   F_TEXTEQ, CStringGetTextDatum(key));
	ScanKeyInit(&skey[1], column_number(scan->desc, column),
				BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(after));
	scan->sys = systable_beginscan(scan->rel, lr_relid(index), true,
								   SnapshotSelf, 2, skey);
}

/* Rows whose value in a column is equal, by the type's function for that. */
static void
begin_equal(LrScan *scan, const char *table, const char *index,
			const char *column, RegProcedure equal, Datum value)
{
	ScanKeyData skey;

	scan->rel = table_open(lr_relid(table), AccessShareLock);
	scan->desc = RelationGetDescr(scan->rel);
	scan->tuple = NULL;
	ScanKeyInit(&skey, column_number(scan->desc, column),
				BTEqualStrategyNumber, equal, value);
	scan->sys = systable_beginscan(scan->rel, lr_relid(index), true,
								   SnapshotSelf, 1, &skey);
}

void
lr_scan_begin_id(LrScan *scan, const char *table, const char *index,
				 const char *column, int32 id)
{
	begin_equal(scan, table, index, column, F_INT4EQ, Int32GetDatum(id));
}

void
lr_scan_begin_long(LrScan *scan, const char *table, const char *index,
				   const char *column, int64 value)
{
	begin_equal(scan, table, index, column, F_INT8EQ, Int64GetDatum(value));
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

AttrNumber
lr_scan_column(LrScan *scan, const char *column)
{
	return column_number(scan->desc, column);
}

/* The scan's slot takes a row apart once, as far as somebody has asked. */
Datum
lr_scan_datum_at(LrScan *scan, AttrNumber column, bool *isnull)
{
	return slot_getattr(scan->sys->slot, column, isnull);
}

int32
lr_scan_int_at(LrScan *scan, AttrNumber column, int32 if_null)
{
	bool		isnull;
	Datum		value = lr_scan_datum_at(scan, column, &isnull);

	return isnull ? if_null : DatumGetInt32(value);
}

bool
lr_scan_bool_at(LrScan *scan, AttrNumber column)
{
	bool		isnull;
	Datum		value = lr_scan_datum_at(scan, column, &isnull);

	return !isnull && DatumGetBool(value);
}

char *
lr_scan_text_at(LrScan *scan, AttrNumber column)
{
	bool		isnull;
	Datum		value = lr_scan_datum_at(scan, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

Datum
lr_scan_datum(LrScan *scan, const char *column, bool *isnull)
{
	return lr_scan_datum_at(scan, lr_scan_column(scan, column), isnull);
}

int32
lr_scan_int(LrScan *scan, const char *column, int32 if_null)
{
	return lr_scan_int_at(scan, lr_scan_column(scan, column), if_null);
}

bool
lr_scan_bool(LrScan *scan, const char *column)
{
	return lr_scan_bool_at(scan, lr_scan_column(scan, column));
}

char *
lr_scan_text(LrScan *scan, const char *column)
{
	return lr_scan_text_at(scan, lr_scan_column(scan, column));
}
