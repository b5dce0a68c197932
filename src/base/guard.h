/*
 * guard.h
 *	  Running something that may raise inside a subtransaction of its own.
 */
#ifndef LR_GUARD_H
#define LR_GUARD_H

typedef void (*LrGuardedFn) (void *arg);

/*
 * Calls fn(arg) in an internal subtransaction and the current memory context.
 * NULL: it went well; else it was rolled back and this is the error, whatever
 * it is: the caller raises on (ReThrowError) what is not its own to swallow.
 */
extern ErrorData *lr_guarded_error(LrGuardedFn fn, void *arg);

/*
 * True for errors that must not be taken for a mistake in an expression:
 * serialization, resources, operator intervention, system, internal.
 */
extern bool lr_error_is_fatal(int sqlerrcode);

/*
 * The same, for what users have written: NULL, or the error's message.  Errors
 * that are no mistake of theirs are raised on (lr_error_is_fatal).
 */
extern char *lr_guarded(LrGuardedFn fn, void *arg);

/*
 * The same for what only reads: rolled back in any case, so that it keeps no lock.
 */
extern char *lr_guarded_reading(LrGuardedFn fn, void *arg);

#endif							/* LR_GUARD_H */
