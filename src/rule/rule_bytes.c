/*
 * rule_bytes.c
 *	  The memory in which an image is written; see rule_bytes.h.
 *
 * A varlena is written without compression and not out of line, since a reader
 * in another backend cannot follow a pointer; a short header is kept for the
 * types whose functions take it as it is.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "rule/rule_bytes.h"

void
lr_bytes_begin(LrBytes *bytes, MemoryContext where, Size size)
{
	memset(bytes, 0, sizeof(*bytes));
	bytes->allocated = size;
	bytes->data = (char *) MemoryContextAllocHuge(where, size);
}

LrOffset
lr_bytes_reserve(LrBytes *bytes, Size size, Size align)
{
	Size		at = TYPEALIGN(align, bytes->size);

	if (at + size > PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the rules of a router take more than 4 GB"),
				 errhint("Distribute them over several routers.")));
	if (at + size > bytes->allocated)
	{
		while (at + size > bytes->allocated)
			bytes->allocated *= 2;
		bytes->data = (char *) repalloc_huge(bytes->data, bytes->allocated);
	}
	memset(bytes->data + bytes->size, 0, at + size - bytes->size);
	bytes->size = at + size;
	return (LrOffset) at;
}

LrOffset
lr_bytes_add(LrBytes *bytes, const void *from, Size size, Size align)
{
	LrOffset	at = lr_bytes_reserve(bytes, size, align);

	memcpy(bytes->data + at, from, size);
	return at;
}

LrOffset
lr_bytes_text(LrBytes *bytes, const char *text)
{
	return text == NULL ? 0 : lr_bytes_add(bytes, text, strlen(text) + 1, 1);
}

LrOffset
lr_bytes_shared(LrBytes *bytes, LrSharedText which, const char *text)
{
	if (text == NULL)
		return 0;
	if (bytes->shared_text[which] == NULL ||
		strcmp(bytes->shared_text[which], text) != 0)
	{
		bytes->shared_text[which] = text;
		bytes->shared_offset[which] = lr_bytes_text(bytes, text);
	}
	return bytes->shared_offset[which];
}

/* Takes a part of a room, or reserves it. */
static LrOffset
place(LrBytes *bytes, LrRoom *room, Size size, Size align)
{
	LrOffset	at;

	if (room == NULL || TYPEALIGN(align, room->at) + size > room->end)
		return lr_bytes_reserve(bytes, size, align);
	at = TYPEALIGN(align, room->at);
	room->at = at + size;
	return at;
}

static LrOffset
add_varlena(LrBytes *bytes, LrRoom *room, Oid type, struct varlena *v)
{
	Size		size = VARSIZE_ANY_EXHDR(v);
	bool		is_text = type == TEXTOID || type == VARCHAROID ||
		type == BPCHAROID;
	LrOffset	at;

	if (is_text && size + VARHDRSZ_SHORT <= VARATT_SHORT_MAX)
	{
		at = place(bytes, room, size + VARHDRSZ_SHORT, 1);
		SET_VARSIZE_SHORT(bytes->data + at, size + VARHDRSZ_SHORT);
		memcpy(bytes->data + at + VARHDRSZ_SHORT, VARDATA_ANY(v), size);
	}
	else
	{
		at = place(bytes, room, size + VARHDRSZ, MAXIMUM_ALIGNOF);
		SET_VARSIZE(bytes->data + at, size + VARHDRSZ);
		memcpy(bytes->data + at + VARHDRSZ, VARDATA_ANY(v), size);
	}
	return at;
}

LrOffset
lr_bytes_value(LrBytes *bytes, LrRoom *room, Oid type, int16 len, bool byval,
			   Datum value)
{
	const void *from = byval ? (const void *) &value : DatumGetPointer(value);
	Size		size;
	LrOffset	at;

	if (!byval && len == -1)
		return add_varlena(bytes, room, type, PG_DETOAST_DATUM_PACKED(value));
	size = byval ? sizeof(Datum) : datumGetSize(value, byval, len);
	at = place(bytes, room, size, MAXIMUM_ALIGNOF);
	memcpy(bytes->data + at, from, size);
	return at;
}

char *
lr_bytes_end(LrBytes *bytes)
{
	return (char *) repalloc_huge(bytes->data, bytes->size);
}
