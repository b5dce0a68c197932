/*
 * cap_judge.h
 *	  Which leads that came before a cap make its condition true.  For
 *	  cap_earlier.c.
 *
 * Judged is the lead as its table has it now, with the score that the decision
 * had, and with the rights of who wrote the condition.  What nobody can tell
 * does not count: of a lead that is gone from its table, or whose table is; and
 * a condition that raises an error.
 *
 * Leads are read with the latest snapshot and in batches, without locks on them;
 * locks on their tables go with each table.  A serializable transaction reads what is
 * committed now instead (cap_earlier.h).
 */
#ifndef LR_CAP_JUDGE_H
#define LR_CAP_JUDGE_H

#include "cap/cap.h"

/* A decision whose lead is to be judged. */
typedef struct LrCapLead
{
	const char *table;			/* routed_table.name */
	char	   *key;
	int32		member;			/* in whose counter it would count; 0: of all */
	bool		has_score;
	double		score;
} LrCapLead;

typedef struct LrCapJudge
{
	const LrRouter *router;
	const LrCap *cap;
	struct LrTable *table;		/* of the last leads, pinned; NULL: none */
	Oid			relid;			/* it, locked; InvalidOid: none */
	LrExpr	   *condition;		/* over it; NULL: broken */
	bool		locked;			/* somebody keeps a table for himself: another time */
	MemoryContext context;		/* of a batch */
} LrCapJudge;

extern void lr_cap_judge_begin(LrCapJudge *judge, const LrRouter *router,
							   const LrCap *cap);

/*
 * Judges leads, which are in the order of their tables: true is set for those
 * that the condition is true for.  SPI is connected, as the owner of the
 * extension.
 */
extern void lr_cap_judge(LrCapJudge *judge, LrCapLead *lead, int n,
						 bool *is_true);

extern void lr_cap_judge_end(LrCapJudge *judge);

#endif							/* LR_CAP_JUDGE_H */
