/*
 * guard.h
 *	  Running something that may raise inside a subtransaction of its own.
 */
#ifndef LR_GUARD_H
#define LR_GUARD_H

/*
 * Calls fn(arg) in an internal subtransaction and the current memory context.
 * NULL: it went well; else it was rolled back and this is the error's message.
 * Errors that are no mistake of the user's are raised on (lr_error_is_fatal).
 */
typedef void (*LrGuardedFn) (void *arg);
extern char *lr_guarded(LrGuardedFn fn, void *arg);

#endif							/* LR_GUARD_H */
