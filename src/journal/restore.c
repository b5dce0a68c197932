/*
 * restore.c
 *	  The journal was written by SQL: a restore.
 *
 * The library writes the journal through the access methods, which fire no
 * triggers; so the statement trigger here sees exactly what others write:
 * COPY of a restore, or a repair by hand.  The counters in shared memory then
 * say something else than the tables and are loaded again, from the whole
 * journal, when that transaction has committed.
 *
 * Until leads are routed again (or leadroute.rebuild is called) the worker
 * leaves held leads alone: nothing is routed during a restore.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"

#include "base/guc.h"
#include "journal/companion.h"
#include "roster/recovery.h"
#include "roster/reserve.h"
#include "roster/roster.h"

PG_FUNCTION_INFO_V1(lr_journal_written);

Datum
lr_journal_written(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("leadroute.journal_written is a trigger function")));
	lr_checkpoint_forget();
	if (lr_preloaded())
	{
		(void) lr_database_slot();
		lr_journal_rewritten();
		/* others are told by LrDatabase.rewritten, once it has committed */
		lr_companion_rewritten();
	}
	PG_RETURN_POINTER(NULL);
}
