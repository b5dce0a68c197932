/*
 * row_form.h
 *	  Forming rows of leadroute's own tables.
 *
 * A row of the journal is formed for every lead.  The server's own
 * heap_form_tuple goes twice through descriptions of a hundred bytes a column,
 * which one decision of one row finds in no cache; these have three.
 */
#ifndef LR_ROW_FORM_H
#define LR_ROW_FORM_H

#include "access/htup.h"
#include "access/tupdesc.h"

/* How values of a column are stored. */
typedef struct LrColumn
{
	int8		length;			/* 1, 2, 4 or 8 by value; -1: varlena */
	uint8		align;			/* 1, 2, 4 or 8 */
	bool		may_be_short;	/* short values lose their long header */
} LrColumn;

/* A set of columns is a bitmap, the first one the lowest bit. */
#define LR_ROW_COLUMNS	64

typedef struct LrRowShape
{
	int			n;
	uint64		varlena;
	LrColumn	column[LR_ROW_COLUMNS];
} LrRowShape;

/*
 * Describes the first n columns, LR_ROW_COLUMNS at most.  Other kinds of columns
 * are an error.
 */
extern void lr_row_shape(TupleDesc desc, int n, LrRowShape *shape);

/*
 * Forms a row in the current memory context, as heap_form_tuple does.  It ends
 * with the last column that is not NULL; the server reads the missing ones as
 * NULL.  Varlena values are plain: neither compressed nor out of line.
 */
extern HeapTuple lr_row_form(const LrRowShape *shape, Datum *values,
							 const bool *nulls);

#endif							/* LR_ROW_FORM_H */
