/*
 * changes.h
 *	  Configuration as it is written: checks, versions, history.
 */
#ifndef LR_CHANGES_H
#define LR_CHANGES_H

#include "access/htup.h"
#include "access/tupdesc.h"

/* Whether two rows of a table are the same, value by value. */
extern bool lr_same_row(TupleDesc desc, HeapTuple a, HeapTuple b);

/* Versions that leadroute.rule_change reaches back to at least. */
#define LR_RULE_CHANGES_KEPT	500

/* Whether this transaction has changed configuration, of any router. */
extern bool lr_changes_pending(void);

/* Transaction callbacks: which routers' versions this transaction raised. */
extern void lr_changes_end(void);
extern void lr_changes_commit_sub(int nest);
extern void lr_changes_abort_sub(int nest);

#endif							/* LR_CHANGES_H */
