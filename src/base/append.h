/*
 * append.h
 *	  Writing leadroute's own append-mostly tables through the access methods.
 *
 * The one small interface behind which writing stands: no SPI, no snapshot,
 * no privileges of whoever inserts a lead, no triggers, no foreign keys.
 */
#ifndef LR_APPEND_H
#define LR_APPEND_H

#include "access/htup.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

/*
 * Appends rows to a table of the schema.  A row whose unique key may be taken
 * already makes on_conflict be called with it (NULL: error).  Indexes of these
 * tables have plain columns; BRIN ones over bigint and timestamps only.
 */
typedef void (*LrConflictFn) (Relation rel, HeapTuple row);
extern void lr_append(const char *table, HeapTuple *rows, int n,
					  LrConflictFn on_conflict);

/* The same for one row. */
extern void lr_append_values(const char *table, Datum *values, bool *nulls);

/* Replaces the row at tid; nobody else may be changing it. */
extern void lr_replace(Relation rel, ItemPointer tid, HeapTuple row);

/* Deletes the row at tid. */
extern void lr_remove(Relation rel, ItemPointer tid);

#endif							/* LR_APPEND_H */
