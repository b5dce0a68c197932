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
#include "base/scan.h"

/* How a router knows leads again. */
typedef struct LrMatching
{
	int			n;
	char	  **expr;			/* the texts */
	int64		sticky_window;	/* microseconds; -1: without end */
	int64		duplicate_window;	/* microseconds; 0: no lead is a duplicate */
	char	   *written_by;
	char	   *search_path;
} LrMatching;

/*
 * From the router's row, in this context; NULL: it has no sticky_key.
 */
extern LrMatching *lr_matching_read(LrScan *scan);

/*
 * The keys of a lead of a router that has any, in this context.  An expression
 * that cannot be evaluated gives none; *detail tells it.
 */
extern LrLeadKeys *lr_lead_keys(LrTable *table, LrBinding *b,
								TupleTableSlot *row, char **detail);

/* An interval in microseconds: a day has 24 hours, a month 30 days. */
extern int64 lr_interval_length(const Interval *interval);

#endif							/* LR_STICKY_KEY_H */
