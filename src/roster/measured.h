/*
 * measured.h
 *	  What members have made of their leads: response and conversion rates, and
 *	  the tiers that method top_producer goes by.
 *
 * Counted are the assignments by rule, given by the application and by hand that
 * were made in the window: leadroute.measured_window long, up to
 * leadroute.measured_delay ago, since younger leads have not had the time to
 * convert.  Each counts, whatever has become of it since; as responded or
 * converted, if that has happened under it (journal.responded_at, converted_at).
 *
 *	  of a member	response_rate, conversion_rate: over all of its leads, among
 *					the members of its router
 *	  of a seat		the tier: over the leads of one team, among its members
 * All are shrunk towards the mean of that group, see shrink.h.
 *
 * Kept in the table leadroute.measured and, for decisions, in shared memory
 * (LrMemberSlot, LrSeat), where they change under db->lock, all at once, with
 * LrDatabase.measured_serial; who reads one number needs no lock.  They are made
 * anew by the worker when a decision has asked for them and they are older than
 * leadroute.measured_interval, and by leadroute.measure().  A
 * transaction that measures decides by the former ones until its commit has
 * published them; what is prepared publishes nothing, and they are made anew the
 * next time that a decision wants them.
 */
#ifndef LR_MEASURED_H
#define LR_MEASURED_H

#include "config/config.h"

typedef struct LrMeasured
{
	int64		open_leads;		/* load now, as this transaction may count it */
	double		response_rate;	/* NaN: not measured yet */
	double		conversion_rate;
} LrMeasured;

/*
 * What is known of a member now; who uses its rates wants them (lr_measured_want).
 * Without the lock: open_leads may be another the next moment.
 */
extern void lr_measured(LrDatabase *db, LrMember *m, LrMeasured *measured);

/* Changes whenever rates and tiers do. */
extern uint64 lr_measured_serial(LrDatabase *db);

/* A decision uses measures: new ones are wanted where they are old. */
extern void lr_measured_want(LrDatabase *db);

/*
 * Measures, writes the table and shared memory.  wait: for somebody else who
 * does; otherwise nothing is done then (LR_NOT_MEASURED).  Returns how many members
 * have leads in the window.
 */
extern int64 lr_measure_members(LrDatabase *db, bool wait);

#define LR_NOT_MEASURED		(-1)

/*
 * The ends of levels, for transaction.c: the commit publishes what was measured;
 * levels >= nest (0: the transaction) were rolled back.
 */
extern void lr_measured_commit(void);
extern void lr_measured_commit_sub(int nest);
extern void lr_measured_abort(int nest);

/* Reads the table into shared memory.  SPI is connected, as the owner. */
extern void lr_measured_load(LrDatabase *db);

#endif							/* LR_MEASURED_H */
