/*
 * sticky_key.h
 *	  What a lead is known by: router.sticky_key, SQL over the lead.
 *
 * A key is the value of an expression as text; NULL and the empty text are
 * none.  Which expression gave it does not matter: the mobile phone of one lead
 * may be the office phone of another.  What is stored and compared are the
 * first 16 bytes of the SHA-256 of the text, so rows are small, texts of any
 * length fit an index, and no list of addresses is kept.
 */
#ifndef LR_STICKY_KEY_H
#define LR_STICKY_KEY_H

#include "lead/binding.h"
#include "roster/claim.h"

/*
 * The keys of a lead of a router that has any, in this context.  An expression
 * that cannot be evaluated gives none; *detail tells it.
 */
extern LrLeadKeys *lr_lead_keys(LrTable *table, LrBinding *b,
								TupleTableSlot *row, char **detail);

#endif							/* LR_STICKY_KEY_H */
