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

/* Bytes of a varlena as it is stored; *shortened: with a short header. */
static inline Size
stored_size(const LrColumn *column, Datum value, bool *shortened)
{
	Pointer		p = DatumGetPointer(value);

	Assert(!VARATT_IS_EXTERNAL(p) && !VARATT_IS_COMPRESSED(p));
	*shortened = VARATT_IS_1B(p) ||
		(column->may_be_short && VARATT_CAN_MAKE_SHORT(p));
	if (!*shortened)
		return VARSIZE(p);
	return VARATT_IS_1B(p) ? VARSIZE_1B(p) : VARATT_CONVERTED_SHORT_SIZE(p);
}

/* Where data of these columns ends, if it begins at an aligned place. */
static Size
data_size(const LrColumn *columns, int n, Datum *values, const bool *nulls)
{
	Size		size = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		bool		shortened;
		Size		bytes;

		if (nulls[i])
			continue;
		if (columns[i].length > 0)
		{
			size = TYPEALIGN(columns[i].align, size) + columns[i].length;
			continue;
		}
		bytes = stored_size(&columns[i], values[i], &shortened);
		if (!shortened)
			size = TYPEALIGN(columns[i].align, size);
		size += bytes;
	}
	return size;
}

static inline char *
put_by_value(char *at, int length, Datum value)
{
	switch (length)
	{
		case 1:
			*at = DatumGetChar(value);
			break;
		case 2:
			*(int16 *) at = DatumGetInt16(value);
			break;
		case 4:
			*(int32 *) at = DatumGetInt32(value);
			break;
		default:
			*(Datum *) at = value;
			break;
	}
	return at + length;
}

static inline char *
put_varlena(char *at, const LrColumn *column, Datum value)
{
	Pointer		p = DatumGetPointer(value);
	bool		shortened;
	Size		bytes = stored_size(column, value, &shortened);

	if (!shortened)
	{
		at = (char *) TYPEALIGN(column->align, at);
		memcpy(at, p, bytes);
	}
	else if (VARATT_IS_1B(p))
		memcpy(at, p, bytes);
	else
	{
		SET_VARSIZE_SHORT(at, bytes);
		memcpy(at + 1, VARDATA(p), bytes - 1);
	}
	return at + bytes;
}

HeapTuple
lr_row_form(const LrColumn *columns, int n, Datum *values, const bool *nulls)
{
	HeapTuple	row;
	HeapTupleHeader header;
	bool		has_null = false;
	bool		has_varlena = false;
	Size		head = SizeofHeapTupleHeader;
	Size		length;
	char	   *at;
	int			i;

	while (n > 0 && nulls[n - 1])
		n--;
	for (i = 0; i < n; i++)
		has_null |= nulls[i];
	if (has_null)
		head += BITMAPLEN(n);
	head = MAXALIGN(head);
	length = head + data_size(columns, n, values, nulls);

	/* zeroed: gaps between columns and the bitmap */
	row = (HeapTuple) palloc0(HEAPTUPLESIZE + length);
	row->t_data = header = (HeapTupleHeader) ((char *) row + HEAPTUPLESIZE);
	row->t_len = length;
	ItemPointerSetInvalid(&row->t_self);
	row->t_tableOid = InvalidOid;
	HeapTupleHeaderSetDatumLength(header, length);
	HeapTupleHeaderSetTypeId(header, RECORDOID);
	HeapTupleHeaderSetTypMod(header, -1);
	ItemPointerSetInvalid(&header->t_ctid);
	HeapTupleHeaderSetNatts(header, n);
	header->t_hoff = head;

	at = (char *) header + head;
	for (i = 0; i < n; i++)
	{
		if (nulls[i])
			continue;
		if (has_null)
			header->t_bits[i >> 3] |= 1 << (i & 7);
		if (columns[i].length > 0)
			at = put_by_value((char *) TYPEALIGN(columns[i].align, at),
							  columns[i].length, values[i]);
		else
		{
			at = put_varlena(at, &columns[i], values[i]);
			has_varlena = true;
		}
	}
	header->t_infomask = (has_null ? HEAP_HASNULL : 0) |
		(has_varlena ? HEAP_HASVARWIDTH : 0);
	Assert(at == (char *) header + length);
	return row;
}
