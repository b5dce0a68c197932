/*
 * eligible.h
 *	  Who of a team can take a lead, who of them has a share of it, and who was
 *	  passed over.  For method.c.
 *
 * Found in two steps: what people and calendars say, before db->lock is taken,
 * and what counters say, under it.  The second allocates nothing.
 */
#ifndef LR_ELIGIBLE_H
#define LR_ELIGIBLE_H

#include "decide/choice.h"

/* ---------- before the lock ---------- */

/*
 * Whether nothing can keep any member from the lead: all active, never away,
 * without hours or capacity, no cap, and nobody is busy.
 */
extern bool lr_is_plain(const LrPickRequest *request);

/* Whether who is not there may be owed a share of the lead. */
extern bool lr_may_accrue(const LrPickRequest *request);

/*
 * What can be said without the counters, of those whom the lead fits.  Returns
 * how many of them are not gone for good.
 */
extern int	lr_look_at_people(LrChoice *work);

/* The same number by the roll. */
extern int	lr_fitting_of_roll(const LrChoice *work);

/* ---------- under it ---------- */

/* Who is a candidate. */
extern void lr_look_at_counters(LrChoice *work);

/* The candidates as a bitmap and a hash, and their shares. */
extern void lr_note_candidates(LrChoice *work);

/* One who could not take it, if he was due before the chosen one: note_passed.c. */
extern void lr_note_passed(const LrChoice *work, int i, LrPick *pick);

/* Those whom the lead does not fit: the first ones only. */
extern void lr_note_unfit(const LrChoice *work, LrPick *pick);

/* All of those. */
extern void lr_note_passed_over(const LrChoice *work, LrPick *pick);

/* Each member, for a dry run. */
extern void lr_note_all(const LrChoice *work, LrPick *pick);

/* What a lead that nobody can take has to know, see held.h. */
extern void lr_note_nobody(const LrChoice *work, LrPick *pick);

#endif							/* LR_ELIGIBLE_H */
