/*
 * row_value.c
 *	  A row with one value more; see row_value.h.
 *
 * The owner of a lead is set in a row that is complete otherwise.  Taking it
 * apart and forming it anew costs a wide lead more than deciding it; here what
 * stands before the value and after it is copied as it is.
 *
 * Invariant: byte for byte what heap_form_tuple makes of the same values, for a
 * row that heap_form_tuple has made; a build with assertions compares.  Data
 * begins at a multiple of MAXIMUM_ALIGNOF, so what is aligned in one row is so
 * at the same offset in another.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupmacs.h"

#include "base/compat.h"
#include "base/row_value.h"

/* Where a value that is stored begins, from where the one before it ends. */
static inline char *
value_begin(Form_pg_attribute att, char *at)
{
	if (att->attlen == -1 && VARATT_NOT_PAD_BYTE(at))
		return at;
	return (char *) att_align_nominal((uintptr_t) at, att->attalign);
}

static inline char *
value_end(Form_pg_attribute att, char *begin)
{
	return (char *) att_addlength_pointer((uintptr_t) begin, att->attlen, begin);
}

/* Puts zeros up to the place of a value that is aligned. */
static inline char *
put_gap(Form_pg_attribute att, char *at)
{
	char	   *begin = (char *) att_align_nominal((uintptr_t) at, att->attalign);

	memset(at, 0, begin - at);
	return begin;
}

/* Puts a value behind others; returns its end. */
static char *
put_value(Form_pg_attribute att, char *at, Datum value)
{
	Pointer		p = DatumGetPointer(value);
	Size		size;

	if (att->attbyval)
	{
		at = put_gap(att, at);
		store_att_byval(at, value, att->attlen);
		return at + att->attlen;
	}
	if (att->attlen == -1 && VARATT_IS_SHORT(p))
	{
		memcpy(at, p, VARSIZE_SHORT(p));
		return at + VARSIZE_SHORT(p);
	}
	if (att->attlen == -1 && att->attstorage != TYPSTORAGE_PLAIN &&
		VARATT_CAN_MAKE_SHORT(p))
	{
		size = VARATT_CONVERTED_SHORT_SIZE(p);
		SET_VARSIZE_SHORT(at, size);
		memcpy(at + 1, VARDATA(p), size - 1);
		return at + size;
	}
	at = put_gap(att, at);
	size = att->attlen == -1 ? VARSIZE(p) : (Size) att->attlen;
	memcpy(at, p, size);
	return at + size;
}

/*
 * Puts the values of a row behind the one that is new: from column number i on,
 * which stand from `from` to `end`.  Returns the end.
 */
static char *
put_rest(TupleDesc desc, HeapTupleHeader row, int i, char *from, char *end,
		 char *to)
{
	for (; from < end && i < desc->natts; i++)
	{
		Form_pg_attribute att;
		char	   *begin;
		char	   *next;

		/* all that follows is aligned here as it is there */
		if (((uintptr_t) to - (uintptr_t) from) % MAXIMUM_ALIGNOF == 0)
		{
			memcpy(to, from, end - from);
			return to + (end - from);
		}
		if (att_isnull(i, row->t_bits))
			continue;
		att = TupleDescAttr(desc, i);
		begin = value_begin(att, from);
		next = value_end(att, begin);
		/* a short varlena is not aligned, nor is one that is out of line */
		if (att->attlen != -1 || !VARATT_IS_1B(begin))
			to = put_gap(att, to);
		memcpy(to, begin, next - begin);
		to += next - begin;
		from = next;
	}
	return to;
}

/* Whether the bitmap has no NULL among n columns. */
static bool
is_full(const bits8 *bits, int n)
{
	int			i;

	for (i = 0; i < n / 8; i++)
		if (bits[i] != 0xFF)
			return false;
	return n % 8 == 0 || (bits[i] & ((1 << (n % 8)) - 1)) == (1 << (n % 8)) - 1;
}

/* Room for the value, and to align it and each column behind it anew. */
static Size
enough(HeapTuple row, Form_pg_attribute att, int behind, Datum value)
{
	Size		size = att->attlen == -1 ? VARSIZE_ANY(DatumGetPointer(value)) :
		(Size) att->attlen;

	return MAXALIGN(row->t_len) + MAXALIGN(size) +
		(behind + 1) * MAXIMUM_ALIGNOF;
}

static HeapTuple
with_value(TupleDesc desc, HeapTuple row, int column, Datum value)
{
	HeapTupleHeader from = row->t_data;
	Form_pg_attribute att = TupleDescAttr(desc, column);
	int			n = desc->natts;
	char	   *data = (char *) from + from->t_hoff;
	char	   *at = data;
	HeapTuple	result;
	HeapTupleHeader header;
	bits8		bits[(MaxHeapAttributeNumber + 7) / 8];
	bool		has_null;
	char	   *to;
	int			i;

	for (i = 0; i < column; i++)
		if (!att_isnull(i, from->t_bits))
			at = value_end(TupleDescAttr(desc, i),
						   value_begin(TupleDescAttr(desc, i), at));
	memcpy(bits, from->t_bits, BITMAPLEN(n));
	bits[column >> 3] |= 1 << (column & 7);
	has_null = !is_full(bits, n);

	result = (HeapTuple) palloc(HEAPTUPLESIZE +
								enough(row, att, n - column, value));
	header = result->t_data = (HeapTupleHeader) ((char *) result +
												 HEAPTUPLESIZE);
	memset(header, 0, SizeofHeapTupleHeader);
	header->t_hoff = MAXALIGN(SizeofHeapTupleHeader +
							  (has_null ? BITMAPLEN(n) : 0));
	memset(header->t_bits, 0, header->t_hoff - SizeofHeapTupleHeader);
	if (has_null)
		memcpy(header->t_bits, bits, BITMAPLEN(n));
	to = (char *) header + header->t_hoff;
	memcpy(to, data, at - data);
	to = put_value(att, to + (at - data), value);
	to = put_rest(desc, from, column + 1, at, (char *) from + row->t_len, to);

	result->t_len = to - (char *) header;
	ItemPointerSetInvalid(&result->t_self);
	result->t_tableOid = InvalidOid;
	HeapTupleHeaderSetDatumLength(header, result->t_len);
	HeapTupleHeaderSetTypeId(header, desc->tdtypeid);
	HeapTupleHeaderSetTypMod(header, desc->tdtypmod);
	ItemPointerSetInvalid(&header->t_ctid);
	HeapTupleHeaderSetNatts(header, n);
	header->t_infomask = (from->t_infomask & (HEAP_HASVARWIDTH | HEAP_HASEXTERNAL)) |
		(has_null ? HEAP_HASNULL : 0) |
		(att->attlen == -1 ? HEAP_HASVARWIDTH : 0);
	return result;
}

/* The usual way. */
static HeapTuple
formed_anew(TupleDesc desc, HeapTuple row, int column, Datum value)
{
	Datum	   *values = (Datum *) palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = (bool *) palloc(desc->natts * sizeof(bool));
	HeapTuple	result;

	heap_deform_tuple(row, desc, values, nulls);
	values[column] = value;
	nulls[column] = false;
	result = heap_form_tuple(desc, values, nulls);
	pfree(values);
	pfree(nulls);
	return result;
}

HeapTuple
lr_row_with_value(TupleDesc desc, HeapTuple row, AttrNumber column, Datum value)
{
	HeapTuple	result;

	/* a row that lacks columns, or has a value already */
	if (HeapTupleHeaderGetNatts(row->t_data) != desc->natts ||
		!HeapTupleHasNulls(row) ||
		!att_isnull(column - 1, row->t_data->t_bits))
		return formed_anew(desc, row, column - 1, value);
	result = with_value(desc, row, column - 1, value);
#ifdef USE_ASSERT_CHECKING
	{
		HeapTuple	usual = formed_anew(desc, row, column - 1, value);

		Assert(usual->t_len == result->t_len &&
			   memcmp(usual->t_data, result->t_data, result->t_len) == 0);
		heap_freetuple(usual);
	}
#endif
	return result;
}
