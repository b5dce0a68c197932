/*
 * visible.h
 *	  What a caller may see of a lead: what a SELECT of his would show him, row
 *	  security included.
 *
 * All of it runs with the caller's rights.
 */
#ifndef LR_VISIBLE_H
#define LR_VISIBLE_H

#include "table.h"

/* Whether the caller sees the lead; SPI is connected.  He may read its key. */
extern bool lr_lead_is_visible(LrTable *table, const char *key);

/* Whether the caller may name the columns of a key in a query. */
extern bool lr_may_read_key(LrTable *table);

/* The columns that the caller may read, by number - 1; NULL: all. */
extern bool *lr_visible_columns(LrTable *table);

#endif							/* LR_VISIBLE_H */
