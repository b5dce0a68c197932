/*
 * brin_range.h
 *	  Whether a BRIN index needs to hear of a new row at all.
 */
#ifndef LR_BRIN_RANGE_H
#define LR_BRIN_RANGE_H

#include "storage/block.h"
#include "utils/relcache.h"

/*
 * The range of pages that holds this one has no summary, so that inserting into
 * the index would do nothing.  The row is in the table already; the index is
 * locked.
 */
extern bool lr_brin_unsummarized(Relation index, BlockNumber block);

#endif							/* LR_BRIN_RANGE_H */
