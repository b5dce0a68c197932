/*
 * lead.h
 *	  Reading and updating stored leads, by key, with their owner's rights.
 *
 * SQL on a lead table runs with the rights of the table's owner, under the
 * search_path of who attached it: who may call route or assign need not be able
 * to write leads, and cannot mislead the app's triggers.  Whoever calls has
 * locked the table (lr_table_lock).
 */
#ifndef LR_LEAD_H
#define LR_LEAD_H

#include "executor/spi.h"

#include "lead/mapped.h"
#include "base/owner_rights.h"
#include "lead/table.h"

/*
 * The row of a lead in the root's layout, locked if lock; NULL: there is no
 * such lead.  SPI is connected by the caller, who runs with the owner's rights
 * (lr_lead_become).  The slot lives in the current context.
 */
extern TupleTableSlot *lr_lead_fetch(LrTable *table, const char *key,
									 bool lock);

/*
 * Sets the owner (NULL: it stays) and mapped columns (NULL: none); error if no
 * row was updated.
 */
extern void lr_lead_update(LrTable *table, const char *key, const Datum *owner,
						   const LrMapped *mapped);

/* Sets that it has no owner. */
extern void lr_lead_clear_owner(LrTable *table, const char *key);

/*
 * Acts as the table's owner until lr_resign.  To read leads: as a restricted
 * operation.  To change them it cannot be one: the server would refuse
 * deferred triggers, foreign keys that are deferrable among them.  Such
 * triggers then run at the caller's commit, as after any UPDATE of his.
 */
extern void lr_lead_become(LrTable *table, bool to_read, LrRights *saved);

/* schema.name, quoted; with ONLY for a table that is not partitioned. */
extern char *lr_lead_relation(LrTable *table);

/* A slot for one whole-row value of "SELECT t FROM table t". */
extern TupleTableSlot *lr_lead_slot(LrTable *table, Datum row);

#endif							/* LR_LEAD_H */
