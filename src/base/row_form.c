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
#include "port/pg_bitutils.h"

#include "base/compat.h"
#include "base/row_form.h"

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
lr_row_shape(TupleDesc desc, int n, LrRowShape *shape)
{
	int			i;

	Assert(n <= LR_ROW_COLUMNS);
	shape->n = n;
	shape->varlena = 0;
	for (i = 0; i < n; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		LrColumn   *column = &shape->column[i];

		if (att->attisdropped || !(att->attlen == -1 || att->attbyval))
			elog(ERROR, "column \"%s\" of leadroute's table cannot be formed",
				 NameStr(att->attname));
		column->length = (int8) att->attlen;
		column->align = align_bytes(att->attalign);
		column->may_be_short = att->attlen == -1 &&
			att->attstorage != TYPSTORAGE_PLAIN;
		if (att->attlen == -1)
			shape->varlena |= UINT64CONST(1) << i;
	}
}

/* Takes the first column out of a set, which is not empty. */
static inline int
next_column(uint64 *set)
{
	int			i = pg_rightmost_one_pos64(*set);

	*set &= *set - 1;
	return i;
}

/* Those that have a value. */
static inline uint64
present(int n, const bool *nulls)
{
	uint64		set = 0;
	int			i = 0;

#ifndef WORDS_BIGENDIAN
	/* eight at a time: the product has the lowest bits of all bytes in its last */
	for (; i + 8 <= n; i += 8)
	{
		uint64		eight;

		memcpy(&eight, &nulls[i], 8);
		eight ^= UINT64CONST(0x0101010101010101);
		set |= ((eight * UINT64CONST(0x0102040810204080)) >> 56) << i;
	}
#endif
	for (; i < n; i++)
		set |= (uint64) !nulls[i] << i;
	return set;
}

/* More than n columns take: their widths, and room to align each. */
static inline Size
enough(int n, uint64 varlenas, Datum *values)
{
	Size		size = n * 2 * sizeof(Datum);

	while (varlenas != 0)
	{
		Pointer		value = DatumGetPointer(values[next_column(&varlenas)]);

		size += VARSIZE_ANY(value);
	}
	return size;
}

/* The place of a value that is aligned; what lies before it is zero. */
static inline char *
put_gap(char *at, const LrColumn *column)
{
	memset(at, 0, MAXIMUM_ALIGNOF);
	return (char *) TYPEALIGN(column->align, at);
}

static inline char *
put_by_value(char *at, const LrColumn *column, Datum value)
{
	at = put_gap(at, column);
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
		at = put_gap(at, column);
		bytes = VARSIZE(p);
		memcpy(at, p, bytes);
	}
	return at + bytes;
}

/*
 * Puts header and data where there is room for them; returns the end.  set:
 * which of the n columns have a value.
 */
static char *
put_row(HeapTupleHeader header, const LrRowShape *shape, int n, uint64 set,
		bool has_null, Datum *values)
{
	Size		head = SizeofHeapTupleHeader + (has_null ? BITMAPLEN(n) : 0);
	char	   *at = (char *) header + MAXALIGN(head);
	uint64		left = set;
	int			i;

	memset(header, 0, MAXALIGN(head));
	if (has_null)
		for (i = 0; i < BITMAPLEN(n); i++)
			header->t_bits[i] = (bits8) (set >> (8 * i));
	while (left != 0)
	{
		const LrColumn *column;

		i = next_column(&left);
		column = &shape->column[i];
		at = column->length > 0 ? put_by_value(at, column, values[i]) :
			put_varlena(at, column, values[i]);
	}
	HeapTupleHeaderSetDatumLength(header, at - (char *) header);
	HeapTupleHeaderSetTypeId(header, RECORDOID);
	HeapTupleHeaderSetTypMod(header, -1);
	ItemPointerSetInvalid(&header->t_ctid);
	HeapTupleHeaderSetNatts(header, n);
	header->t_infomask = (has_null ? HEAP_HASNULL : 0) |
		((set & shape->varlena) != 0 ? HEAP_HASVARWIDTH : 0);
	header->t_hoff = MAXALIGN(head);
	return at;
}

HeapTuple
lr_row_form(const LrRowShape *shape, Datum *values, const bool *nulls)
{
	union
	{
		HeapTupleHeaderData header;
		char		bytes[1024];
		double		align;
	}			small;
	HeapTupleHeader header = &small.header;
	uint64		set = present(shape->n, nulls);
	int			n = set != 0 ? pg_leftmost_one_pos64(set) + 1 : 0;
	bool		has_null = (set & (set + 1)) != 0;
	HeapTuple	row;
	Size		room;
	Size		length;

	room = MAXALIGN(SizeofHeapTupleHeader + BITMAPLEN(n)) +
		enough(n, set & shape->varlena, values);
	if (room > sizeof(small))
		header = (HeapTupleHeader) palloc(room);
	length = put_row(header, shape, n, set, has_null, values) - (char *) header;

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
