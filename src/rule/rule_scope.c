/*
 * rule_scope.c
 *	  valid and percent of a rule; see rule_scope.h.
 *
 * The draw is part of the public contract, for whoever recomputes which leads
 * a rule with percent takes: FNV-1a (64 bits) over the bytes of the text
 * '<router.id> <rule.id> <lead_key>', its bits mixed as MurmurHash3 ends, the
 * upper 53 of them as a fraction of 100.  Ids, not names: a rule that is
 * renamed keeps its leads, also after a dump and restore; one that is made
 * anew draws anew.  Nothing in it depends on the server's version, on the
 * byte order or on a seed.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "rule/rule_scope.h"

const LrRuleScope lr_rule_unlimited = {
	.percent = 100,
	.since = DT_NOBEGIN,
	.until = DT_NOEND
};

/* A bound that is exclusive at the lower, inclusive at the upper end moves. */
static TimestampTz
next_moment(const RangeBound *bound, bool moves)
{
	TimestampTz t = DatumGetTimestampTz(bound->val);

	return moves && !TIMESTAMP_NOT_FINITE(t) ? t + 1 : t;
}

void
lr_rule_scope_read(LrRuleScope *scope, LrScan *scan)
{
	bool		isnull;
	Datum		value = lr_scan_datum(scan, "percent", &isnull);

	*scope = lr_rule_unlimited;
	if (!isnull)
		scope->percent = DatumGetFloat8(DirectFunctionCall1(numeric_float8,
															value));
	value = lr_scan_datum(scan, "valid", &isnull);
	if (!isnull)
	{
		RangeType  *range = DatumGetRangeTypeP(value);
		RangeBound	lower;
		RangeBound	upper;
		bool		empty;

		range_deserialize(lookup_type_cache(RangeTypeGetOid(range),
											TYPECACHE_RANGE_INFO),
						  range, &lower, &upper, &empty);
		if (empty)
			scope->until = DT_NOBEGIN;
		if (!empty && !lower.infinite)
			scope->since = next_moment(&lower, !lower.inclusive);
		if (!empty && !upper.infinite)
			scope->until = next_moment(&upper, upper.inclusive);
	}
}

double
lr_rule_draw(int32 router, int32 rule, const char *key)
{
	char		ids[32];
	uint64		h = UINT64CONST(0xcbf29ce484222325);
	const unsigned char *c;

	snprintf(ids, sizeof(ids), "%d %d ", router, rule);
	for (c = (const unsigned char *) ids; *c; c++)
		h = (h ^ *c) * UINT64CONST(0x100000001b3);
	for (c = (const unsigned char *) key; *c; c++)
		h = (h ^ *c) * UINT64CONST(0x100000001b3);
	h ^= h >> 33;
	h *= UINT64CONST(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64CONST(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return (double) (h >> 11) * (100.0 / UINT64CONST(9007199254740992));
}
