/*
 * row_form.c
 *	  Forming rows of leadroute's own tables.  See row_form.h.
 *
 * Invariant: byte for byte what heap_form_tuple makes of the same columns,
 * see access/common/heaptuple.c; a build with assertions compares in
 * journal_batch.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"

#include "compat.h"
#include "row_form.h"

static uint8
align_bytes(char typalign)
{
	switch (typalign)
	{
		case TYPALIGN_CHAR:
			return 1;
		case TYPALIGN_SHORT:
			return ALIGNOF_SHORT;
		case TYPALIGN_INT:
			return ALIGNOF_INT;
		default:
			return ALIGNOF_DOUBLE;
	}
}

void
lr_row_columns(TupleDesc desc, int n, LrColumn *columns)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || !(att->attlen == -1 || att->attbyval))
			elog(ERROR, "column \"%s\" of leadroute's table cannot be formed",
				 NameStr(att->attname));
		columns[i].length = (int8) att->attlen;
		columns[i].align = align_bytes(att->attalign);
		columns[i].may_be_short = att->attlen == -1 &&
			att->attstorage != TYPSTORAGE_PLAIN;
	}
}

/* More than the row takes: the columns' widths and room to align each. */
static Size
enough(const LrColumn *columns, int n, Datum *values, const bool *nulls)
{
	Size		size = n * 2 * sizeof(Datum);
	int			i;

	for (i = 0; i < n; i++)
		if (columns[i].length < 0 && !nulls[i])
			size += VARSIZE_ANY(DatumGetPointer(values[i]));
	return size;
}

static inline char *
put_by_value(char *at, const LrColumn *column, Datum value)
{
	at = (char *) TYPEALIGN(column->align, at);
	switch (column->length)
	{
		case 8:
			*(Datum *) at = value;
			return at + 8;
		case 4:
			*(int32 *) at = DatumGetInt32(value);
			return at + 4;
		case 2:
			*(int16 *) at = DatumGetInt16(value);
			return at + 2;
		default:
			*at = DatumGetChar(value);
			return at + 1;
	}
}

static inline char *
put_varlena(char *at, const LrColumn *column, Datum value)
{
	Pointer		p = DatumGetPointer(value);
	Size		bytes;

	Assert(!VARATT_IS_EXTERNAL(p) && !VARATT_IS_COMPRESSED(p));
	if (VARATT_IS_1B(p))
	{
		bytes = VARSIZE_1B(p);
		memcpy(at, p, bytes);
	}
	else if (column->may_be_short && VARATT_CAN_MAKE_SHORT(p))
	{
		bytes = VARATT_CONVERTED_SHORT_SIZE(p);
		SET_VARSIZE_SHORT(at, bytes);
		memcpy(at + 1, VARDATA(p), bytes - 1);
	}
	else
	{
		at = (char *) TYPEALIGN(column->align, at);
		bytes = VARSIZE(p);
		memcpy(at, p, bytes);
	}
	return at + bytes;
}

/* Puts header and data where there is room for them; returns the end. */
static char *
put_row(HeapTupleHeader header, const LrColumn *columns, int n, Datum *values,
		const bool *nulls, bool has_null)
{
	Size		head = SizeofHeapTupleHeader + (has_null ? BITMAPLEN(n) : 0);
	char	   *at = (char *) header + MAXALIGN(head);
	bool		has_varlena = false;
	int			i;

	for (i = 0; i < n; i++)
	{
		if (nulls[i])
			continue;
		if (has_null)
			header->t_bits[i >> 3] |= 1 << (i & 7);
		if (columns[i].length > 0)
			at = put_by_value(at, &columns[i], values[i]);
		else
		{
			at = put_varlena(at, &columns[i], values[i]);
			has_varlena = true;
		}
	}
	HeapTupleHeaderSetDatumLength(header, at - (char *) header);
	HeapTupleHeaderSetTypeId(header, RECORDOID);
	HeapTupleHeaderSetTypMod(header, -1);
	ItemPointerSetInvalid(&header->t_ctid);
	HeapTupleHeaderSetNatts(header, n);
	header->t_infomask = (has_null ? HEAP_HASNULL : 0) |
		(has_varlena ? HEAP_HASVARWIDTH : 0);
	header->t_hoff = MAXALIGN(head);
	return at;
}

HeapTuple
lr_row_form(const LrColumn *columns, int n, Datum *values, const bool *nulls)
{
	union
	{
		HeapTupleHeaderData header;
		char		bytes[1024];
		double		align;
	}			small;
	HeapTupleHeader header = &small.header;
	HeapTuple	row;
	bool		has_null = false;
	Size		room;
	Size		length;
	int			i;

	while (n > 0 && nulls[n - 1])
		n--;
	for (i = 0; i < n; i++)
		has_null |= nulls[i];
	room = MAXALIGN(SizeofHeapTupleHeader + BITMAPLEN(n)) +
		enough(columns, n, values, nulls);
	if (room > sizeof(small))
		header = (HeapTupleHeader) palloc(room);
	/* zeroed: the bitmap and the gaps between columns */
	memset(header, 0, room);
	length = put_row(header, columns, n, values, nulls, has_null) -
		(char *) header;

	/* rows that wait lie close together: no more than it takes */
	row = (HeapTuple) palloc(HEAPTUPLESIZE + length);
	row->t_len = length;
	ItemPointerSetInvalid(&row->t_self);
	row->t_tableOid = InvalidOid;
	row->t_data = (HeapTupleHeader) ((char *) row + HEAPTUPLESIZE);
	memcpy(row->t_data, header, length);
	if (header != &small.header)
		pfree(header);
	return row;
}
