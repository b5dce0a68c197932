/*
 * sticky.h
 *	  Leads of somebody who is known already: the step of a decision before
 *	  rules.
 *
 * In this order, for a router with sticky_key:
 *	  suppressed	a key stands in leadroute.suppression: stored, never routed
 *	  duplicate		a key is that of a lead which was stored within
 *					duplicate_window, before this one, and whose owner is a
 *					member, active: the same owner, no turn, no load, whatever
 *					the owner's limits
 *	  sticky		a key is that of a lead stored within sticky_window (or
 *					being stored right now): its owner, if he can take it; else
 *					the rules decide
 *
 * Which lead is followed: the first one that this one is a duplicate of; else,
 * keys in the order of their expressions, and of a key the latest decision about
 * a lead that has an owner.  The owner is the present one
 * of that lead, whoever made him so.  Of a lead in a transaction which is open
 * still it is who was decided there: it may be rolled back, so this is never a
 * duplicate, and its owner stays whatever becomes of the other one.
 */
#ifndef LR_STICKY_H
#define LR_STICKY_H

#include "roster/claim.h"
#include "decide/decide.h"

/* The lead that is followed. */
typedef struct LrFollowed
{
	int64		id;				/* of the decision about it */
	TimestampTz at;
	int32		routed_table;
	const char *lead_key;		/* NULL: not known, it is being stored */
	int32		member;
	int			said_by;		/* expression that both have the value of */
	bool		open;			/* its transaction may be rolled back yet */
	bool		duplicate;
	bool		hidden;			/* explain: from who asks */
} LrFollowed;

typedef struct LrSticky
{
	LrLeadKeys *keys;
	int64		since;			/* its first decision; of a new lead: none yet */
	LrClaimsSeen seen;
	int			suppressed_by;	/* expression whose value is suppressed; -1: none */
	char	   *suppressed_why;
	LrFollowed *followed;		/* NULL: nobody knows the lead */
	char	   *refused;		/* why its owner does not get it; NULL: he does */
	char	   *detail;			/* errors of expressions; what the request said */
} LrSticky;

/* Looks at the lead's keys, in this context. */
extern LrSticky *lr_sticky_begin(const LrDecideRequest *request);

/* Decides by them, unless the rules have to. */
extern void lr_sticky_decide(const LrDecideRequest *request, LrSticky *s,
							 LrDecision *decision);

/*
 * Claims the keys for what was decided; false: another lead of the same person
 * was decided meanwhile, for somebody else; the decision is taken back, and to
 * be made anew.
 */
extern bool lr_sticky_claim(const LrDecideRequest *request, LrSticky *s,
							LrDecision *decision);

/* The owner was given: only notes the keys, and claims them. */
extern void lr_sticky_given(LrTable *table, LrBinding *b, TupleTableSlot *row,
							LrDecision *decision);

/*
 * The lead of a decision is stored, and its journal row added: others find its
 * keys from now on.  Or it is not stored.  Nothing to do without keys.
 */
extern void lr_sticky_stored(const LrDecision *decision);
extern void lr_sticky_dropped(const LrDecision *decision);

/*
 * A stored lead that is in the journal by decision id: its keys are noted
 * unless they are.
 */
extern void lr_sticky_note(LrTable *table, LrBinding *b, TupleTableSlot *row,
						   const char *key, int64 id, TimestampTz at,
						   int32 member);

/* The name of an attached table; NULL: there is none. */
extern char *lr_sticky_table_name(int32 id);

/* Why there is no further look at the keys, or that there is: for explain. */
extern char *lr_sticky_words(const LrDecideRequest *request,
							 const LrSticky *s);

#endif							/* LR_STICKY_H */
