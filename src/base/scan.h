/*
 * scan.h
 *	  Reading leadroute's own tables on the path of a lead.
 *
 * With SnapshotSelf: what is committed now plus the transaction's own changes.
 * A snapshot of the transaction could be older than the lead; an MVCC scan
 * under SERIALIZABLE would leave predicate locks and cause failures that the
 * bare lead table does not have.
 */
#ifndef LR_SCAN_H
#define LR_SCAN_H

#include "access/genam.h"
#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/relcache.h"

typedef struct LrScan
{
	Relation	rel;
	SysScanDesc sys;
	TupleDesc	desc;
	HeapTuple	tuple;			/* current row; valid until the next step */
} LrScan;

/* Rows of a table whose first text key column equals key; NULL: all rows. */
extern void lr_scan_begin(LrScan *scan, const char *table, const char *index,
						  const char *key_column, const char *key);

/* The row of a table whose key is two text columns. */
extern void lr_scan_begin_pair(LrScan *scan, const char *table,
							   const char *index, const char *first_column,
							   const char *first, const char *second_column,
							   const char *second);

/* The same for rows with an int8 column greater than `after` beside. */
extern void lr_scan_begin_after(LrScan *scan, const char *table,
								const char *index, const char *key_column,
								const char *key, const char *column,
								int64 after);

/* Rows with a value in an int8 column. */
extern void lr_scan_begin_long(LrScan *scan, const char *table,
							   const char *index, const char *column,
							   int64 value);

/* The row of a unique int4 column. */
extern void lr_scan_begin_id(LrScan *scan, const char *table,
							 const char *index, const char *column, int32 id);
extern bool lr_scan_next(LrScan *scan);
extern void lr_scan_end(LrScan *scan);

/* Columns of the current row by name; text is copied into this context. */
extern Datum lr_scan_datum(LrScan *scan, const char *column, bool *isnull);
extern int32 lr_scan_int(LrScan *scan, const char *column, int32 if_null);
extern bool lr_scan_bool(LrScan *scan, const char *column);
extern char *lr_scan_text(LrScan *scan, const char *column);

/* The same by number, for scans of many rows; lr_scan_column tells it. */
extern AttrNumber lr_scan_column(LrScan *scan, const char *column);
extern Datum lr_scan_datum_at(LrScan *scan, AttrNumber column, bool *isnull);
extern int32 lr_scan_int_at(LrScan *scan, AttrNumber column, int32 if_null);
extern bool lr_scan_bool_at(LrScan *scan, AttrNumber column);
extern char *lr_scan_text_at(LrScan *scan, AttrNumber column);

#endif							/* LR_SCAN_H */
