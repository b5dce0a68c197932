/*
 * value_text.h
 *	  Values in words, for people: as a literal, cut when it is long.
 */
#ifndef LR_VALUE_TEXT_H
#define LR_VALUE_TEXT_H

#include "access/tupdesc.h"

/*
 * A value of a type, 'quoted' unless it is a number or a boolean, under the
 * session's settings.  Runs the type's output function with the rights of who
 * acts.
 */
extern char *lr_value_text(Oid type, Datum value);

/* column = value, or column is null; the column's name as SQL writes it. */
extern char *lr_column_text(TupleDesc desc, int attno, Datum value,
							bool isnull);

#endif							/* LR_VALUE_TEXT_H */
