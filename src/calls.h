/*
 * calls.h
 *	  What the worker does by the functions of calls.c.
 */
#ifndef LR_CALLS_H
#define LR_CALLS_H

/*
 * Decide a held lead; one that waits to be ready, if it is, or has waited long
 * enough; adopt a lead whose owner has become a member.  The
 * process acts as the owner of the lead table until the transaction has ended;
 * then it has to call lr_session_clean, also after an error.
 */
extern void lr_route_held(const char *name, const char *key);
extern void lr_route_waiting(const char *name, const char *key);
extern void lr_adopt_late(const char *name, const char *key);

#endif							/* LR_CALLS_H */
