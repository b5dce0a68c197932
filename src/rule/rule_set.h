/*
 * rule_set.h
 *	  The rules of a router over a table at one version of the configuration.
 *
 * A set is a base and a delta: what has changed since the base was made.  A
 * new version makes a new set with the same base and another delta, which
 * costs what has changed; when the delta has grown, base and delta are merged.
 *
 * Invariants
 * - A set never changes.  Who searches it pins it.
 * - A public set shows what was committed at its version.  From it alone later
 *	 sets are made.
 * - A private set shows changes of the transaction itself, which may be rolled
 *	 back; it is known by the number of its own change (lr_config_own_change),
 *	 and its base is the public one.
 */
#ifndef LR_RULE_SET_H
#define LR_RULE_SET_H

#include "rule/rule_index.h"
#include "lead/table.h"

typedef struct LrRuleBase LrRuleBase;

typedef struct LrRuleSet
{
	MemoryContext context;
	int			pins;
	bool		dropped;		/* freed with the last pin */
	int32		router;
	char	   *name;			/* of the router when it was read */
	int32		table;
	uint64		definition;		/* of the table */
	int64		incarnation;
	int64		version;
	uint64		own_changes;	/* 0: public */
	LrRuleBase *base;
	const LrImage *delta;		/* NULL: none */
	int			ndead;
	uint8	   *dead;			/* bitmap over the base; NULL: none */
	LrRuleIndex *index;
} LrRuleSet;

/*
 * The set for a table and a router as it was read, pinned; NULL: the router
 * has changed since.
 */
extern LrRuleSet *lr_rule_set_pin(LrTable *table, LrRouter *router);
extern void lr_rule_set_unpin(LrRuleSet *set);

#endif							/* LR_RULE_SET_H */
