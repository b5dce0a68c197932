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

#include "base/compat.h"

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

/* The first and the last four of 4 to 7 bytes, in the same way. */
static inline uint64
four_bytes(const char *p, int n)
{
	uint32		first;
	uint32		last;

	memcpy(&first, p, sizeof(first));
	memcpy(&last, p + n - 4, sizeof(last));
	return (uint64) pg_ntoh32(first) << 32 | pg_ntoh32(last);
}

/* As memcmp: most keys are 4 to 16 bytes, their first ones and their last. */
static inline int
compare_bytes(const char *a, const char *b, int n)
{
	uint64		x;
	uint64		y;

	if (n < 4 || n > 16)
		return memcmp(a, b, n);
	if (n < 8)
	{
		x = four_bytes(a, n);
		y = four_bytes(b, n);
		return x < y ? -1 : x > y;
	}
	x = eight_bytes(a);
	y = eight_bytes(b);
	if (x == y)
	{
		x = eight_bytes(a + n - 8);
		y = eight_bytes(b + n - 8);
	}
	return x < y ? -1 : x > y;
}

/* Keys as long as anybody may make them. */
static pg_noinline int
compare_long(FunctionCallInfo fcinfo)
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

/* Whether a value is as short as nearly all keys are, and lies here. */
static inline bool
is_short(const struct varlena *p)
{
	return VARATT_IS_1B(p) && !VARATT_IS_1B_E(p);
}

/* Below 0, 0, above 0. */
static inline int
compare(FunctionCallInfo fcinfo)
{
	const struct varlena *a = (struct varlena *) DatumGetPointer(PG_GETARG_DATUM(0));
	const struct varlena *b = (struct varlena *) DatumGetPointer(PG_GETARG_DATUM(1));

	if (is_short(a) && is_short(b))
	{
		int			na = VARSIZE_1B(a) - VARHDRSZ_SHORT;
		int			nb = VARSIZE_1B(b) - VARHDRSZ_SHORT;

		return na != nb ? na - nb :
			compare_bytes(VARDATA_1B(a), VARDATA_1B(b), na);
	}
	return compare_long(fcinfo);
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
