/*
 * by_hand.h
 *	  What people do with leads that are stored: assign, handover, close.
 *
 * Order, always: lock the lead's row, decide and reserve, update the lead,
 * write the journal.  The row lock serialises everybody who touches a lead.
 * Whoever calls runs with the rights of the table's owner (lr_lead_become), SPI
 * connected.
 */
#ifndef LR_BY_HAND_H
#define LR_BY_HAND_H

#include "lead/stored.h"

extern void lr_no_such_lead(LrTable *table, const char *key);

/* The member of that name; error if there is none who can be given a lead. */
extern LrMember *lr_member_for_assign(LrBinding *b, const char *name);

/*
 * Gives a lead to a member by hand: a duplicate stays one.  Error when that is
 * beyond his limits.  reason is the journal's code, words its detail (NULL:
 * none).  The lead is updated with the rights of updater; InvalidOid: as the
 * caller is now.
 */
extern void lr_assign_stored(LrTable *table, LrBinding *b, const LrFacts *facts,
							 LrMember *m, bool ignore_limits, bool duplicate,
							 const char *reason, const char *words, Oid updater);

#endif							/* LR_BY_HAND_H */
