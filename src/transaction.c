/*
 * transaction.c
 *	  The transaction callbacks of the library, so that their order is written
 *	  in one place.  What wakes others stands apart: at_release in due.c, and
 *	  launcher.c for new databases.
 *
 * Invariants
 * - What may fail, allocates or writes rows belongs to the events before the
 *	 end: PRE_COMMIT, PRE_PREPARE, PRE_COMMIT_SUB.  The others only unlink, add
 *	 and subtract; an error in COMMIT is the end of the server.
 * - Rows that wait are written before PRE_COMMIT is over; those of a level are
 *	 handed up or dropped with the level.
 * - Reservations are settled last, when nothing refers to them any more.
 */
#include "postgres.h"

#include "access/xact.h"

#include "base/acting.h"
#include "base/pin.h"
#include "cap/cap_earlier.h"
#include "config/changes.h"
#include "expression/evaluate.h"
#include "journal/companion.h"
#include "journal/journal.h"
#include "lead/frame.h"
#include "lead/move.h"
#include "roster/claim.h"
#include "roster/due.h"
#include "roster/late.h"
#include "roster/measured.h"
#include "roster/reserve.h"
#include "roster/roster.h"
#include "rule/rule_share.h"
#include "transaction.h"

static void
committed(void)
{
	lr_frames_abort(0);
	lr_journal_abort(0);
	lr_acting_abort(0);
	lr_changes_end();
	lr_moves_abort(0);
	lr_claims_abort(0);
	lr_companion_end();
	lr_reserve_end(true);
}

static void
on_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			lr_frames_finish();
			lr_journal_flush();
			break;
		case XACT_EVENT_PRE_PREPARE:
			lr_frames_finish();
			lr_journal_flush();
			lr_reserve_pre_prepare();
			break;
		case XACT_EVENT_COMMIT:
			lr_reserve_commit();
			lr_measured_commit();
			lr_due_committed();
			lr_caps_commit();
			committed();
			break;
		case XACT_EVENT_PREPARE:
			lr_reserve_hand_over();
			lr_late_end();		/* its entry knows of these */
			lr_caps_forget();
			lr_due_prepared();
			lr_measured_abort(0);
			lr_companion_abort();	/* it may be rolled back yet */
			committed();
			break;
		case XACT_EVENT_ABORT:
			lr_frames_abort(0);
			lr_journal_abort(0);
			lr_acting_abort(0);
			lr_changes_end();
			lr_moves_abort(0);
			lr_evaluating_abort(0);
			lr_share_abort(0);
			lr_pins_abort(0);
			lr_companion_abort();
			lr_companion_end();
			lr_claims_abort(0);
			lr_measured_abort(0);
			lr_reserve_abort(0);
			lr_reserve_end(false);
			break;
		default:
			break;
	}
}

static void
on_subtransaction(SubXactEvent event, SubTransactionId mine,
				  SubTransactionId parent, void *arg)
{
	int			nest = GetCurrentTransactionNestLevel();

	switch (event)
	{
		case SUBXACT_EVENT_PRE_COMMIT_SUB:
			lr_reserve_prepare_sub(nest);
			lr_journal_prepare_sub(nest);
			break;
		case SUBXACT_EVENT_COMMIT_SUB:
			lr_journal_commit_sub(nest);
			lr_changes_commit_sub(nest);
			lr_pins_commit_sub(nest);
			lr_measured_commit_sub(nest);
			lr_reserve_commit_sub(nest);
			break;
		case SUBXACT_EVENT_ABORT_SUB:
			lr_frames_abort(nest);
			lr_journal_abort(nest);
			lr_acting_abort(nest);
			lr_changes_abort_sub(nest);
			lr_moves_abort(nest);
			lr_evaluating_abort(nest);
			lr_share_abort(nest);
			lr_pins_abort(nest);
			lr_companion_abort();
			lr_claims_abort(nest);
			lr_measured_abort(nest);
			lr_reserve_abort(nest);
			break;
		default:
			break;
	}
}

void
lr_transaction_init(void)
{
	RegisterXactCallback(on_transaction, NULL);
	RegisterSubXactCallback(on_subtransaction, NULL);
	lr_due_init();
}
