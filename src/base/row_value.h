/*
 * row_value.h
 *	  A row with one value more.
 */
#ifndef LR_ROW_VALUE_H
#define LR_ROW_VALUE_H

#include "access/htup.h"
#include "access/tupdesc.h"

/*
 * A row as it is with a value where it has NULL, in the current memory context,
 * as heap_form_tuple makes it.  Varlena values are plain: neither compressed nor
 * out of line.
 */
extern HeapTuple lr_row_with_value(TupleDesc desc, HeapTuple row,
								   AttrNumber column, Datum value);

#endif							/* LR_ROW_VALUE_H */
