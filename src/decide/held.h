/*
 * held.h
 *	  Leads that are held go first: who comes later does not get a member whom
 *	  one of them could have.
 *
 * Terms
 *	  line		what leads wait for: the first rule that would have had them,
 *				with the team it had then (pool_entry.line).  A lead stands in
 *				it from the commit of its decision on, in the order of ids.
 *	  looking	the worker tries all leads that are held, oldest first.
 *	  fresh		a member who may have become able to take leads since the last
 *				time that was looked: its load has gone down, the configuration
 *				or the people have changed, or the time has come at which
 *				somebody's absence, hours or cap end.
 *
 * Invariant: a lead in whose line others stand before it is given to no fresh
 * member, by anybody: it is as if that one were full, and if nobody else can
 * take it, it is held behind them.  Who is not fresh has been refused by all of
 * them.  So nobody is overtaken, and a lead that nobody can take keeps nobody
 * waiting.  A lead that could not be tried (somebody has locked its row) may be
 * overtaken.
 *
 * What is fresh is told by numbers in the database's slot, under db->lock:
 *	  free_seq		counts what makes somebody fresh
 *	  all_freed		as of when it may have been anybody; LrMemberSlot.freed: this
 *					member
 *	  looked_seq	who was freed after it, is fresh
 *	  held_until	when somebody may become able by the clock of decisions
 *	  looking		somebody does, and pass_seq, pass_until hold what leads that
 *					were held meanwhile say of these
 *	  looked_at		when each lead was tried last
 * The numbers of a member and of its load change under the same hold of the
 * lock, so nobody sees one without the other.  Who changes the people gives the
 * number when he has committed, before he tells other sessions to read them
 * again.
 *
 * Whether others stand in a line is asked from pool_entry itself (with
 * SnapshotSelf, see scan.h): it is the truth after a crash, too.  db->line, a
 * bitmap by hash, only spares that where nobody can be: a bit is set when the
 * transaction of a held lead has ended, before its session can say so to
 * anybody, and cleared after a look that found no such lead.
 */
#ifndef LR_HELD_H
#define LR_HELD_H

#include "config/config.h"
#include "roster/roster.h"

struct LrHeld;

/* The line of a rule with its team. */
extern int64 lr_line_of(int32 rule, const LrTeam *team);

/*
 * Whether others may stand before a lead in a line; and whether they do: before
 * the decision of that id, 0: at all.
 */
static inline bool
lr_line_is_busy(const LrDatabase *db, int64 line)
{
	uint32		bit = lr_line_bit(line);

	/* unlocked: what was set before the statement began is seen */
	return (db->line[bit / 8] & (1 << (bit % 8))) != 0;
}
extern bool lr_line_waits(int64 line, int64 id);

/* Whether a member is fresh.  db->lock held. */
extern bool lr_is_fresh(const LrDatabase *db, int member_slot, TimestampTz now);

/* ---------- looking, by the worker ---------- */

extern void lr_look_begin(LrDatabase *db);

/* Whether this process is looking. */
extern bool lr_looking(void);

/* What a lead says that stays held. */
extern void lr_look_note(const struct LrHeld *held);

/*
 * The way of the lead that was tried last, if it stays held and those with the
 * same way are not to be tried in this look; 0: they are.  Leads may have
 * changed, and rules come into force by the clock: so a look at which nobody
 * but members was freed since the last one may spare them, others try all.
 */
extern int64 lr_look_refused(void);

/*
 * All leads have been tried (done), or the rest is left for another time.
 * lines: those of all leads that are held.
 */
extern void lr_look_end(LrDatabase *db, bool done, const uint8 *lines);

/* The worker has ended while it was looking.  db->lock held. */
extern void lr_look_broken_off(LrDatabase *db);

#endif							/* LR_HELD_H */
