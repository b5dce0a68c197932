/*
 * key_order.c
 *	  The order of lead keys in journal_current: the shorter first, then byte by
 *	  byte; see sql/parts/15_key_order.sql.
 *
 * An index on disk depends on it: it never changes.  Needs no shared memory,
 * so it works where the library was not preloaded (a restore, a vacuum).
 */
#include "postgres.h"

#include "fmgr.h"
#include "port/pg_bswap.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(lr_key_cmp);
PG_FUNCTION_INFO_V1(lr_key_lt);
PG_FUNCTION_INFO_V1(lr_key_le);
PG_FUNCTION_INFO_V1(lr_key_ge);
PG_FUNCTION_INFO_V1(lr_key_gt);

/* A key as it is to be compared; what is neither compressed nor out of line, as
 * nearly all keys are, is read where it is. */
static inline text *
key_argument(Datum value)
{
	struct varlena *p = (struct varlena *) DatumGetPointer(value);

	return VARATT_IS_COMPRESSED(p) || VARATT_IS_EXTERNAL(p) ?
		pg_detoast_datum_packed(p) : p;
}

/* Eight bytes as a number that is in their order. */
static inline uint64
eight_bytes(const char *p)
{
	uint64		n;

	memcpy(&n, p, sizeof(n));
	return pg_ntoh64(n);
}

/* As memcmp: most keys are 8 to 16 bytes, the first and the last 8 of them. */
static inline int
compare_bytes(const char *a, const char *b, int n)
{
	uint64		x;
	uint64		y;

	if (n < 8 || n > 16)
		return memcmp(a, b, n);
	x = eight_bytes(a);
	y = eight_bytes(b);
	if (x == y)
	{
		x = eight_bytes(a + n - 8);
		y = eight_bytes(b + n - 8);
	}
	return x < y ? -1 : x > y;
}

/* Below 0, 0, above 0. */
static inline int
compare(FunctionCallInfo fcinfo)
{
	text	   *a = key_argument(PG_GETARG_DATUM(0));
	text	   *b = key_argument(PG_GETARG_DATUM(1));
	int			na = VARSIZE_ANY_EXHDR(a);
	int			nb = VARSIZE_ANY_EXHDR(b);
	int			result = na != nb ? na - nb :
		compare_bytes(VARDATA_ANY(a), VARDATA_ANY(b), na);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

Datum
lr_key_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare(fcinfo));
}

Datum
lr_key_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) < 0);
}

Datum
lr_key_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) <= 0);
}

Datum
lr_key_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) >= 0);
}

Datum
lr_key_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) > 0);
}
