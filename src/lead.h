/*
 * lead.h
 *	  Reading and updating stored leads, by key, with their owner's rights.
 *
 * SQL on a lead table runs with the rights of the table's owner: who may call
 * route or assign need not be able to write leads, and the app's triggers must
 * not run with the rights of the worker.
 */
#ifndef LR_LEAD_H
#define LR_LEAD_H

#include "executor/spi.h"

#include "table.h"

/*
 * The row of a lead in the root's layout, locked if lock; NULL: there is no
 * such lead.  SPI is connected by the caller, who runs with the owner's rights
 * (lr_lead_rights).  The slot lives in the current context.
 */
extern TupleTableSlot *lr_lead_fetch(LrTable *table, const char *key,
									 bool lock);

/* Sets the owner; error if no row was updated. */
extern void lr_lead_set_owner(LrTable *table, const char *key, Datum owner);

/* The role that owns the table. */
extern Oid	lr_lead_rights(LrTable *table);

/* schema.name, quoted; with ONLY for a table that is not partitioned. */
extern char *lr_lead_relation(LrTable *table);

/* A slot for one whole-row value of "SELECT t FROM table t". */
extern TupleTableSlot *lr_lead_slot(LrTable *table, Datum row);

#endif							/* LR_LEAD_H */
