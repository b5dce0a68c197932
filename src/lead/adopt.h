/*
 * adopt.h
 *	  Leads that have an owner before leadroute knows of them.
 */
#ifndef LR_ADOPT_H
#define LR_ADOPT_H

#include "nodes/pg_list.h"

#include "lead/outcome.h"

/*
 * Journals the open leads of a table that have an owner: one of these members
 * (ids); NIL: any.  The caller has locked the table for NIL; else the leads are
 * locked, but under an old snapshot, where that may fail.  Returns how many.
 */
extern int64 lr_adopt_table(LrTable *table, List *member_ids);

/*
 * Journals one lead, if its owner is a member by now.  Most are not: so the
 * lead is looked at before it is locked, too.  Returns whether it did.  SPI is
 * connected, with the rights of lr_lead_become.
 */
extern bool lr_adopt_one(LrTable *table, const char *key);

/*
 * Journals the open leads of all attached tables that are owned by one of
 * these members (ids) and not in the journal yet.
 */
extern void lr_adopt_members(List *member_ids);

/*
 * Journals a lead that its owner, a member, has had all along, unless the
 * journal has it with a member: an open one, and where leads are known again
 * (router.sticky_key) a closed one, which counts as no load.  The lead's row is
 * locked, or nobody else can change it.  Returns whether it did.
 */
extern bool lr_adopt_lead(LrTable *table, const LrFacts *facts);

/*
 * Where leads are known again: notes the sticky keys of one that has an owner
 * and is in the journal, under the key that it has now.
 */
extern void lr_note_keys(LrTable *table, TupleTableSlot *row,
						 const LrFacts *facts);

#endif							/* LR_ADOPT_H */
