/*
 * rule_scope.h
 *	  What limits a rule beside its condition: valid (when it is in force) and
 *	  percent (which part of the leads that match it takes).
 */
#ifndef LR_RULE_SCOPE_H
#define LR_RULE_SCOPE_H

#include "datatype/timestamp.h"

#include "base/scan.h"

typedef struct LrRuleScope
{
	double		percent;
	TimestampTz since;			/* in force from, until before */
	TimestampTz until;
} LrRuleScope;

/* Always in force, and all leads. */
extern const LrRuleScope lr_rule_unlimited;

static inline bool
lr_rule_is_unlimited(const LrRuleScope *scope)
{
	return scope->percent == lr_rule_unlimited.percent &&
		scope->since == lr_rule_unlimited.since &&
		scope->until == lr_rule_unlimited.until;
}

/* The scope of the rule whose row a scan is at. */
extern void lr_rule_scope_read(LrRuleScope *scope, LrScan *scan);

/* Whether the rule is in force at that time. */
static inline bool
lr_rule_in_force(const LrRuleScope *scope, TimestampTz now)
{
	return now >= scope->since && now < scope->until;
}

/* Where the lead falls for the rule, in [0, 100): the same at every look. */
extern double lr_rule_draw(int32 router, int32 rule, const char *key);

/* Whether the rule takes the lead, as far as percent says. */
static inline bool
lr_rule_takes(const LrRuleScope *scope, int32 router, int32 rule,
			  const char *key)
{
	return scope->percent >= 100 ||
		lr_rule_draw(router, rule, key) < scope->percent;
}

#endif							/* LR_RULE_SCOPE_H */
