/*
 * calls.h
 *	  What the worker does with a lead.
 *
 * The process acts as the owner of the lead table until the transaction has
 * ended; then it has to call lr_session_clean, also after an error.
 */
#ifndef LR_CALLS_H
#define LR_CALLS_H

#include "lead/table.h"

/*
 * Decide a held lead; one that waits to be ready, if it is, or has waited long
 * enough; adopt a lead whose owner has become a member.
 */
extern void lr_route_held(const char *name, const char *key);
extern void lr_route_waiting(const char *name, const char *key);
extern void lr_adopt_late(const char *name, const char *key);

/* Moves a lead that somebody was given who had left meanwhile (handover.c). */
extern void lr_hand_over_late(const char *name, const char *key);

/*
 * Leads of which that has to be done, as j of t: given by leadroute, and open, to
 * members who are inactive and whose leads were handed over since they were last
 * active: o, m.
 */
#define LR_LEFT_LEADS \
	" FROM leadroute.journal j" \
	" JOIN leadroute.routed_table t ON t.id = j.routed_table" \
	" JOIN leadroute.member m ON m.id = j.member AND NOT m.active" \
	" CROSS JOIN LATERAL (SELECT e.at, e.payload FROM leadroute.event e" \
	" WHERE e.lead_key IS NULL AND e.routed_table IS NULL" \
	" AND e.kind = 'offboarded' AND e.member = m.id" \
	" ORDER BY e.id DESC LIMIT 1) o" \
	" WHERE NOT j.superseded AND j.closed_at IS NULL AND j.kind IN ('a', 'r', 'u')" \
	" AND NOT EXISTS (SELECT FROM leadroute.config_history h" \
	" WHERE h.table_name = 'member' AND h.at > o.at" \
	" AND (h.old ->> 'id')::integer = m.id AND NOT (h.old ->> 'active')::boolean" \
	" AND (h.new ->> 'active')::boolean)"

/*
 * Begin and end what is done with a lead.  The transaction is the table owner's
 * from here to its end, so that deferred triggers run with his rights at commit,
 * and see the path of who attached.
 */
extern LrTable *lr_begin_for_worker(const char *name, LOCKMODE lockmode);
extern void lr_end_for_worker(LrTable *table);

#endif							/* LR_CALLS_H */
