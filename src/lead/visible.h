/*
 * visible.h
 *	  What a caller may see of a lead: what a SELECT of his would show him, row
 *	  security included; and whether an UPDATE of his could change it.
 *
 * All of it runs with the caller's rights.
 */
#ifndef LR_VISIBLE_H
#define LR_VISIBLE_H

#include "lead/table.h"

/* Whether the caller sees the lead; SPI is connected.  He may read its key. */
extern bool lr_lead_is_visible(LrTable *table, const char *key);

/* Whether row security may hide leads from the caller. */
extern bool lr_leads_hidden(LrTable *table);

/*
 * Error as for a lead that is not there, unless the caller sees it; what_not is
 * then not done, in words before "you" ("explained to").  SPI is connected.
 */
extern void lr_require_visible(LrTable *table, const char *key,
							   const char *what_not);

/*
 * Whether the caller could UPDATE the lead: this column (InvalidAttrNumber: any).
 * Where row security may hide leads from him, it is locked.  SPI is connected.
 */
extern bool lr_may_update_lead(LrTable *table, const char *key,
							   AttrNumber column);

/* Whether the caller may name the columns of a key in a query. */
extern bool lr_may_read_key(LrTable *table);

/* The columns that the caller may read, by number - 1; NULL: all. */
extern bool *lr_visible_columns(LrTable *table);

#endif							/* LR_VISIBLE_H */
